/*
 * From the receipt of the 2xx to the moment when the running switchcore has acted on the change, as it says itself in the
 * shared memory:
 *
 *     applied --to ADDR:PORT --request FILE --run DIR --count N
 *
 * FILE as for http_load: runs of '@' become a number that was not used before.  Changes follow each other every 3 ms, so
 * that every process sleeps in between.  Prints one JSON object; "early" counts changes already in use when the 2xx came.
 */
#include "shm/shm.h"
#include "tests/bench/samples.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (1u << 20)
#define PAUSE_NS 3000000
#define LOOK_NS 10000		/* between two looks at the shared memory: the measurement is at most that much too long */
#define PATIENCE_NS UINT64_C(5000000000)

static char request[ANSWER_MAX], answer[ANSWER_MAX];
static size_t request_len;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "applied: %s: %s\n", what, why);
	exit(1);
}

static void read_request(const char *path)
{
	FILE *in = fopen(path, "r");

	if (!in)
		fail(path, strerror(errno));
	request_len = fread(request, 1, sizeof request - 1, in);
	fclose(in);
}

static void number_request(uint64_t number)
{
	static size_t at, len;

	if (!len) {
		char *run = strstr(request, "@@@@");
		if (!run)
			fail("the request", "no run of '@' in it");
		at = (size_t)(run - request);
		len = strspn(run, "@");
	}
	for (size_t digit = len; digit-- > 0; number /= 10)
		request[at + digit] = (char)('0' + number % 10);
}

static int connect_to(const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char host[64];
	unsigned port;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &to.sin_addr) != 1)
		fail(text, "not ADDR:PORT");
	to.sin_port = htons((uint16_t)port);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		fail(text, strerror(errno));
	return fd;
}

/* Sends the request; gives the generation that the answer names. */
static uint64_t change(int fd)
{
	size_t got = 0, expected = 0;
	const char *body = NULL, *length, *generation;

	if (send(fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
		fail("sending", strerror(errno));
	while (!expected || got < expected) {
		ssize_t n = recv(fd, answer + got, sizeof answer - 1 - got, 0);
		if (n <= 0)
			fail("receiving", n == 0 ? "connection closed" : strerror(errno));
		got += (size_t)n;
		answer[got] = '\0';
		if (!expected && (body = strstr(answer, "\r\n\r\n")) && (length = strcasestr(answer, "\r\nContent-Length:")))
			expected = (size_t)(body + 4 - answer) + strtoul(length + 17, NULL, 10);
	}
	generation = strstr(answer, "\"published_generation\":");
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0 || !generation)
		fail("an answer without a generation", answer);
	return strtoull(generation + strlen("\"published_generation\":"), NULL, 10);
}

static void pause_ns(long ns)
{
	const struct timespec nap = { .tv_nsec = ns };

	nanosleep(&nap, NULL);
}

/* True when it was applied before the first look. */
static bool wait_applied(struct readers *readers, uint64_t generation, uint64_t from)
{
	struct core_slot core;

	for (unsigned looks = 0;; looks++) {
		readers_core(readers, &core);
		if (core.applied_generation >= generation)
			return looks == 0;
		if (clock_ns() - from > PATIENCE_NS)
			fail("switchcore", "has not applied the change after 5 s");
		pause_ns(LOOK_NS);
	}
}

static void measure(int fd, struct readers *readers, unsigned long count)
{
	struct samples samples = { 0 };
	unsigned long early = 0;
	uint64_t number = (uint64_t)time(NULL) * 100000, start = clock_ns();

	for (unsigned long i = 0; i < count; i++) {
		number_request(++number);
		uint64_t generation = change(fd), received = clock_ns();
		early += wait_applied(readers, generation, received);
		samples_add(&samples, clock_ns() - received);
		pause_ns(PAUSE_NS);
	}
	printf("{");
	samples_print(&samples, (double)(clock_ns() - start) / 1e9);
	printf(",\"early\":%lu}\n", early);
}

int main(int argc, char **argv)
{
	static const struct option words[] = { { "to", 1, NULL, 't' }, { "request", 1, NULL, 'q' }, { "run", 1, NULL, 'r' },
		{ "count", 1, NULL, 'n' }, { NULL, 0, NULL, 0 } };
	const char *to = NULL, *path = NULL, *run = NULL;
	struct readers *readers;
	struct shm_why why;
	unsigned long count = 0;
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 't': to = optarg; break;
		case 'q': path = optarg; break;
		case 'r': run = optarg; break;
		case 'n': count = strtoul(optarg, NULL, 10); break;
		default: break;
		}
	}
	if (!to || !path || !run || !count) {
		fputs("usage: applied --to ADDR:PORT --request FILE --run DIR --count N\n", stderr);
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1UL);
	read_request(path);
	if (readers_open(&readers, run, &why) != 0)
		fail(run, why.text);
	measure(connect_to(to), readers, count);
	readers_close(readers);
	return 0;
}
