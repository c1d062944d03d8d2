#include "mgmtd/write.h"

#include "mgmtd/answer.h"
#include "mgmtd/change.h"
#include "mgmtd/idempotency.h"
#include "mgmtd/watch.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct write {
	struct change *change;
	struct waiter waiter;
};

static void write_free(void *work)
{
	struct write *write = work;
	change_free(write->change);
	free(write);
}

/* ------------------------------------------------------------------ the answer */

static void answer_failed(struct request *r, struct change *change)
{
	json_t *body = change->body;
	change->body = NULL;
	answer_problem_document(r, change->status, body);
	if (change->tagged)
		answer_etag(r, change->revision);
}

static void answer_done(struct request *r)
{
	struct write *write = r->work;
	struct change *change = write->change;
	struct buffer out = { 0 };
	const char *applied = change->dry_run ? NULL : applied_words[core_applied(watch_core(r->daemon->watch), change->generation)];
	char *text = change->repeated ? change->answer : outcome_text(change, applied);
	if (text && change->answer && !change->repeated && strcmp(applied, change->applied) != 0)
		idempotency_amend(r->daemon->writer, change, text);
	if (text)
		buffer_text(&out, text);
	if (text != change->answer)
		free(text);
	answer_buffer(r, change->status, "application/json", &out);
	if (change->tagged && !change->dry_run)
		answer_etag(r, change->revision);
	if (change->created && !change->dry_run) {
		char location[128];
		snprintf(location, sizeof location, "/api/v1/%s/%s", change->operations[0].kind->path, change->operations[0].name);
		answer_header(r, "Location", location);
	}
}

static void switch_acted(struct waiter *waiter)
{
	request_wake(waiter->arg);
}

static void answer_written(struct request *r)
{
	struct write *write = r->work;
	struct change *change = write->change;
	if (r->error) {
		answer_problem(r, 503, NULL, NULL,
		               r->error == EAGAIN ? "too many changes wait already; try again" : "mgmtd is stopping");
		return;
	}
	if (change->status >= 300) {
		answer_failed(r, change);
		return;
	}
	if (!request_query_given(r, Q_WAIT_APPLIED) || change->dry_run || !change->generation) {
		answer_done(r);
		return;
	}
	request_wait(r, answer_done);
	write->waiter = (struct waiter){ .done = switch_acted, .arg = r };
	waiter_applied(watch_waiters(r->daemon->watch), &write->waiter, change->generation,
	               request_query_number(r, Q_TIMEOUT) * 1000);
}

/* ------------------------------------------------------------------ the request */

static void change_done(struct change *change)
{
	request_wake(change->arg);
}

static char *copy(const char *text, bool *failed)
{
	char *new = text ? strdup(text) : NULL;
	*failed |= text && !new;
	return new;
}

/* False: answered. */
static bool take_comment(struct request *r, struct change *change)
{
	const char *comment = request_query_text(r, Q_COMMENT);
	bool failed = false;
	if (!comment)
		return true;
	if (change->comment) {
		answer_problem(r, 422, NULL, NULL, "the comment is given twice: in the body and in the query");
		return false;
	}
	change->comment = copy(comment, &failed);
	return !failed;
}

static bool refuse_unconditional(struct request *r)
{
	if (!r->daemon->options.require_if_match || !(r->route->flags & ROUTE_CONDITIONAL) || r->head.if_match.value || r->head.if_none_match.value)
		return false;
	answer_problem(r, 428, NULL, NULL, "say with If-Match which state the change is meant for (or If-None-Match: * to create)");
	return true;
}

static bool refuse_none_match(struct request *r)
{
	if (!r->head.if_none_match.value || strcmp(r->head.if_none_match.value, "*") == 0)
		return false;
	answer_problem(r, 400, NULL, NULL, "If-None-Match of a write can only be * (create, but do not replace)");
	return true;
}

void write_change(struct request *r, struct change *change)
{
	struct write *write = calloc(1, sizeof *write);
	bool failed = !write;
	if (!write) {
		change_free(change);
		return;
	}
	write->change = change;
	r->work = write;
	r->work_free = write_free;
	change->dry_run = request_query_number(r, Q_DRY_RUN) != 0;
	change->if_match = copy(r->head.if_match.value, &failed);
	change->if_none_match = r->head.if_none_match.value != NULL;
	change->confirm_within = (unsigned)request_query_number(r, Q_CONFIRM_WITHIN);
	change->actor = copy(r->identity.username, &failed);
	change->token = copy(r->identity.token[0] ? r->identity.token : NULL, &failed);
	change->address = copy(r->address, &failed);
	change->request_id = copy(request_id(r), &failed);
	change->done = change_done;
	change->arg = r;
	if (failed || !take_comment(r, change) || !idempotency_take(r, change))
		return;
	request_wait(r, answer_written);
	int e = writer_submit(r->daemon->writer, change);
	if (e) {
		r->error = e;
		request_wake(r);
	}
}

/* Takes body (may be NULL). */
static void write_single(struct request *r, enum operation_verb verb, json_t *body)
{
	json_t *errors = json_array();
	struct change *change = change_single(verb, r->route->kind, verb == VERB_CREATE ? NULL : r->argument, body, errors);
	json_decref(body);
	if (change) {
		json_decref(errors);
		write_change(r, change);
	} else if (json_array_size(errors) > 0) {
		answer_problem(r, 422, NULL, errors, "the %s is not as it must be", r->route->kind->noun);
	} else {
		json_decref(errors);
	}
}

bool write_refused(struct request *r)
{
	return refuse_unconditional(r) || refuse_none_match(r);
}

static void write_body(struct request *r, enum operation_verb verb)
{
	if (write_refused(r))
		return;
	json_t *body = request_json(r);
	if (body)
		write_single(r, verb, body);
}

void write_create(struct request *r)
{
	write_body(r, VERB_CREATE);
}

void write_put(struct request *r)
{
	write_body(r, VERB_PUT);
}

void write_patch(struct request *r)
{
	write_body(r, VERB_PATCH);
}

void write_delete(struct request *r)
{
	if (!write_refused(r))
		write_single(r, VERB_DELETE, NULL);
}

static void write_collective(struct request *r, struct change *(*build)(json_t *body, json_t *errors))
{
	if (write_refused(r))
		return;
	json_t *body = request_json(r);
	if (!body)
		return;
	json_t *errors = json_array();
	struct change *change = build(body, errors);
	json_decref(body);
	if (change) {
		json_decref(errors);
		write_change(r, change);
	} else if (json_array_size(errors) > 0) {
		answer_problem(r, 422, NULL, errors, "the change is not as it must be");
	} else {
		json_decref(errors);
	}
}

void write_parameters(struct request *r)
{
	write_collective(r, change_parameters);
}

void write_set(struct request *r)
{
	write_collective(r, change_set);
}
