#include "mgmtd/effects.h"

#include "mgmtd/document.h"
#include <string.h>

#define NAMES_SHOWN 10

struct tally { json_int_t count; json_t *names; };

static void tally(struct tally *t, const char *name)
{
	if (t->count++ < NAMES_SHOWN)
		json_array_append_new(t->names, json_string(name));
}

static bool goes_on_the_wire(const struct object *object)
{
	bool changed = !object->old || object->incarnation == 0;
	uint64_t differing = changed ? 0 : document_differing(object->kind, object->old->document, object->document);

	for (size_t i = 0; i < object->kind->nfields && !changed; i++)
		changed = object->kind->fields[i].applies == REREGISTER && (differing & UINT64_C(1) << i);
	return changed && ((const struct registration_record *)object->record)->enabled;
}

/* Does this field of a record hold the word "inherit"?  Schema rule: it is the first word wherever a field can inherit. */
static bool inherits(const struct field *field, const struct record *record)
{
	int32_t value;

	memcpy(&value, (const char *)record + field->offset, sizeof value);
	return value == (field->type == FT_ENUM ? 0 : KEYWORD(0));
}

static bool touched(const struct objects *parameters, const struct kind *kind, const struct record *record)
{
	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		if (field->inherits && field->applies == REREGISTER && objects_find(parameters, field->inherits) && inherits(field, record))
			return true;
	}
	return false;
}

json_t *effects_reregister(struct model *model, struct config_writer *segment, const struct objects staged[KIND_COUNT])
{
	struct tally t = { 0, json_array() };
	const struct objects *mine = &staged[KIND_REGISTRATION];
	const struct object *object = NULL;

	for (size_t i = 0; i < mine->count; i++)
		if (!mine->v[i]->deleted && goes_on_the_wire(mine->v[i]))
			tally(&t, mine->v[i]->name);
	while (staged[KIND_PARAMETERS].count > 0 && (object = model_after(model, KIND_REGISTRATION, object ? object->name : ""))) {
		const struct record *record = config_writer_record(segment, KIND_REGISTRATION, object->id);
		if (record && ((const struct registration_record *)record)->enabled && !objects_find(mine, object->name) &&
		    touched(&staged[KIND_PARAMETERS], object->kind, record))
			tally(&t, object->name);
	}
	return json_pack("{s:{s:I, s:o}}", "reregister", "count", t.count, "names", t.names);
}
