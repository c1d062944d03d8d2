#include "mgmtd/value.h"

#include "mgmtd/json_text.h"
#include "mgmtd/list_value.h"
#include "mgmtd/problem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOT_MAX 300	/* bytes of a refused value that its sentence repeats */

static void store_int(void *slot, int32_t value)
{
	if (slot)
		memcpy(slot, &value, sizeof value);
}

/* A number out of a range, not one of a few. */
static bool is_range(const struct field *field)
{
	return field->type == FT_INT_OR_KEYWORD || (field->type == FT_INT && !field->options);
}

/* "\"auto\" or 20 to 7200 seconds", "\"udp\", \"tcp\" or \"tls\"", "401 or 407": what the field takes, in words. */
static const char *legal_values(const struct field *field, char *text, size_t size)
{
	size_t n = 0;
	bool range = is_range(field);
	const char *quote = field->type == FT_INT ? "" : "\"";

	text[0] = '\0';
	if (field->flags & (ZERO_OFF | ZERO_INHERITS))
		n += (size_t)snprintf(text, size, field->flags & ZERO_OFF ? "0 (off) or " : "0 (inherit), ");
	for (const struct option_word *o = field->options; o && o->word && n < size; o++) {
		bool last = !o[1].word, before_last = !last && !o[2].word;
		const char *joint = (range && last) || (!range && before_last) ? " or " : last ? "" : ", ";
		n += (size_t)snprintf(text + n, size - n, "%s%s%s%s", quote, o->word, quote, joint);
	}
	if (range && n < size)
		snprintf(text + n, size - n, "%d to %d%s", field->min, field->max, field->unit == SECONDS ? " seconds" : "");
	return text;
}

json_t *value_options(const struct field *field)
{
	json_t *list = json_array();

	for (const struct option_word *o = field->options; o && o->word; o++)
		json_array_append_new(list, field->type == FT_INT ? json_integer(strtol(o->word, NULL, 10)) : json_string(o->word));
	return list;
}

/* "must be … ; got …", as all these sentences are built; must NULL = what the field takes. */
int value_refuse(const struct field *field, const json_t *value, const char *prefix, const char *member, json_t *errors,
                  const char *code, const char *must)
{
	char legal[256];
	bool is_option = strcmp(code, "not_an_option") == 0;
	char *got = field->flags & SECRET ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_TEXT);

	if (got && strlen(got) > GOT_MAX) {	/* cut, but not in the middle of a character */
		size_t len = GOT_MAX;
		while ((got[len] & 0xc0) == 0x80)
			len--;
		got[len] = '\0';
	}
	json_t *violation = problem_violation(errors, prefix, member, code, got ? "must be %s; got %s" : "must be %s",
	                                      must ? must : legal_values(field, legal, sizeof legal), got);

	free(got);
	if (is_range(field)) {
		json_object_set_new(violation, "min", json_integer(field->min));
		json_object_set_new(violation, "max", json_integer(field->max));
	}
	if (is_option)
		json_object_set_new(violation, "options", value_options(field));
	if (!(field->flags & SECRET))
		json_object_set(violation, "got", (json_t *)(uintptr_t)value);
	return EINVAL;
}

/* Gives *canonical where it is not the value itself. */
static int check_number(const struct field *field, const json_t *value, const char *prefix, const char *member,
                        json_t *errors, void *slot, json_t **canonical)
{
	char legal[256], must[300], word[24];
	int option;

	if (json_is_string(value) && field->type == FT_INT_OR_KEYWORD) {
		if ((option = schema_option(field, json_string_value(value))) < 0)
			return value_refuse(field, value, prefix, member, errors, "not_an_option", NULL);
		store_int(slot, KEYWORD(option));
		return 0;
	}
	if (!json_is_integer(value)) {
		snprintf(must, sizeof must, "an integer, %s", legal_values(field, legal, sizeof legal));
		return value_refuse(field, value, prefix, member, errors, "wrong_type", field->type == FT_INT ? must : NULL);
	}
	json_int_t number = json_integer_value(value);
	snprintf(word, sizeof word, "%" JSON_INTEGER_FORMAT, number);
	if (field->type == FT_INT && field->options && schema_option(field, word) < 0)
		return value_refuse(field, value, prefix, member, errors, "not_an_option", NULL);
	if (number == 0 && field->options && (field->flags & ZERO_INHERITS)) {
		store_int(slot, KEYWORD(0));	/* schema rule: where a field can inherit, that is its first word */
		*canonical = json_string(field->options[0].word);
		return 0;
	}
	if (schema_int_outside(field, number))
		return value_refuse(field, value, prefix, member, errors, "out_of_range", NULL);
	store_int(slot, (int32_t)number);
	return 0;
}

static int check_reference(const struct field *field, const json_t *value, const char *prefix, const char *member,
                           json_t *errors, void *slot)
{
	const char *name = json_string_value(value), *fault;

	if (!name && !json_is_null(value))
		return value_refuse(field, value, prefix, member, errors, "wrong_type", "a name, or null");
	if (name && (fault = schema_text_fault(field->type, name, json_string_length(value)))) {
		json_t *violation = problem_violation(errors, prefix, member, "bad_format", "%s", fault);
		json_object_set(violation, "got", (json_t *)(uintptr_t)value);
		return EINVAL;
	}
	if (slot) {
		memset(slot, 0, field->size);
		memcpy(slot, name ? name : "", name ? strlen(name) : 0);
	}
	return 0;
}

static int check_text(const struct field *field, const json_t *value, const char *prefix, const char *member,
                      json_t *errors, void *slot)
{
	if (!json_is_string(value))
		return value_refuse(field, value, prefix, member, errors, "wrong_type", "a text");
	const char *text = json_string_value(value), *fault;
	size_t len = json_string_length(value);
	if (len == 0 && field->min > 0) {
		problem_violation(errors, prefix, member, field->flags & REQUIRED ? "required" : "out_of_range",
		                  "must not be empty%s", field->flags & SECRET ? "; null clears it" : "");
		return EINVAL;
	}
	if (len > (size_t)field->max) {
		json_t *violation = problem_violation(errors, prefix, member, "too_long", "must be at most %d bytes of UTF-8; got %zu",
		                                      field->max, len);
		json_object_set_new(violation, "max", json_integer(field->max));
		if (!(field->flags & SECRET))
			json_object_set_new(violation, "got", json_integer((json_int_t)len));
		return EINVAL;
	}
	if ((fault = schema_text_fault(field->type, text, len))) {
		json_t *violation = problem_violation(errors, prefix, member, "bad_format", "%s", fault);
		if (!(field->flags & SECRET))
			json_object_set(violation, "got", (json_t *)(uintptr_t)value);
		return EINVAL;
	}
	if (slot) {
		memset(slot, 0, field->size);
		memcpy(slot, text, len);
	}
	return 0;
}

static int check_scalar(const struct field *field, const json_t *value, const char *prefix, const char *member,
                        json_t *errors, void *slot, json_t **canonical)
{
	int option;

	switch (field->type) {
	case FT_BOOL:
		if (!json_is_boolean(value))
			return value_refuse(field, value, prefix, member, errors, "wrong_type", "true or false");
		if (slot)
			*(uint8_t *)slot = json_is_true(value);
		return 0;
	case FT_ENUM:
		if (!json_is_string(value))
			return value_refuse(field, value, prefix, member, errors, "wrong_type", NULL);
		if ((option = schema_option(field, json_string_value(value))) < 0)
			return value_refuse(field, value, prefix, member, errors, "not_an_option", NULL);
		store_int(slot, option);
		return 0;
	case FT_INT:
	case FT_INT_OR_KEYWORD:
		return check_number(field, value, prefix, member, errors, slot, canonical);
	case FT_REGISTRATION_REF:
	case FT_MAPPING_REF:
		return check_reference(field, value, prefix, member, errors, slot);
	default:
		return check_text(field, value, prefix, member, errors, slot);
	}
}

int value_check(const struct field *field, const json_t *value, const char *prefix, const char *member,
                json_t *errors, void *slot, json_t **canonical)
{
	json_t *other = NULL;

	if (field->type >= FT_INTERVALS)
		return list_value_check(field, value, prefix, member, errors, slot, canonical);
	int error = check_scalar(field, value, prefix, member, errors, slot, &other);
	if (!error)
		*canonical = other ? other : json_incref((json_t *)(uintptr_t)value);
	return error;
}
