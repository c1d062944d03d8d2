/* Canonical documents as texts: what is only shown or compared need not be parsed. */
#include "mgmtd/document.h"

#include "mgmtd/describe.h"
#include "mgmtd/json_text.h"
#include "mgmtd/members.h"
#include "mgmtd/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *document_complete(const struct kind *kind, const char *text)
{
	struct member members[MEMBERS_MAX];

	if (members_find(members, kind, text) == 0)
		return strdup(text);
	json_t *stored = json_loads(text, 0, NULL), *document = json_object();
	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		json_t *value = json_object_get(stored, field->name);
		json_object_set_new(document, field->name, value ? json_incref(value) : describe_default(kind, field));
	}
	char *complete = json_dumps(document, JSON_TEXT);
	json_decref(document);
	json_decref(stored);
	return complete;
}

/* Of the canonical value of a secret, {"secret":"…"} or null. */
static bool reference_in(char reference[SECRET_REFERENCE], const struct member *member)
{
	static const char before[] = "{\"secret\":\"";
	const size_t len = sizeof before - 1;

	if (member->len != len + SECRET_REFERENCE - 1 + strlen("\"}") || memcmp(member->value, before, len) != 0)
		return false;
	memcpy(reference, member->value + len, SECRET_REFERENCE - 1);
	reference[SECRET_REFERENCE - 1] = '\0';
	return true;
}

int document_references(char references[MEMBERS_MAX][SECRET_REFERENCE], const struct kind *kind, const char *text)
{
	struct member members[MEMBERS_MAX];
	int error = text ? members_find(members, kind, text) : 0;

	for (size_t i = 0; i < kind->nfields && !error; i++)
		if ((kind->fields[i].flags & SECRET) && (!text || !reference_in(references[i], &members[i])))
			references[i][0] = '\0';
	return error;
}

uint64_t document_differing(const struct kind *kind, const char *before, const char *after)
{
	struct member from[MEMBERS_MAX], to[MEMBERS_MAX];
	uint64_t fields = 0;

	if (members_find(from, kind, before) || members_find(to, kind, after))
		return UINT64_MAX;
	for (size_t i = 0; i < kind->nfields; i++)
		if (from[i].len != to[i].len || memcmp(from[i].value, to[i].value, from[i].len) != 0)
			fields |= UINT64_C(1) << i;
	return fields;
}

static json_t *value_of(const struct kind *kind, const struct field *field, const struct member *member)
{
	if (strlen(field->fallback) == member->len && memcmp(field->fallback, member->value, member->len) == 0)
		return describe_default(kind, field);
	return json_loadb(member->value, member->len, JSON_DECODE_ANY, NULL);
}

int document_text_to_record(const struct kind *kind, const char *text, struct record *record)
{
	struct member members[MEMBERS_MAX];
	json_t *errors = json_array();
	int error = members_find(members, kind, text);

	for (size_t i = 0; i < kind->nfields && !error; i++) {
		const struct field *field = &kind->fields[i];
		if (field->size == 0 || (field->flags & SECRET))
			continue;
		json_t *value = value_of(kind, field, &members[i]), *canonical;
		if (value_check(field, value, "", field->name, errors, (char *)record + field->offset, &canonical) == 0)
			json_decref(canonical);
		json_decref(value);
	}
	if (json_array_size(errors) > 0)
		error = EINVAL;
	json_decref(errors);
	return error;
}

static void write_secret(struct buffer *out, const char *name, const struct field *field, const struct member *member,
                         const struct document_view *view)
{
	char reference[SECRET_REFERENCE];

	if (!reference_in(reference, member))
		buffer_text(out, view->secret ? "null" : "{\"set\":false}");
	else if (view->secret)
		view->secret(view->arg, out, name, field, reference);
	else
		buffer_text(out, "{\"set\":true}");
}

static void write_fields(struct buffer *out, const struct kind *kind, const char *name, const struct member *members, unsigned sip,
                         const struct document_view *view)
{
	const char *comma = sip ? "" : ",";

	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		if ((field->flags & SIP) != sip)
			continue;
		buffer_text(out, comma);
		buffer_text(out, "\"");
		buffer_text(out, field->name);
		buffer_text(out, "\":");
		if (field->flags & SECRET)
			write_secret(out, name, field, &members[i], view);
		else
			buffer_append(out, members[i].value, members[i].len);
		comma = ",";
	}
}

int document_write(struct buffer *out, const struct kind *kind, const char *name, const char *text, const struct document_view *view)
{
	struct member members[MEMBERS_MAX];

	if (members_find(members, kind, text))
		return EINVAL;
	buffer_format(out, "{\"name\":\"%s\"", name);
	write_fields(out, kind, name, members, 0, view);
	if (document_has_sip(kind)) {
		buffer_text(out, ",\"sip\":{");
		write_fields(out, kind, name, members, SIP, view);
		buffer_text(out, "}");
	}
	if (view->provenance)
		buffer_format(out, ",%s", view->provenance);
	buffer_text(out, "}");
	return 0;
}

char *document_render(const struct kind *kind, const char *name, const char *text, const char *provenance, size_t *size)
{
	const struct document_view view = { .provenance = provenance };
	struct buffer out = { 0 };

	return document_write(&out, kind, name, text, &view) == 0 ? buffer_take(&out, size) : NULL;
}
