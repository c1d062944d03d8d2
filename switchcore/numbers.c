#include "numbers.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* ------------------------------------------------------------------ text */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int number_from_user(char *out, size_t size, const char *user)
{
	size_t len = user ? strcspn(user, ";:") : 0, n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)user[i];
		if (c == '%') {
			int high = i + 2 < len ? hex_digit(user[i + 1]) : -1;
			int low = high < 0 ? -1 : hex_digit(user[i + 2]);
			if (low < 0)
				goto invalid;
			c = high << 4 | low;
			i += 2;
		}
		if (n + 1 >= size) {
			out[0] = '\0';
			return EMSGSIZE;
		}
		out[n++] = (char)c;
	}
	out[n] = '\0';
	/* Also what is no UTF-8: a number is told in JSON. */
	if (!schema_text_fault(FT_TEXT, out, n))
		return 0;
invalid:
	out[0] = '\0';
	return EINVAL;
}

int number_to_user(char *out, size_t size, const char *number)
{
	static const char plain[] = "-_.!~*'()&=+$/";
	size_t n = 0;

	for (; *number; number++) {
		unsigned char c = (unsigned char)*number;
		bool as_it_is = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr(plain, c);
		if (n + (as_it_is ? 1 : 3) >= size)
			return EMSGSIZE;
		if (as_it_is) {
			out[n++] = (char)c;
		} else {
			out[n++] = '%';
			out[n++] = "0123456789ABCDEF"[c >> 4];
			out[n++] = "0123456789ABCDEF"[c & 15];
		}
	}
	out[n] = '\0';
	return 0;
}

/* Bytes of the character that begins there; 0 = none, or a control character. */
static size_t character(const char *text, size_t len)
{
	for (size_t n = 1; n <= 4 && n <= len; n++)
		if (!schema_text_fault(FT_TEXT, text, n))
			return n;
	return 0;
}

static void write_plain(char *out, size_t size, const char *text, size_t len, bool quoted_pairs)
{
	size_t n = 0;

	for (size_t i = 0, width; i < len; i += width) {
		if (quoted_pairs && text[i] == '\\' && i + 1 < len)
			i++;
		width = character(text + i, len - i);
		if (n + (width ? width : 1) >= size)
			break;
		if (width)
			memcpy(out + n, text + i, width);
		else
			out[n] = (unsigned char)text[i] < 0x80 ? ' ' : '?';
		width += width == 0;
		n += width;
	}
	out[n] = '\0';
}

void display_plain(char *out, size_t size, const char *text)
{
	write_plain(out, size, text ? text : "", text ? strlen(text) : 0, false);
}

void display_from_header(char *out, size_t size, const char *display)
{
	size_t len;
	bool quoted;

	display = display ? display : "";
	len = strlen(display);
	while (len > 0 && strchr(" \t\r\n", display[len - 1]))
		len--;
	while (len > 0 && strchr(" \t\r\n", *display))
		display++, len--;
	quoted = len >= 2 && display[0] == '"' && display[len - 1] == '"';
	write_plain(out, size, display + quoted, len - 2 * quoted, quoted);
}

/* ------------------------------------------------------------------ choosing */

static const char *first(const char *a, const char *b, const char *c)
{
	if (a && *a)
		return a;
	if (b && *b)
		return b;
	return c ? c : "";
}

const char *numbers_callee(int32_t source, const struct numbers_in *in)
{
	const char *chosen = source == CALLEE_SOURCE_REQUEST_LINE ? in->request_user :
	                     source == CALLEE_SOURCE_DIVERSION ? in->diversion_user : in->to_user;

	return first(chosen, in->to_user, in->request_user);
}

const char *numbers_original(const struct numbers_in *in, const char *callee_in)
{
	return first(in->to_user, callee_in, NULL);
}

static int copy(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		return EMSGSIZE;
	memcpy(out, text, len + 1);
	return 0;
}

/* ENOENT: it is a name. */
static int number_in_display(char *out, size_t size, const char *display)
{
	char number[DISPLAY_MAX + 1];
	size_t n = 0;
	bool digit = false;

	for (; display && *display; display++) {
		if (strchr("-.() ", *display))
			continue;
		if (!strchr("0123456789*#", *display) && (*display != '+' || n > 0))
			return ENOENT;
		if (n + 1 >= sizeof number)
			return ENOENT;
		digit = digit || (*display >= '0' && *display <= '9');
		number[n++] = *display;
	}
	number[n] = '\0';
	return digit ? copy(out, size, number) : ENOENT;
}

int numbers_caller(char *out, size_t size, int32_t source, const struct numbers_in *in)
{
	const char *chosen = NULL;
	int error;

	switch (source) {
	case CALLER_SOURCE_DISPLAY:
		error = number_in_display(out, size, in->from_display);
		if (error != ENOENT)
			return error;
		break;
	case CALLER_SOURCE_REMOTE_PARTY_ID:
		chosen = in->remote_party_id_user;
		break;
	case CALLER_SOURCE_P_ASSERTED_IDENTITY:
		chosen = in->p_asserted_identity_user;
		break;
	case CALLER_SOURCE_P_PREFERRED_IDENTITY:
		chosen = in->p_preferred_identity_user;
		break;
	default:
		break;
	}
	return copy(out, size, first(chosen, in->from_user, NULL));
}

/* ------------------------------------------------------------------ rewriting */

int numbers_rewrite(char *out, size_t size, const struct rewrites *rules, const char *number)
{
	const struct rewrite *best = NULL;
	size_t matched = 0, replaced, rest;

	for (int32_t i = 0; i < rules->count && i < SCHEMA_REWRITES_MAX; i++) {
		size_t len = strlen(rules->rule[i].match);
		if (strncmp(number, rules->rule[i].match, len) == 0 && (!best || len > matched)) {
			best = &rules->rule[i];
			matched = len;
		}
	}
	if (!best)
		return copy(out, size, number);
	replaced = strlen(best->replace);
	rest = strlen(number) - matched;
	if (replaced + rest >= size)
		return EMSGSIZE;
	memcpy(out, best->replace, replaced);
	memcpy(out + replaced, number + matched, rest + 1);
	return 0;
}
