/*
 * INVITEs from a source that nobody knows, at a steady rate and each a new call; answers are read and counted.
 *
 *     flood --from ADDR --to ADDR:PORT --rate N --seconds N
 *
 * Prints one JSON object.
 */
#include "tests/bench/samples.h"
#include "tests/bench/sip_load.h"


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
	unsigned long sent = 0, answers = 0;
	struct sip_load load;
	char text[2048];
	int code = sip_load_open(&load, "flood", argc, argv);

	if (code)
		return code;
	uint64_t start = clock_ns();
	while (clock_ns() - start < load.seconds * UINT64_C(1000000000)) {
		unsigned long due = (unsigned long)((clock_ns() - start) / 1000 * load.rate / 1000000);
		for (; sent < due; sent++) {
			int n = write_invite(text, sizeof text, load.from, ntohs(load.own.sin_port), load.to, sent);
			if (!sip_load_send(&load, text, n))
				break;
		}
		while (recv(load.fd, text, sizeof text, 0) > 0)
			answers++;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	printf("{\"sent\":%lu,\"answers\":%lu}\n", sent, answers);
	return 0;
}
