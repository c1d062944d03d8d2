#include "mgmtd/document.h"

#include "mgmtd/buffer.h"
#include "mgmtd/describe.h"
#include "mgmtd/json_text.h"
#include "mgmtd/members.h"
#include "mgmtd/problem.h"
#include "mgmtd/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *slot_of(struct record *record, const struct field *field)
{
	return field->size ? (char *)record + field->offset : NULL;
}

const char *document_secret(const json_t *document, const struct field *field)
{
	return json_string_value(json_object_get(json_object_get(document, field->name), "secret"));
}

/* {"set": true} keeps, {"set": false} and null clear, a text sets; left out keeps. */
static int decode_secret(const struct kind *kind, const char *name, const struct field *field, const json_t *given,
                         const json_t *current, const struct secrets *secrets, const char *prefix, json_t *errors,
                         void *slot, json_t **canonical)
{
	const json_t *set = json_is_object(given) && json_object_size(given) == 1 ? json_object_get(given, "set") : NULL;
	json_t *now = json_object_get(current, field->name);
	char reference[SECRET_REFERENCE];
	json_t *value;

	if (!given || (json_is_true(set) && json_is_object(now))) {
		*canonical = now ? json_incref(now) : json_null();
		return 0;
	}
	if (json_is_true(set)) {
		problem_violation(errors, prefix, field->name, "bad_format", "there is none to keep: nothing is set");
		return EINVAL;
	}
	if (json_is_null(given) || json_is_false(set)) {
		memset(slot, 0, field->size);
		*canonical = json_null();
		return 0;
	}
	if (!json_is_string(given))
		return value_refuse(field, given, prefix, field->name, errors, "wrong_type",
		              "a text, null to clear it, or {\"set\": true} to keep it");
	if (value_check(field, given, prefix, field->name, errors, slot, &value))
		return EINVAL;
	json_decref(value);
	secret_reference(secrets, reference, kind->path, name, field->name, json_string_value(given));
	*canonical = json_pack("{s:s}", "secret", reference);
	return 0;
}

/* What the body says about a field; NULL = it leaves it out.  `"sip": null` puts each member of sip back to its default. */
static json_t *given_in(const json_t *body, const struct field *field)
{
	json_t *sip = field->flags & SIP ? json_object_get(body, "sip") : NULL;

	if (!(field->flags & SIP))
		return json_object_get(body, field->name);
	return json_is_null(sip) ? sip : json_object_get(sip, field->name);
}

/* The prefix of a field's pointer, in `place` where it is not that of the body. */
static const char *prefix_of(const struct field *field, const char *prefix, char place[PROBLEM_POINTER])
{
	if (!(field->flags & SIP))
		return prefix;
	problem_pointer(place, prefix, "sip");
	return place;
}

bool document_has_sip(const struct kind *kind)
{
	for (size_t i = 0; i < kind->nfields; i++)
		if (kind->fields[i].flags & SIP)
			return true;
	return false;
}

static void check_sip_members(const struct kind *kind, json_t *sip, const char *prefix, json_t *errors)
{
	char place[PROBLEM_POINTER];
	const char *key;
	json_t *value;

	if (!json_is_object(sip) && !json_is_null(sip)) {
		json_t *violation = problem_violation(errors, prefix, "sip", "wrong_type", "must be an object, or null for its defaults");
		json_object_set(violation, "got", sip);
		return;
	}
	problem_pointer(place, prefix, "sip");
	json_object_foreach(sip, key, value) {
		const struct field *field = schema_field(kind, key);
		if (!field || !(field->flags & SIP))
			problem_violation(errors, place, key, "unknown_field", field ? "stands beside sip, not in it" :
			                  "no member of sip is called so");
	}
}

/* Members that GET adds are no typos on the way back; `name` must then be the name. */
static void check_members(const struct kind *kind, const char *name, const json_t *body, const char *prefix, json_t *errors)
{
	static const char *const added[] = { "revision", "changed_at", "changed_by" };
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)body, key, value) {
		const struct field *field = schema_field(kind, key);
		bool known = field && !(field->flags & SIP);
		for (size_t i = 0; i < sizeof added / sizeof added[0]; i++)
			known = known || strcmp(key, added[i]) == 0;
		if (strcmp(key, "name") == 0) {
			/* of a name that was refused itself nothing more is said */
			if (name[0] && (!json_is_string(value) || strcmp(json_string_value(value), name) != 0)) {
				json_t *violation = problem_violation(errors, prefix, key, "read_only",
				                                      "an object is not renamed: must be \"%s\" or left out", name);
				json_object_set(violation, "got", value);
			}
		} else if (strcmp(key, "sip") == 0 && document_has_sip(kind)) {
			check_sip_members(kind, value, prefix, errors);
		} else if (field && !known) {
			problem_violation(errors, prefix, key, "unknown_field", "is a member of sip");
		} else if (!known) {
			problem_violation(errors, prefix, key, "unknown_field", "no field of %s is called so", kind->path);
		}
	}
}

/* One field that is no secret: given, kept or at its default. */
static void decode_field(const struct kind *kind, const struct field *field, const json_t *body, const json_t *current,
                         bool patch, const char *prefix, json_t *errors, void *slot, json_t **canonical)
{
	json_t *given = given_in(body, field);
	json_t *kept = patch && !given ? json_object_get(current, field->name) : NULL;

	if (kept) {	/* passed this check when it was stored, and the record holds it */
		*canonical = json_incref(kept);
		return;
	}
	if ((field->flags & REQUIRED) && (!given || json_is_null(given))) {
		problem_violation(errors, prefix, field->name, "required", "must be given");
		return;
	}
	json_t *value = given && !json_is_null(given) ? json_incref(given) : describe_default(kind, field);
	char place[PROBLEM_POINTER];
	value_check(field, value, prefix_of(field, prefix, place), field->name, errors, slot, canonical);
	json_decref(value);
}

int document_decode(const struct kind *kind, const char *name, const json_t *body, const json_t *current, bool patch,
                    const struct secrets *secrets, const char *prefix, json_t *errors, struct record *record, json_t **out)
{
	json_t *document = json_object();
	size_t before = json_array_size(errors);

	if (!json_is_object(body)) {
		problem_violation(errors, prefix, NULL, "wrong_type", "must be an object with the fields of %s", kind->path);
		json_decref(document);
		return EINVAL;
	}
	check_members(kind, name, body, prefix, errors);
	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		json_t *canonical = NULL;
		if (field->flags & SECRET)
			decode_secret(kind, name, field, json_object_get(body, field->name), current, secrets, prefix, errors,
			              slot_of(record, field), &canonical);
		else
			decode_field(kind, field, body, current, patch, prefix, errors, slot_of(record, field), &canonical);
		if (canonical)
			json_object_set_new(document, field->name, canonical);
	}
	if (json_array_size(errors) > before) {
		json_decref(document);
		return EINVAL;
	}
	*out = document;
	return 0;
}

/* One field that a patch names: into before and after. */
static void patch_field(const struct kind *kind, const char *name, const struct field *field, const json_t *body,
                        const struct member *member, const struct secrets *secrets, const char *prefix, json_t *errors,
                        struct record *record, struct document_patch *patch)
{
	json_t *canonical = NULL;

	json_object_set_new(patch->before, field->name, json_loadb(member->value, member->len, JSON_DECODE_ANY, NULL));
	if (field->flags & SECRET)
		decode_secret(kind, name, field, json_object_get(body, field->name), patch->before, secrets, prefix, errors,
		              slot_of(record, field), &canonical);
	else
		decode_field(kind, field, body, NULL, true, prefix, errors, slot_of(record, field), &canonical);
	if (canonical)
		json_object_set_new(patch->after, field->name, canonical);
}

int document_patch(const struct kind *kind, const char *name, const json_t *body, const char *text,
                   const struct secrets *secrets, const char *prefix, json_t *errors, struct record *record,
                   struct document_patch *patch)
{
	struct member members[MEMBERS_MAX];
	struct buffer out = { 0 };
	size_t before = json_array_size(errors), len;

	if (!json_is_object(body) || members_find(members, kind, text))
		return ENOTSUP;
	*patch = (struct document_patch){ NULL, json_object(), json_object() };
	check_members(kind, name, body, prefix, errors);
	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		if (!given_in(body, field))
			continue;
		patch_field(kind, name, field, body, &members[i], secrets, prefix, errors, record, patch);
		char *value = json_dumps(json_object_get(patch->after, field->name), JSON_ENCODE_ANY | JSON_TEXT);
		buffer_append(&out, text, (size_t)(members[i].value - text));
		buffer_text(&out, value ? value : "null");
		text = members[i].value + members[i].len;
		free(value);
	}
	buffer_text(&out, text);
	patch->text = buffer_take(&out, &len);
	int error = json_array_size(errors) > before ? EINVAL : patch->text ? 0 : ENOMEM;
	if (error) {
		free(patch->text);
		json_decref(patch->before);
		json_decref(patch->after);
	}
	return error;
}

/* A field's value as people may see it; a new reference. */
static json_t *presentable(const struct kind *kind, const struct field *field, const json_t *document)
{
	json_t *value = json_object_get(document, field->name);

	if (field->flags & SECRET)
		return json_pack("{s:b}", "set", json_is_object(value));
	return value ? json_incref(value) : describe_default(kind, field);
}

static json_t *present_parameter(const struct kind *kind, const char *name, const json_t *document)
{
	const struct field *field = schema_field(kind, name);
	json_t *value = json_object_get(document, "value");

	return json_pack("{s:o, s:s}", "value", value ? json_incref(value) : field ? describe_default(kind, field) : json_null(),
	                 "source", value ? "set" : "default");
}

json_t *document_present(const struct kind *kind, const char *name, const json_t *document)
{
	if (kind->id == KIND_PARAMETERS)
		return present_parameter(kind, name, document);
	json_t *out = json_object(), *sip = document_has_sip(kind) ? json_object() : NULL;
	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		json_object_set_new(field->flags & SIP ? sip : out, field->name, presentable(kind, field, document));
	}
	if (sip)
		json_object_set_new(out, "sip", sip);
	return out;
}

/* Both sides are taken over; one that does not exist shows as null. */
static void add_difference(json_t *list, const char *prefix, const char *member, json_t *from, json_t *to)
{
	char pointer[128];

	snprintf(pointer, sizeof pointer, "%s/%s", prefix, member);	/* schema names need no escaping */
	json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "pointer", pointer, "from", from ? from : json_null(),
	                                      "to", to ? to : json_null()));
}

static json_t *parameter_diff(const struct kind *kind, const char *name, const json_t *before, const json_t *after)
{
	json_t *from = present_parameter(kind, name, before), *to = present_parameter(kind, name, after);
	json_t *list = json_array(), *value;
	const char *key;

	json_object_foreach(to, key, value)
		if (!json_equal(json_object_get(from, key), value))
			add_difference(list, "", key, json_incref(json_object_get(from, key)), json_incref(value));
	json_decref(from);
	json_decref(to);
	return list;
}

/* Two documents agree in a field, or neither has it. */
static bool agree(const json_t *a, const json_t *b, const struct field *field)
{
	const json_t *left = json_object_get(a, field->name), *right = json_object_get(b, field->name);

	return left == right || json_equal(left, right);
}

json_t *document_diff(const struct kind *kind, const char *name, const json_t *before, const json_t *after)
{
	if (kind->id == KIND_PARAMETERS)
		return parameter_diff(kind, name, before, after);
	json_t *list = json_array();
	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		/* Compared as stored: a changed secret looks the same on both sides, but its reference does not. */
		if (before && after && agree(before, after, field))
			continue;
		add_difference(list, field->flags & SIP ? "/sip" : "", field->name, before ? presentable(kind, field, before) : NULL,
		               after ? presentable(kind, field, after) : NULL);
	}
	return list;
}
