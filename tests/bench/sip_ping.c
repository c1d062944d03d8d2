/*
 * OPTIONS at a steady rate, and how long the answers take: what a gap in service looks like from outside.
 *
 *     sip_ping --from ADDR --to ADDR:PORT --rate N --seconds N
 *
 * Prints one JSON object, times in ms; one that is never answered counts as long as was waited for it.
 */
#include "tests/bench/samples.h"
#include "tests/bench/sip_load.h"

#include <poll.h>

#define PATIENCE_NS UINT64_C(2000000000)

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
	unsigned long sent = 0, count;
	uint64_t start, *sent_at, *took;
	struct sip_load load;
	char text[2048];
	int code = sip_load_open(&load, "sip_ping", argc, argv);

	if (code)
		return code;
	count = load.rate * load.seconds;
	sent_at = calloc(count, sizeof *sent_at);
	took = calloc(count, sizeof *took);
	if (!sent_at || !took)
		return 1;
	start = clock_ns();
	while (clock_ns() - start < load.seconds * UINT64_C(1000000000) + PATIENCE_NS) {
		struct pollfd readable = { .fd = load.fd, .events = POLLIN };
		unsigned long due = (unsigned long)((clock_ns() - start) / 1000 * load.rate / 1000000);
		for (; sent < due && sent < count; sent++) {
			int n = write_options(text, sizeof text, load.from, ntohs(load.own.sin_port), load.to, sent);
			sent_at[sent] = clock_ns();
			if (!sip_load_send(&load, text, n))
				break;
		}
		poll(&readable, 1, sent < count ? 1 : 10);
		receive(load.fd, sent_at, took, sent);
	}
	print(took, count);
	return 0;
}
