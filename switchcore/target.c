#include "target.h"

#include "schema/schema.h"

#include <arpa/inet.h>
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

bool address_same_host(const union address *a, const union address *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET6)
		return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
	return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

bool address_equal(const union address *a, const union address *b)
{
	return address_same_host(a, b) && address_port(a) == address_port(b);
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

/* Written digit by digit: every message and every status needs several addresses, and the printf family (inet_ntop() is of it)
 * took a tenth of all the time of a registration. */
static size_t write_number(char *to, unsigned number)
{
	char digits[10];
	size_t n = 0, len;

	do {
		digits[n++] = (char)('0' + number % 10);
	} while (number /= 10);
	for (len = 0; n > 0; len++)
		to[len] = digits[--n];
	return len;
}

/* Into text[INET6_ADDRSTRLEN + 2]; its length. */
static size_t write_host(char *text, const union address *address)
{
	const uint8_t *bytes = (const uint8_t *)&address->v4.sin_addr;
	size_t len = 0;

	if (address->family == AF_INET6) {
		text[0] = '[';
		inet_ntop(AF_INET6, &address->v6.sin6_addr, text + 1, INET6_ADDRSTRLEN);
		len = strlen(text);
		text[len++] = ']';
		return len;
	}
	for (int i = 0; i < 4; i++) {
		len += write_number(text + len, bytes[i]);
		if (i < 3)
			text[len++] = '.';
	}
	return len;
}

/* As snprintf() would: what does not fit is cut. */
static void copy_cut(char *to, size_t size, const char *from, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

void address_host(const union address *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN + 2];

	copy_cut(text, size, host, write_host(host, address));
}

void address_text(const union address *address, char *text, size_t size)
{
	char whole[INET6_ADDRSTRLEN + 10];
	size_t len = 0;

	if (address->family != AF_UNSPEC) {
		len = write_host(whole, address);
		whole[len++] = ':';
		len += write_number(whole + len, address_port(address));
	}
	copy_cut(text, size, whole, len);
}

void target_text(const struct target *target, char *text, size_t size)
{
	char whole[TARGET_TEXT_MAX];

	memcpy(whole, target_transport_word(target->transport), 3);
	whole[3] = ':';
	address_text(&target->address, whole + 4, sizeof whole - 4);
	copy_cut(text, size, whole, target->address.family == AF_UNSPEC ? 0 : strlen(whole));
}
