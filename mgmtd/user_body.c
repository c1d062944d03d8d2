#include "mgmtd/user_body.h"

#include "mgmtd/account.h"
#include "mgmtd/answer.h"
#include "mgmtd/password.h"
#include "mgmtd/problem.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void user_body_clear(struct user_body *body)
{
	if (body->password)
		sodium_memzero(body->password, strlen(body->password));
	free(body->password);
	body->password = NULL;
}

static void take_username(struct request *r, struct user_body *body, json_t *value, json_t *errors)
{
	const char *text = json_string_value(value);
	const char *fault = text ? schema_name_fault(text, json_string_length(value)) : NULL;
	if (!text)
		problem_violation(errors, "", "username", "wrong_type", "must be a text");
	else if (fault)
		problem_violation(errors, "", "username", "bad_format", "%s", fault);
	else if (r->argument[0] && strcmp(text, r->argument) != 0)
		problem_violation(errors, "", "username", "read_only", "a user is not renamed");
	else
		snprintf(body->username, sizeof body->username, "%s", text);
}

/* As GET shows it, {"set": true}, it is kept. */
static void take_password(struct user_body *body, json_t *value, json_t *errors)
{
	if (json_is_object(value) && json_object_size(value) == 1 && json_is_true(json_object_get(value, "set")))
		return;
	const char *text = json_string_value(value);
	const char *fault = text ? password_fault(text, json_string_length(value)) : "must be a text, or {\"set\": true} to keep it";
	if (!fault) {
		body->password = strdup(text);
		return;
	}
	json_t *v = problem_violation(errors, "", "password", text ? "bad_format" : "wrong_type", "%s", fault);
	json_object_set_new(v, "min", json_integer(PASSWORD_MIN));
}

static void take_must_change(struct user_body *body, json_t *value, json_t *errors)
{
	body->must_change_given = json_is_boolean(value);
	body->must_change_password = json_is_true(value);
	if (!body->must_change_given)
		problem_violation(errors, "", "must_change_password", "wrong_type", "must be true or false");
}

static void take_member(struct request *r, struct user_body *body, const char *key, json_t *value, json_t *errors)
{
	if (strcmp(key, "username") == 0)
		take_username(r, body, value, errors);
	else if (strcmp(key, "role") == 0)
		account_take_role(body->role, value, errors);
	else if (strcmp(key, "password") == 0)
		take_password(body, value, errors);
	else if (strcmp(key, "must_change_password") == 0)
		take_must_change(body, value, errors);
	else if (strcmp(key, "changed_at") != 0 && strcmp(key, "changed_by") != 0)	/* of GET */
		problem_violation(errors, "", key, "unknown_field", "no such field of a user");
}

bool user_body_take(struct request *r, struct user_body *body, bool named)
{
	const char *key;
	json_t *value, *json = request_json(r), *errors = json_array();
	if (json && !json_is_object(json))
		problem_violation(errors, "", NULL, "wrong_type", "must be a JSON object");
	json_object_foreach(json, key, value) {
		take_member(r, body, key, value, errors);
	}
	if (json_is_object(json) && named && !json_object_get(json, "username"))
		problem_violation(errors, "", "username", "required", "must be given");
	bool good = json && json_array_size(errors) == 0;
	if (json && !good)
		answer_problem(r, 422, NULL, json_incref(errors), "the user is not as it must be");
	json_decref(errors);
	json_decref(json);
	return good;
}
