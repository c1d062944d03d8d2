#include "mgmtd/change.h"

#include "mgmtd/problem.h"
#include "mgmtd/replacement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void change_shed(struct change *change)
{
	for (size_t i = 0; i < change->count; i++) {
		json_decref(change->operations[i].value);
		object_free(change->operations[i].ready);
		free(change->operations[i].pointer);
	}
	free(change->operations);
	replacement_free(change->whole);
	change->operations = NULL;
	change->whole = NULL;
	change->count = 0;
}

void change_free(struct change *change)
{
	if (!change)
		return;
	change_shed(change);
	free(change->if_match);
	free(change->actor);
	free(change->address);
	free(change->token);
	free(change->comment);
	free(change->key);
	free(change->request_id);
	free(change->obstacle);
	json_decref(change->violations);
	json_decref(change->body);
	free(change->resource);
	free(change->answer);
	free(change);
}

struct change *change_new(size_t count)
{
	struct change *change = calloc(1, sizeof *change);

	if (change && count > 0 && !(change->operations = calloc(count, sizeof *change->operations))) {
		free(change);
		return NULL;
	}
	if (change)
		change->count = count;
	return change;
}

int change_order(const void *a, const void *b)
{
	const struct operation *one = a, *other = b;
	int kinds = (int)(one->kind - other->kind);

	return kinds ? kinds : strcmp(one->name, other->name);
}

void change_sort(struct change *change)
{
	if (change->count > 1)
		qsort(change->operations, change->count, sizeof *change->operations, change_order);
}

const struct operation *change_find(const struct change *change, const struct kind *kind, const char *name)
{
	struct operation key = { .kind = kind };

	snprintf(key.name, sizeof key.name, "%s", name);
	return change->count ? bsearch(&key, change->operations, change->count, sizeof key, change_order) : NULL;
}

/* Parameters are checked against the table, when the name is looked up. */
bool change_name(struct operation *op, const char *prefix, const json_t *name, json_t *errors)
{
	const char *fault;

	if (!json_is_string(name)) {
		problem_violation(errors, prefix, "name", name ? "wrong_type" : "required", "must be the name of the object, a text");
		return false;
	}
	if ((fault = schema_name_fault(json_string_value(name), json_string_length(name)))) {
		json_t *violation = problem_violation(errors, prefix, "name", "bad_format", "%s", fault);
		json_object_set(violation, "got", (json_t *)(uintptr_t)name);
		return false;
	}
	snprintf(op->name, sizeof op->name, "%s", json_string_value(name));
	return true;
}

/* The faults found so far are told together with those that only the writer can find. */
static struct change *with_violations(struct change *change, json_t *errors)
{
	if (json_array_size(errors) > 0)
		change->violations = json_incref(errors);
	return change;
}

/* {"value": v} → v */
static json_t *bare_value(json_t *body, const char *prefix, json_t *errors)
{
	const char *key;
	json_t *value;

	if (!json_is_object(body)) {
		problem_violation(errors, prefix, NULL, "wrong_type", "must be {\"value\": …}");
		return NULL;
	}
	json_object_foreach(body, key, value)
		if (strcmp(key, "value") != 0)
			problem_violation(errors, prefix, key, "unknown_field", "a parameter is written as {\"value\": …}");
	if (!(value = json_object_get(body, "value")))
		problem_violation(errors, prefix, "value", "required", "must be given; null goes back to the default");
	return value;
}

struct change *change_single(enum operation_verb verb, const struct kind *kind, const char *name, json_t *body, json_t *errors)
{
	if (body && !json_is_object(body)) {
		problem_violation(errors, "", NULL, "wrong_type", "must be a JSON object");
		return NULL;
	}
	struct change *change = change_new(1);
	if (!change)
		return NULL;
	struct operation *op = &change->operations[0];
	op->verb = verb;
	op->kind = kind;
	json_t *named = name ? json_string(name) : json_incref(json_object_get(body, "name"));
	change_name(op, "", named, errors);
	json_decref(named);
	if (kind->id == KIND_PARAMETERS && body) {
		op->value = json_incref(bare_value(body, "", errors));
		op->broken = !op->value;
		op->pointer = strdup("/value");
	} else {
		op->value = json_incref(body);
		op->pointer = strdup("");
	}
	return with_violations(change, errors);
}

/* "/SS_X", with what RFC 6901 3 escapes. */
static char *pointer_to(const char *member)
{
	char *pointer = malloc(2 * strlen(member) + 2), *p = pointer;

	if (!pointer)
		return NULL;
	*p++ = '/';
	for (; *member; member++) {
		if (*member == '~' || *member == '/') {
			*p++ = '~';
			*p++ = *member == '~' ? '0' : '1';
		} else {
			*p++ = *member;
		}
	}
	*p = '\0';
	return pointer;
}

struct change *change_parameters(json_t *body, json_t *errors)
{
	const struct kind *kind = &schema_kinds[KIND_PARAMETERS];
	size_t i = 0;
	const char *key;
	json_t *value;

	if (!json_is_object(body)) {
		problem_violation(errors, "", NULL, "wrong_type", "must be an object of parameters: {\"SS_…\": value}");
		return NULL;
	}
	struct change *change = change_new(json_object_size(body));
	if (!change)
		return NULL;
	change->collective = true;
	json_object_foreach(body, key, value) {
		struct operation *op = &change->operations[i++];
		if (!schema_field(kind, key)) {
			problem_violation(errors, "", key, "unknown_field", "no SIP parameter is called so");
			op->broken = true;
			continue;
		}
		*op = (struct operation){ .verb = VERB_PUT, .kind = kind, .value = json_incref(value), .pointer = pointer_to(key) };
		snprintf(op->name, sizeof op->name, "%s", key);
	}
	return with_violations(change, errors);
}

static const char *const set_verbs[] = { [VERB_PUT] = "put", [VERB_PATCH] = "patch", [VERB_DELETE] = "delete" };

static bool parse_verb(struct operation *op, const char *prefix, json_t *verb, json_t *errors)
{
	for (size_t i = VERB_PUT; i <= VERB_DELETE && json_is_string(verb); i++) {
		if (strcmp(json_string_value(verb), set_verbs[i]) == 0) {
			op->verb = (enum operation_verb)i;
			return true;
		}
	}
	json_t *violation = problem_violation(errors, prefix, "op", !verb ? "required" : json_is_string(verb) ? "not_an_option" : "wrong_type",
	                                      "must be \"put\", \"patch\" or \"delete\"");
	if (verb)
		json_object_set(violation, "got", verb);
	return false;
}

static bool parse_kind(struct operation *op, const char *prefix, json_t *kind, json_t *errors)
{
	if (json_is_string(kind) && (op->kind = schema_kind_by_path(json_string_value(kind))))
		return true;
	json_t *violation = problem_violation(errors, prefix, "kind", !kind ? "required" : json_is_string(kind) ? "not_an_option" : "wrong_type",
	                                      "must be the kind of the object");
	json_t *options = json_array();
	for (size_t i = 0; i < KIND_COUNT; i++)
		json_array_append_new(options, json_string(schema_kinds[i].path));
	json_object_set_new(violation, "options", options);
	if (kind)
		json_object_set(violation, "got", kind);
	return false;
}

/* What has a kind, a verb and a value is checked further by the writer, even without a good name. */
static void parse_operation(struct operation *op, size_t index, json_t *item, json_t *errors)
{
	static const char *const members[] = { "op", "kind", "name", "value" };
	char prefix[64], pointer[80];
	const char *key;
	json_t *value;

	snprintf(prefix, sizeof prefix, "/changes/%zu", index);
	snprintf(pointer, sizeof pointer, "%s/value", prefix);
	op->pointer = strdup(pointer);
	op->broken = true;
	if (!json_is_object(item)) {
		problem_violation(errors, prefix, NULL, "wrong_type", "must be an object {op, kind, name, value}");
		return;
	}
	json_object_foreach(item, key, value) {
		bool known = false;
		for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
			known = known || strcmp(key, members[i]) == 0;
		if (!known)
			problem_violation(errors, prefix, key, "unknown_field", "a change has op, kind, name and value");
	}
	bool known = parse_verb(op, prefix, json_object_get(item, "op"), errors);
	known = parse_kind(op, prefix, json_object_get(item, "kind"), errors) && known;
	bool named = change_name(op, prefix, json_object_get(item, "name"), errors);
	if (!known)
		return;
	bool parameter = op->kind->id == KIND_PARAMETERS;
	if (parameter && named && !schema_field(op->kind, op->name)) {
		named = false;
		json_t *violation = problem_violation(errors, prefix, "name", "unknown_reference", "no SIP parameter is called so");
		json_object_set(violation, "got", json_object_get(item, "name"));
	}
	value = json_object_get(item, "value");
	if (op->verb == VERB_DELETE) {
		if (value && !json_is_null(value))
			problem_violation(errors, prefix, "value", "unknown_field", "a delete has no value");
		op->broken = !named;
		return;
	}
	if (!value) {
		problem_violation(errors, prefix, "value", "required", "must be given");
	} else if (parameter && json_is_object(value)) {
		op->value = json_incref(bare_value(value, pointer, errors));	/* also as PUT writes it */
		snprintf(pointer, sizeof pointer, "%s/value/value", prefix);
		free(op->pointer);
		op->pointer = strdup(pointer);
	} else {
		op->value = json_incref(value);
	}
	op->broken = !op->value || (parameter && !named);
}

static char *parse_comment(json_t *comment, json_t *errors)
{
	const char *fault;

	if (!comment || json_is_null(comment))
		return NULL;
	if (!json_is_string(comment))
		problem_violation(errors, "", "comment", "wrong_type", "must be a text");
	else if (json_string_length(comment) > CHANGE_COMMENT_MAX)
		json_object_set_new(problem_violation(errors, "", "comment", "too_long", "must be at most %d bytes of UTF-8; got %zu",
		                                      CHANGE_COMMENT_MAX, json_string_length(comment)), "max", json_integer(CHANGE_COMMENT_MAX));
	else if ((fault = schema_text_fault(FT_TEXT, json_string_value(comment), json_string_length(comment))))
		problem_violation(errors, "", "comment", "bad_format", "%s", fault);
	else
		return strdup(json_string_value(comment));
	return NULL;
}

struct change *change_set(json_t *body, json_t *errors)
{
	size_t i;
	json_t *changes = json_object_get(body, "changes"), *item, *value;
	const char *key;

	if (!json_is_object(body)) {
		problem_violation(errors, "", NULL, "wrong_type", "must be an object {comment, changes}");
		return NULL;
	}
	json_object_foreach(body, key, value)
		if (strcmp(key, "changes") != 0 && strcmp(key, "comment") != 0)
			problem_violation(errors, "", key, "unknown_field", "a change-set has comment and changes");
	if (!json_is_array(changes) || json_array_size(changes) == 0) {
		problem_violation(errors, "", "changes", changes ? "wrong_type" : "required", "must be a list of at least one change");
		return NULL;
	}
	struct change *change = change_new(json_array_size(changes));
	if (!change)
		return NULL;
	change->collective = true;
	change->comment = parse_comment(json_object_get(body, "comment"), errors);
	json_array_foreach(changes, i, item) {
		change->operations[i].broken = true;
		if (json_array_size(errors) <= PROBLEM_VIOLATIONS)
			parse_operation(&change->operations[i], i, item, errors);
	}
	return with_violations(change, errors);
}
