#include "listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Splits "host:port"; a bracketed IPv6 address may hold colons.  port -1 = none given. */
static bool split_host_port(const char *text, size_t len, char *host, size_t size, long *port)
{
	const char *bracket = memchr(text, ']', len);
	const char *from = bracket ? bracket : text;
	const char *colon = memchr(from, ':', len - (size_t)(from - text));
	size_t hostlen = colon ? (size_t)(colon - text) : len;

	if (hostlen == 0 || hostlen >= size)
		return false;
	memcpy(host, text, hostlen);
	host[hostlen] = '\0';
	*port = -1;
	if (colon) {
		char digits[8] = "", *end;
		size_t n = len - hostlen - 1;
		if (n == 0 || n > 5)
			return false;
		memcpy(digits, colon + 1, n);
		*port = strtol(digits, &end, 10);
		if (*end || digits[0] == '-' || digits[0] == '+' || *port > 65535)
			return false;
	}
	return true;
}

static const char *parse_advertise(struct listener *listener, const char *text)
{
	long port;

	if (!split_host_port(text, strlen(text), listener->advertise_host, sizeof listener->advertise_host, &port) ||
	    port == 0 || schema_text_fault(FT_HOST, listener->advertise_host, strlen(listener->advertise_host)))
		return "advertise= must be host or host:port";
	listener->advertise_port = port > 0 ? (uint16_t)port : 0;
	return NULL;
}

const char *listener_parse(struct listener *listener, const char *text)
{
	static const char *const words[] = { "udp:", "tcp:", "tls:" };
	const char *comma = strchr(text, ','), *equals = strchr(text, '=');
	char host[256];
	long port;

	memset(listener, 0, sizeof *listener);
	if (equals && (!comma || equals < comma)) {
		size_t len = (size_t)(equals - text);
		if (schema_name_fault(text, len))
			return "the name before = must be 1 to 63 letters, digits, '.', '_' or '-'";
		memcpy(listener->name, text, len);
		text = equals + 1;
	}
	for (int i = 0; i < 3; i++)
		if (strncmp(text, words[i], 4) == 0) {
			listener->bound.transport = i;
			text += 4;
			break;
		}
	if (!split_host_port(text, comma ? (size_t)(comma - text) : strlen(text), host, sizeof host, &port) || port < 0)
		return "must be [NAME=][udp:|tcp:|tls:]ADDRESS:PORT[,advertise=HOST[:PORT]]";
	if (!address_parse(&listener->bound.address, host, (uint16_t)port) || (strchr(host, ':') && host[0] != '['))
		return "ADDRESS must be an IPv4 address or an IPv6 address in brackets";
	if (!comma)
		return NULL;
	if (strncmp(comma, ",advertise=", 11) != 0)
		return "only ,advertise=HOST[:PORT] may follow the port";
	return parse_advertise(listener, comma + 11);
}

/* The address that the system's routes choose for packets to `to`; connecting a UDP socket sends nothing. */
static bool outgoing_address(const union address *to, union address *from)
{
	int fd = socket(to->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof *from;
	bool found;

	if (fd < 0)
		return false;
	found = connect(fd, &to->any, address_length(to)) == 0 && getsockname(fd, &from->any, &size) == 0;
	close(fd);
	return found;
}

void listener_host_port(const struct listener *listener, const union address *to, char *text, size_t size)
{
	union address own = listener->bound.address, from;
	uint16_t port = listener->advertise_port ? listener->advertise_port : address_port(&own);

	if (listener->advertise_host[0]) {
		snprintf(text, size, "%s:%u", listener->advertise_host, port);
		return;
	}
	if (address_is_any(&own) && to->family != AF_UNSPEC && outgoing_address(to, &from))
		own = from;
	address_set_port(&own, port);
	address_text(&own, text, size);
}
