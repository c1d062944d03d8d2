#include "capture.h"

#include "guard.h"
#include "load.h"
#include "log.h"
#include "loop.h"
#include "steer.h"

#include "schema/schema.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define DROPPED_AT_ONCE 1000u	/* datagrams of strangers, 2 ms */
#define RUSH_TOLD_S 10
#define RECEIVE_BUFFER (8 << 20)	/* bytes; the kernel doubles it for its own needs */

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

/* The bytes of a message in one piece; at most *length of them, which is lowered to what there is room for. */
static const char *in_one_piece(const struct msghdr *message, size_t *length)
{
	static char joined[1u << 16];
	size_t n = 0;

	if (message->msg_iovlen >= 1 && message->msg_iov[0].iov_len >= *length)
		return message->msg_iov[0].iov_base;
	if (*length > sizeof joined)
		*length = sizeof joined;
	for (size_t i = 0; i < message->msg_iovlen && n < *length; i++) {
		size_t part = message->msg_iov[i].iov_len;
		if (part > *length - n)
			part = *length - n;
		memcpy(joined + n, message->msg_iov[i].iov_base, part);
		n += part;
	}
	*length = n;
	return joined;
}

static void record(int fd, const struct msghdr *message, size_t length, enum trace_direction direction)
{
	union address local, remote;
	const char *bytes;
	bool stream;

	if (!remote_address(fd, message, &remote, &stream) ||
	    !(stream ? local_address(fd, &local) : listener_address(fd, &local)))
		return;
	bytes = in_one_piece(message, &length);
	if (stream)
		trace_stream(trace, direction, TRACE_TCP, fd, &local, &remote, bytes, length);
	else
		trace_datagram(trace, direction, &local, &remote, bytes, length);
}

/* ------------------------------------------------------------------ what the stack may see */

/* By descriptor; of those beyond, which the limits below leave unused, nothing is asked. */
static struct guard_stream streams[1u << 14];

static void begin_stream(int fd)
{
	if (fd >= 0 && (size_t)fd < sizeof streams / sizeof streams[0])
		streams[fd] = (struct guard_stream){ 0 };
}

/* False: the connection was ended. */
static bool guard_connection(int fd, const char *bytes, size_t length)
{
	union address local;

	if (fd < 0 || (size_t)fd >= sizeof streams / sizeof streams[0] || guard_stream(&streams[fd], bytes, length))
		return true;
	if (!local_address(fd, &local)) {
		begin_stream(fd);	/* not the stack's, but mgmtd's */
		return true;
	}
	shutdown(fd, SHUT_RDWR);
	return false;
}

static struct guard_rush rush;
static capture_known_f *known;
static void *known_arg;

void capture_known(capture_known_f *function, void *arg)
{
	known = function;
	known_arg = arg;
}

void capture_tick(void)
{
	static uint64_t told;
	static uint32_t quiet_ticks;

	if (quiet_ticks > 0)
		quiet_ticks--;
	if (rush.dropped == told || quiet_ticks > 0)
		return;
	log_warning("switchcore: %" PRIu64 " datagrams of unknown sources dropped, which send more than %d requests a second; "
	            "said every %d s", rush.dropped - told, GUARD_STRANGERS_PER_S, RUSH_TOLD_S);
	told = rush.dropped;
	quiet_ticks = RUSH_TOLD_S;
}

/* False: it came from a stranger while there are too many of them. */
static bool has_turn(int fd, const struct msghdr *message, const char *bytes, size_t length)
{
	union address source, local;
	struct timespec now;

	if (!known || clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0 ||
	    !guard_rush(&rush, bytes, length, (uint64_t)now.tv_sec * 10 + (uint64_t)now.tv_nsec / 100000000) ||
	    !listener_address(fd, &local))
		return true;
	address_from(&source, message->msg_name);
	return known(known_arg, &source, &local) || guard_stranger(&rush, bytes, length);
}

static bool is_datagram(const struct msghdr *message)
{
	const struct sockaddr *name = message->msg_namelen ? message->msg_name : NULL;

	return name && (name->sa_family == AF_INET || name->sa_family == AF_INET6);
}

static size_t size_of(const struct msghdr *message)
{
	size_t size = 0;

	for (size_t i = 0; i < message->msg_iovlen; i++)
		size += message->msg_iov[i].iov_len;
	return size;
}

/* The stack made room for the datagram that it knew of.  Is there another one, and does it fit? */
static bool next_fits(int fd, const struct msghdr *message)
{
	int size = 0;

	return ioctl(fd, FIONREAD, &size) == 0 && size > 0 && (size_t)size <= size_of(message);
}

static void tell_steering(const struct msghdr *message, size_t n)
{
	size_t first = message->msg_iovlen ? message->msg_iov[0].iov_len : 0;
	bool datagram = is_datagram(message);
	union address source;

	if (datagram)
		address_from(&source, message->msg_name);
	steer_received(first ? message->msg_iov[0].iov_base : "", first < n ? first : n, datagram ? &source : NULL);
}

/* What came in is told and guarded.  Of a datagram the stack takes one byte for nothing; on a stream none is its end. */
static ssize_t take(int fd, const struct msghdr *message, ssize_t received)
{
	size_t length = (size_t)received;
	const char *bytes = in_one_piece(message, &length);

	tell_steering(message, (size_t)received);
	if (trace)
		record(fd, message, (size_t)received, TRACE_IN);
	if (is_datagram(message))
		return guard_datagram(bytes, length) ? received : 1;
	return guard_connection(fd, bytes, length) ? received : 0;
}

/* ------------------------------------------------------------------ how long they waited */

static struct load load;

/* Strangers cannot bring it about that others are refused: while theirs are dropped, it is they who fill the queue. */
bool capture_overloaded(void)
{
	return load_is_too_high(&load, loop_now()) && rush.strangers < GUARD_STRANGERS_PER_S;
}

/* Once for each listener: the kernel is to say when a datagram came, and to keep as many as we would like, also where
 * net.core.rmem_max is lower (that takes CAP_NET_ADMIN). */
static void prepare(int fd)
{
	static bool prepared[1024];
	int on = 1, room = RECEIVE_BUFFER;

	if (fd < 0 || (size_t)fd >= sizeof prepared || prepared[fd])
		return;
	prepared[fd] = true;
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
}

static void note_wait(struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct timespec came, now;

	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPNS ||
	    clock_gettime(CLOCK_REALTIME, &now) != 0)
		return;
	memcpy(&came, CMSG_DATA(control), sizeof came);
	loop_refresh_clock();
	load_waited(&load, loop_now(), (now.tv_sec - came.tv_sec) * 1000000 + (now.tv_nsec - came.tv_nsec) / 1000);
}

typedef ssize_t recvmsg_f(int fd, struct msghdr *message, int flags);

/* The stack asks for no ancillary data. */
static ssize_t receive(recvmsg_f *hidden, int fd, struct msghdr *message, int flags)
{
	char control[CMSG_SPACE(sizeof(struct timespec))] __attribute__((aligned(_Alignof(struct cmsghdr))));
	ssize_t n;
	int error;

	if (message->msg_control || !message->msg_name)
		return hidden(fd, message, flags);
	message->msg_control = control;
	message->msg_controllen = sizeof control;
	n = hidden(fd, message, flags);
	error = errno;
	if (n >= 0 && is_datagram(message)) {
		note_wait(message);
		prepare(fd);
	}
	message->msg_control = NULL;
	message->msg_controllen = 0;
	errno = error;
	return n;
}

static bool unwanted(int fd, const struct msghdr *message, ssize_t received)
{
	size_t length = (size_t)received;

	return is_datagram(message) && !has_turn(fd, message, in_one_piece(message, &length), length);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	HIDDEN(recvmsg);
	socklen_t name_room = message->msg_namelen;
	ssize_t n;
	int error;

	if (flags & (MSG_ERRQUEUE | MSG_PEEK))
		return hidden(fd, message, flags);
	n = receive(hidden, fd, message, flags);
	error = errno;
	/* Dropped here, without a turn of the loop for each. */
	for (unsigned i = 0; n > 0 && unwanted(fd, message, n); i++) {
		if (i == DROPPED_AT_ONCE || !next_fits(fd, message))
			return 1;
		message->msg_namelen = name_room;
		n = receive(hidden, fd, message, flags);
		error = errno;
	}
	if (n > 0)
		n = take(fd, message, n);
	errno = error;
	return n;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	HIDDEN(sendmsg);
	struct msghdr steered = *message;
	const union address *to = NULL;
	union address local;
	bool silent = false;
	ssize_t n;
	int error;

	if (message->msg_name && message->msg_iovlen && listener_address(fd, &local))
		to = steer_sent(&silent, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, &local);
	if (silent)
		return (ssize_t)size_of(message);
	if (to) {
		steered.msg_name = (void *)(uintptr_t)&to->any;
		steered.msg_namelen = address_length(to);
	}
	n = hidden(fd, &steered, flags);
	error = errno;
	if (trace && n > 0)
		record(fd, &steered, (size_t)n, TRACE_OUT);
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
	if (n > 0 && !guard_connection(SSL_get_fd(ssl), bytes, (size_t)n)) {
		errno = ECONNRESET;
		return -1;
	}
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
	begin_stream(fd);
	return fd;
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	HIDDEN(connect);

	begin_stream(fd);
	return hidden(fd, address, length);
}

/* ------------------------------------------------------------------ waiting */

/* The stack cuts what is left until its next timer down to whole milliseconds: with less than one to go it would ask, time and
 * again, whether something happens within 0 ms.  Once that was in vain, the next question takes the millisecond; no timer of
 * SIP minds. */
int epoll_wait(int fd, struct epoll_event *events, int room, int timeout)
{
	HIDDEN(epoll_wait);
	static bool in_vain;
	int n = hidden(fd, events, room, timeout == 0 && in_vain ? 1 : timeout);

	in_vain = n == 0 && timeout == 0;
	return n;
}
