/*
 * OPTIONS at a steady rate, and how long the answers take: what a gap in service looks like from outside.
 *
 *     sip_ping --from ADDR --to ADDR:PORT --rate N --seconds N
 *
 * Prints one JSON object, times in ms; one that is never answered counts as long as was waited for it.
 */
#include "tests/bench/samples.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define PATIENCE_NS UINT64_C(2000000000)

static bool parse(struct sockaddr_in *address, char *text)
{
	char *colon = strrchr(text, ':');

	address->sin_family = AF_INET;
	if (colon) {
		*colon = '\0';
		address->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	}
	return inet_pton(AF_INET, text, &address->sin_addr) == 1;
}

static int write_options(char *text, size_t size, const char *from, unsigned port, const char *to, unsigned long n)
{
	return snprintf(text, size,
	                "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKping%lu;rport\r\nMax-Forwards: 70\r\n"
	                "From: <sip:ping@%s>;tag=p%lu\r\nTo: <sip:%s>\r\nCall-ID: ping-%lu@%s\r\nCSeq: %lu OPTIONS\r\n"
	                "Content-Length: 0\r\n\r\n", to, from, port, n, from, n, to, n, from, n + 1);
}

/* Notes the answers that are there. */
static void receive(int fd, const uint64_t *sent_at, uint64_t *took, unsigned long sent)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(fd, text, sizeof text - 1, 0)) > 0) {
		text[n] = '\0';
		const char *id = strstr(text, "Call-ID: ping-");
		unsigned long number = id ? strtoul(id + 14, NULL, 10) : sent;
		if (number < sent && took[number] == 0)
			took[number] = clock_ns() - sent_at[number];
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print(uint64_t *took, unsigned long count)
{
	unsigned long lost = 0;

	for (unsigned long i = 0; i < count; i++) {
		lost += took[i] == 0;
		took[i] = took[i] ? took[i] : PATIENCE_NS;
	}
	qsort(took, count, sizeof *took, compare);
	printf("{\"sent\":%lu,\"lost\":%lu,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}\n", count, lost, (double)took[count / 2] / 1e6,
	       (double)took[count - 1 - count / 100] / 1e6, (double)took[count - 1] / 1e6);
}

int main(int argc, char **argv)
{
	static const struct option words[] = { { "from", 1, NULL, 'f' }, { "to", 1, NULL, 't' }, { "rate", 1, NULL, 'r' },
		{ "seconds", 1, NULL, 's' }, { NULL, 0, NULL, 0 } };
	struct sockaddr_in own = { 0 }, target = { 0 };
	unsigned long rate = 0, seconds = 0, sent = 0, count;
	char *from = NULL, *to = NULL, text[2048];
	socklen_t size = sizeof own;
	uint64_t start, *sent_at, *took;
	int word, fd;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 'f': from = optarg; break;
		case 't': to = optarg; break;
		case 'r': rate = strtoul(optarg, NULL, 10); break;
		case 's': seconds = strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	if (!from || !to || !rate || !seconds || !parse(&own, from) || !parse(&target, to)) {
		fputs("usage: sip_ping --from ADDR --to ADDR:PORT --rate N --seconds N\n", stderr);
		return 2;
	}
	count = rate * seconds;
	sent_at = calloc(count, sizeof *sent_at);
	took = calloc(count, sizeof *took);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (!sent_at || !took || fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0 ||
	    getsockname(fd, (struct sockaddr *)&own, &size) != 0) {
		perror("sip_ping");
		return 1;
	}
	start = clock_ns();
	while (clock_ns() - start < seconds * UINT64_C(1000000000) + PATIENCE_NS) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		unsigned long due = (unsigned long)((clock_ns() - start) / 1000 * rate / 1000000);
		for (; sent < due && sent < count; sent++) {
			int n = write_options(text, sizeof text, from, ntohs(own.sin_port), to, sent);
			sent_at[sent] = clock_ns();
			if (sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&target, sizeof target) != n)
				break;
		}
		poll(&readable, 1, sent < count ? 1 : 10);
		receive(fd, sent_at, took, sent);
	}
	print(took, count);
	return 0;
}
