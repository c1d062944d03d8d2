#include "guard.h"

#include <string.h>

/* CR LF, CR or LF, as the stack takes them; *after_cr is kept from byte to byte. */
static bool ends_line(char c, bool *after_cr)
{
	bool half = c == '\n' && *after_cr;

	*after_cr = c == '\r';
	return c == '\r' || (c == '\n' && !half);
}

/* At most so many items, head or body: nearly every message, and memchr() finds it out in a third of the time. */
static bool holds_few(const char *bytes, size_t len)
{
	static const char counted[] = { '\n', '\r', ',' };
	const char *end = bytes + len;
	uint32_t found = 0;

	if (len <= GUARD_ITEMS_MAX)
		return true;
	for (size_t i = 0; i < sizeof counted; i++)
		for (const char *at = bytes; at < end && (at = memchr(at, counted[i], (size_t)(end - at))) != NULL; at++)
			if (++found > GUARD_ITEMS_MAX)
				return false;
	return true;
}

bool guard_datagram(const char *bytes, size_t len)
{
	bool after_cr = false, empty = true, begun = false;
	uint32_t items = 0;

	if (len > 0 && bytes[0] != '\r' && bytes[0] != '\n' && (bytes[0] <= ' ' || bytes[0] > '~'))
		return false;
	if (holds_few(bytes, len))
		return true;
	for (size_t i = 0; i < len; i++) {
		bool end = ends_line(bytes[i], &after_cr);
		if (end && empty && begun)
			return true;		/* the head is over */
		if ((end || bytes[i] == ',') && ++items > GUARD_ITEMS_MAX)
			return false;
		if (bytes[i] != '\r' && bytes[i] != '\n')
			begun = true, empty = false;
		else if (end)
			empty = true;
	}
	return true;
}

/* ------------------------------------------------------------------ floods */

/* The limit of a tenth of a second is so many tenths of a request. */
static uint32_t tenths(const char *bytes, size_t len)
{
	return len >= 8 && memcmp(bytes, "SIP/2.0 ", 8) == 0 ? 1 : 10;
}

bool guard_rush(struct guard_rush *rush, const char *bytes, size_t len, uint64_t moment)
{
	if (rush->moment != moment) {
		rush->moment = moment;
		rush->all = rush->strangers = 0;
	}
	if (rush->all >= GUARD_STRANGERS_PER_S)
		return true;
	rush->all += tenths(bytes, len);
	return false;
}

bool guard_stranger(struct guard_rush *rush, const char *bytes, size_t len)
{
	if (rush->strangers >= GUARD_STRANGERS_PER_S) {
		rush->dropped++;
		return false;
	}
	rush->strangers += tenths(bytes, len);
	return true;
}

/* ------------------------------------------------------------------ streams */

/* Of `at`: below COLON so many letters of the name matched. */
enum { COLON = 100, DIGITS, REST };

static const char name[] = "content-length";

static void begin_line(struct guard_stream *s)
{
	s->at = 0;
	s->line_begun = false;
}

/* The head is over: its body begins, or the next head. */
static void end_head(struct guard_stream *s)
{
	s->body = s->length_known && !s->length_wrong ? s->length : 0;
	s->length = s->items = 0;
	s->length_known = s->length_wrong = false;
	begin_line(s);
}

static void read_digit(struct guard_stream *s, char c)
{
	if (c == '\r' || c == ' ' || c == '\t')
		return;
	if (c < '0' || c > '9' || s->length > UINT32_MAX)
		s->length_wrong = true;		/* then nothing is skipped, and the body counts too */
	else
		s->length = s->length * 10 + (uint64_t)(c - '0');
}

/* "Content-Length" or "l", white space, a colon, digits (RFC 3261 20.14). */
static void read_name(struct guard_stream *s, char c)
{
	char lower = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;

	if (s->at < sizeof name - 1 && lower == name[s->at])
		s->at++;
	else if (s->at == 0 && lower == 'l')
		s->at = COLON;
	else if (s->at == sizeof name - 1 && (c == ' ' || c == '\t' || c == ':'))
		s->at = c == ':' ? DIGITS : COLON;
	else
		s->at = REST;
}

static void read_head(struct guard_stream *s, char c)
{
	if (s->at < COLON)
		read_name(s, c);
	else if (s->at == COLON && c != ' ' && c != '\t')
		s->at = c == ':' ? DIGITS : REST;
	else if (s->at == DIGITS)
		read_digit(s, c);
	if (s->at == DIGITS && c == ':') {
		s->length_wrong = s->length_wrong || s->length_known;	/* twice */
		s->length_known = true;
	}
}

bool guard_stream(struct guard_stream *s, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];
		bool end;
		if (c == '\n' && s->after_cr) {	/* the other half of a line's end, perhaps of a head's */
			s->after_cr = false;
			continue;
		}
		if (s->body > 0) {
			size_t rest = len - i, skip = s->body < rest ? (size_t)s->body : rest;
			s->body -= skip;
			i += skip - 1;
			s->after_cr = false;
			continue;
		}
		end = ends_line(c, &s->after_cr);
		if (end && !s->line_begun) {
			end_head(s);
			continue;
		}
		if ((end || c == ',') && ++s->items > GUARD_ITEMS_MAX)
			return false;
		if (end) {
			begin_line(s);
		} else {
			s->line_begun = true;
			read_head(s, c);
		}
	}
	return true;
}
