#include "mgmtd/value.h"

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

/* "\"auto\" or 20 to 7200 seconds", "\"udp\", \"tcp\" or \"tls\"": what the field takes, in words. */
static const char *legal_values(const struct field *field, char *text, size_t size)
{
	size_t n = 0;
	bool numeric = field->type == FT_INT || field->type == FT_INT_OR_KEYWORD;

	text[0] = '\0';
	if (field->flags & ZERO_OFF)
		n += (size_t)snprintf(text, size, "0 (off) or ");
	for (const struct option_word *o = field->options; o && o->word && n < size; o++) {
		const char *joint = numeric || o[1].word ? (!numeric && !o[2].word ? " or " : numeric && !o[1].word ? " or " : ", ") : "";
		n += (size_t)snprintf(text + n, size - n, "\"%s\"%s", o->word, joint);
	}
	if (numeric && n < size)
		snprintf(text + n, size - n, "%d to %d%s", field->min, field->max, field->unit == SECONDS ? " seconds" : "");
	return text;
}

/* "must be … ; got …", as all these sentences are built; must NULL = what the field takes. */
int value_refuse(const struct field *field, const json_t *value, const char *prefix, const char *member, json_t *errors,
                  const char *code, const char *must)
{
	char legal[256];
	char *got = field->flags & SECRET ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	bool numeric = field->type == FT_INT || field->type == FT_INT_OR_KEYWORD;

	if (got && strlen(got) > GOT_MAX) {	/* cut, but not in the middle of a character */
		size_t len = GOT_MAX;
		while ((got[len] & 0xc0) == 0x80)
			len--;
		got[len] = '\0';
	}
	json_t *violation = problem_violation(errors, prefix, member, code, got ? "must be %s; got %s" : "must be %s",
	                                      must ? must : legal_values(field, legal, sizeof legal), got);

	free(got);
	if (numeric) {
		json_object_set_new(violation, "min", json_integer(field->min));
		json_object_set_new(violation, "max", json_integer(field->max));
	}
	if (strcmp(code, "not_an_option") == 0) {
		json_t *options = json_array();
		for (const struct option_word *o = field->options; o && o->word; o++)
			json_array_append_new(options, json_string(o->word));
		json_object_set_new(violation, "options", options);
	}
	if (!(field->flags & SECRET))
		json_object_set(violation, "got", (json_t *)(uintptr_t)value);
	return EINVAL;
}

static int check_number(const struct field *field, const json_t *value, const char *prefix, const char *member,
                        json_t *errors, void *slot)
{
	char legal[256], must[300];
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
	if (schema_int_outside(field, json_integer_value(value)))
		return value_refuse(field, value, prefix, member, errors, "out_of_range", NULL);
	store_int(slot, (int32_t)json_integer_value(value));
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

int value_check(const struct field *field, const json_t *value, const char *prefix, const char *member,
                         json_t *errors, void *slot, json_t **canonical)
{
	int error = 0, option;

	switch (field->type) {
	case FT_BOOL:
		if (!json_is_boolean(value))
			return value_refuse(field, value, prefix, member, errors, "wrong_type", "true or false");
		if (slot)
			*(uint8_t *)slot = json_is_true(value);
		break;
	case FT_ENUM:
		if (!json_is_string(value))
			return value_refuse(field, value, prefix, member, errors, "wrong_type", NULL);
		if ((option = schema_option(field, json_string_value(value))) < 0)
			return value_refuse(field, value, prefix, member, errors, "not_an_option", NULL);
		store_int(slot, option);
		break;
	case FT_INT:
	case FT_INT_OR_KEYWORD:
		error = check_number(field, value, prefix, member, errors, slot);
		break;
	default:
		error = check_text(field, value, prefix, member, errors, slot);
	}
	if (!error)
		*canonical = json_incref((json_t *)(uintptr_t)value);
	return error;
}
