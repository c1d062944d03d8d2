/*
 * HTTP load over keep-alive connections, one thread, epoll:
 *
 *     http_load --to ADDR:PORT --request FILE [--connections N] [--seconds S] [--warmup S] [--rate PER_SECOND]
 *               [--objects N] [--expect STATUS] [--from-many]
 *
 * FILE holds one whole request, head and body.  In it a run of '@' becomes a number that no request before had, a run of
 * '#' the number of an object, 0 to N-1, each in as many digits as the run is long: so every change really changes
 * something, and the length stays the same.
 *
 * Without --rate every connection sends its next request when it has the answer.  With it, requests are due at even
 * times; one that finds no connection free is counted from when it was due.
 * --from-many: each connection comes from a loopback address of its own, for servers that limit by address.
 *
 * Prints one JSON object.  An answer of another status than expected, or a broken connection, ends it with 1.
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (1u << 20)
#define CONNECTIONS_MAX 1000
#define FIELDS_MAX 8

struct field { size_t at, len; bool object; };

struct connection {
	int fd;
	uint64_t from;		/* when the request counts as sent; 0 = none out */
	char *answer;
	size_t got;
	size_t expected;	/* of head and body; 0 = the head is not complete */
};

static struct {
	struct sockaddr_in to;
	const char *request_path;
	unsigned connections, objects, expect;
	double seconds, warmup, rate;
	bool from_many;
} option = { .connections = 1, .objects = 1, .expect = 200, .seconds = 1 };

static char *request;
static size_t request_len;
static struct field fields[FIELDS_MAX];
static size_t field_count;

static struct connection connections[CONNECTIONS_MAX];
static struct connection *idle[CONNECTIONS_MAX];	/* only with a rate */
static unsigned idle_count, out;			/* out: requests without their answer yet */
static int epoll_fd;
static uint64_t sequence, random_state = 88172645463325252u;
static uint64_t count_from, end_at;			/* ns; answers before count_from are warm-up */
static struct samples samples;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("http_load: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

/* ------------------------------------------------------------------ the request */

static void read_request(void)
{
	FILE *in = fopen(option.request_path, "r");

	request = malloc(ANSWER_MAX);
	if (!in || !request)
		fail("%s: %s", option.request_path, strerror(errno));
	request_len = fread(request, 1, ANSWER_MAX, in);
	fclose(in);
	for (size_t i = 0; i < request_len;) {
		size_t len = strspn(request + i, request[i] == '@' ? "@" : "#");
		if (len >= 4 && field_count < FIELDS_MAX)
			fields[field_count++] = (struct field){ i, len, request[i] == '#' };
		i += len ? len : 1;
	}
}

/* xorshift64: spreads the objects without a pattern that a cache could like. */
static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void fill_request(void)
{
	uint64_t object = next_random() % option.objects;

	sequence++;
	for (size_t i = 0; i < field_count; i++) {
		uint64_t n = fields[i].object ? object : sequence;
		for (size_t digit = fields[i].len; digit-- > 0; n /= 10)
			request[fields[i].at + digit] = (char)('0' + n % 10);
	}
}

static void send_request(struct connection *c, uint64_t from)
{
	fill_request();
	c->from = from;
	c->got = c->expected = 0;
	out++;
	/* A request is far smaller than a socket's buffer and the connection is empty: it leaves whole or not at all. */
	if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
		fail("sending: %s", strerror(errno));
}

/* ------------------------------------------------------------------ the answer */

static size_t body_length(const char *head)
{
	const char *at = strcasestr(head, "\r\nContent-Length:");

	if (!at)
		fail("an answer without Content-Length:\n%s", head);
	return strtoul(at + strlen("\r\nContent-Length:"), NULL, 10);
}

/* True when it is complete. */
static bool take_answer(struct connection *c)
{
	ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_MAX - 1 - c->got, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		fail("connection lost: %s", n == 0 ? "closed by the server" : strerror(errno));
	c->got += (size_t)n;
	c->answer[c->got] = '\0';
	if (!c->expected) {
		char *end = strstr(c->answer, "\r\n\r\n");
		if (!end)
			return false;
		*end = '\0';
		c->expected = (size_t)(end + 4 - c->answer) + body_length(c->answer);
		*end = '\r';
		if (strtoul(c->answer + strlen("HTTP/1.1 "), NULL, 10) != option.expect) {
			size_t shown = c->got < 1000 ? c->got : 1000;
			fail("expected status %u, got:\n%.*s", option.expect, (int)shown, c->answer);
		}
	}
	return c->got >= c->expected;
}

static void finish(struct connection *c, uint64_t now)
{
	if (c->from >= count_from)
		samples_add(&samples, now - c->from);
	c->from = 0;
	out--;
	if (option.rate > 0)
		idle[idle_count++] = c;
	else if (now < end_at)
		send_request(c, clock_ns());
}

/* ------------------------------------------------------------------ running */

static void open_connection(struct connection *c, unsigned number)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	own.sin_addr.s_addr = htonl(0x7f090001u + number);
	if (c->fd < 0 || (option.from_many && bind(c->fd, (struct sockaddr *)&own, sizeof own) != 0) ||
	    connect(c->fd, (const struct sockaddr *)&option.to, sizeof option.to) != 0)
		fail("connecting: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
		fail("%s", strerror(errno));
	c->answer = malloc(ANSWER_MAX);
	if (!c->answer)
		fail("out of memory");
}

/* Sends what is due; gives the time of the next one. */
static uint64_t send_due(uint64_t start, uint64_t *sent)
{
	for (;;) {
		uint64_t now = clock_ns();
		uint64_t due = start + (uint64_t)((double)*sent * 1e9 / option.rate);
		if (due >= end_at || now < due || idle_count == 0)
			return due;
		++*sent;
		/* On time within a millisecond means that a connection was free: its wait is ours, not the server's. */
		send_request(idle[--idle_count], now - due < 1000000 ? now : due);
	}
}

static void wait_events(uint64_t until)
{
	struct epoll_event events[64];
	uint64_t now = clock_ns(), wait = until > now ? until - now : 0;
	struct timespec timeout = { .tv_sec = (time_t)(wait / 1000000000), .tv_nsec = (long)(wait % 1000000000) };
	int n = epoll_pwait2(epoll_fd, events, 64, &timeout, NULL);

	for (int i = 0; i < n; i++)
		if (take_answer(events[i].data.ptr))
			finish(events[i].data.ptr, clock_ns());
}

static void run(uint64_t start)
{
	uint64_t sent = 0, wake;

	count_from = start + (uint64_t)(option.warmup * 1e9);
	end_at = count_from + (uint64_t)(option.seconds * 1e9);
	for (unsigned i = 0; i < option.connections; i++) {
		if (option.rate > 0)
			idle[idle_count++] = &connections[i];
		else
			send_request(&connections[i], clock_ns());
	}
	while (clock_ns() < end_at) {
		wake = option.rate > 0 ? send_due(start, &sent) : end_at;
		/* Nobody free: an answer wakes us. */
		wait_events(option.rate > 0 && idle_count == 0 ? end_at : wake < end_at ? wake : end_at);
	}
	uint64_t give_up = end_at + UINT64_C(30000000000);
	while (out > 0 && clock_ns() < give_up)
		wait_events(give_up);
	if (out > 0)
		fail("%u requests without an answer 30 s after the end", out);
}

static void usage(void)
{
	fputs("usage: http_load --to ADDR:PORT --request FILE [--connections N] [--seconds S] [--warmup S]\n"
	      "                 [--rate PER_SECOND] [--objects N] [--expect STATUS] [--from-many]\n", stderr);
	exit(2);
}

static void parse_address(const char *text)
{
	char host[64];
	unsigned port;

	if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 ||
	    inet_pton(AF_INET, host, &option.to.sin_addr) != 1)
		usage();
	option.to.sin_family = AF_INET;
	option.to.sin_port = htons((uint16_t)port);
}

static void parse_options(int argc, char **argv)
{
	static const struct option words[] = {
		{ "to", 1, NULL, 't' }, { "request", 1, NULL, 'q' }, { "connections", 1, NULL, 'c' }, { "seconds", 1, NULL, 's' },
		{ "warmup", 1, NULL, 'w' }, { "rate", 1, NULL, 'r' }, { "objects", 1, NULL, 'o' }, { "expect", 1, NULL, 'e' },
		{ "from-many", 0, NULL, 'm' }, { NULL, 0, NULL, 0 },
	};
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 't': parse_address(optarg); break;
		case 'q': option.request_path = optarg; break;
		case 'c': option.connections = (unsigned)strtoul(optarg, NULL, 10); break;
		case 's': option.seconds = strtod(optarg, NULL); break;
		case 'w': option.warmup = strtod(optarg, NULL); break;
		case 'r': option.rate = strtod(optarg, NULL); break;
		case 'o': option.objects = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'e': option.expect = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'm': option.from_many = true; break;
		default: usage();
		}
	}
	if (!option.request_path || !option.to.sin_port || option.connections < 1 || option.connections > CONNECTIONS_MAX ||
	    option.objects < 1 || option.seconds <= 0)
		usage();
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	read_request();
	prctl(PR_SET_TIMERSLACK, 1UL);
	/* Over several runs against one server: numbers that no run before used. */
	sequence = (uint64_t)time(NULL) * 100000;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < option.connections; i++)
		open_connection(&connections[i], i);
	uint64_t cpu = cpu_ns(), start = clock_ns();
	run(start);
	uint64_t end = clock_ns(), took = end - start;
	printf("{");
	samples_print(&samples, (double)(end - count_from) / 1e9);
	printf(",\"generator_cpu\":%.3f}\n", (double)(cpu_ns() - cpu) / (double)took);
	return 0;
}
