/*
 * INVITEs from a source that nobody knows, at a steady rate and each a new call; answers are read and counted.
 *
 *     flood --from ADDR --to ADDR:PORT --rate N --seconds N
 *
 * Prints one JSON object.
 */
#include "tests/bench/samples.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

static bool parse(struct sockaddr_in *address, char *text)
{
	char *colon = strrchr(text, ':');

	memset(address, 0, sizeof *address);
	address->sin_family = AF_INET;
	if (colon) {
		*colon = '\0';
		address->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	}
	return inet_pton(AF_INET, text, &address->sin_addr) == 1;
}

static int write_invite(char *text, size_t size, const char *from, unsigned port, const char *to, unsigned long n)
{
	return snprintf(text, size,
	                "INVITE sip:900%lu@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKflood%lu;rport\r\nMax-Forwards: 70\r\n"
	                "From: <sip:%lu@%s>;tag=f%lu\r\nTo: <sip:900%lu@%s>\r\nCall-ID: flood-%lu@%s\r\nCSeq: 1 INVITE\r\n"
	                "Contact: <sip:flood@%s:%u>\r\nContent-Length: 0\r\n\r\n",
	                n, to, from, port, n, n, from, n, n, to, n, from, from, port);
}

int main(int argc, char **argv)
{
	static const struct option words[] = { { "from", 1, NULL, 'f' }, { "to", 1, NULL, 't' }, { "rate", 1, NULL, 'r' },
		{ "seconds", 1, NULL, 's' }, { NULL, 0, NULL, 0 } };
	struct sockaddr_in own = { 0 }, target = { 0 };
	unsigned long rate = 0, seconds = 0, sent = 0, answers = 0;
	char *from = NULL, *to = NULL, text[2048];
	socklen_t size = sizeof own;
	uint64_t start;
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
		fputs("usage: flood --from ADDR --to ADDR:PORT --rate N --seconds N\n", stderr);
		return 2;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0 || getsockname(fd, (struct sockaddr *)&own, &size) != 0) {
		perror("flood");
		return 1;
	}
	start = clock_ns();
	while (clock_ns() - start < seconds * UINT64_C(1000000000)) {
		unsigned long due = (unsigned long)((clock_ns() - start) / 1000 * rate / 1000000);
		for (; sent < due; sent++) {
			int n = write_invite(text, sizeof text, from, ntohs(own.sin_port), to, sent);
			if (sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&target, sizeof target) != n)
				break;
		}
		while (recv(fd, text, sizeof text, 0) > 0)
			answers++;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	printf("{\"sent\":%lu,\"answers\":%lu}\n", sent, answers);
	return 0;
}
