#include "mgmtd/json_split.h"

#include <stdio.h>
#include <string.h>

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
		at++;
	return at;
}

/* Behind the closing quotation mark; NULL = there is none. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : NULL;
}

/* Behind a value; NULL = it does not end.  Of brackets only the number counts: which ones they are is the parser's to say. */
static const char *skip_value(const char *at, const char *end)
{
	size_t depth = 0;

	while (at && at < end) {
		if (*at == '"') {
			at = skip_string(at, end);
			if (depth == 0)
				return at;
			continue;
		}
		if (depth == 0 && strchr(",]} \t\r\n", *at) && *at)
			return at;
		if (*at == '{' || *at == '[') {
			depth++;
		} else if (*at == '}' || *at == ']') {
			if (--depth == 0)
				return at + 1;
		}
		at++;
	}
	return depth == 0 ? at : NULL;
}

static bool fail(struct json_split *s, const char *fault)
{
	s->fault = fault;
	return false;
}

bool json_split_open(struct json_split *s, const char *text, size_t len, const char *stretch, char bracket)
{
	*s = (struct json_split){ .text = text, .end = text + len };
	s->at = skip_blanks(stretch, s->end);
	if (s->at == s->end || *s->at != bracket)
		return false;
	s->at++;
	return true;
}

bool json_split_next(struct json_split *s, const char **key, size_t *key_len, const char **value, size_t *len)
{
	const char close = key ? '}' : ']';

	s->at = skip_blanks(s->at, s->end);
	if (s->at == s->end)
		return fail(s, "the text ends too early");
	if (*s->at == close) {
		s->at++;
		return false;
	}
	if (s->begun && *s->at != ',')
		return fail(s, "a comma is missing");
	if (s->begun)
		s->at = skip_blanks(s->at + 1, s->end);
	s->begun = true;
	if (key) {
		const char *begin = s->at, *behind = s->at < s->end && *s->at == '"' ? skip_string(s->at, s->end) : NULL;
		if (!behind)
			return fail(s, "the name of a member is missing");
		*key = begin;
		*key_len = (size_t)(behind - begin);
		s->at = skip_blanks(behind, s->end);
		if (s->at == s->end || *s->at != ':')
			return fail(s, "a colon is missing");
		s->at = skip_blanks(s->at + 1, s->end);
	}
	const char *behind = skip_value(s->at, s->end);
	if (!behind || behind == s->at)
		return fail(s, behind ? "a value is missing" : "the text ends too early");
	*value = s->at;
	*len = (size_t)(behind - s->at);
	s->at = behind;
	return true;
}

bool json_split_ended(struct json_split *s)
{
	s->at = skip_blanks(s->at, s->end);
	return s->at == s->end || fail(s, "something follows the document");
}

void json_split_place(struct json_fault *fault, const char *text, const char *at)
{
	fault->line = fault->column = 1;
	for (; text < at; text++) {
		if (*text == '\n') {
			fault->line++;
			fault->column = 1;
		} else if (((unsigned char)*text & 0xc0) != 0x80) {
			fault->column++;
		}
	}
}

void json_split_move(struct json_fault *fault, const char *text, const char *stretch)
{
	struct json_fault begin;

	json_split_place(&begin, text, stretch);
	if (fault->line == 1)
		fault->column += begin.column - 1;
	fault->line += begin.line - 1;
}
