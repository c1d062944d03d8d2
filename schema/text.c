/* What a text field may hold: UTF-8, no control characters, and the syntax of its type. */
#include "schema.h"

#include <arpa/inet.h>
#include <string.h>

static int is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Length of the UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF), 0 when it is none. */
static size_t utf8_sequence(const unsigned char *p, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));

	if (p[0] >= 0xf8 || (p[0] >= 0x80 && p[0] < 0xc0) || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (n > 1 && (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)))
		return 0;
	return code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0 : n;
}

static const char *plain_text_fault(const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n)
		if ((n = utf8_sequence((const unsigned char *)text + i, len - i)) == 0)
			return "must be UTF-8 without control characters";
	return NULL;
}

/* The user part of a SIP URI is written by us with %-escapes, but what would end a URI in a hand-written header
 * is refused, since no carrier gives out such a user name. */
static const char *user_fault(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(" \"<>@:", text[i]))
			return "must not contain spaces, quotes, <, >, @ or :";
	return plain_text_fault(text, len);
}

/* RFC 3261 25.1 `host`: a host name of labels, an IPv4 address or a bracketed IPv6 address. */
static const char *host_fault(const char *text, size_t len)
{
	static const char fault[] = "must be a host name, an IPv4 address or an IPv6 address in brackets";
	char copy[INET6_ADDRSTRLEN];
	unsigned char address[16];
	int digits_only = 1;
	size_t label = 0;

	if (len > 2 && text[0] == '[') {
		if (text[len - 1] != ']' || len - 2 >= sizeof copy)
			return fault;
		memcpy(copy, text + 1, len - 2);
		copy[len - 2] = '\0';
		return inet_pton(AF_INET6, copy, address) == 1 ? NULL : fault;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '.') {
			if (label == 0 || text[i - 1] == '-')
				return fault;
			label = 0;
			continue;
		}
		if (!is_alnum(c) && c != '_' && (c != '-' || label == 0))
			return fault;
		if (++label > 63)
			return "must not have a label longer than 63 bytes";
		if (c < '0' || c > '9')
			digits_only = 0;
	}
	if (len == 0 || text[len - 1] == '-')
		return fault;
	if (digits_only) {
		if (len >= sizeof copy)
			return fault;
		memcpy(copy, text, len);
		copy[len] = '\0';
		return inet_pton(AF_INET, copy, address) == 1 ? NULL : fault;
	}
	return NULL;
}

static const char *host_port_fault(const char *text, size_t len)
{
	const char *bracket = memchr(text, ']', len);
	const char *from = bracket ? bracket : text;
	const char *colon = memchr(from, ':', len - (size_t)(from - text));
	unsigned port = 0;

	if (!colon)
		return host_fault(text, len);
	for (const char *p = colon + 1; p < text + len; p++) {
		if (*p < '0' || *p > '9' || (port = port * 10 + (unsigned)(*p - '0')) > 65535)
			return "must be host or host:port with a port of 1 to 65535";
	}
	if (port == 0)
		return "must be host or host:port with a port of 1 to 65535";
	return host_fault(text, (size_t)(colon - text));
}

const char *schema_name_fault(const char *name, size_t len)
{
	if (len < 1 || len > SCHEMA_NAME_MAX)
		return "must be 1 to 63 bytes long";
	for (size_t i = 0; i < len; i++)
		if (!is_alnum((unsigned char)name[i]) && name[i] != '_' && (i == 0 || (name[i] != '.' && name[i] != '-')))
			return "must be letters, digits, '.', '_' or '-', and begin with a letter, digit or '_'";
	return NULL;
}

static const char *digits_fault(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] < '0' || text[i] > '9') && text[i] != '*' && text[i] != '#' && text[i] != '+')
			return "must be of 0-9, *, # and +";
	return NULL;
}

const char *schema_text_fault(enum field_type type, const char *text, size_t len)
{
	char canonical[SCHEMA_SOURCE_MAX + 1];

	if (type == FT_REGISTRATION_REF || type == FT_MAPPING_REF)
		return schema_name_fault(text, len);
	if (type == FT_SOURCES)
		return schema_source(canonical, text, len);
	if (len == 0)
		return NULL;
	switch (type) {
	case FT_HOST:		return host_fault(text, len);
	case FT_HOST_PORT:	return host_port_fault(text, len);
	case FT_USER:		return user_fault(text, len);
	case FT_NAME:		return schema_name_fault(text, len);
	case FT_PREFIXES:
	case FT_REWRITES:	return digits_fault(text, len);
	default:		return plain_text_fault(text, len);
	}
}
