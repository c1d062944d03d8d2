#include "mgmtd/stage_private.h"

#include "mgmtd/buffer.h"
#include "mgmtd/document.h"
#include "mgmtd/effects.h"
#include "mgmtd/idempotency.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"
#include "mgmtd/reversal.h"
#include "mgmtd/revision.h"
#include "mgmtd/segment.h"
#include "mgmtd/store_span.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the change at hand */

/* Nobody but the change at hand knows the object: its id was taken for it. */
static bool id_is_new(struct stage *st, const struct object *object)
{
	enum kind_id kind = object->kind->id;

	return kind != KIND_PARAMETERS && !objects_find(&st->batch[kind], object->name) && !model_find(st->model, kind, object->name);
}

static void drop_mine(struct stage *st)
{
	for (size_t k = 0; k < KIND_COUNT; k++) {
		for (size_t i = 0; i < st->mine[k].count; i++) {
			struct object *object = st->mine[k].v[i];
			rule_links_back(st, object, stage_before(st, object->kind, object->name));
			if (object->id != STAGE_NO_ID && id_is_new(st, object))
				model_return_id(st->model, (enum kind_id)k, object->id);
		}
		objects_free(&st->mine[k]);
		objects_free(&st->faulty[k]);
	}
}

/* Leaves in `mine` only what differs from before; returns how many do. */
static size_t drop_unchanged(struct stage *st)
{
	size_t left = 0;

	for (size_t k = 0; k < KIND_COUNT; k++) {
		struct objects *o = &st->mine[k];
		size_t kept = 0;
		for (size_t i = 0; i < o->count; i++) {
			struct object *object = o->v[i];
			const struct object *old = stage_before(st, object->kind, object->name);
			bool same = object->deleted ? !old : old && strcmp(old->document, object->document) == 0;
			object->old = old;
			if (object->deleted && id_is_new(st, object))	/* created and deleted again in one change-set */
				model_return_id(st->model, (enum kind_id)k, object->id);
			/* deleted and put again unchanged is a new incarnation */
			if (same && (object->deleted || k == KIND_PARAMETERS || object->incarnation == old->incarnation)) {
				rule_links_back(st, object, old);
				object_free(object);
				continue;
			}
			o->v[kept++] = object;
		}
		o->count = kept;
		left += kept;
	}
	return left;
}

/* ------------------------------------------------------------------ into database and segment */

static int write_object(struct stage *st, struct object *object)
{
	int error;

	if ((error = store_index_change(st->store, st->revision, object)))
		return error;
	if (object->deleted) {
		if ((error = store_delete_object(st->store, object->kind, object->name)))
			return error;
		return config_delete(st->segment, object->kind->id, object->id);
	}
	if ((error = store_put_object(st->store, object)))
		return error;
	if (object->kind->id == KIND_PARAMETERS) {
		segment_set_parameter(&st->parameters, object);
		return config_set_parameters(st->segment, &st->parameters);
	}
	if ((error = segment_keep_secrets(st->store, st->secrets, object)))
		return error;
	return segment_put(st->segment, st->secrets, object, object->record);
}

static int write_revision(struct stage *st, struct change *change, const char *at)
{
	size_t len;
	int error = 0;
	char *record = revision_text(change, st->mine, st->revision, at, true, &len);
	unsigned char prev[STORE_HASH];
	bool touched[KIND_COUNT];

	memcpy(prev, st->hash, sizeof prev);
	for (size_t k = 0; k < KIND_COUNT && !error; k++) {
		touched[k] = st->mine[k].count > 0;
		for (size_t i = 0; i < st->mine[k].count && !error; i++)
			error = write_object(st, st->mine[k].v[i]);
	}
	if (!error)
		error = store_append_revision(st->store, st->revision, record, len, prev, st->hash);
	if (!error)
		error = store_put_spans(st->store, st->revision, change->actor, touched);
	if (!error)
		error = reversal_arm(st, change);
	free(record);
	return error;
}

static void announce(struct stage *st, char *item)
{
	if (st->announced == st->announcement_room) {
		size_t room = st->announcement_room ? 2 * st->announcement_room : 16;
		struct announcement *larger = reallocarray(st->announcements, room, sizeof *larger);
		if (!larger)
			log_fatal("out of memory");
		st->announcements = larger;
		st->announcement_room = room;
	}
	st->announcements[st->announced++] = (struct announcement){ st->revision, item };
}

static void keep_mine(struct stage *st)
{
	for (size_t k = 0; k < KIND_COUNT; k++) {
		for (size_t i = 0; i < st->mine[k].count; i++) {
			struct object *old;
			if (objects_put(&st->batch[k], st->mine[k].v[i], &old))
				log_fatal("out of memory");
			object_free(old);
		}
		free(st->mine[k].v);
		st->mine[k] = (struct objects){ 0 };
	}
}

/* Gives the change its revision and writes it. */
static void take(struct stage *st, struct change *change)
{
	char at[TIME_TEXT];
	size_t len;
	const struct operation *op = &change->operations[0];

	time_text(at, time_now_us());
	st->revision++;
	for (size_t k = 0; k < KIND_COUNT; k++) {
		for (size_t i = 0; i < st->mine[k].count; i++) {
			struct object *object = st->mine[k].v[i];
			object->revision = st->revision;
			object->incarnation = object->incarnation ? object->incarnation : st->revision;
			memcpy(object->changed_at, at, sizeof at);
			if (!(object->changed_by = strdup(change->actor)))
				log_fatal("out of memory");
		}
	}
	change->taken = true;
	change->status = 200;
	change->created = !change->collective && op->kind->id != KIND_PARAMETERS && op->verb != VERB_DELETE &&
	                  !stage_before(st, op->kind, op->name);
	change->revision = st->revision;
	outcome_taken(st, change);
	announce(st, revision_text(change, st->mine, st->revision, at, false, &len));
	int error = write_revision(st, change, at);
	if (error)
		stage_doom(st, error);
	keep_mine(st);
}

static int begin_segment(struct stage *st)
{
	int error;

	if (!st->segment_open) {
		if ((error = config_begin(st->segment)))
			stage_doom(st, error);
		st->segment_open = error == 0;
	}
	return st->doom;
}

/* Every operation, then the rules between objects on what they make together.  Returns 404, 409 or 0. */
static unsigned judge(struct stage *st, struct change *change, json_t *errors, json_t *conflicts)
{
	unsigned status = 0;

	for (size_t i = 0; i < change->count && !status; i++)
		if (change->operations[i].broken)
			stage_operation_broken(st, &change->operations[i]);
		else if (json_array_size(errors) <= PROBLEM_VIOLATIONS)
			status = stage_operation(st, change, &change->operations[i], errors);
	st->replacing = change->whole ? change : NULL;
	if (st->replacing)
		stage_delete_others(st, change);
	if (!status) {
		stage_take_faulty(st);
		rule_links_in(st);
		rule_check(st, errors, conflicts);
	}
	return status;
}

/* True: it is settled, one way or the other; false: judge it again, some of it was left out. */
static bool add(struct stage *st, struct change *change)
{
	json_t *errors = change->violations ? json_incref(change->violations) : json_array(), *conflicts = json_array();
	unsigned status = judge(st, change, errors, conflicts);
	bool broken = status || json_array_size(errors) > 0 || json_array_size(conflicts) > 0;
	bool again = broken && (reversal_leave_out(change, errors) | reversal_leave_out(change, conflicts));

	if (broken && !again)
		outcome_refused(change, status, errors, conflicts);
	else if (!broken && drop_unchanged(st) == 0)
		outcome_unchanged(st, change);
	else if (!broken && change->dry_run)
		outcome_dry_run(st, change);
	else if (!broken && stage_begin(st) == 0 && begin_segment(st) == 0)
		take(st, change);
	drop_mine(st);
	json_decref(errors);
	json_decref(conflicts);
	return !again;
}

void stage_add(struct stage *st, struct change *change)
{
	change->taken = false;
	if (st->doom || idempotency_answered(st, change) || !outcome_precondition(st, change) || !reversal_prepare(st, change))
		return;
	while (!add(st, change))
		;
	reversal_settle(st, change);
	if (change->status < 300 && !st->doom)
		idempotency_keep(st, change);
}

/* ------------------------------------------------------------------ the batch */

int stage_begin(struct stage *st)
{
	int error;

	if (!st->open && !st->doom) {
		if ((error = store_begin(st->store)))
			stage_doom(st, error);
		st->open = true;
	}
	return st->doom;
}

void stage_doom(struct stage *st, int error)
{
	if (!st->doom) {
		st->doom = error;
		log_warnx("change: not stored: %s (%s)", strerror(error), store_fault(st->store));
	}
}

static void reset(struct stage *st)
{
	for (size_t k = 0; k < KIND_COUNT; k++)
		objects_free(&st->batch[k]);
	for (size_t i = 0; i < st->announced; i++)
		free(st->announcements[i].item);
	st->announced = 0;
	st->open = false;
	st->segment_open = false;
	st->doom = 0;
	st->revision = model_revision(st->model);
	memcpy(st->hash, st->committed_hash, sizeof st->hash);
	if (config_writer_parameters(st->segment))
		st->parameters = *config_writer_parameters(st->segment);
}

/* A batch that fails gives back the ids it took, and the links that it swapped. */
static void give_back(struct stage *st)
{
	for (size_t k = KIND_PARAMETERS + 1; k < KIND_COUNT; k++)
		for (size_t i = 0; i < st->batch[k].count; i++) {
			struct object *object = st->batch[k].v[i];
			const struct object *old = model_find(st->model, (enum kind_id)k, object->name);
			rule_links_back(st, object, old);
			if (!old)
				model_return_id(st->model, (enum kind_id)k, object->id);
		}
}

/* Records hold secrets and have reached the segment: the model does not keep them, nor what was parsed. */
static void forget_records(struct stage *st)
{
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < st->batch[k].count; i++) {
			struct object *object = st->batch[k].v[i];
			if (object->record)
				explicit_bzero(object->record, object->kind->record_size);
			free(object->record);
			json_decref(object->canonical);
			json_decref(object->was);
			object->record = NULL;
			object->canonical = object->was = NULL;
		}
}

int stage_commit(struct stage *st)
{
	uint64_t generation;
	int error = st->doom;

	if (!st->open)
		return 0;
	if (!error && (error = store_commit(st->store)))
		stage_doom(st, error);
	if (error) {
		store_rollback(st->store);
		if (st->segment_open)
			config_abandon(st->segment);
		give_back(st);
		reset(st);
		return error;
	}
	/* From here on the change stands: what fails now is mended by a restart, which republishes from the database. */
	if (st->segment_open) {
		forget_records(st);
		memcpy(st->committed_hash, st->hash, sizeof st->hash);
		if (model_apply(st->model, st->batch, st->revision))
			log_fatal("out of memory");
		if ((error = config_publish(st->segment, st->revision, &generation)))
			log_fatal("revision %" PRIu64 " is stored but cannot be published: %s", st->revision, strerror(error));
		if (st->hooks->published)
			st->hooks->published(st->hooks->arg, generation, st->revision);
		for (size_t i = 0; i < st->announced && st->hooks->committed; i++)
			st->hooks->committed(st->hooks->arg, st->announcements[i].revision, st->announcements[i].item);
	}
	reset(st);
	return 0;
}

void stage_answer(struct stage *st, struct change *change, int error)
{
	if (error) {
		json_decref(change->body);
		free(change->answer);
		change->answer = NULL;
		change->repeated = false;
		change->status = 503;
		change->tagged = false;
		change->created = false;
		change->body = problem_document(503, "store_unavailable", change->request_id, NULL,
		                                "the change was not stored: %s; nothing was changed", store_explain(error));
		return;
	}
	if (change->taken)
		change->status = change->created ? 201 : 200;
	if (change->status < 300 && !change->dry_run && !change->repeated) {	/* also of one that changes nothing: it may be asked to wait for it */
		change->generation = config_writer_generation(st->segment);
		json_object_set_new(change->body, "published_generation", json_integer((json_int_t)change->generation));
	}
}

int stage_new(struct stage **out, struct model *model, struct store *store, struct config_writer *segment,
              const struct secrets *secrets, const struct writer_hooks *hooks, const unsigned char head[STORE_HASH])
{
	struct stage *st = calloc(1, sizeof *st);

	if (!st)
		return ENOMEM;
	*st = (struct stage){ .model = model, .store = store, .segment = segment, .secrets = secrets, .hooks = hooks };
	memcpy(st->committed_hash, head, STORE_HASH);
	reset(st);
	*out = st;
	return 0;
}

void stage_free(struct stage *st)
{
	if (!st)
		return;
	reset(st);
	free(st->announcements);
	free(st);
}
