#include "mgmtd/effects.h"

#include "mgmtd/document.h"
#include "mgmtd/problem.h"
#include "mgmtd/segment.h"
#include "mgmtd/stage_private.h"

#include <stdio.h>
#include <string.h>

#define NAMES_SHOWN 10

static bool listed(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = names; *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == len && strncmp(p, name, len) == 0)
			return true;
	return false;
}

void effects_check_references(const struct writer_hooks *hooks, const struct operation *op, const json_t *old,
                              const json_t *document, json_t *errors)
{
	json_t *listener = json_object_get(document, "listener");
	char names[1024];

	if (!listener || json_string_length(listener) == 0 || json_equal(listener, json_object_get(old, "listener")))
		return;
	if (!hooks->listeners || !hooks->listeners(hooks->arg, names, sizeof names) || listed(names, json_string_value(listener)))
		return;
	json_t *violation = problem_violation(errors, op->pointer, "listener", "unknown_reference",
	                                      "the switch has no listener \"%s\"; it has %s", json_string_value(listener),
	                                      names[0] ? names : "only unnamed ones");
	json_object_set(violation, "got", listener);
}

/* ------------------------------------------------------------------ warnings */

/* A number or, for a keyword such as auto, 0. */
static int32_t plain(int32_t value)
{
	return value > 0 ? value : 0;
}

static void warn_late_retry(json_t *warnings, const char *member, const char *subject, int32_t delay, int32_t expiry)
{
	if (expiry > 0 && 2 * delay > expiry)
		problem_violation(warnings, "", member, "cross_field",
		                  "%s: the retry delay of %d s is more than half of the expiry of %d s: a failed refresh is"
		                  " retried after the binding ended", subject, delay, expiry);
}

static void warn_registration(json_t *warnings, struct stage *st, const struct sip_parameters *parameters, const struct object *object)
{
	const struct registration_record *record = object->deleted ? NULL : (const void *)object->record;
	const struct record *published = object->old ? config_writer_record(st->segment, KIND_REGISTRATION, object->id) : NULL;
	char subject[SCHEMA_NAME_MAX + 20];

	snprintf(subject, sizeof subject, "registration %s", object->name);
	if (record)
		warn_late_retry(warnings, "retry_delay", subject,
		                plain(record->retry_delay < 0 ? parameters->SS_SIP_USER_AGENT_RETRY_DELAY : record->retry_delay),
		                plain(record->register_period == KEYWORD(REGISTER_PERIOD_INHERIT) ? parameters->SS_SIP_USER_AGENT_EXPIRE
		                                                                                  : record->register_period));
	bool ends = published && ((const struct registration_record *)published)->enabled && (!record || !record->enabled);
	if (ends && parameters->SS_SIP_USER_AGENT_SEND_UNREGISTER && st->hooks->switch_up && !st->hooks->switch_up(st->hooks->arg))
		problem_violation(warnings, "", NULL, "binding_stays",
		                  "%s: switchcore is down and cannot unregister: the binding at the registrar stays until it ends", subject);
}

json_t *effects_warnings(struct stage *st)
{
	const struct objects *changed = &st->mine[KIND_PARAMETERS];
	struct sip_parameters parameters = st->parameters;
	json_t *warnings = json_array();

	for (size_t i = 0; i < changed->count; i++)
		segment_set_parameter(&parameters, changed->v[i]);
	if (objects_find(changed, "SS_SIP_USER_AGENT_RETRY_DELAY") || objects_find(changed, "SS_SIP_USER_AGENT_EXPIRE"))
		warn_late_retry(warnings, "SS_SIP_USER_AGENT_RETRY_DELAY", "all registrations that inherit",
		                parameters.SS_SIP_USER_AGENT_RETRY_DELAY, plain(parameters.SS_SIP_USER_AGENT_EXPIRE));
	for (size_t i = 0; i < st->mine[KIND_REGISTRATION].count; i++)
		warn_registration(warnings, st, &parameters, st->mine[KIND_REGISTRATION].v[i]);
	return warnings;
}

/* ------------------------------------------------------------------ what registers anew */

struct tally { json_int_t count; json_t *names; };

static void tally(struct tally *t, const char *name)
{
	if (t->count++ < NAMES_SHOWN)
		json_array_append_new(t->names, json_string(name));
}

static bool goes_on_the_wire(const struct object *object)
{
	bool changed = !object->old || object->incarnation == 0;

	for (size_t i = 0; i < object->kind->nfields && !changed; i++) {
		const struct field *field = &object->kind->fields[i];
		changed = field->applies == REREGISTER && !document_agree(object->was, object->canonical, field);
	}
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
