#include "mgmtd/replacement_private.h"

#include "mgmtd/json_split.h"
#include "mgmtd/problem.h"
#include "mgmtd/sealing.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct decoder decoder;
	struct replacement *whole;
	struct change *change;
	size_t room;
	struct stretch sections[KIND_COUNT], header;
	struct stretch revision, at;	/* told by GET, and nothing to PUT */
	json_t *errors;
};

void replacement_free(struct replacement *r)
{
	if (!r)
		return;
	/* An import may bring secrets in the clear. */
	if (r->body)
		sodium_memzero(r->body, r->len);
	free(r->body);
	sealing_free(r->sealing);
	free(r);
}

/* ------------------------------------------------------------------ operations */

/* Room for one more. */
static struct operation *new_operation(struct reading *rd, const struct kind *kind, const char *pointer)
{
	struct change *change = rd->change;

	if (change->count == rd->room) {
		size_t room = rd->room ? 2 * rd->room : 256;
		struct operation *larger = reallocarray(change->operations, room, sizeof *larger);
		if (!larger)
			return NULL;
		change->operations = larger;
		rd->room = room;
	}
	struct operation *op = &change->operations[change->count];
	*op = (struct operation){ .verb = VERB_PUT, .kind = kind, .pointer = strdup(pointer) };
	change->count += op->pointer != NULL;
	return op->pointer ? op : NULL;
}

/* What is in it is read later, together with all others. */
static int add_object(struct reading *rd, const struct kind *kind, size_t index, const struct stretch *stretch)
{
	char pointer[64];

	snprintf(pointer, sizeof pointer, "/%s/%zu", kind->path, index);
	struct operation *op = new_operation(rd, kind, pointer);
	if (!op)
		return ENOMEM;
	op->broken = true;	/* until it is decoded */
	op->text = stretch->text;
	op->len = stretch->len;
	return 0;
}

/* ------------------------------------------------------------------ sections */

static int find_objects(struct reading *rd, const struct kind *kind)
{
	const struct stretch *section = &rd->sections[kind->id];
	struct stretch item;
	struct json_split split;
	int error = 0;

	if (!json_split_open(&split, rd->whole->body, rd->whole->len, section->text, '[')) {
		problem_violation(rd->errors, "", kind->path, "wrong_type", "must be a list of objects");
		return 0;
	}
	for (size_t i = 0; !error && json_split_next(&split, NULL, NULL, &item.text, &item.len); i++) {
		if (rd->change->count >= REPLACEMENT_OBJECTS) {
			problem_violation(rd->errors, "", kind->path, "too_long", "a configuration has at most %d objects", REPLACEMENT_OBJECTS);
			return EINVAL;
		}
		error = add_object(rd, kind, i, &item);
	}
	return !error && split.fault ? replacement_not_json(&rd->decoder, split.at, split.fault) : error;
}

static int read_parameters(struct reading *rd)
{
	const struct kind *kind = &schema_kinds[KIND_PARAMETERS];
	char pointer[PROBLEM_POINTER];
	json_t *section, *value;
	const char *key;
	int error = replacement_parse(&rd->decoder, &section, &rd->sections[KIND_PARAMETERS]);

	if (error)
		return error;
	if (!json_is_object(section))
		problem_violation(rd->errors, "", kind->path, "wrong_type", "must be an object of parameters: {\"SS_…\": value}");
	json_object_foreach(section, key, value)
		if (!schema_field(kind, key))
			problem_violation(rd->errors, "/sip-parameters", key, "unknown_field", "no SIP parameter is called so");
	for (size_t i = 0; i < kind->nfields && !error; i++) {
		value = json_object_get(section, kind->fields[i].name);
		problem_pointer(pointer, "/sip-parameters", kind->fields[i].name);
		struct operation *op = new_operation(rd, kind, pointer);
		if (!op) {
			error = ENOMEM;
			break;
		}
		op->verb = value ? VERB_PUT : VERB_DELETE;
		op->value = json_incref(value);
		snprintf(op->name, sizeof op->name, "%s", kind->fields[i].name);
	}
	json_decref(section);
	return error;
}

/* ------------------------------------------------------------------ the document */

/* Which section, or none, and whether it is given for the first time. */
static int take_member(struct reading *rd, const struct stretch *key, const struct stretch *value)
{
	json_t *name, *ignored;
	int error = replacement_parse(&rd->decoder, &name, key);
	struct stretch *place = NULL;

	if (error)
		return error;
	const char *text = json_string_value(name);
	const struct kind *kind = schema_kind_by_path(text);
	if (kind)
		place = &rd->sections[kind->id];
	else if (strcmp(text, "secrets") == 0)
		place = &rd->header;
	else if (strcmp(text, "revision") == 0)
		place = &rd->revision;
	else if (strcmp(text, "at") == 0)
		place = &rd->at;
	else
		problem_violation(rd->errors, "", text, "unknown_field", "a configuration has sip-parameters, a list for each kind of object, and secrets");
	if (place && place->text)
		error = replacement_not_json(&rd->decoder, key->text, "duplicate object key");
	else if (place)
		*place = *value;
	/* What is not read later must be JSON all the same. */
	if (!error && (!place || place == &rd->revision || place == &rd->at) && (error = replacement_parse(&rd->decoder, &ignored, value)) == 0)
		json_decref(ignored);
	json_decref(name);
	return error;
}

static int find_members(struct reading *rd)
{
	struct replacement *r = rd->whole;
	struct json_split split;
	struct stretch key, value;
	int error = 0;

	if (!json_split_open(&split, r->body, r->len, r->body, '{')) {
		json_t *other;
		const struct stretch all = { r->body, r->len };
		if ((error = replacement_parse(&rd->decoder, &other, &all)) == 0) {
			problem_violation(rd->errors, "", NULL, "wrong_type", "must be a configuration: an object");
			json_decref(other);
			error = EINVAL;
		}
		return error;
	}
	while (!error && json_split_next(&split, &key.text, &key.len, &value.text, &value.len))
		error = take_member(rd, &key, &value);
	if (!error && (split.fault || !json_split_ended(&split)))
		error = replacement_not_json(&rd->decoder, split.at, split.fault);
	for (size_t k = 0; k < KIND_COUNT && !error; k++)
		if (!rd->sections[k].text)
			problem_violation(rd->errors, "", schema_kinds[k].path, "required", "must be given, if only as %s",
			                  k == KIND_PARAMETERS ? "{}" : "[]");
	return error;
}

static int open_secrets(struct reading *rd, const char *passphrase)
{
	json_t *header;

	if (!rd->header.text)
		return 0;
	int error = replacement_parse(&rd->decoder, &header, &rd->header);
	if (error)
		return error;
	error = sealing_open(&rd->whole->sealing, header, "/secrets", passphrase, rd->errors);
	json_decref(header);
	return error;
}

static int read_sections(struct reading *rd)
{
	int error = 0;

	for (size_t k = 0; k < KIND_COUNT && !error; k++) {
		if (!rd->sections[k].text)
			continue;
		error = k == KIND_PARAMETERS ? read_parameters(rd) : find_objects(rd, &schema_kinds[k]);
	}
	return error;
}

static void refuse_doubles(struct reading *rd)
{
	const struct operation *ops = rd->change->operations;

	for (size_t i = 1; i < rd->change->count; i++) {
		if (!ops[i].name[0] || change_order(&ops[i - 1], &ops[i]) != 0)
			continue;
		json_t *violation = problem_violation(rd->errors, ops[i].pointer, "name", "not_unique", "another object of the list has this name");
		json_object_set_new(violation, "got", json_string(ops[i].name));
	}
}

int replacement_read(struct change **out, struct model *model, const struct secrets *secrets, char *body, size_t len,
                     const char *passphrase, json_t *errors, struct json_fault *fault)
{
	struct replacement *whole = calloc(1, sizeof *whole);
	struct change *change = change_new(0);

	if (!body)
		body = strdup("");	/* no body at all */
	if (!change || !whole || !body) {
		change_free(change);
		free(whole);
		free(body);
		return ENOMEM;
	}
	*whole = (struct replacement){ .body = body, .len = len };
	change->collective = true;
	change->whole = whole;
	struct reading rd = { .decoder = { model, secrets, whole, errors, { 0 } }, .whole = whole, .change = change, .errors = errors };
	int error = find_members(&rd);
	if (!error)
		error = open_secrets(&rd, passphrase);
	if (!error)
		error = read_sections(&rd);
	if (!error && change->count == 0)
		error = EINVAL;		/* not even the parameters: that is told */
	if (!error)
		error = replacement_decode(&rd.decoder, change->operations, change->count);
	if (error) {
		*fault = rd.decoder.fault;
		change_free(change);
		return error;
	}
	change_sort(change);
	refuse_doubles(&rd);
	if (json_array_size(errors) > 0)
		change->violations = json_incref(errors);
	*out = change;
	return 0;
}
