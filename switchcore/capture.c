#include "capture.h"

#include "schema/schema.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

static struct trace *trace;

void capture_start(struct trace *to)
{
	trace = to;
}

/* The definition that ours hides.  A NULL here would mean a libc without the function. */
#define HIDDEN(name) static __typeof__(name) *hidden; if (!hidden) *(void **)&hidden = dlsym(RTLD_NEXT, #name)

static bool local_address(int fd, union address *local)
{
	union address raw;
	socklen_t size = sizeof raw;

	if (getsockname(fd, &raw.any, &size) != 0 || (raw.family != AF_INET && raw.family != AF_INET6))
		return false;
	address_from(local, &raw.any);
	return true;
}

/* A socket that sends datagrams to named addresses is a listener's, and stays until the end: asked once. */
static bool listener_address(int fd, union address *local)
{
	static union address known[1024];
	const size_t room = sizeof known / sizeof known[0];

	if ((size_t)fd < room && known[fd].family != AF_UNSPEC) {
		*local = known[fd];
		return true;
	}
	if (!local_address(fd, local))
		return false;
	if ((size_t)fd < room)
		known[fd] = *local;
	return true;
}

static bool remote_address(int fd, const struct msghdr *message, union address *remote, bool *stream)
{
	union address raw;
	socklen_t size = sizeof raw;

	*stream = message == NULL || message->msg_name == NULL || message->msg_namelen == 0;
	if (!*stream) {
		const struct sockaddr *name = message->msg_name;
		if (name->sa_family != AF_INET && name->sa_family != AF_INET6)
			return false;
		address_from(remote, name);
		return true;
	}
	if (getpeername(fd, &raw.any, &size) != 0 || (raw.family != AF_INET && raw.family != AF_INET6))
		return false;
	address_from(remote, &raw.any);
	return true;
}

static void record(int fd, const struct msghdr *message, size_t length, enum trace_direction direction)
{
	static char joined[1u << 16];
	union address local, remote;
	const char *bytes = joined;
	bool stream;
	size_t n = 0;

	if (!remote_address(fd, message, &remote, &stream) ||
	    !(stream ? local_address(fd, &local) : listener_address(fd, &local)))
		return;
	if (length > sizeof joined)
		length = sizeof joined;
	if (message->msg_iovlen >= 1 && message->msg_iov[0].iov_len >= length) {
		bytes = message->msg_iov[0].iov_base;
	} else {
		for (size_t i = 0; i < message->msg_iovlen && n < length; i++) {
			size_t part = message->msg_iov[i].iov_len;
			if (part > length - n)
				part = length - n;
			memcpy(joined + n, message->msg_iov[i].iov_base, part);
			n += part;
		}
	}
	if (stream)
		trace_stream(trace, direction, TRACE_TCP, fd, &local, &remote, bytes, length);
	else
		trace_datagram(trace, direction, &local, &remote, bytes, length);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	HIDDEN(recvmsg);
	ssize_t n = hidden(fd, message, flags);
	int error = errno;

	if (trace && n > 0 && !(flags & (MSG_ERRQUEUE | MSG_PEEK)))
		record(fd, message, (size_t)n, TRACE_IN);
	errno = error;
	return n;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	HIDDEN(sendmsg);
	ssize_t n = hidden(fd, message, flags);
	int error = errno;

	if (trace && n > 0)
		record(fd, message, (size_t)n, TRACE_OUT);
	errno = error;
	return n;
}

static void record_tls(SSL *ssl, const void *bytes, int length, enum trace_direction direction)
{
	union address local, remote;
	int fd = SSL_get_fd(ssl);
	bool stream;

	if (fd >= 0 && local_address(fd, &local) && remote_address(fd, NULL, &remote, &stream))
		trace_stream(trace, direction, TRACE_TLS, fd, &local, &remote, bytes, (size_t)length);
}

int SSL_read(SSL *ssl, void *bytes, int size)
{
	HIDDEN(SSL_read);
	int n = hidden(ssl, bytes, size);
	int error = errno;

	if (trace && n > 0)
		record_tls(ssl, bytes, n, TRACE_IN);
	errno = error;
	return n;
}

int SSL_write(SSL *ssl, const void *bytes, int size)
{
	HIDDEN(SSL_write);
	int n = hidden(ssl, bytes, size);
	int error = errno;

	if (trace && n > 0)
		record_tls(ssl, bytes, n, TRACE_OUT);
	errno = error;
	return n;
}

/* Some replies that the stack makes itself go to whatever host name the request's Via carries.  A look-up there would
 * stop every call and registration for as long as the DNS pleases: names are not found. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	HIDDEN(getaddrinfo);
	struct addrinfo numeric = { .ai_flags = 0 };

	if (hints)
		numeric = *hints;
	numeric.ai_flags |= AI_NUMERICHOST;
	return hidden(node, service, &numeric, result);
}

/* ------------------------------------------------------------------ connections from outside */

static struct { int fd; union address remote; } accepted[CAPTURE_CONNECTIONS_MAX];
static size_t accepted_count;

/* Forgets those that are closed: their descriptor is free or serves another peer. */
static void prune(void)
{
	for (size_t i = 0; i < accepted_count;) {
		union address now;
		bool stream;
		if (remote_address(accepted[i].fd, NULL, &now, &stream) && address_equal(&now, &accepted[i].remote))
			i++;
		else
			accepted[i] = accepted[--accepted_count];
	}
}

static size_t from_source(const union address *remote)
{
	size_t count = 0;

	for (size_t i = 0; i < accepted_count; i++) {
		union address other = accepted[i].remote;
		address_set_port(&other, address_port(remote));
		count += address_equal(&other, remote);
	}
	return count;
}

static bool admit(int fd)
{
	union address remote;
	bool stream;

	if (!remote_address(fd, NULL, &remote, &stream))
		return true;		/* not an IP connection */
	if (accepted_count == CAPTURE_CONNECTIONS_MAX || from_source(&remote) >= CAPTURE_CONNECTIONS_PER_SOURCE)
		prune();
	if (accepted_count == CAPTURE_CONNECTIONS_MAX || from_source(&remote) >= CAPTURE_CONNECTIONS_PER_SOURCE)
		return false;
	accepted[accepted_count].fd = fd;
	accepted[accepted_count++].remote = remote;
	return true;
}

int accept(int listener, struct sockaddr *address, socklen_t *length)
{
	HIDDEN(accept);
	int fd = hidden(listener, address, length);

	if (fd >= 0 && !admit(fd)) {
		close(fd);
		errno = EAGAIN;
		return -1;
	}
	return fd;
}
