/* Where a message goes: a transport and a numeric address. */
#ifndef SWITCHCORE_TARGET_H
#define SWITCHCORE_TARGET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_TEXT_MAX 64		/* "udp:[2001:db8::1]:5060" and NUL */

union address {
	sa_family_t family;		/* AF_UNSPEC = none */
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct target {
	int32_t transport;		/* enum TRANSPORT_option */
	union address address;
};

const char *target_transport_word(int32_t transport);		/* "udp" */
uint16_t target_default_port(int32_t transport);		/* 5060, 5061 for TLS */

/* host is an IPv4 address, or an IPv6 address with or without brackets.  False when it is a name. */
bool address_parse(union address *address, const char *host, uint16_t port);
uint16_t address_port(const union address *address);
void address_set_port(union address *address, uint16_t port);
bool address_equal(const union address *a, const union address *b);
bool address_same_host(const union address *a, const union address *b);	/* whatever the ports */
bool address_is_any(const union address *address);		/* 0.0.0.0 or :: */
socklen_t address_length(const union address *address);
/* Takes an IPv4 address out of ::ffff:a.b.c.d. */
void address_from(union address *address, const struct sockaddr *from);
/* "192.0.2.1" or "[2001:db8::1]"; with port ":5060" behind it. */
void address_host(const union address *address, char *text, size_t size);
void address_text(const union address *address, char *text, size_t size);
void target_text(const struct target *target, char *text, size_t size);	/* "udp:192.0.2.1:5060", "" when none */

#endif
