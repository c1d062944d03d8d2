#include "shm/control.h"
#include "shm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_BACKLOG 16

#define FIXED 40	/* bytes before the arguments or the text */

_Static_assert(sizeof(struct control_request) == FIXED && sizeof(struct control_reply) == FIXED, "one size for both");
_Static_assert(offsetof(struct control_request, length) == offsetof(struct control_reply, length), "at one place in both");

static int address_of(struct sockaddr_un *address, const char *dir, struct shm_why *why)
{
	int error;

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	error = shm_path(address->sun_path, sizeof address->sun_path, dir, "control");
	if (error)
		shm_why_set(why, "%s/control: a socket's path has at most %zu bytes", dir, sizeof address->sun_path - 1);
	return error;
}

static int new_socket(int *fd)
{
	*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *fd < 0 ? errno : 0;
}

/* Removes a socket that nobody listens on any more. */
static int remove_stale(const struct sockaddr_un *address, const char *dir, struct shm_why *why)
{
	struct stat st;
	int fd, error;

	if (lstat(address->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid()) {
		shm_why_set(why, "%s: is no socket of this user", address->sun_path);
		return EPERM;
	}
	error = control_connect(&fd, dir);
	if (error == 0 || error == EAGAIN) {
		if (error == 0)
			close(fd);
		shm_why_set(why, "%s: another program listens there", address->sun_path);
		return EADDRINUSE;
	}
	return unlink(address->sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

int control_listen(int *out, const char *dir, struct shm_why *why)
{
	struct sockaddr_un address;
	int fd = -1, error = address_of(&address, dir, why);

	if (error || (error = remove_stale(&address, dir, why)) != 0)
		return error;
	if ((error = new_socket(&fd)) != 0)
		return error;
	/* The mode of the inode before bind() gives the socket its mode: no moment at which others could connect. */
	if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    chmod(address.sun_path, 0600) != 0 || listen(fd, CONTROL_BACKLOG) != 0) {
		error = errno;
		shm_why_set(why, "%s: %s", address.sun_path, strerror(error));
		close(fd);
		return error;
	}
	*out = fd;
	return 0;
}

/* The peer runs as our user. */
static int check_peer(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return errno;
	return peer.uid == geteuid() ? 0 : EPERM;
}

int control_accept(int *out, int listener)
{
	int error, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno == EWOULDBLOCK ? EAGAIN : errno;
	if ((error = check_peer(fd)) != 0) {
		close(fd);
		return error;
	}
	*out = fd;
	return 0;
}

int control_connect(int *out, const char *dir)
{
	struct sockaddr_un address;
	int fd, error = address_of(&address, dir, NULL);

	if (error || (error = new_socket(&fd)) != 0)
		return error;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		error = errno;
	else
		error = check_peer(fd);
	if (error)
		close(fd);
	else
		*out = fd;
	return error;
}

static int send_parts(int fd, const struct iovec *parts, size_t count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };
	ssize_t sent;

	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EWOULDBLOCK ? EAGAIN : errno == ECONNRESET ? EPIPE : errno;
	return 0;	/* a packet goes whole or not at all */
}

int control_ring(int fd)
{
	char bell = CONTROL_DOORBELL;
	const struct iovec part = { &bell, 1 };
	int error = send_parts(fd, &part, 1);

	return error == EAGAIN ? 0 : error;
}

int control_ask(int fd, const struct control_request *request, const void *arguments, size_t length)
{
	struct control_request fixed = *request;
	const struct iovec parts[] = { { &fixed, FIXED }, { (void *)(uintptr_t)arguments, length } };

	if (length > CONTROL_ARGUMENTS_MAX)
		return EMSGSIZE;
	fixed.type = CONTROL_REQUEST;
	fixed.length = (uint32_t)length;
	return send_parts(fd, parts, 2);
}

int control_answer(int fd, const struct control_reply *reply, const void *text, size_t length)
{
	struct control_reply fixed = *reply;
	const struct iovec parts[] = { { &fixed, FIXED }, { (void *)(uintptr_t)text, length } };

	if (length > CONTROL_TEXT_MAX)
		return EMSGSIZE;
	fixed.type = CONTROL_REPLY;
	fixed.length = (uint32_t)length;
	return send_parts(fd, parts, 2);
}

/* Whether `got` bytes are a packet of that type, no more and no less. */
static bool is_packet(unsigned char type, uint32_t length, size_t got)
{
	switch (type) {
	case CONTROL_DOORBELL:	return got == 1;
	case CONTROL_REQUEST:	return got >= FIXED && length == got - FIXED && length <= CONTROL_ARGUMENTS_MAX;
	case CONTROL_REPLY:	return got >= FIXED && length == got - FIXED && length <= CONTROL_TEXT_MAX;
	default:		return false;
	}
}

int control_receive(int fd, struct control_packet *packet)
{
	struct iovec parts[] = { { &packet->request, FIXED }, { packet->bytes, CONTROL_TEXT_MAX } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t got;

	packet->request.type = 0;
	do
		got = recvmsg(fd, &message, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EWOULDBLOCK ? EAGAIN : errno == ECONNRESET ? EPIPE : errno;
	if (got == 0)
		return EPIPE;
	if ((message.msg_flags & MSG_TRUNC) || !is_packet(packet->request.type, packet->request.length, (size_t)got))
		return EBADMSG;
	packet->type = (enum control_type)packet->request.type;
	packet->length = packet->type == CONTROL_DOORBELL ? 0 : packet->request.length;
	packet->bytes[packet->length] = '\0';
	return 0;
}
