/* Rules between objects, checked on the result of a change-set: what its operations do together. */
#include "mgmtd/stage_private.h"

#include "mgmtd/buffer.h"
#include "mgmtd/link.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"
#include "mgmtd/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERRERS_NAMED 10	/* in the sentence; the list has up to REFERRERS_LISTED */
#define REFERRERS_LISTED 1000

/* ------------------------------------------------------------------ listeners */

static bool listed(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = names; *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == len && strncmp(p, name, len) == 0)
			return true;
	return false;
}

/* A listener that the running switch does not have, when the change sets it.  With the switch down nobody can tell. */
static void check_listener(struct stage *st, const struct object *object, json_t *errors)
{
	const struct field *field = schema_field(object->kind, "listener");
	const struct writer_hooks *hooks = st->hooks;
	const char *listener = field ? (const char *)object->record + field->offset : "";
	char names[1024];

	if (!listener[0])
		return;
	const struct record *old = stage_record(st, stage_before(st, object->kind, object->name));
	if (old && strcmp((const char *)old + field->offset, listener) == 0)
		return;
	if (!hooks->listeners || !hooks->listeners(hooks->arg, names, sizeof names) || listed(names, listener))
		return;
	json_t *violation = problem_violation(errors, object->pointer, field->name, "unknown_reference",
	                                      "the switch has no listener \"%s\"; it has %s", listener,
	                                      names[0] ? names : "only unnamed ones");
	json_object_set_new(violation, "got", json_string(listener));
}

/* ------------------------------------------------------------------ references */

static void check_reference(struct stage *st, const struct link *link, json_t *errors)
{
	const struct kind *target = &schema_kinds[schema_target(link->field->type)];

	if (stage_now(st, target, link->text) || objects_find(&st->mine[target->id], link->text))
		return;		/* of one that this very change deletes it is told there */
	json_t *violation = problem_violation(errors, link->object->pointer, link->field->name, "unknown_reference",
	                                      "there is no %s \"%s\"", target->noun, link->text);
	json_object_set_new(violation, "got", json_string(link->text));
}

/* `x "a", y "b" and 3 more` */
static char *sentence_of(const json_t *referrers, size_t count)
{
	struct buffer b = { 0 };
	size_t len, i;
	json_t *referrer;

	json_array_foreach((json_t *)(uintptr_t)referrers, i, referrer) {
		if (i == REFERRERS_NAMED)
			break;
		const struct kind *kind = schema_kind_by_path(json_string_value(json_object_get(referrer, "kind")));
		buffer_format(&b, "%s%s \"%s\"", i == 0 ? "" : ", ", kind->noun, json_string_value(json_object_get(referrer, "name")));
	}
	if (count > REFERRERS_NAMED)
		buffer_format(&b, " and %zu more", count - REFERRERS_NAMED);
	char *text = buffer_take(&b, &len);
	if (!text)
		log_fatal("out of memory");
	return text;
}

/* "/changes/3/value" → "/changes/3"; the pointer of a single delete is "", it has no body. */
static void pointer_of_delete(char pointer[PROBLEM_POINTER], const char *value)
{
	size_t len = strlen(value), suffix = strlen("/value");

	snprintf(pointer, PROBLEM_POINTER, "%.*s", (int)(len >= suffix ? len - suffix : 0), value);
}

/* A replacement that does not name it: the fault is with those of its objects, changed or not, that refer to it. */
static void refuse_lost_references(struct stage *st, enum link_key key, const struct object *object, json_t *errors)
{
	for (const struct link *link = links_find(model_links(st->model), key, object->name); link; link = links_next(link)) {
		const struct operation *op = change_find(st->replacing, link->object->kind, link->object->name);
		json_t *violation = problem_violation(errors, op ? op->pointer : "", link->field->name, "unknown_reference",
		                                      "there is no %s \"%s\"", object->kind->noun, object->name);
		json_object_set_new(violation, "got", json_string(object->name));
	}
}

static void check_deleted(struct stage *st, const struct object *object, json_t *errors, json_t *conflicts)
{
	enum link_key key = object->kind->id == KIND_REGISTRATION ? LINK_REGISTRATION : LINK_MAPPING;
	char pointer[PROBLEM_POINTER];
	size_t count = 0;

	if (object->kind->id != KIND_REGISTRATION && object->kind->id != KIND_MAPPING_GATEWAY)
		return;
	if (st->replacing) {
		refuse_lost_references(st, key, object, errors);
		return;
	}
	json_t *referrers = json_array();
	for (const struct link *link = links_find(model_links(st->model), key, object->name); link; link = links_next(link))
		if (count++ < REFERRERS_LISTED)
			json_array_append_new(referrers, json_pack("{s:s, s:s, s:s}", "kind", link->object->kind->path, "name", link->object->name,
			                                           "field", link->field->name));
	if (count > 0) {
		char *sentence = sentence_of(referrers, count);
		pointer_of_delete(pointer, object->pointer);
		json_t *violation = problem_violation(conflicts, pointer, NULL, "in_use", "%s \"%s\" is referred to by %s", object->kind->noun,
		                                      object->name, sentence);
		json_object_set(violation, "referrers", referrers);
		free(sentence);
	}
	json_decref(referrers);
}

/* ------------------------------------------------------------------ what no two may have */

static void check_unique(struct stage *st, const struct link *link, json_t *conflicts)
{
	const struct link *other = links_find(model_links(st->model), link->key, link->text);
	char place[PROBLEM_POINTER], item[16];

	while (other && other->object == link->object)
		other = links_next(other);
	if (!other)
		return;
	problem_pointer(place, link->object->pointer, link->field->name);
	snprintf(item, sizeof item, "%d", link->item);
	json_t *violation = problem_violation(conflicts, place, link->item < 0 ? NULL : item, "not_unique", link->key == LINK_SOURCE ?
	                                      "mapping gateway \"%s\" has the source %s already" :
	                                      "mapping gateway \"%s\" has the user name \"%s\" for digest already",
	                                      other->object->name, link->text);
	json_object_set_new(violation, "got", json_string(link->text));
	json_object_set_new(violation, "conflict", json_pack("{s:s, s:s}", "kind", other->object->kind->path, "name", other->object->name));
}

static void check_object(struct stage *st, const struct object *object, json_t *errors, json_t *conflicts)
{
	check_listener(st, object, errors);
	for (const struct link *link = object->links; link; link = link->sibling)
		if (link->key == LINK_REGISTRATION || link->key == LINK_MAPPING)
			check_reference(st, link, errors);
		else
			check_unique(st, link, conflicts);
}

/* ------------------------------------------------------------------ parameters that limit each other */

/* RFC 4028 10: later than a third before its end a session may still be refreshed.  Told where the change did it. */
static void check_early_hangup(struct stage *st, json_t *errors)
{
	const struct objects *changed = &st->mine[KIND_PARAMETERS];
	const struct object *early = objects_find(changed, "SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP");
	const struct object *ttl = objects_find(changed, "SS_SIP_SESSION_TTL");
	struct sip_parameters result = st->parameters;

	if (!early && !ttl)
		return;
	for (size_t i = 0; i < changed->count; i++)
		segment_set_parameter(&result, changed->v[i]);
	int32_t most = result.SS_SIP_SESSION_TTL / 3;
	if (result.SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP <= most)
		return;
	json_t *violation = problem_violation(errors, early ? early->pointer : ttl->pointer, NULL, "cross_field",
	                                      "SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP may be at most a third of SS_SIP_SESSION_TTL,"
	                                      " %d s of %d s (RFC 4028 10); got %d s", most, result.SS_SIP_SESSION_TTL,
	                                      result.SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP);
	json_object_set_new(violation, "max", json_integer(most));
	json_object_set_new(violation, "got", json_integer(result.SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP));
}

void rule_check(struct stage *st, json_t *errors, json_t *conflicts)
{
	check_early_hangup(st, errors);
	for (size_t k = KIND_PARAMETERS + 1; k < KIND_COUNT; k++)
		for (size_t i = 0; i < st->mine[k].count; i++) {
			const struct object *object = st->mine[k].v[i];
			if (object->deleted)
				check_deleted(st, object, errors, conflicts);
			else
				check_object(st, object, errors, conflicts);
		}
}

/* ------------------------------------------------------------------ links of the result */

static void put_links(struct stage *st, const struct object *lent)
{
	struct object *object = (struct object *)(uintptr_t)lent;	/* the model's or the batch's; this thread's to change */

	if (object && links_add(model_links(st->model), object))
		log_fatal("out of memory");
}

void rule_links_in(struct stage *st)
{
	for (size_t k = KIND_PARAMETERS + 1; k < KIND_COUNT; k++)
		for (size_t i = 0; i < st->mine[k].count; i++) {
			struct object *object = st->mine[k].v[i];
			const struct object *before = stage_before(st, object->kind, object->name);
			if (before)
				links_remove((struct object *)(uintptr_t)before);
			if (link_object(object))
				log_fatal("out of memory");
			put_links(st, object);
		}
}

void rule_links_back(struct stage *st, struct object *object, const struct object *before)
{
	links_remove(object);
	put_links(st, before);
}
