#include "mgmtd/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The line at `text`, without its end; *next = where the following one begins. */
static size_t line_length(const char *text, size_t len, size_t *next)
{
	const char *end = memchr(text, '\n', len);
	size_t n = end ? (size_t)(end - text) : len;
	*next = end ? n + 1 : len;
	return n > 0 && text[n - 1] == '\r' ? n - 1 : n;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Does the line begin with `name`, blanks and a colon (RFC 3261 25.1 HCOLON)?  Gives the length with the colon, or 0. */
static size_t header_name(const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);
	if (len <= n || strncasecmp(line, name, n) != 0)
		return 0;
	while (n < len && blank(line[n]))
		n++;
	return n < len && line[n] == ':' ? n + 1 : 0;
}

const char *message_header(const char *message, size_t len, const char *name, const char *compact, size_t *value_len)
{
	for (size_t at = 0, next; at < len; at += next) {
		size_t n = line_length(message + at, len - at, &next);
		if (n == 0 && at > 0)
			return NULL;	/* end of the head */
		size_t begin = header_name(message + at, n, name);
		if (!begin && compact)
			begin = header_name(message + at, n, compact);
		if (!begin)
			continue;
		while (begin < n && blank(message[at + begin]))
			begin++;
		while (n > begin && blank(message[at + n - 1]))
			n--;
		*value_len = n - begin;
		return message + at + begin;
	}
	return NULL;
}

static void summarise_reply(char *summary, size_t size, const char *line, size_t n, const char *message, size_t len)
{
	size_t cseq_len = 0;
	const char *cseq = message_header(message, len, "CSeq", NULL, &cseq_len);
	const char *method = cseq ? memchr(cseq, ' ', cseq_len) : NULL;
	if (method)
		snprintf(summary, size, "%.*s (%.*s)", (int)(n - 8), line + 8, (int)(cseq_len - (size_t)(method + 1 - cseq)), method + 1);
	else
		snprintf(summary, size, "%.*s", (int)(n - 8), line + 8);
}

void message_summary(char *summary, size_t size, const char *message, size_t len)
{
	static const char version[] = "SIP/2.0 ", tail[] = " SIP/2.0";
	size_t next, n = line_length(message, len, &next);
	const size_t v = sizeof version - 1;
	summary[0] = '\0';
	if (n > v && strncasecmp(message, version, v) == 0)
		summarise_reply(summary, size, message, n, message, len);
	else if (n > v && strncasecmp(message + n - v, tail, v) == 0)
		snprintf(summary, size, "%.*s", (int)(n - v), message);
	/* A cut may have left half of a character; the JSON writer replaces it. */
}

bool message_is(const char *message, size_t len, const char *method)
{
	size_t n = strlen(method);
	return len > n && memcmp(message, method, n) == 0 && message[n] == ' ';
}

const char *message_request_uri(const char *message, size_t len, size_t *uri_len)
{
	static const char tail[] = " SIP/2.0";
	size_t next, n = line_length(message, len, &next);
	const char *space = memchr(message, ' ', n);
	if (!space || n < sizeof tail || strncasecmp(message + n - (sizeof tail - 1), tail, sizeof tail - 1) != 0)
		return NULL;
	const char *end = message + n - (sizeof tail - 1);
	if (end <= space)
		return NULL;
	*uri_len = (size_t)(end - space - 1);
	return space + 1;
}

/* ------------------------------------------------------------------ masking */

static void append_stars(struct buffer *b, size_t count)
{
	static const char stars[] = "********************************";
	for (size_t n; count > 0; count -= n) {
		n = count < sizeof stars - 1 ? count : sizeof stars - 1;
		buffer_append(b, stars, n);
	}
}

/* A line of SDP (RFC 4566 5.12, RFC 4568 9.1). */
static void mask_body_line(struct buffer *b, const char *line, size_t n)
{
	static const char attribute[] = "a=crypto:", key[] = "inline:";
	const char *end = line + n;
	if (n > 2 && strncasecmp(line, "k=", 2) == 0) {
		buffer_append(b, line, 2);
		append_stars(b, n - 2);
		return;
	}
	if (n > sizeof attribute && strncasecmp(line, attribute, sizeof attribute - 1) == 0) {
		/* Several keys may follow each other, "inline:…;inline:…". */
		for (const char *at; (at = memmem(line, (size_t)(end - line), key, sizeof key - 1)) != NULL;) {
			const char *begin = at + sizeof key - 1, *stop = begin;
			while (stop < end && *stop != ' ' && *stop != ';')
				stop++;
			buffer_append(b, line, (size_t)(begin - line));
			append_stars(b, (size_t)(stop - begin));
			line = stop;
		}
	}
	buffer_append(b, line, (size_t)(end - line));
}

static size_t secret_header(const char *line, size_t n)
{
	static const char *const secret[] = { "Authorization", "Proxy-Authorization", "Authentication-Info", "Proxy-Authentication-Info" };
	size_t begin = 0;
	for (size_t i = 0; i < sizeof secret / sizeof secret[0] && !begin; i++)
		begin = header_name(line, n, secret[i]);
	return begin;
}

/* The scheme stays, if it is one that has a name: readers of captures take a header without one for damaged. */
static void mask_header(struct buffer *b, const char *line, size_t begin, size_t n)
{
	static const char *const schemes[] = { "Digest", "Basic", "Bearer" };
	buffer_append(b, line, begin);
	while (begin < n && blank(line[begin]))
		begin++;
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t len = strlen(schemes[i]);
		if (n - begin > len && strncasecmp(line + begin, schemes[i], len) == 0 && blank(line[begin + len])) {
			buffer_text(b, " ");
			buffer_append(b, line + begin, len);
		}
	}
	buffer_text(b, " ***");
}

void message_masked(struct buffer *b, const char *message, size_t len)
{
	bool folded = false;	/* the lines that go on from a secret one are as secret */
	bool body = false;	/* or, on a stream, another message: its credentials are looked for all the same */
	for (size_t at = 0, next; at < len; at += next) {
		const char *line = message + at;
		size_t n = line_length(line, len - at, &next), begin;
		if (folded && n > 0 && blank(*line))
			continue;
		begin = secret_header(line, n);
		folded = begin > 0;
		body |= n == 0 && at > 0;
		if (folded) {
			mask_header(b, line, begin, n);
		} else if (body) {
			mask_body_line(b, line, n);
		} else {
			buffer_append(b, line, n);
		}
		buffer_append(b, line + n, next - n);
	}
}

/* ------------------------------------------------------------------ Call-IDs that the switch made */

int message_record_id(uint32_t *id, const char *call_id)
{
	uint32_t value = 0;
	for (int i = 0; i < 8; i++) {
		char c = call_id[i];
		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint32_t)(c - 'a' + 10);
		else
			return EINVAL;
	}
	if (call_id[8] != '-')
		return EINVAL;
	*id = value;
	return 0;
}

int message_gateway_id(uint32_t *id, const char *call_id)
{
	return call_id[0] == 'g' ? message_record_id(id, call_id + 1) : EINVAL;
}
