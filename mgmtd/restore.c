#include "mgmtd/restore.h"

#include "mgmtd/answer.h"
#include "mgmtd/history.h"
#include "mgmtd/past.h"
#include "mgmtd/problem.h"
#include "mgmtd/reversal.h"
#include "mgmtd/store_history.h"
#include "mgmtd/worker.h"
#include "mgmtd/write.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ restore */

struct restore {
	struct job job;
	struct request *request;
	uint64_t number;
	const struct kind *kind;	/* of the one object asked for; NULL = everything */
	char name[SCHEMA_NAME_MAX + 1];
	bool existed;			/* it did, then */
	struct change *change;
};

static void restore_free(void *work)
{
	struct restore *x = work;
	change_free(x->change);
	free(x);
}

/* The plan for everything: what changed since goes back to what it was. */
static int plan_all(struct restore *x)
{
	struct store *store = x->request->daemon->store;
	unsigned char hash[STORE_HASH];
	struct past past;
	int error = store_newest(store, &x->change->planned, hash);
	if (!error && (x->number == 0 || x->number > x->change->planned))
		error = ENOENT;
	if (error || (error = past_read(&past, store, x->number, x->change->planned)))
		return error;
	x->change->restores = x->number;
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < past.before[k].count && !error; i++) {
			const struct object *object = past.before[k].v[i];
			const char *text = object->deleted ? "null" : object->document;
			error = reversal_append(x->change, object->kind, object->name, &(struct member){ text, strlen(text) });
		}
	past_free(&past);
	return error;
}

static int plan_one(struct restore *x)
{
	char *document = NULL;
	int error = past_object(&document, x->request->daemon->store, x->kind, x->name, x->number);
	x->existed = document || x->kind->id == KIND_PARAMETERS;
	if (!error && x->existed) {
		const char *text = document ? document : "null";
		error = reversal_append(x->change, x->kind, x->name, &(struct member){ text, strlen(text) });
	}
	free(document);
	return error;
}

static void plan(struct job *job, bool cancelled)
{
	struct restore *x = (struct restore *)((char *)job - offsetof(struct restore, job));
	x->request->error = cancelled ? ECANCELED : x->kind ? plan_one(x) : plan_all(x);
	request_wake(x->request);
}

static void planned(struct request *r)
{
	struct restore *x = r->work;
	if (r->error == ENOENT) {
		history_missing(r, x->number);
		return;
	}
	if (r->error) {
		history_trouble(r);
		return;
	}
	if (x->kind && !x->existed) {
		json_t *errors = json_array();
		json_t *v = problem_violation(errors, "", "name", "unknown_reference", "there was no %s \"%s\" then", x->kind->noun, x->name);
		json_object_set_new(v, "got", json_string(x->name));
		answer_problem(r, 422, NULL, errors, "revision %" PRIu64 " has no %s \"%s\"", x->number, x->kind->noun, x->name);
		return;
	}
	struct change *change = x->change;
	char comment[SCHEMA_NAME_MAX + 80];
	if (x->kind)
		snprintf(comment, sizeof comment, "restores %s/%s of revision %" PRIu64, x->kind->path, x->name, x->number);
	else
		snprintf(comment, sizeof comment, "restores revision %" PRIu64, x->number);
	if (!request_query_given(r, Q_COMMENT) && !(change->comment = strdup(comment)))
		return;
	x->change = NULL;
	restore_free(x);
	r->work = NULL;
	write_change(r, change);
}

static void take_kind(struct restore *x, const json_t *kind, json_t *errors)
{
	if (json_is_string(kind) && (x->kind = schema_kind_by_path(json_string_value(kind))))
		return;
	json_t *v = problem_violation(errors, "", "kind", !kind ? "required" : json_is_string(kind) ? "not_an_option" : "wrong_type",
	                              "must be the kind of the object");
	json_t *options = json_array();
	for (size_t k = 0; k < KIND_COUNT; k++)
		json_array_append_new(options, json_string(schema_kinds[k].path));
	json_object_set_new(v, "options", options);
	if (kind)
		json_object_set(v, "got", (json_t *)(uintptr_t)kind);
}

static void take_name(struct restore *x, const json_t *name, json_t *errors)
{
	const char *text = json_string_value(name), *fault = NULL;
	if (!text)
		problem_violation(errors, "", "name", name ? "wrong_type" : "required", "must be the name of the object, a text");
	else if ((fault = schema_name_fault(text, json_string_length(name))))
		problem_violation(errors, "", "name", "bad_format", "%s", fault);
	else if (x->kind && x->kind->id == KIND_PARAMETERS && !schema_field(x->kind, text))
		problem_violation(errors, "", "name", "unknown_reference", "no SIP parameter is called so");
	else
		snprintf(x->name, sizeof x->name, "%s", text);
}

/* {} = everything; {kind, name} = one object. */
static void take_body(struct restore *x, json_t *body, json_t *errors)
{
	const char *key;
	json_t *value;
	if (!json_is_object(body)) {
		problem_violation(errors, "", NULL, "wrong_type", "must be an object: {} or {kind, name}");
		return;
	}
	json_object_foreach(body, key, value)
		if (strcmp(key, "kind") != 0 && strcmp(key, "name") != 0)
			problem_violation(errors, "", key, "unknown_field", "a restore has kind and name, or neither");
	if (json_object_get(body, "kind") || json_object_get(body, "name")) {
		take_kind(x, json_object_get(body, "kind"), errors);
		take_name(x, json_object_get(body, "name"), errors);
	}
}

/* False: answered. */
static bool read_body(struct request *r, struct restore *x)
{
	if (r->body.len == 0)
		return true;
	json_t *body = request_json(r), *errors = json_array();
	if (body)
		take_body(x, body, errors);
	json_decref(body);
	if (body && json_array_size(errors) == 0) {
		json_decref(errors);
		return true;
	}
	if (body)
		answer_problem(r, 422, NULL, errors, "what is to be restored is not said as it must be");
	else
		json_decref(errors);
	return false;
}

void restore_start(struct request *r)
{
	uint64_t number;
	if (history_number(r, &number) != 0 || write_refused(r))
		return;
	struct restore *x = calloc(1, sizeof *x);
	if (!x)
		return;
	r->work = x;
	r->work_free = restore_free;
	x->request = r;
	x->number = number;
	x->job.run = plan;
	if (!(x->change = reversal_new()) || !read_body(r, x))
		return;
	request_hand_over(r, r->daemon->reader, &x->job, planned);
}

/* ------------------------------------------------------------------ confirm */

struct confirm {
	struct request *request;
	uint64_t number;
	enum confirmation_state state;	/* before */
};

static int confirm_in_database(struct store *store, void *arg)
{
	struct confirm *x = arg;
	int error = store_confirmation_state(store, x->number, &x->state);
	if (!error && x->state == CONFIRMATION_PENDING)
		error = store_confirmation_settle(store, x->number, CONFIRMATION_CONFIRMED, x->request->identity.username, 0, NULL);
	return error;
}

static void confirm_done(int error, void *arg)
{
	struct confirm *x = arg;
	x->request->error = error;
	request_wake(x->request);
}

static void answer_confirmed(struct request *r)
{
	struct confirm *x = r->work;
	if (r->error == ECANCELED || r->error == ENOMEM)
		history_trouble(r);
	else if (r->error)
		answer_problem(r, 503, "store_unavailable", NULL, "the confirmation was not stored: %s", store_explain(r->error));
	else if (x->state == CONFIRMATION_ROLLED_BACK || x->state == CONFIRMATION_FAILED)
		answer_problem(r, 409, "too_late", NULL, "revision %" PRIu64 " was not confirmed in time; GET /api/v1/revisions/%" PRIu64
		               " tells what became of it", x->number, x->number);
	else if (x->state == CONFIRMATION_NONE)
		answer_problem(r, 409, "not_pending", NULL, "revision %" PRIu64 " waits for no confirmation", x->number);
	else
		answer_value(r, 200, json_pack("{s:I, s:s}", "revision", (json_int_t)x->number, "state", "confirmed"));
}

void restore_confirm(struct request *r)
{
	uint64_t number;
	if (history_number(r, &number) != 0)
		return;
	uint64_t newest = model_newest(r->daemon->model);
	if (number == 0 || number > newest) {
		history_missing(r, number);
		return;
	}
	struct confirm *x = calloc(1, sizeof *x);
	if (!x)
		return;
	*x = (struct confirm){ .request = r, .number = number };
	r->work = x;
	r->work_free = free;
	request_wait(r, answer_confirmed);
	int e = writer_run(r->daemon->writer, confirm_in_database, confirm_done, x);
	if (e) {
		r->error = e;
		request_wake(r);
	}
}
