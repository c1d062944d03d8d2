/*
 * What sends SIP over UDP at a steady rate has in common: its options and its socket.
 *
 *     NAME --from ADDR --to ADDR:PORT --rate N --seconds N
 */
#ifndef BENCH_SIP_LOAD_H
#define BENCH_SIP_LOAD_H

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct sip_load {
	struct sockaddr_in own, target;
	const char *from, *to;		/* hosts */
	unsigned long rate, seconds;
	int fd;
};

static bool sip_load_parse(struct sockaddr_in *address, char *text)
{
	char *colon = strrchr(text, ':');

	address->sin_family = AF_INET;
	if (colon) {
		*colon = '\0';
		address->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	}
	return inet_pton(AF_INET, text, &address->sin_addr) == 1;
}

/* 0; or the exit code, and why was said. */
static int sip_load_open(struct sip_load *load, const char *name, int argc, char **argv)
{
	static const struct option words[] = { { "from", 1, NULL, 'f' }, { "to", 1, NULL, 't' }, { "rate", 1, NULL, 'r' },
		{ "seconds", 1, NULL, 's' }, { NULL, 0, NULL, 0 } };
	char *from = NULL, *to = NULL;
	socklen_t size = sizeof load->own;
	int word;

	memset(load, 0, sizeof *load);
	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 'f': from = optarg; break;
		case 't': to = optarg; break;
		case 'r': load->rate = strtoul(optarg, NULL, 10); break;
		case 's': load->seconds = strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	if (!from || !to || !load->rate || !load->seconds || !sip_load_parse(&load->own, from) || !sip_load_parse(&load->target, to)) {
		fprintf(stderr, "usage: %s --from ADDR --to ADDR:PORT --rate N --seconds N\n", name);
		return 2;
	}
	load->from = from;
	load->to = to;
	load->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (load->fd >= 0 && bind(load->fd, (struct sockaddr *)&load->own, sizeof load->own) == 0 &&
	    getsockname(load->fd, (struct sockaddr *)&load->own, &size) == 0)
		return 0;
	perror(name);
	return 1;
}

static bool sip_load_send(const struct sip_load *load, const char *text, int len)
{
	return sendto(load->fd, text, (size_t)len, 0, (const struct sockaddr *)&load->target, sizeof load->target) == len;
}

#endif
