#include "mgmtd/stage_private.h"

#include "mgmtd/buffer.h"
#include "mgmtd/document.h"
#include "mgmtd/effects.h"
#include "mgmtd/json_text.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT_SHOWN 100	/* differences told of one; its revision has them all */

static bool etag_listed(const char *list, uint64_t revision, bool exists)
{
	char tag[32];

	snprintf(tag, sizeof tag, "\"r%" PRIu64 "\"", revision);
	while (*list) {
		size_t len;
		list += strspn(list, " \t,");
		len = strcspn(list, ",");
		while (len > 0 && (list[len - 1] == ' ' || list[len - 1] == '\t'))
			len--;
		if (exists && ((len == 1 && *list == '*') || (len == strlen(tag) && strncmp(list, tag, len) == 0)))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

bool outcome_precondition(struct stage *st, struct change *change)
{
	const struct operation *op = &change->operations[0];
	const struct object *object = change->collective ? NULL : stage_before(st, op->kind, op->name);
	bool collection = change->collective || op->verb == VERB_CREATE;	/* the target of the request, which is always there */
	bool exists = collection || object;
	uint64_t revision = collection ? st->revision : object ? object->revision : 0;

	if ((change->if_match && !etag_listed(change->if_match, revision, exists)) ||
	    (change->if_none_match && (object || change->whole))) {
		change->revision = revision;
		change->tagged = exists;
		change->status = 412;
		change->body = problem_document(412, NULL, change->request_id, NULL, exists ?
		                                "the current entity tag is \"r%" PRIu64 "\"" : "the object does not exist", revision);
		return false;
	}
	return true;
}

void outcome_refused(struct change *change, unsigned status, json_t *errors, json_t *conflicts)
{
	const struct operation *op = &change->operations[0];
	const char *noun = change->count > 0 && op->kind ? op->kind->noun : "object";
	bool faulty = json_array_size(errors) > 0;

	/* Of a body with faults those are told, not that its object exists already. */
	if (!faulty && status == 404) {
		change->body = problem_document(404, NULL, change->request_id, NULL, "there is no %s \"%s\"", noun, op->name);
	} else if (!faulty && status == 409) {
		change->body = problem_document(409, "exists", change->request_id, NULL, "there is a %s \"%s\" already", noun, op->name);
	} else {
		const json_t *first = json_array_get(conflicts, 0);
		const char *code = faulty ? NULL : json_string_value(json_object_get(first, "code"));
		bool alone = !faulty && json_array_size(conflicts) == 1;
		status = faulty ? 422 : 409;
		json_array_extend(errors, conflicts);
		size_t count = json_array_size(errors);
		change->body = alone ?
			problem_document(status, code, change->request_id, errors, "%s; nothing was changed",
			                 json_string_value(json_object_get(first, "detail"))) :
			problem_document(status, code, change->request_id, errors, "%zu violation%s; nothing was changed", count, count == 1 ? "" : "s");
	}
	change->status = status;
	log_debug("change: refused with %u for %s from %s, request %s", status, change->actor, change->address, change->request_id);
}

/* Of what it was and is, parsed only now where nobody needed that before. */
static json_t *difference_of(const struct object *object)
{
	json_t *was = object->was || !object->old ? json_incref(object->was) : json_loads(object->old->document, 0, NULL);
	json_t *now = object->canonical || object->deleted ? json_incref(object->canonical) : json_loads(object->document, 0, NULL);
	json_t *difference = json_pack("{s:s, s:s, s:s, s:o}", "kind", object->kind->path, "name", object->name, "op",
	                               object_operation(object), "fields", document_diff(object->kind, object->name, was, now));

	json_decref(was);
	json_decref(now);
	return difference;
}

json_t *outcome_differences(struct stage *st)
{
	size_t most = st->replacing ? REPLACEMENT_SHOWN : SIZE_MAX;
	json_t *diff = json_array();

	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < st->mine[k].count && json_array_size(diff) < most; i++)
			json_array_append_new(diff, difference_of(st->mine[k].v[i]));
	return diff;
}

/* How many objects a replacement makes, changes and deletes: its list of differences may end before that. */
static void tell_changes(struct stage *st, struct change *change)
{
	json_int_t create = 0, update = 0, delete = 0;

	for (size_t k = 0; k < KIND_COUNT && st->replacing; k++)
		for (size_t i = 0; i < st->mine[k].count; i++) {
			const struct object *object = st->mine[k].v[i];
			delete += object->deleted;
			create += !object->deleted && !object->old;
			update += !object->deleted && object->old;
		}
	if (st->replacing)
		json_object_set_new(change->body, "changes", json_pack("{s:I, s:I, s:I}", "create", create, "update", update, "delete", delete));
}

void outcome_resource(struct stage *st, struct change *change)
{
	const struct operation *op = &change->operations[0];
	const struct object *object = change->collective ? NULL : stage_now(st, op->kind, op->name);
	size_t len;

	if (!object || (op->verb == VERB_DELETE && op->kind->id != KIND_PARAMETERS))
		return;
	model_lock(st->model);	/* rendering fills a cache that readers use */
	change->resource = strdup(model_render(st->model, object, &len));
	model_unlock(st->model);
}

void outcome_unchanged(struct stage *st, struct change *change)
{
	const struct operation *op = &change->operations[0];
	const struct object *object = change->collective ? NULL : stage_before(st, op->kind, op->name);

	change->status = 200;
	change->revision = object ? object->revision : st->revision;
	change->tagged = true;
	change->body = json_pack("{s:I, s:b, s:I, s:[], s:o}", "revision", (json_int_t)st->revision, "changed", 0,
	                         "published_generation", (json_int_t)config_writer_generation(st->segment), "diff",
	                         "warnings", warning_list(st));
	outcome_resource(st, change);
	tell_changes(st, change);
	if (change->dry_run)
		json_object_set_new(change->body, "dry_run", json_true());
}

void outcome_taken(struct stage *st, struct change *change)
{
	change->tagged = true;
	change->body = json_pack("{s:I, s:b, s:I, s:o, s:o}", "revision", (json_int_t)change->revision, "changed", 1,
	                         "published_generation", (json_int_t)config_writer_generation(st->segment) + 1,	/* what it will be */
	                         "diff", outcome_differences(st), "warnings", warning_list(st));
	outcome_resource(st, change);
	tell_changes(st, change);
}

void outcome_dry_run(struct stage *st, struct change *change)
{
	change->status = 200;
	change->body = json_pack("{s:b, s:n, s:b, s:I, s:o, s:o, s:o}", "dry_run", 1, "revision", "changed", 1,
	                         "published_generation", (json_int_t)config_writer_generation(st->segment),
	                         "diff", outcome_differences(st), "effects", effects_reregister(st->model, st->segment, st->mine),
	                         "warnings", warning_list(st));
	outcome_resource(st, change);
	tell_changes(st, change);
}

char *outcome_text(const struct change *change, const char *applied)
{
	struct buffer out = { 0 };
	size_t len;
	json_object_set_new(change->body, "applied", applied ? json_string(applied) : json_null());
	char *text = json_dumps(change->body, JSON_TEXT);
	if (text) {
		/* The object's text is rendered already: it goes in as it is, as the last member. */
		buffer_append(&out, text, strlen(text) - 1);
		buffer_text(&out, ",\"resource\":");
		buffer_text(&out, change->resource ? change->resource : "null");
		buffer_text(&out, "}");
	}
	free(text);
	return buffer_take(&out, &len);
}
