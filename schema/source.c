/* Where calls come from: an address, a network or an address with a port, as text. */
#include "schema.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char fault[] = "must be an IPv4 or IPv6 address, a network (address/length), or address:port ([address]:port for IPv6)";

/* A decimal number of 1 to `digits` digits, up to the end; -1 = it is none. */
static long number(const char *text, size_t digits)
{
	long value = 0;

	if (!*text || strlen(text) > digits)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
	}
	return value;
}

static int host_bits_set(const unsigned char *address, size_t size, long length)
{
	for (size_t i = 0; i < size; i++) {
		long network = length - 8 * (long)i;
		unsigned mask = network >= 8 ? 0 : network <= 0 ? 0xff : 0xffu >> network;
		if (address[i] & mask)
			return 1;
	}
	return 0;
}

/* Parts of copy: the address, what follows '/', what follows the ':' of a port; NULL = not there. */
struct parts { char *address, *length, *port; int bracketed; };

static const char *split(struct parts *parts, char *copy)
{
	*parts = (struct parts){ .address = copy };
	if (copy[0] == '[') {
		char *end = strchr(copy, ']');
		if (!end || end[1] != ':')
			return fault;
		*end = '\0';
		*parts = (struct parts){ .address = copy + 1, .port = end + 2, .bracketed = 1 };
		return NULL;
	}
	if ((parts->length = strchr(copy, '/')))
		*parts->length++ = '\0';
	char *colon = strchr(copy, ':');
	if (!parts->length && colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		parts->port = colon + 1;
	}
	return NULL;
}

const char *schema_source(char canonical[SCHEMA_SOURCE_MAX + 1], const char *text, size_t len)
{
	char copy[SCHEMA_SOURCE_MAX + 1], shown[INET6_ADDRSTRLEN];
	unsigned char address[16];
	struct parts parts;

	if (len == 0 || len > SCHEMA_SOURCE_MAX || memchr(text, '\0', len))
		return fault;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (split(&parts, copy))
		return fault;
	int v6 = strchr(parts.address, ':') != NULL;
	long bits = v6 ? 128 : 32, length = parts.length ? number(parts.length, 3) : bits, port = parts.port ? number(parts.port, 5) : 0;
	if ((parts.bracketed && !v6) || inet_pton(v6 ? AF_INET6 : AF_INET, parts.address, address) != 1)
		return fault;
	if (v6 && memcmp(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
		return "must be written as an IPv4 address";	/* else one address would have two forms */
	if (parts.port && (port < 1 || port > 65535))
		return "must have a port of 1 to 65535";
	if (length < 0 || length > bits)
		return v6 ? "must have a prefix length of 0 to 128" : "must have a prefix length of 0 to 32";
	if (host_bits_set(address, (size_t)bits / 8, length))
		return "must not have bits set beyond the prefix length";
	inet_ntop(v6 ? AF_INET6 : AF_INET, address, shown, sizeof shown);
	if (parts.port)
		snprintf(canonical, SCHEMA_SOURCE_MAX + 1, v6 ? "[%s]:%ld" : "%s:%ld", shown, port);
	else if (length < bits)
		snprintf(canonical, SCHEMA_SOURCE_MAX + 1, "%s/%ld", shown, length);
	else
		snprintf(canonical, SCHEMA_SOURCE_MAX + 1, "%s", shown);
	return NULL;
}
