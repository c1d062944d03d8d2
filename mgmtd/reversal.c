#include "mgmtd/reversal.h"

#include "mgmtd/buffer.h"
#include "mgmtd/log.h"
#include "mgmtd/revision.h"
#include "mgmtd/stage_private.h"
#include "mgmtd/store_history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMED_MAX 8	/* objects that a comment names; eight names of the longest fit */

/* ------------------------------------------------------------------ operations */

struct change *reversal_new(void)
{
	struct change *change = change_new(1);

	if (change) {
		change->count = 0;
		change->collective = true;
	}
	return change;
}

/* Room for one more; grows by doubling, and begins with one. */
static struct operation *one_more(struct change *change)
{
	bool full = change->count && (change->count & (change->count - 1)) == 0;
	struct operation *larger = change->operations;

	if (full && !(larger = reallocarray(change->operations, 2 * change->count, sizeof *larger)))
		return NULL;
	change->operations = larger;
	struct operation *op = &larger[change->count++];
	*op = (struct operation){ .verb = VERB_DELETE };
	return op;
}

int reversal_append(struct change *change, const struct kind *kind, const char *name, const struct member *document)
{
	bool parameter = kind->id == KIND_PARAMETERS, absent = revision_absent(document);
	struct operation *op = one_more(change);
	json_t *value = NULL;

	if (!op)
		return ENOMEM;
	op->kind = kind;
	snprintf(op->name, sizeof op->name, "%s", name);
	/* As in a change-set: what is wrong with a delete is told at the place that holds "value". */
	if (asprintf(&op->pointer, "/%s/%s%s", kind->path, name, absent && !parameter ? "/value" : "") < 0) {
		op->pointer = NULL;
		return ENOMEM;
	}
	if (!absent && !(value = json_loadb(document->value, document->len, 0, NULL)))
		return EPROTO;
	/* of a parameter that this version does not know nothing is kept, so nothing can be brought back */
	op->broken = parameter && !schema_field(kind, name);
	op->verb = parameter ? VERB_PUT : absent ? VERB_DELETE : VERB_RESTORE;
	if (parameter) {
		json_t *set = json_object_get(value, "value");
		op->value = set ? json_incref(set) : json_null();
		json_decref(value);
	} else {
		op->value = value;
	}
	return 0;
}

static bool is_about(const struct operation *op, const struct kind *kind, const char *name)
{
	return op->kind == kind && strcmp(op->name, name) == 0;
}

static bool has_operation(const struct change *change, const struct kind *kind, const char *name)
{
	for (size_t i = 0; i < change->count; i++)
		if (is_about(&change->operations[i], kind, name))
			return true;
	return false;
}

/* What is gone already needs no deleting. */
static void skip_missing(struct stage *st, struct change *change)
{
	for (size_t i = 0; i < change->count; i++) {
		struct operation *op = &change->operations[i];
		if (op->verb == VERB_DELETE && !stage_before(st, op->kind, op->name))
			op->broken = true;
	}
}

/* ------------------------------------------------------------------ restore */

static int extend_change(void *arg, const struct revision_change *c)
{
	struct change *change = arg;

	return !c->kind || has_operation(change, c->kind, c->name) ? 0 : reversal_append(change, c->kind, c->name, &c->before);
}

static int extend(void *arg, uint64_t revision, const char *record)
{
	(void)revision;
	return revision_each_change(record, extend_change, arg);
}

/* ------------------------------------------------------------------ undo */

struct undo {
	struct stage *st;
	struct change *change;
	struct buffer kept;		/* names of what was changed since */
	unsigned kept_count;
};

static void keep(struct undo *undo, const char *kind, const char *name)
{
	if (undo->kept_count++ < NAMED_MAX)
		buffer_format(&undo->kept, "%s%s/%s", undo->kept.len ? ", " : "", kind, name);
}

/* Nothing has changed the object since the revision. */
static int is_untouched(bool *untouched, const struct undo *undo, const struct revision_change *c)
{
	const struct object *now = stage_before(undo->st, c->kind, c->name);
	uint64_t newest = INT64_MAX;
	int error = now ? 0 : store_newest_staged_change(undo->st->store, c->kind, c->name, &newest);

	*untouched = (now ? now->revision : newest) == undo->change->undoes;
	return error;
}

static int undo_change(void *arg, const struct revision_change *c)
{
	struct undo *undo = arg;
	bool untouched;
	int error = c->kind ? is_untouched(&untouched, undo, c) : 0;

	if (error || !c->kind)
		return error;
	if (untouched)
		return reversal_append(undo->change, c->kind, c->name, &c->before);
	keep(undo, c->kind->path, c->name);
	return 0;
}

static int undo_record(void *arg, uint64_t revision, const char *record)
{
	(void)revision;
	return revision_each_change(record, undo_change, arg);
}

static void comment_on(struct undo *undo)
{
	struct change *change = undo->change;
	struct buffer b = { 0 };
	size_t len;

	buffer_format(&b, "not confirmed within %u s: undoes revision %" PRIu64, change->confirm_within, change->undoes);
	if (undo->kept_count)
		buffer_format(&b, "; changed since and kept: %s", undo->kept.text);
	if (undo->kept_count > NAMED_MAX)
		buffer_format(&b, " and %u more", undo->kept_count - NAMED_MAX);
	free(change->comment);
	if (!(change->comment = buffer_take(&b, &len)))
		log_fatal("out of memory");
}

static int prepare_undo(struct stage *st, struct change *change)
{
	struct undo undo = { .st = st, .change = change };
	int error = store_each_staged_record(st->store, change->undoes - 1, change->undoes, undo_record, &undo);

	if (!error)
		comment_on(&undo);
	buffer_free(&undo.kept);
	return error;
}

/* False: it was confirmed, or taken back, meanwhile. */
static bool is_pending(struct stage *st, const struct change *change, int *error)
{
	enum confirmation_state state;

	return !(*error = store_confirmation_state(st->store, change->undoes, &state)) && state == CONFIRMATION_PENDING;
}

bool reversal_prepare(struct stage *st, struct change *change)
{
	int error = 0;

	if (!change->undoes && !change->restores)
		return true;
	if (change->undoes) {
		if (is_pending(st, change, &error))
			error = prepare_undo(st, change);
		else if (!error)
			return false;
	} else if (change->planned < st->revision) {
		error = store_each_staged_record(st->store, change->planned, st->revision, extend, change);
	}
	if (error)
		stage_doom(st, error);
	skip_missing(st, change);
	return !error;
}

/* The operation at whose object the violation's pointer points. */
static struct operation *culprit(struct change *change, const char *pointer)
{
	char object[2 * SCHEMA_NAME_MAX + 3];

	for (size_t i = 0; i < change->count; i++) {
		struct operation *op = &change->operations[i];
		size_t len = (size_t)snprintf(object, sizeof object, "/%s/%s", op->kind->path, op->name);
		if (!op->broken && strncmp(object, pointer, len) == 0 && (pointer[len] == '\0' || pointer[len] == '/'))
			return op;
	}
	return NULL;
}

bool reversal_leave_out(struct change *change, const json_t *violations)
{
	struct buffer b = { 0 };
	json_t *violation;
	bool found = false;
	size_t i, len;

	if (!change->undoes)
		return false;
	json_array_foreach(violations, i, violation) {
		struct operation *op = culprit(change, json_string_value(json_object_get(violation, "pointer")));
		if (!op)
			continue;
		op->broken = found = true;
		buffer_format(&b, "%s%s%s/%s cannot go back: %s", change->obstacle ? change->obstacle : "", change->obstacle || b.len ? "; " : "",
		              op->kind->path, op->name, json_string_value(json_object_get(violation, "detail")));
		free(change->obstacle);
		change->obstacle = NULL;
	}
	if (found)
		change->obstacle = buffer_take(&b, &len);
	buffer_free(&b);
	return found;
}

void reversal_settle(struct stage *st, struct change *change)
{
	bool refused = change->status >= 300 || (!change->taken && change->obstacle);
	const char *detail = change->obstacle ? change->obstacle : refused ? "it breaks rules" : NULL;

	if (!change->undoes || stage_begin(st) != 0)
		return;
	int error = store_confirmation_settle(st->store, change->undoes, refused ? CONFIRMATION_FAILED : CONFIRMATION_ROLLED_BACK, NULL,
	                                      change->taken ? change->revision : 0, detail);
	if (error)
		stage_doom(st, error);
	log_warnx("revision %" PRIu64 ": not confirmed within %u s: %s%s%s", change->undoes, change->confirm_within,
	          refused ? "cannot be rolled back" : change->taken ? "rolled back" : "nothing is left to roll back",
	          detail ? ": " : "", detail ? detail : "");
}

int reversal_arm(struct stage *st, struct change *change)
{
	uint64_t deadline_us = time_now_us() + change->confirm_within * UINT64_C(1000000);
	struct confirmation confirmation = { st->revision, deadline_us, change->confirm_within };
	char deadline[TIME_TEXT];

	if (!change->confirm_within || change->undoes)
		return 0;
	time_text(deadline, deadline_us);
	json_object_set_new(change->body, "confirm_by", json_string(deadline));
	return store_confirmation_arm(st->store, &confirmation);
}

/* ------------------------------------------------------------------ whose change it was */

static char *member_of(const json_t *record, const char *name)
{
	const char *text = json_string_value(json_object_get(record, name));

	return strdup(text ? text : "");
}

static int take_origin(void *arg, uint64_t revision, const char *text)
{
	struct change *change = arg;
	json_t *record = json_loads(text, 0, NULL);
	(void)revision;

	change->actor = member_of(record, "actor");
	change->address = member_of(record, "address");
	change->request_id = member_of(record, "request_id");
	json_decref(record);
	return change->actor && change->address && change->request_id ? 0 : ENOMEM;
}

struct change *reversal_of(struct store *store, const struct confirmation *confirmation)
{
	struct change *change = reversal_new();

	if (!change)
		return NULL;
	change->undoes = confirmation->revision;
	change->confirm_within = confirmation->within_s;
	if (store_each_staged_record(store, change->undoes - 1, change->undoes, take_origin, change) != 0 || !change->actor) {
		change_free(change);
		return NULL;
	}
	return change;
}
