#include "mgmtd/body.h"

#include "mgmtd/answer.h"
#include "mgmtd/problem.h"
#include "mgmtd/value.h"

#include <inttypes.h>
#include <string.h>

static void take_text(const struct body_field *field, const json_t *value, json_t *errors)
{
	size_t len = json_string_length(value);
	const char *fault;
	if (!json_is_string(value))
		problem_violation(errors, "", field->name, "wrong_type", "must be a text");
	else if (len < (size_t)field->min)
		problem_violation(errors, "", field->name, len ? "out_of_range" : "required", "must be at least %d byte%s; got %zu", field->min,
		                  field->min == 1 ? "" : "s", len);
	else if (len > (size_t)field->max)
		problem_violation(errors, "", field->name, "too_long", "must not exceed %d bytes; got %zu", field->max, len);
	else if ((fault = schema_text_fault(FT_TEXT, json_string_value(value), len)))
		problem_violation(errors, "", field->name, "bad_format", "%s", fault);
	else
		memcpy(field->text, json_string_value(value), len + 1);
}

static void take_number(const struct body_field *field, const json_t *value, json_t *errors)
{
	json_int_t number = json_integer_value(value);
	if (!json_is_integer(value))
		problem_violation(errors, "", field->name, "wrong_type", "must be a whole number");
	else if (number < field->min || number > field->max)
		problem_violation(errors, "", field->name, "out_of_range", "must be %d to %d; got %" JSON_INTEGER_FORMAT, field->min,
		                  field->max, number);
	else
		*field->number = number;
}

static void take_flag(const struct body_field *field, const json_t *value, json_t *errors)
{
	if (json_is_boolean(value))
		*field->flag = json_is_true(value);
	else
		problem_violation(errors, "", field->name, "wrong_type", "must be true or false");
}

static void take_option(const struct body_field *field, const json_t *value, json_t *errors)
{
	json_t *canonical = NULL;
	if (value_check(field->field, value, "", field->name, errors, field->option, &canonical) == 0)
		json_decref(canonical);
}

static void take_member(const struct body_field *fields, size_t count, const char *name, const json_t *value, json_t *errors)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (fields[i].text)
			take_text(&fields[i], value, errors);
		else if (fields[i].flag)
			take_flag(&fields[i], value, errors);
		else if (fields[i].option)
			take_option(&fields[i], value, errors);
		else
			take_number(&fields[i], value, errors);
		return;
	}
	problem_violation(errors, "", name, "unknown_field", "no such field");
}

bool body_take(struct request *r, const struct body_field *fields, size_t count)
{
	const char *name;
	json_t *value, *body = request_json(r);
	if (!body)
		return false;
	json_t *errors = json_array();
	if (!json_is_object(body))
		problem_violation(errors, "", NULL, "wrong_type", "must be a JSON object");
	json_object_foreach(body, name, value)
		take_member(fields, count, name, value, errors);
	for (size_t i = 0; json_is_object(body) && i < count; i++)
		if (!fields[i].optional && !json_object_get(body, fields[i].name))
			problem_violation(errors, "", fields[i].name, "required", "must be given");
	json_decref(body);
	if (json_array_size(errors) == 0) {
		json_decref(errors);
		return true;
	}
	answer_problem(r, 422, NULL, errors, "the body is not as it must be");
	return false;
}
