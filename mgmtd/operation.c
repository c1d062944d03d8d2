#include "mgmtd/stage_private.h"

#include "mgmtd/document.h"
#include "mgmtd/json_text.h"
#include "mgmtd/value.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"
#include "mgmtd/replacement.h"
#include "mgmtd/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct object *stage_before(struct stage *st, const struct kind *kind, const char *name)
{
	const struct object *object = objects_find(&st->batch[kind->id], name);
	if (object)
		return object->deleted ? NULL : object;
	return model_find(st->model, kind->id, name);	/* only this thread changes the model */
}

const struct object *stage_now(struct stage *st, const struct kind *kind, const char *name)
{
	const struct object *object = objects_find(&st->mine[kind->id], name);
	if (object)
		return object->deleted ? NULL : object;
	return stage_before(st, kind, name);
}

const struct record *stage_record(struct stage *st, const struct object *object)
{
	if (!object || object->record)
		return object ? object->record : NULL;
	return config_writer_record(st->segment, object->kind->id, object->id);
}

static void stage_put_mine(struct stage *st, struct object *object)
{
	struct object *old;

	if (objects_put(&st->mine[object->kind->id], object, &old))
		log_fatal("out of memory");
	object_free(old);
}

/* "/changes/3/value" → "/changes/3/name"; a single operation's name stands at "/name". */
static void name_violation(const struct operation *op, const struct change *change, json_t *errors, const char *code, const char *what)
{
	size_t len = strlen(op->pointer) - (change->collective ? strlen("/value") : strlen(op->pointer));
	char prefix[64];

	snprintf(prefix, sizeof prefix, "%.*s", (int)len, op->pointer);
	json_t *violation = problem_violation(errors, prefix, "name", code, "%s", what);
	json_object_set_new(violation, "got", json_string(op->name));
}

static void stage_parameter(struct stage *st, const struct operation *op, json_t *errors)
{
	const struct field *field = schema_field(op->kind, op->name);
	bool reset = op->verb == VERB_DELETE || json_is_null(op->value);
	json_t *canonical = NULL, *document;

	if (!reset && value_check(field, op->value, op->pointer, NULL, errors, NULL, &canonical))
		return;
	struct object *object = object_new(op->kind, op->name);
	if (!object)
		log_fatal("out of memory");
	document = canonical ? json_pack("{s:o}", "value", canonical) : json_object();
	object->document = json_dumps(document, JSON_TEXT);
	object->canonical = document;
	object->pointer = op->pointer;
	stage_put_mine(st, object);
}

/* A name keeps its id also when it was deleted a moment ago, in this change or another of the batch. */
static uint32_t id_of_name(struct stage *st, const struct object *object)
{
	const struct kind *kind = object->kind;
	const struct object *mine = objects_find(&st->mine[kind->id], object->name);
	const struct object *other = objects_find(&st->batch[kind->id], object->name);
	const struct object *before = stage_before(st, kind, object->name);

	return mine ? mine->id : other ? other->id : before ? before->id : model_take_id(st->model, kind->id);
}

/* Keeps what passed of a refused object; the newest of a name. */
static void keep_faulty(struct stage *st, struct object *object)
{
	struct object *old = NULL;

	if (!object->name[0])
		old = object;
	else if (objects_put(&st->faulty[object->kind->id], object, &old))
		log_fatal("out of memory");
	object_free(old);
}

void stage_take_faulty(struct stage *st)
{
	for (size_t k = 0; k < KIND_COUNT; k++) {
		for (size_t i = 0; i < st->faulty[k].count; i++) {
			struct object *object = st->faulty[k].v[i];
			const struct object *mine = objects_find(&st->mine[k], object->name);
			object->id = mine ? mine->id : STAGE_NO_ID;
			stage_put_mine(st, object);
		}
		free(st->faulty[k].v);
		st->faulty[k] = (struct objects){ 0 };
	}
}

/* What the patch leaves alone is not even parsed: canonical and was then hold only what it names. */
static int decode_patch(struct stage *st, const struct operation *op, const struct object *current, struct object *object, json_t *errors)
{
	struct document_patch patch;
	int error = document_patch(op->kind, op->name, op->value, current->document, st->secrets, op->pointer, errors,
	                           object->record, &patch);

	if (error)
		return error;
	object->document = patch.text;
	object->canonical = patch.after;
	object->was = patch.before;
	return 0;
}

static int decode_whole(struct stage *st, const struct operation *op, const struct object *current, const struct object *before,
                        struct object *object, json_t *errors)
{
	json_t *old = current ? json_loads(current->document, 0, NULL) : NULL;
	int error = document_decode(op->kind, op->name, op->value, old, op->verb == VERB_PATCH, st->secrets, op->pointer,
	                            errors, object->record, &object->canonical);

	if (!error)
		object->document = json_dumps(object->canonical, JSON_TEXT);
	if (current == before)
		object->was = old;
	else
		json_decref(old);
	return error;
}

/* The secrets that the references of a document of the history stand for. */
static int restore_secrets(struct stage *st, const struct operation *op, struct object *object, json_t *errors)
{
	int worst = 0;

	for (size_t i = 0; i < op->kind->nfields; i++) {
		const struct field *field = &op->kind->fields[i];
		const char *reference = field->flags & SECRET ? document_secret(object->canonical, field) : NULL;
		int error = reference ? segment_open_secret(st->store, st->secrets, reference, (char *)object->record + field->offset,
		                                            field->size) : 0;
		if (error == ENOENT || error == EBADMSG) {
			problem_violation(errors, op->pointer, field->name, "unknown_reference", "the secret of then can no longer be read");
			error = EINVAL;
		} else if (error) {
			stage_doom(st, error);
		}
		worst = error ? error : worst;
	}
	return worst;
}

/* A document of the history, read as a body of today: fields that are younger take their defaults. */
static int decode_restored(struct stage *st, const struct operation *op, struct object *object, json_t *errors)
{
	json_t *body = document_present(op->kind, op->name, op->value);
	int error = document_decode(op->kind, op->name, body, op->value, false, st->secrets, op->pointer, errors, object->record,
	                            &object->canonical);

	json_decref(body);
	if (!error)
		error = restore_secrets(st, op, object, errors);
	if (!error)
		object->document = json_dumps(object->canonical, JSON_TEXT);
	return error;
}

/* Kept secrets are in the object's record as it is. */
static void fill_kept(struct object *object, uint64_t kept, const struct record *start)
{
	for (size_t i = 0; i < object->kind->nfields && start; i++) {
		const struct field *field = &object->kind->fields[i];
		if (kept & UINT64_C(1) << i)
			memcpy((char *)object->record + field->offset, (const char *)start + field->offset, field->size);
	}
}

static void put_decoded(struct stage *st, struct object *object, const struct object *current)
{
	object->id = current ? current->id : id_of_name(st, object);
	object->incarnation = current ? current->incarnation : 0;	/* 0: the revision that comes of this */
	stage_put_mine(st, object);
}

static void stage_put(struct stage *st, const struct operation *op, const struct object *current, json_t *errors)
{
	const struct object *before = stage_before(st, op->kind, op->name);
	struct object *object = object_new(op->kind, op->name);
	const struct record *start = stage_record(st, current);
	int error = ENOTSUP;

	if (!object || !(object->record = calloc(1, op->kind->record_size)))
		log_fatal("out of memory");
	object->pointer = op->pointer;
	if (start)
		memcpy(object->record, start, op->kind->record_size);
	if (op->verb == VERB_PATCH && current == before)
		error = decode_patch(st, op, current, object, errors);
	else if (op->verb == VERB_RESTORE)
		error = decode_restored(st, op, object, errors);
	if (error == ENOTSUP)
		error = decode_whole(st, op, current, before, object, errors);
	if (error == ENOMEM || (!error && !object->document))
		log_fatal("out of memory");
	if (error) {
		keep_faulty(st, object);
		return;
	}
	put_decoded(st, object, current);
}

/* Decoded before it came here: if the object is still as it was then, that stands. */
static void stage_replace(struct stage *st, const struct change *change, struct operation *op, const struct object *current, json_t *errors)
{
	struct object *object = op->ready;

	if (op->seen == (current ? current->revision : 0)) {
		op->ready = NULL;
		if (object) {
			fill_kept(object, op->kept, stage_record(st, current));
			put_decoded(st, object, current);
		}
		return;
	}
	op->value = replacement_value(change->whole, op, errors);
	stage_put(st, op, current, errors);
}

void stage_operation_broken(struct stage *st, struct operation *op)
{
	if (op->ready)
		keep_faulty(st, op->ready);
	op->ready = NULL;
}

static void stage_delete(struct stage *st, const struct object *current, const char *pointer)
{
	struct object *tombstone = object_new(current->kind, current->name);

	if (!tombstone)
		log_fatal("out of memory");
	tombstone->deleted = true;
	tombstone->pointer = pointer;
	tombstone->id = current->id;
	stage_put_mine(st, tombstone);
}

/* Both are sorted by name. */
static void delete_unnamed(struct stage *st, const struct change *change, const struct kind *kind)
{
	const struct operation *op = change->operations, *end = op + change->count;
	const struct object *object = NULL;

	while ((object = model_after(st->model, kind->id, object ? object->name : ""))) {
		while (op < end && (op->kind < kind || (op->kind == kind && strcmp(op->name, object->name) < 0)))
			op++;
		if ((op == end || op->kind != kind || strcmp(op->name, object->name) != 0) && stage_before(st, kind, object->name))
			stage_delete(st, object, "");
	}
	for (size_t i = 0; i < st->batch[kind->id].count; i++) {
		const struct object *added = st->batch[kind->id].v[i];
		if (!added->deleted && !model_find(st->model, kind->id, added->name) && !change_find(change, kind, added->name))
			stage_delete(st, added, "");
	}
}

void stage_delete_others(struct stage *st, const struct change *change)
{
	for (size_t k = KIND_PARAMETERS + 1; k < KIND_COUNT; k++)
		delete_unnamed(st, change, &schema_kinds[k]);
}

unsigned stage_operation(struct stage *st, const struct change *change, struct operation *op, json_t *errors)
{
	const struct object *current;

	if (op->kind->id == KIND_PARAMETERS) {
		if (!schema_field(op->kind, op->name))
			return 404;
		stage_parameter(st, op, errors);
		return 0;
	}
	current = op->name[0] ? stage_now(st, op->kind, op->name) : NULL;
	if (!op->name[0] && (op->verb == VERB_PATCH || op->verb == VERB_DELETE))
		return 0;
	if (!current && (op->verb == VERB_PATCH || op->verb == VERB_DELETE)) {
		if (!change->collective)
			return 404;
		name_violation(op, change, errors, "unknown_reference", "there is no object of this kind and name");
		return 0;
	}
	if (current && op->verb == VERB_CREATE)
		return 409;
	if (op->decoded) {
		stage_replace(st, change, op, current, errors);
		return 0;
	}
	if (op->verb != VERB_DELETE) {
		stage_put(st, op, current, errors);
		return 0;
	}
	stage_delete(st, current, op->pointer);
	return 0;
}
