#include "mgmtd/party.h"

#include "mgmtd/message.h"

#include <string.h>
#include <strings.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What does not fit is cut. */
static void decode(char to[PARTY_TEXT], const char *from, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len && n + 1 < PARTY_TEXT; i++) {
		bool escaped = from[i] == '%' && len - i > 2 && hex(from[i + 1]) >= 0 && hex(from[i + 2]) >= 0;
		char c = (char)(escaped ? hex(from[i + 1]) << 4 | hex(from[i + 2]) : from[i]);
		i += escaped ? 2 : 0;
		to[n++] = c ? c : '?';
	}
	to[n] = '\0';
}

static void copy(char to[PARTY_TEXT], const char *from, size_t len)
{
	size_t n = 0;
	for (; n < len && n + 1 < PARTY_TEXT; n++)
		to[n] = from[n] ? from[n] : '?';
	to[n] = '\0';
}

static size_t span_until(const char *text, size_t len, const char *any)
{
	size_t n = 0;
	while (n < len && text[n] && !strchr(any, text[n]))
		n++;
	return n;
}

static bool read_uri(struct party *p, const char *uri, size_t len)
{
	size_t scheme = span_until(uri, len, ":");
	if (scheme == len)
		return false;
	const char *rest = uri + scheme + 1;
	size_t rest_len = len - scheme - 1;
	if (scheme == 3 && strncasecmp(uri, "tel", 3) == 0) {
		decode(p->user, rest, span_until(rest, rest_len, ";?"));
		return true;
	}
	if (!(scheme == 3 && strncasecmp(uri, "sip", 3) == 0) && !(scheme == 4 && strncasecmp(uri, "sips", 4) == 0))
		return false;
	const char *at = memchr(rest, '@', rest_len);
	if (at) {
		decode(p->user, rest, span_until(rest, (size_t)(at - rest), ":"));
		rest_len -= (size_t)(at + 1 - rest);
		rest = at + 1;
	}
	const char *end = rest_len && rest[0] == '[' ? memchr(rest, ']', rest_len) : NULL;
	copy(p->host, rest, end ? (size_t)(end + 1 - rest) : span_until(rest, rest_len, ":;?,> \t"));
	return true;
}

/* Length of the quoted string that begins the text, with its quotes; 0 = it has no end. */
static size_t quoted(const char *text, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '"')
			return i + 1;
	}
	return 0;
}

static void unquote(char to[PARTY_TEXT], const char *text, size_t len)
{
	size_t n = 0;
	for (size_t i = 1; i + 1 < len && n + 1 < PARTY_TEXT; i++) {
		if (text[i] == '\\' && i + 2 < len)
			i++;
		to[n++] = text[i] ? text[i] : '?';
	}
	to[n] = '\0';
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool party_read(struct party *p, const char *value, size_t len)
{
	size_t name = 0;
	*p = (struct party){ .display = "" };
	while (len && blank(*value)) {
		value++;
		len--;
	}
	if (len && *value == '"') {
		name = quoted(value, len);
		if (!name)
			return false;
		unquote(p->display, value, name);
	}
	const char *open = memchr(value + name, '<', len - name);
	if (!open)	/* addr-spec: what follows a ';' is the header's, not the URI's (RFC 3261 20) */
		return !name && read_uri(p, value, span_until(value, len, ";, \t"));
	if (!name) {
		size_t words = (size_t)(open - value);
		while (words && blank(value[words - 1]))
			words--;
		copy(p->display, value, words);
	}
	size_t left = len - (size_t)(open + 1 - value);
	const char *close = memchr(open + 1, '>', left);
	return close && read_uri(p, open + 1, (size_t)(close - open - 1));
}

bool party_of_header(struct party *p, const char *message, size_t len, const char *name, const char *compact)
{
	size_t value_len;
	const char *value = message_header(message, len, name, compact, &value_len);
	return value && party_read(p, value, value_len);
}

bool party_of_request(struct party *p, const char *message, size_t len)
{
	size_t uri_len;
	const char *uri = message_request_uri(message, len, &uri_len);
	*p = (struct party){ .display = "" };
	return uri && read_uri(p, uri, uri_len);
}

bool party_is(const struct party *p, const char *number)
{
	size_t len = strlen(number);
	return strncmp(p->user, number, len) == 0 && (p->user[len] == '\0' || p->user[len] == ';');
}
