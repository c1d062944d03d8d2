/*
 * One change told to many: clients of /events on one thread, and one connection that makes changes.
 *
 *     events_load --to ADDR:PORT --events FILE --change FILE [--clients N] [--changes N]
 *
 * The FILEs hold whole requests, head and body; in that of the change a run of '@' becomes a number that no change before had.
 * The clients must get one event for each change and no other.  Prints one JSON object about the times from sending a change
 * until a client has its event; the next change goes out when all have.
 */
#include "tests/bench/samples.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 65536
#define CLIENTS_MAX 500
#define GIVE_UP_NS UINT64_C(10000000000)

/* An event ends with an empty line, and data has no line breaks. */
struct client { int fd; unsigned events; char before; };

struct text { char *bytes; size_t len; };

static struct sockaddr_in to;
static struct client clients[CLIENTS_MAX];
static unsigned client_count = CLIENTS_MAX, change_count = 20;
static int epoll_fd;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("events_load: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static struct text read_file(const char *path)
{
	FILE *in = fopen(path, "r");
	struct text text = { malloc(REQUEST_MAX), 0 };

	if (!in || !text.bytes)
		fail("%s: %s", path, strerror(errno));
	text.len = fread(text.bytes, 1, REQUEST_MAX, in);
	fclose(in);
	return text;
}

static int dial(const struct text *request)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
		fail("connecting: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (request && send(fd, request->bytes, request->len, MSG_NOSIGNAL) != (ssize_t)request->len)
		fail("sending: %s", strerror(errno));
	return fd;
}

static void take(struct client *c)
{
	static char bytes[65536];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

	if (n <= 0)
		fail("a client was dropped");
	for (ssize_t i = 0; i < n; i++) {
		c->events += bytes[i] == '\n' && c->before == '\n';
		c->before = bytes[i];
	}
}

/* Until every client has had so many; notes when each had. */
static void wait_events(unsigned wanted, uint64_t since, struct samples *samples)
{
	struct epoll_event ready[64];
	unsigned left = client_count;

	while (left > 0) {
		int n = epoll_wait(epoll_fd, ready, 64, 1000);
		if (clock_ns() - since > GIVE_UP_NS)
			fail("%u clients of %u wait for their event number %u", left, client_count, wanted);
		for (int i = 0; i < n; i++) {
			struct client *c = ready[i].data.ptr;
			bool had = c->events >= wanted;
			take(c);
			if (had || c->events < wanted)
				continue;
			left--;
			if (samples)
				samples_add(samples, clock_ns() - since);
		}
	}
}

static void number(struct text *change, uint64_t n)
{
	char *at = memchr(change->bytes, '@', change->len);
	static size_t place, len;

	if (at) {
		place = (size_t)(at - change->bytes);
		len = strspn(at, "@");
	}
	for (size_t digit = len; digit-- > 0; n /= 10)
		change->bytes[place + digit] = (char)('0' + n % 10);
}

static void expect_done(int fd)
{
	char answer[65536];
	ssize_t n = recv(fd, answer, sizeof answer - 1, 0);

	if (n < 12 || strncmp(answer, "HTTP/1.1 20", 11) != 0)
		fail("the change was answered with %.*s", n > 0 ? (int)n : 0, answer);
}

static void listen_all(const struct text *request)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < client_count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &clients[i] };
		clients[i].fd = dial(request);
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, clients[i].fd, &event) != 0)
			fail("%s", strerror(errno));
	}
	wait_events(1, clock_ns(), NULL);	/* the greeting */
}

static void usage(void)
{
	fputs("usage: events_load --to ADDR:PORT --events FILE --change FILE [--clients N] [--changes N]\n", stderr);
	exit(2);
}

static void parse_address(const char *text)
{
	char host[64];
	unsigned port;

	if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 || inet_pton(AF_INET, host, &to.sin_addr) != 1)
		usage();
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)port);
}

int main(int argc, char **argv)
{
	static const struct option words[] = { { "to", 1, NULL, 't' }, { "events", 1, NULL, 'e' }, { "change", 1, NULL, 'c' },
	                                       { "clients", 1, NULL, 'n' }, { "changes", 1, NULL, 'm' }, { NULL, 0, NULL, 0 } };
	struct text events = { NULL, 0 }, change = { NULL, 0 };
	struct samples samples = { 0 };
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 't': parse_address(optarg); break;
		case 'e': events = read_file(optarg); break;
		case 'c': change = read_file(optarg); break;
		case 'n': client_count = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'm': change_count = (unsigned)strtoul(optarg, NULL, 10); break;
		default: usage();
		}
	}
	if (!to.sin_port || !events.bytes || !change.bytes || client_count < 1 || client_count > CLIENTS_MAX)
		usage();
	listen_all(&events);
	int fd = dial(NULL);
	uint64_t begin = clock_ns(), first = (uint64_t)time(NULL) * 1000;
	for (unsigned i = 0; i < change_count; i++) {
		number(&change, first + i);
		uint64_t sent = clock_ns();
		if (send(fd, change.bytes, change.len, MSG_NOSIGNAL) != (ssize_t)change.len)
			fail("sending: %s", strerror(errno));
		wait_events(2 + i, sent, &samples);
		expect_done(fd);
	}
	printf("{");
	samples_print(&samples, (double)(clock_ns() - begin) / 1e9);
	printf("}\n");
	return 0;
}
