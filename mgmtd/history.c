#include "mgmtd/history.h"

#include "mgmtd/answer.h"
#include "mgmtd/json_text.h"
#include "mgmtd/model.h"
#include "mgmtd/past.h"
#include "mgmtd/problem.h"
#include "mgmtd/resource.h"
#include "mgmtd/store_history.h"
#include "mgmtd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNSAID UINT64_MAX	/* a revision that the query leaves out */

struct history {
	struct job job;
	struct request *request;
	struct store *store;
	struct revision_filter filter;
	uint64_t number, from, to, next;
	int (*read)(struct history *h);	/* on the reader thread, into result or out */
	json_t *result;
	struct buffer out;		/* JSON text: of the result, or instead of it */
};

static void history_free(void *work)
{
	struct history *h = work;
	json_decref(h->result);
	buffer_free(&h->out);
	free(h);
}

/* ------------------------------------------------------------------ on the reader thread */

static void run(struct job *job, bool cancelled)
{
	struct history *h = (struct history *)((char *)job - offsetof(struct history, job));
	int error = cancelled ? ECANCELED : h->read(h);
	if (!error && h->result) {
		char *text = json_dumps(h->result, JSON_TEXT);
		buffer_text(&h->out, text ? text : "");
		h->out.failed |= !text;
		free(text);
	}
	h->request->error = error ? error : h->out.failed ? ENOMEM : 0;
	request_wake(h->request);
}

static int read_list(struct history *h)
{
	return store_revisions(h->store, &h->filter, &h->out, &h->next);
}

static int read_one(struct history *h)
{
	return store_revision(h->store, h->number, &h->result);
}

static int read_config(struct history *h)
{
	return past_render(&h->out, h->store, h->number);
}

static int read_diff(struct history *h)
{
	unsigned char hash[STORE_HASH];
	uint64_t newest;
	struct past past;
	int error = store_newest(h->store, &newest, hash);
	if (error)
		return error;
	h->to = h->to == UNSAID ? newest : h->to;
	h->from = h->from == UNSAID ? h->to - (h->to > 0) : h->from;
	bool back = h->from > h->to;
	h->number = h->from > newest ? h->from : h->to;	/* the one that is missing, if one is */
	if (h->number > newest)
		return ENOENT;
	if ((error = past_read(&past, h->store, back ? h->to : h->from, back ? h->from : h->to)))
		return error;
	h->result = json_pack("{s:I, s:I, s:o}", "from", (json_int_t)h->from, "to", (json_int_t)h->to, "diff", past_diff(&past, back));
	past_free(&past);
	return h->result ? 0 : ENOMEM;
}

/* ------------------------------------------------------------------ on the event thread */

void history_trouble(struct request *r)
{
	if (r->error == EPROTO)
		answer_problem(r, 503, "store_unavailable", NULL, "a record of the history cannot be read: GET /api/v1/audit/verify tells which");
	else
		answer_unavailable(r, NULL, "readers of the history");
}

void history_missing(struct request *r, uint64_t number)
{
	answer_problem(r, 404, NULL, NULL, "there is no revision %" PRIu64, number);
}

static void answer_list(struct request *r)
{
	struct history *h = r->work;
	struct buffer b = { 0 };
	if (r->error) {
		history_trouble(r);
		return;
	}
	buffer_format(&b, "{\"items\":");
	buffer_text(&b, h->out.text);
	if (h->next)
		buffer_format(&b, ",\"next\":\"r%" PRIu64 "\"", h->next);
	else
		buffer_text(&b, ",\"next\":null");
	buffer_format(&b, ",\"revision\":%" PRIu64 "}", h->number);
	answer_buffer(r, 200, "application/json", &b);
	answer_etag(r, h->number);
}

/* Of one revision, and what never changes again. */
static void answer_one(struct request *r)
{
	struct history *h = r->work;
	if (r->error == ENOENT) {
		history_missing(r, h->number);
	} else if (r->error) {
		history_trouble(r);
	} else {
		answer_buffer(r, 200, "application/json", &h->out);
		if (r->argument[0])
			answer_etag(r, h->number);
	}
}

static void start(struct request *r, struct history *h, int (*read)(struct history *h), void (*then)(struct request *r))
{
	h->request = r;
	h->store = r->daemon->store;
	h->read = read;
	h->job.run = run;
	r->work = h;
	r->work_free = history_free;
	request_hand_over(r, r->daemon->reader, &h->job, then);
}

static int parse_number(uint64_t *number, const char *text)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || text[0] < '0' || text[0] > '9' || *end || value > INT64_MAX)
		return EINVAL;
	*number = value;
	return 0;
}

int history_number(struct request *r, uint64_t *number)
{
	if (parse_number(number, r->argument) == 0)
		return 0;
	answer_problem(r, 404, NULL, NULL, "a revision has a number");
	return EINVAL;
}

/* The kind of the query, NULL without one.  EINVAL: answered. */
static int kind_of(struct request *r, const struct kind **kind)
{
	const char *path = request_query_text(r, Q_KIND);
	*kind = path ? schema_kind_by_path(path) : NULL;
	if (!path || *kind)
		return 0;
	json_t *errors = json_array(), *options = json_array();
	json_t *v = problem_violation(errors, "", NULL, "not_an_option", "there is no kind \"%s\"", path);
	for (size_t k = 0; k < KIND_COUNT; k++)
		json_array_append_new(options, json_string(schema_kinds[k].path));
	json_object_set_new(v, "parameter", json_string("kind"));
	json_object_set_new(v, "options", options);
	answer_problem(r, 422, NULL, errors, "there is no kind \"%s\"", path);
	return EINVAL;
}

/* Microseconds, 0 = not asked for. */
static int64_t time_of(const struct request *r, enum query_id id)
{
	int64_t us = request_query_number(r, id);
	return !request_query_given(r, id) ? 0 : us > 0 ? us : 1;
}

void history_list(struct request *r)
{
	const char *cursor = request_query_text(r, Q_CURSOR);
	const struct kind *kind;
	uint64_t before = 0;
	if (kind_of(r, &kind) != 0)
		return;
	if (cursor && (cursor[0] != 'r' || parse_number(&before, cursor + 1) != 0)) {
		cursor_refuse(r);
		return;
	}
	struct history *h = calloc(1, sizeof *h);
	if (!h)
		return;
	h->number = model_newest(r->daemon->model);	/* before anything is read: the list holds all up to it */
	/* The texts are the request's, which outlives the work. */
	h->filter = (struct revision_filter){
		.before = before, .limit = (unsigned)request_query_number(r, Q_LIMIT), .actor = request_query_text(r, Q_ACTOR),
		.kind = kind, .name = request_query_text(r, Q_NAME), .q = request_query_text(r, Q_REVISION_Q),
		.since = time_of(r, Q_REVISION_SINCE), .until = time_of(r, Q_REVISION_UNTIL),
		.pending = request_query_number(r, Q_PENDING) != 0,
	};
	start(r, h, read_list, answer_list);
}

static void start_one(struct request *r, int (*read)(struct history *h))
{
	uint64_t number;
	if (history_number(r, &number) != 0)
		return;
	struct history *h = calloc(1, sizeof *h);
	if (!h)
		return;
	h->number = number;
	start(r, h, read, answer_one);
}

void history_show(struct request *r)
{
	start_one(r, read_one);
}

void history_config(struct request *r)
{
	start_one(r, read_config);
}

void history_diff(struct request *r)
{
	struct history *h = calloc(1, sizeof *h);
	if (!h)
		return;
	h->from = request_query_given(r, Q_FROM) ? (uint64_t)request_query_number(r, Q_FROM) : UNSAID;
	h->to = request_query_given(r, Q_TO) ? (uint64_t)request_query_number(r, Q_TO) : UNSAID;
	start(r, h, read_diff, answer_one);
}
