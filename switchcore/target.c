#include "target.h"

#include "schema/schema.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

const char *target_transport_word(int32_t transport)
{
	return transport == TRANSPORT_TLS ? "tls" : transport == TRANSPORT_TCP ? "tcp" : "udp";
}

uint16_t target_default_port(int32_t transport)
{
	return transport == TRANSPORT_TLS ? 5061 : 5060;
}

bool address_parse(union address *address, const char *host, uint16_t port)
{
	char copy[INET6_ADDRSTRLEN];
	size_t len = strlen(host);
	union address parsed;

	memset(&parsed, 0, sizeof parsed);
	if (inet_pton(AF_INET, host, &parsed.v4.sin_addr) == 1) {
		parsed.v4.sin_family = AF_INET;
	} else {
		if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
			host++;
			len -= 2;
		}
		if (len >= sizeof copy)
			return false;
		memcpy(copy, host, len);
		copy[len] = '\0';
		if (inet_pton(AF_INET6, copy, &parsed.v6.sin6_addr) != 1)
			return false;
		parsed.v6.sin6_family = AF_INET6;
	}
	address_set_port(&parsed, port);
	*address = parsed;
	return true;
}

uint16_t address_port(const union address *address)
{
	return ntohs(address->family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void address_set_port(union address *address, uint16_t port)
{
	if (address->family == AF_INET6)
		address->v6.sin6_port = htons(port);
	else
		address->v4.sin_port = htons(port);
}

bool address_equal(const union address *a, const union address *b)
{
	if (a->family != b->family || address_port(a) != address_port(b))
		return false;
	if (a->family == AF_INET6)
		return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
	return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

bool address_is_any(const union address *address)
{
	if (address->family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
	return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
}

socklen_t address_length(const union address *address)
{
	return address->family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

void address_from(union address *address, const struct sockaddr *from)
{
	memset(address, 0, sizeof *address);
	if (from->sa_family == AF_INET) {
		memcpy(&address->v4, from, sizeof address->v4);
	} else if (from->sa_family == AF_INET6) {
		memcpy(&address->v6, from, sizeof address->v6);
		if (IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) {
			struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = address->v6.sin6_port };
			memcpy(&v4.sin_addr, address->v6.sin6_addr.s6_addr + 12, 4);
			memset(address, 0, sizeof *address);
			address->v4 = v4;
		}
	}
}

void address_host(const union address *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
		snprintf(text, size, "[%s]", host);
	} else {
		inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
		snprintf(text, size, "%s", host);
	}
}

void address_text(const union address *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN + 2];

	if (address->family == AF_UNSPEC) {
		text[0] = '\0';
		return;
	}
	address_host(address, host, sizeof host);
	snprintf(text, size, "%s:%u", host, address_port(address));
}

void target_text(const struct target *target, char *text, size_t size)
{
	char address[INET6_ADDRSTRLEN + 10];

	address_text(&target->address, address, sizeof address);
	if (address[0])
		snprintf(text, size, "%s:%s", target_transport_word(target->transport), address);
	else
		text[0] = '\0';
}
