#include "mgmtd/query.h"

#include "schema/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX 4096

const struct query_parameter query_parameters[QUERY_COUNT] = {
#define QUERY(id, name, type, min, max, fallback, words, help) { name, QUERY_##type, min, max, fallback, words, help },
#include "query.def"
#undef QUERY
};

void query_init(struct query *query)
{
	for (size_t i = 0; i < QUERY_COUNT; i++)
		query->values[i] = (struct query_value){ .number = query_parameters[i].fallback };
}

void query_clear(struct query *query)
{
	for (size_t i = 0; i < QUERY_COUNT; i++) {
		free(query->values[i].text);
		query->values[i].text = NULL;
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int query_decode(char *to, size_t size, const char *from, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		char c = from[i];
		if (c == '%') {
			if (len - i < 3 || hex(from[i + 1]) < 0 || hex(from[i + 2]) < 0)
				return EINVAL;
			c = (char)(hex(from[i + 1]) << 4 | hex(from[i + 2]));
			if (c == '\0')
				return EINVAL;
			i += 2;
		}
		if (n + 1 >= size)
			return ENOSPC;
		to[n++] = c;
	}
	to[n] = '\0';
	return 0;
}

/* parameter may be anything from outside: what is no legal text is not repeated. */
static json_t *violation(json_t *errors, const char *parameter, const char *code, const char *detail)
{
	bool legal = !schema_text_fault(FT_TEXT, parameter, strlen(parameter));
	json_t *v = json_pack("{s:s, s:s, s:s, s:s}", "pointer", "", "parameter", legal ? parameter : "", "code", code,
	                      "detail", detail);
	json_array_append_new(errors, v);
	return v;
}

/* The id of the parameter among those allowed, or QUERY_COUNT. */
static unsigned find(uint64_t allowed, const char *name)
{
	for (unsigned i = 0; i < QUERY_COUNT; i++)
		if ((allowed & QUERY_BIT(i)) && strcmp(query_parameters[i].name, name) == 0)
			return i;
	return QUERY_COUNT;
}

static void refuse_unknown(uint64_t allowed, const char *name, json_t *errors)
{
	char known[256] = "";
	char detail[320];
	for (unsigned i = 0; i < QUERY_COUNT; i++)
		if (allowed & QUERY_BIT(i))
			snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", known[0] ? ", " : "",
			         query_parameters[i].name);
	if (known[0])
		snprintf(detail, sizeof detail, "no such query parameter; this path takes %s", known);
	else
		snprintf(detail, sizeof detail, "this path takes no query parameters");
	violation(errors, name, "unknown_field", detail);
}

static void take_int(struct query_value *v, const struct query_parameter *p, const char *value, json_t *errors)
{
	char detail[128];
	char *end;
	errno = 0;
	long long number = strtoll(value, &end, 10);
	bool wrong = errno || end == value || *end || value[0] < '0' || value[0] > '9';
	if (!wrong && number >= p->min && number <= p->max) {
		v->number = number;
		return;
	}
	snprintf(detail, sizeof detail, "must be a whole number from %d to %d", p->min, p->max);
	json_t *fault = violation(errors, p->name, wrong ? "wrong_type" : "out_of_range", detail);
	json_object_set_new(fault, "min", json_integer(p->min));
	json_object_set_new(fault, "max", json_integer(p->max));
	if (!wrong)
		json_object_set_new(fault, "got", json_integer(number));
}

static void take_word(struct query_value *v, const struct query_parameter *p, const char *value, json_t *errors)
{
	char detail[160];
	size_t len = strlen(value);
	const char *word = p->words;
	for (int64_t i = 0;; i++) {
		size_t n = strcspn(word, "|");
		if (n == len && memcmp(word, value, n) == 0) {
			v->number = i;
			v->text = strdup(value);
			return;
		}
		if (!word[n])
			break;
		word += n + 1;
	}
	snprintf(detail, sizeof detail, "must be one of: %s", p->words);
	violation(errors, p->name, "not_an_option", detail);
}

static void take_text(struct query_value *v, const struct query_parameter *p, const char *value, json_t *errors)
{
	char detail[128];
	size_t len = strlen(value);
	const char *fault = schema_text_fault(FT_TEXT, value, len);
	if (fault) {
		violation(errors, p->name, "bad_format", fault);
	} else if (len < (size_t)p->min || len > (size_t)p->max) {
		snprintf(detail, sizeof detail, "must be %d to %d bytes; got %zu", p->min, p->max, len);
		violation(errors, p->name, len ? "too_long" : "required", detail);
	} else {
		v->text = strdup(value);
	}
}

/* RFC 3339: 2026-01-02T03:04:05[.678](Z|+01:00) */
int query_time(int64_t *us, const char *text)
{
	struct tm tm = { 0 };
	int used = 0;
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
	           &tm.tm_sec, &used) != 6 || used != 19)
		return EINVAL;
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
	    tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	const char *p = text + used;
	int64_t fraction = 0;
	if (*p == '.') {
		int64_t unit = 1000000;
		for (p++; *p >= '0' && *p <= '9'; p++)
			fraction += (*p - '0') * (unit /= 10);
	}
	int offset = 0, hours, minutes;
	if ((*p == '+' || *p == '-') && sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) == 2 && used == 5 && !p[6] &&
	    hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60)
		offset = (*p == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	else if (strcmp(p, "Z") != 0 && strcmp(p, "z") != 0)
		return EINVAL;
	*us = ((int64_t)timegm(&tm) - offset) * 1000000 + fraction;
	return 0;
}

static void take_time(struct query_value *v, const struct query_parameter *p, char *value, json_t *errors)
{
	/* In a query a '+' means a blank: the offset of "…+01:00" written without %2B. */
	char *blank = strchr(value, ' ');
	if (blank && strlen(blank) == 6)
		*blank = '+';
	if (query_time(&v->number, value) != 0)
		violation(errors, p->name, "bad_format", "must be a time as 2026-01-02T03:04:05.678Z (RFC 3339)");
}

static void take_bool(struct query_value *v, const struct query_parameter *p, const char *value, json_t *errors)
{
	v->number = strcmp(value, "true") == 0;
	if (!v->number && strcmp(value, "false") != 0)
		violation(errors, p->name, "wrong_type", "must be true or false");
}

static void take_value(struct query_value *v, const struct query_parameter *p, char *value, json_t *errors)
{
	switch (p->type) {
	case QUERY_INT:
		take_int(v, p, value, errors);
		break;
	case QUERY_BOOL:
		take_bool(v, p, value, errors);
		break;
	case QUERY_TEXT:
		take_text(v, p, value, errors);
		break;
	case QUERY_WORD:
		take_word(v, p, value, errors);
		break;
	case QUERY_TIME:
		take_time(v, p, value, errors);
		break;
	}
}

void query_take(struct query *query, uint64_t allowed, const char *name, const char *value, json_t *errors)
{
	char key[64], decoded[VALUE_MAX];
	unsigned id = query_decode(key, sizeof key, name, strlen(name)) == 0 ? find(allowed, key) : QUERY_COUNT;
	if (id == QUERY_COUNT) {
		refuse_unknown(allowed, strchr(name, '%') ? "" : name, errors);
		return;
	}
	struct query_value *v = &query->values[id];
	if (v->given) {
		violation(errors, key, "not_unique", "given twice");
		return;
	}
	v->given = true;
	int e = query_decode(decoded, sizeof decoded, value ? value : "", value ? strlen(value) : 0);
	if (e == ENOSPC)
		violation(errors, key, "too_long", "too long");
	else if (e)
		violation(errors, key, "bad_format", "holds a broken percent escape or a NUL");
	else
		take_value(v, &query_parameters[id], decoded, errors);
}
