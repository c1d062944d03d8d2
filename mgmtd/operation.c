#include "mgmtd/stage_private.h"

#include "mgmtd/document.h"
#include "mgmtd/json_text.h"
#include "mgmtd/value.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"

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
	if (error == ENOTSUP)
		error = decode_whole(st, op, current, before, object, errors);
	if (error == ENOMEM || (!error && !object->document))
		log_fatal("out of memory");
	if (error) {
		keep_faulty(st, object);
		return;
	}
	object->id = current ? current->id : id_of_name(st, object);
	object->incarnation = current ? current->incarnation : 0;	/* 0: the revision that comes of this */
	stage_put_mine(st, object);
}

unsigned stage_operation(struct stage *st, const struct change *change, const struct operation *op, json_t *errors)
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
	if (op->verb != VERB_DELETE) {
		stage_put(st, op, current, errors);
		return 0;
	}
	struct object *tombstone = object_new(op->kind, op->name);
	if (!tombstone)
		log_fatal("out of memory");
	tombstone->deleted = true;
	tombstone->pointer = op->pointer;
	tombstone->id = current->id;
	stage_put_mine(st, tombstone);
	return 0;
}
