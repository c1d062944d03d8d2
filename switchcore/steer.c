#include "steer.h"

#include "sip_server.h"

#include <stdlib.h>
#include <string.h>

#define BRANCH_MAX 128

static union address place;
static bool told;

/* The request that came in last, while only the stack has seen it. */
static struct {
	bool pending;
	union address source;
	size_t branch_length;
	char branch[BRANCH_MAX];
} unseen;
static steer_unseen_f *place_unseen;
static void *place_arg;

void steer_response(const union address *to)
{
	told = to != NULL;
	if (to)
		place = *to;
}

void steer_seen(void)
{
	unseen.pending = false;
}

void steer_unseen(steer_unseen_f *function, void *arg)
{
	place_unseen = function;
	place_arg = arg;
}

static bool is_response(const char *bytes, size_t length)
{
	return length >= 12 && memcmp(bytes, "SIP/2.0 ", 8) == 0;
}

/* The first branch parameter, which is that of the topmost Via; its length, 0 = there is none. */
static size_t find_branch(const char **branch, const char *bytes, size_t length)
{
	const char *found = memmem(bytes, length, "branch=", 7), *end = bytes + length;
	size_t n = 0;

	if (!found)
		return 0;
	found += 7;
	while (found + n < end && !strchr(";, \t\r\n", found[n]))
		n++;
	*branch = found;
	return n;
}

void steer_received(const void *bytes, size_t length, const union address *source)
{
	const char *branch;

	unseen.pending = false;
	told = length > 7 && memcmp(bytes, "CANCEL ", 7) == 0 && sip_server_cancel_address(bytes, length, &place);
	if (told || !source || is_response(bytes, length))
		return;
	unseen.branch_length = find_branch(&branch, bytes, length);
	if (unseen.branch_length > BRANCH_MAX)
		unseen.branch_length = BRANCH_MAX;
	if (unseen.branch_length)
		memcpy(unseen.branch, branch, unseen.branch_length);
	unseen.source = *source;
	unseen.pending = true;
}

/* A response that the stack made for the request at hand. */
static bool is_unseens(const char *bytes, size_t length)
{
	static const char codes[][4] = { "400", "413", "505" };
	const char *branch;
	size_t n;
	bool fits = false;

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		fits = fits || memcmp(bytes + 8, codes[i], 3) == 0;
	if (!fits || !unseen.pending || !place_unseen)
		return false;
	n = find_branch(&branch, bytes, length);
	if (n > BRANCH_MAX)
		n = BRANCH_MAX;
	return n == unseen.branch_length && (n == 0 || memcmp(branch, unseen.branch, n) == 0);
}

/* host[:port] of the topmost Via, as the stack writes it: "Via: SIP/2.0/UDP host:port;...". */
static void read_sent_by(char *host, size_t size, uint16_t *port, const char *bytes, size_t length)
{
	const char *at = memmem(bytes, length, "\r\nVia: ", 7), *end = bytes + length, *colon;
	size_t n = 0;

	host[0] = '\0';
	*port = 0;
	at = at ? memchr(at + 7, ' ', (size_t)(end - at) - 7) : NULL;
	if (!at)
		return;
	for (at++; at + n < end && n + 1 < size && !strchr(";, \r\n", at[n]); n++)
		host[n] = at[n];
	host[n] = '\0';
	colon = strrchr(host, ':');
	if (!colon || strchr(colon, ']'))
		return;
	*port = (uint16_t)strtoul(colon + 1, NULL, 10);
	host[colon - host] = '\0';
}

const union address *steer_sent(bool *silent, const void *bytes, size_t length, const union address *local)
{
	char host[256];
	uint16_t port;

	*silent = false;
	if (!is_response(bytes, length))
		return NULL;
	if (told) {
		told = false;
		return &place;
	}
	if (!is_unseens(bytes, length))
		return NULL;
	unseen.pending = false;
	if (sip_server_cancel_address(bytes, length, &place))	/* of a call's INVITE, answered again */
		return &place;
	read_sent_by(host, sizeof host, &port, bytes, length);
	*silent = !place_unseen(place_arg, &place, &unseen.source, local, host, port);
	return &place;
}
