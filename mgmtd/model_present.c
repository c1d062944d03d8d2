/* Objects of the model as people see them. */
#include "mgmtd/model.h"

#include "mgmtd/describe.h"
#include "mgmtd/document.h"
#include "mgmtd/json_text.h"
#include "mgmtd/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void render_parameter(struct object *object)
{
	json_t *out = describe_field(object->kind, schema_field(object->kind, object->name));
	json_t *document = json_loads(object->document, 0, NULL);
	json_t *shown = document_present(object->kind, object->name, document);

	json_object_update(out, shown);
	json_object_set_new(out, "revision", json_integer((json_int_t)object->revision));
	json_object_set_new(out, "changed_at", object->revision ? json_string(object->changed_at) : json_null());
	json_object_set_new(out, "changed_by", object->revision ? json_string(object->changed_by) : json_null());
	object->rendered = json_dumps(out, JSON_TEXT);
	object->rendered_len = object->rendered ? strlen(object->rendered) : 0;
	json_decref(document);
	json_decref(shown);
	json_decref(out);
}

static void render_object(struct object *object)
{
	char provenance[2 * SCHEMA_NAME_MAX + 128];

	/* User names are of the characters of object names and need no escaping. */
	if (object->revision)
		snprintf(provenance, sizeof provenance, "\"revision\":%" PRIu64 ",\"changed_at\":\"%s\",\"changed_by\":\"%s\"",
		         object->revision, object->changed_at, object->changed_by);
	else	/* a dry run's */
		snprintf(provenance, sizeof provenance, "\"revision\":0,\"changed_at\":null,\"changed_by\":null");
	object->rendered = document_render(object->kind, object->name, object->document, provenance, &object->rendered_len);
}

const char *model_render(struct model *m, const struct object *lent, size_t *len)
{
	struct object *object = (struct object *)(uintptr_t)lent;	/* the model's own, under its lock */

	(void)m;
	if (!object->rendered && object->kind->id == KIND_PARAMETERS)
		render_parameter(object);
	else if (!object->rendered)
		render_object(object);
	if (!object->rendered)
		log_fatal("out of memory");
	*len = object->rendered_len;
	return object->rendered;
}

/* The value of a parameter now; a new reference. */
static json_t *parameter_value(struct model *m, const char *name)
{
	const struct object *parameter = model_find(m, KIND_PARAMETERS, name);
	json_t *document = json_loads(parameter->document, 0, NULL);
	json_t *shown = document_present(parameter->kind, name, document);
	json_t *value = json_incref(json_object_get(shown, "value"));

	json_decref(document);
	json_decref(shown);
	return value;
}

/* A switch as a gateway's word for it. */
static json_t *inherited_value(struct model *m, const struct field *field)
{
	json_t *value = parameter_value(m, field->inherits);

	if (field->type != FT_ENUM || !json_is_boolean(value))
		return value;
	json_t *word = json_string(json_is_true(value) ? "on" : "off");
	json_decref(value);
	return word;
}

static json_t *effective_value(json_t *value, const char *from)
{
	return json_pack("{s:o, s:s}", "value", value, "from", from);
}

/* The privacy of a routing gateway that has none of its own. */
static json_t *trunk_privacy(struct model *m, const json_t *document)
{
	const char *name = json_string_value(json_object_get(document, "registration"));
	const struct object *trunk = name ? model_find(m, KIND_REGISTRATION, name) : NULL;
	char from[SCHEMA_NAME_MAX + 20];

	if (!trunk)
		return effective_value(json_string("ignore"), "default");
	json_t *effective = model_effective(m, trunk);
	json_t *value = json_incref(json_object_get(json_object_get(effective, "privacy"), "value"));
	json_decref(effective);
	snprintf(from, sizeof from, "registration %s", name);
	return effective_value(value, from);
}

json_t *model_effective(struct model *m, const struct object *object)
{
	json_t *document = json_loads(object->document, 0, NULL), *out = json_object();

	for (size_t i = 0; i < object->kind->nfields; i++) {
		const struct field *field = &object->kind->fields[i];
		json_t *own = json_object_get(document, field->name), *group = out;
		if (!field->options || strcmp(field->options[0].word, "inherit") != 0)
			continue;
		if (field->flags & SIP && !(group = json_object_get(out, "sip")))
			json_object_set_new(out, "sip", group = json_object());
		if (!json_is_string(own) || strcmp(json_string_value(own), "inherit") != 0)
			json_object_set_new(group, field->name, effective_value(json_incref(own), "own"));
		else
			json_object_set_new(group, field->name, field->inherits ? effective_value(inherited_value(m, field), field->inherits)
			                                                        : trunk_privacy(m, document));
	}
	json_decref(document);
	return out;
}
