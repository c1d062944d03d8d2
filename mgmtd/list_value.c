#include "mgmtd/list_value.h"

#include "mgmtd/describe.h"
#include "mgmtd/problem.h"
#include "mgmtd/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a list is checked into. */
union stored {
	struct intervals intervals;
	struct codes codes;
	struct prefixes prefixes;
	struct rewrites rewrites;
	struct sources sources;
};

struct list {
	const struct field *field;
	struct list_limits limits;
	char pointer[PROBLEM_POINTER];
	json_t *errors;
	union stored stored;	/* zero beyond what is there, so that equal lists are equal bytes */
	json_t *canonical;
	bool faulty;
};

/* A violation about the list as a whole. */
static json_t *refuse_list(struct list *list, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));

static json_t *refuse_list(struct list *list, const char *code, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	list->faulty = true;
	return problem_violation(list->errors, list->pointer, NULL, code, "%s", text);
}

/* A violation about item `index`, or its member; the caller adds the limit. */
static json_t *refuse(struct list *list, size_t index, const char *member, const json_t *got, const char *code, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

static json_t *refuse(struct list *list, size_t index, const char *member, const json_t *got, const char *code, const char *format, ...)
{
	char number[24], item[PROBLEM_POINTER], text[256];
	va_list args;

	snprintf(number, sizeof number, "%zu", index);
	problem_pointer(item, list->pointer, number);
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	list->faulty = true;
	json_t *violation = problem_violation(list->errors, item, member, code, "%s", text);
	if (got)
		json_object_set(violation, "got", (json_t *)(uintptr_t)got);
	return violation;
}

static void refuse_twin(struct list *list, size_t index, const char *member, const json_t *got, size_t twin)
{
	refuse(list, index, member, got, "not_unique", "must not be there twice: it equals item %zu", twin);
}

/* ------------------------------------------------------------------ numbers */

static void refuse_seconds(struct list *list, size_t index, const json_t *got)
{
	json_t *violation = refuse(list, index, NULL, got, "out_of_range", "must be %g to %g seconds", list->limits.min / 1000.0,
	                           list->limits.max / 1000.0);

	json_object_set_new(violation, "min", describe_number(list->field, list->limits.min));
	json_object_set_new(violation, "max", describe_number(list->field, list->limits.max));
}

static void take_interval(struct list *list, size_t index, const json_t *item)
{
	double ms = json_number_value(item) * 1000, whole;

	if (!json_is_number(item)) {
		refuse(list, index, NULL, item, "wrong_type", "must be a number of seconds");
	} else if (!(ms >= list->limits.min) || !(ms <= list->limits.max)) {
		refuse_seconds(list, index, item);
	} else if ((whole = (int32_t)(ms + 0.5)) < ms - 1e-6 || whole > ms + 1e-6) {
		refuse(list, index, NULL, item, "bad_format", "must be a whole number of milliseconds");
	} else {
		list->stored.intervals.ms[index] = (int32_t)whole;
		json_array_append_new(list->canonical, describe_number(list->field, list->stored.intervals.ms[index]));
	}
}

/* T1, twice that, and so on, none above T2; judged only when every item is good. */
static void check_intervals(struct list *list, const json_t *value)
{
	const int32_t *ms = list->stored.intervals.ms;
	int32_t n = list->stored.intervals.count, greatest = 0, fit = ms[0], sum = 0;
	json_t *violation;

	for (int32_t i = 0; i < n; i++) {
		greatest = ms[i] > greatest ? ms[i] : greatest;
		sum += ms[i];
	}
	for (int32_t i = 0; i < n; i++, fit = 2 * fit < greatest ? 2 * fit : greatest) {
		if (ms[i] == fit)
			continue;
		violation = refuse_list(list, "not_a_doubling_list",
		                        "must double from item to item up to the greatest, and then stay: item %d must be %g; got %g",
		                        i, fit / 1000.0, ms[i] / 1000.0);
		json_object_set(violation, "got", (json_t *)(uintptr_t)value);
		break;
	}
	if (sum > SCHEMA_INTERVALS_SUM_MS) {
		violation = refuse_list(list, "out_of_range", "must be at most %g seconds together; got %g", SCHEMA_INTERVALS_SUM_MS / 1000.0,
		                        sum / 1000.0);
		json_object_set_new(violation, "max", describe_number(list->field, SCHEMA_INTERVALS_SUM_MS));
		json_object_set_new(violation, "got", describe_number(list->field, sum));
	}
}

static void take_code(struct list *list, size_t index, const json_t *item)
{
	struct codes *codes = &list->stored.codes;
	json_int_t code = json_integer_value(item);

	if (!json_is_integer(item)) {
		refuse(list, index, NULL, item, "wrong_type", "must be an integer, %d to %d", list->limits.min, list->limits.max);
		return;
	}
	if (code < list->limits.min || code > list->limits.max) {
		json_t *violation = refuse(list, index, NULL, item, "out_of_range", "must be %d to %d; got %" JSON_INTEGER_FORMAT,
		                           list->limits.min, list->limits.max, code);
		json_object_set_new(violation, "min", json_integer(list->limits.min));
		json_object_set_new(violation, "max", json_integer(list->limits.max));
		return;
	}
	for (size_t i = 0; i < index; i++)
		if (codes->code[i] == code) {
			refuse_twin(list, index, NULL, item, i);
			return;
		}
	codes->code[index] = (int32_t)code;
	json_array_append(list->canonical, (json_t *)(uintptr_t)item);
}

/* ------------------------------------------------------------------ texts */

/* NULL: refused. */
static const char *text_of(struct list *list, size_t index, const char *member, const json_t *value)
{
	const char *fault;
	size_t len = json_string_length(value);

	if (!json_is_string(value)) {
		refuse(list, index, member, value, "wrong_type", "must be a text");
	} else if (len > (size_t)list->limits.max) {
		json_t *violation = refuse(list, index, member, NULL, "too_long", "must be at most %d bytes; got %zu", list->limits.max, len);
		json_object_set_new(violation, "max", json_integer(list->limits.max));
		json_object_set_new(violation, "got", json_integer((json_int_t)len));
	} else if ((fault = schema_text_fault(list->field->type, json_string_value(value), len))) {
		refuse(list, index, member, value, "bad_format", "%s", fault);
	} else {
		return json_string_value(value);
	}
	return NULL;
}

static void take_prefix(struct list *list, size_t index, const json_t *item)
{
	struct prefixes *prefixes = &list->stored.prefixes;
	const char *text = text_of(list, index, NULL, item);

	if (!text)
		return;
	for (size_t i = 0; i < index; i++)
		if (json_is_string(json_array_get(list->canonical, i)) && strcmp(prefixes->prefix[i], text) == 0) {
			refuse_twin(list, index, NULL, item, i);
			return;
		}
	memcpy(prefixes->prefix[index], text, strlen(text));
	json_array_append(list->canonical, (json_t *)(uintptr_t)item);
}

static void take_source(struct list *list, size_t index, const json_t *item)
{
	struct sources *sources = &list->stored.sources;
	const char *text = text_of(list, index, NULL, item);
	char canonical[SCHEMA_SOURCE_MAX + 1];

	if (!text)
		return;
	schema_source(canonical, text, strlen(text));
	for (size_t i = 0; i < index; i++)
		if (strcmp(sources->source[i], canonical) == 0) {
			refuse_twin(list, index, NULL, item, i);
			return;
		}
	memcpy(sources->source[index], canonical, strlen(canonical));
	json_array_append_new(list->canonical, json_string(canonical));
}

static void check_rule_members(struct list *list, size_t index, const json_t *item)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)item, key, value)
		if (strcmp(key, "match") != 0 && strcmp(key, "replace") != 0)
			refuse(list, index, key, value, "unknown_field", "a rule has match and replace");
	if (!json_object_get(item, "match"))
		refuse(list, index, "match", NULL, "required", "must be given; \"\" matches every number");
	if (!json_object_get(item, "replace"))
		refuse(list, index, "replace", NULL, "required", "must be given; \"\" takes the match away");
}

static void take_rule(struct list *list, size_t index, const json_t *item)
{
	struct rewrites *rewrites = &list->stored.rewrites;
	const json_t *match = json_object_get(item, "match"), *replace = json_object_get(item, "replace");

	if (!json_is_object(item)) {
		refuse(list, index, NULL, item, "wrong_type", "must be an object {match, replace}");
		return;
	}
	check_rule_members(list, index, item);
	const char *from = match ? text_of(list, index, "match", match) : NULL;
	const char *to = replace ? text_of(list, index, "replace", replace) : NULL;
	for (size_t i = 0; from && i < index; i++)
		if (json_is_object(json_array_get(list->canonical, i)) && strcmp(rewrites->rule[i].match, from) == 0) {
			refuse_twin(list, index, "match", match, i);
			return;
		}
	if (!from || !to)
		return;
	memcpy(rewrites->rule[index].match, from, strlen(from));
	memcpy(rewrites->rule[index].replace, to, strlen(to));
	json_array_append_new(list->canonical, json_pack("{s:O, s:O}", "match", match, "replace", replace));
}

/* ------------------------------------------------------------------ the list */

static void take_item(struct list *list, size_t index, const json_t *item)
{
	size_t before = json_array_size(list->canonical);

	switch (list->field->type) {
	case FT_INTERVALS:	take_interval(list, index, item); break;
	case FT_CODES:		take_code(list, index, item); break;
	case FT_PREFIXES:	take_prefix(list, index, item); break;
	case FT_REWRITES:	take_rule(list, index, item); break;
	default:		take_source(list, index, item);
	}
	if (json_array_size(list->canonical) == before)
		json_array_append_new(list->canonical, json_null());	/* refused: keeps the items' places */
}

static void check_count(struct list *list, size_t count)
{
	size_t least = (size_t)list->limits.min_items, most = (size_t)list->limits.max_items;
	json_t *violation = NULL;

	if (count > most)
		violation = refuse_list(list, "too_long", "must have at most %zu items; got %zu", most, count);
	else if (count < least)
		violation = refuse_list(list, "out_of_range", "must have at least %zu items; got %zu", least, count);
	else
		return;
	json_object_set_new(violation, "min", json_integer((json_int_t)least));
	json_object_set_new(violation, "max", json_integer((json_int_t)most));
	json_object_set_new(violation, "got", json_integer((json_int_t)count));
}

int list_value_check(const struct field *field, const json_t *value, const char *prefix, const char *member,
                     json_t *errors, void *slot, json_t **canonical)
{
	struct list list = { .field = field, .limits = schema_list_limits(field), .errors = errors };
	size_t count = json_array_size(value);

	if (!json_is_array(value))
		return value_refuse(field, value, prefix, member, errors, "wrong_type",
		                    field->type == FT_REWRITES ? "a list of objects {match, replace}" :
		                    field->type <= FT_CODES ? "a list of numbers" : "a list of texts");
	problem_pointer(list.pointer, prefix, member);
	list.canonical = json_array();
	check_count(&list, count);
	for (size_t i = 0; i < count && i < (size_t)list.limits.max_items; i++)
		take_item(&list, i, json_array_get(value, i));
	list.stored.codes.count = (int32_t)count;	/* every kind of list begins with its count */
	if (field->type == FT_INTERVALS && !list.faulty)
		check_intervals(&list, value);
	if (list.faulty) {
		json_decref(list.canonical);
		return EINVAL;
	}
	if (slot)
		memcpy(slot, &list.stored, field->size);
	*canonical = list.canonical;
	return 0;
}
