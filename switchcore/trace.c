#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define MESSAGE_MAX 65536u
#define PENDING_MAX 64u			/* connections with a message begun; the oldest is given up */

struct pending {			/* the beginning of a message whose end has not come yet */
	int fd;
	enum trace_direction direction;
	union address remote;
	size_t length;
	uint64_t touched;
	char *bytes;			/* NULL = free */
};

struct trace {
	struct status_writer *writer;
	struct pending pending[PENDING_MAX];
	uint64_t clock;
};

int trace_create(struct trace **trace, struct status_writer *writer)
{
	struct trace *t = calloc(1, sizeof *t);

	if (!t)
		return ENOMEM;
	t->writer = writer;
	*trace = t;
	return 0;
}

void trace_destroy(struct trace *trace)
{
	if (!trace)
		return;
	for (size_t i = 0; i < PENDING_MAX; i++)
		free(trace->pending[i].bytes);
	free(trace);
}

/* Not the loop's: several messages may belong to one event. */
static uint64_t wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct sockaddr_in6 mapped(const union address *address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (address->family == AF_INET6)
		return address->v6;
	v6.sin6_port = address->v4.sin_port;
	v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(v6.sin6_addr.s6_addr + 12, &address->v4.sin_addr, 4);
	return v6;
}

static void put(struct trace *trace, enum trace_direction direction, enum trace_transport transport,
                const union address *local, const union address *remote, const char *bytes, size_t length)
{
	struct trace_header header = {
		.at = wall_us(), .length = (uint32_t)length, .direction = (uint8_t)direction, .transport = (uint8_t)transport,
		.local = mapped(local), .remote = mapped(remote),
	};

	status_trace(trace->writer, &header, bytes, length);
}

/* Keep-alives, DNS and other things that are no SIP begin otherwise. */
static bool begins_like_sip(const char *bytes, size_t length)
{
	return length >= 16 && bytes[0] >= 'A' && bytes[0] <= 'Z';
}

void trace_datagram(struct trace *trace, enum trace_direction direction, const union address *local,
                    const union address *remote, const void *bytes, size_t length)
{
	if (begins_like_sip(bytes, length))
		put(trace, direction, TRACE_UDP, local, remote, bytes, length);
}

/* Value of Content-Length (or l) in a head of that many bytes; 0 when absent. */
static size_t content_length(const char *head, size_t length)
{
	const char *end = head + length;

	for (const char *line = head; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		const char *value = NULL;
		size_t n = (size_t)((next ? next : end) - line), total = 0;
		if (n > 15 && strncasecmp(line, "Content-Length", 14) == 0)
			value = line + 14;
		else if (n > 2 && (line[0] == 'l' || line[0] == 'L'))
			value = line + 1;
		while (value && value < line + n && (*value == ' ' || *value == '\t'))
			value++;
		if (value && value < line + n && *value == ':') {
			for (value++; value < line + n && (*value == ' ' || *value == '\t'); value++)
				;
			for (; value < line + n && *value >= '0' && *value <= '9' && total < MESSAGE_MAX; value++)
				total = total * 10 + (size_t)(*value - '0');
			return total;
		}
		if (!next)
			break;
		line = next + 1;
	}
	return 0;
}

/* Length of the whole message at the beginning of bytes, 0 = more is to come. */
static size_t message_length(const char *bytes, size_t length)
{
	const char *end = memmem(bytes, length, "\r\n\r\n", 4);
	size_t head, whole;

	if (!end)
		return 0;
	head = (size_t)(end - bytes) + 4;
	whole = head + content_length(bytes, head);
	return whole <= length ? whole : 0;
}

static struct pending *find_pending(struct trace *trace, int fd, enum trace_direction direction, const union address *remote)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &trace->pending[i];
		if (!p->bytes || p->fd != fd || p->direction != direction)
			continue;
		if (address_equal(&p->remote, remote))
			return p;
		free(p->bytes);		/* the descriptor serves another connection now */
		p->bytes = NULL;
	}
	return NULL;
}

static void keep(struct trace *trace, int fd, enum trace_direction direction, const union address *remote,
                 const char *bytes, size_t length)
{
	struct pending *p = &trace->pending[0];

	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *other = &trace->pending[i];
		if (!other->bytes) {
			p = other;
			break;
		}
		if (other->touched < p->touched)
			p = other;
	}
	free(p->bytes);
	p->bytes = length <= MESSAGE_MAX ? malloc(length) : NULL;
	if (!p->bytes)
		return;
	memcpy(p->bytes, bytes, length);
	p->length = length;
	p->fd = fd;
	p->direction = direction;
	p->remote = *remote;
	p->touched = ++trace->clock;
}

void trace_stream(struct trace *trace, enum trace_direction direction, enum trace_transport transport, int fd,
                  const union address *local, const union address *remote, const void *bytes, size_t length)
{
	struct pending *p = find_pending(trace, fd, direction, remote);
	const char *at = bytes;
	char *joined = NULL;
	size_t whole;

	if (p) {
		joined = realloc(p->bytes, p->length + length);
		if (!joined)
			return;
		memcpy(joined + p->length, bytes, length);
		at = joined;
		length += p->length;
		p->bytes = NULL;
	}
	for (;;) {
		while (length > 0 && (*at == '\r' || *at == '\n')) {
			at++;
			length--;
		}
		whole = message_length(at, length);
		if (whole == 0)
			break;
		if (begins_like_sip(at, whole))
			put(trace, direction, transport, local, remote, at, whole);
		at += whole;
		length -= whole;
	}
	if (length > 0 && at[0] >= 'A' && at[0] <= 'Z')
		keep(trace, fd, direction, remote, at, length);
	free(joined);
}
