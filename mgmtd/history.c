#include "mgmtd/history.h"

#include "mgmtd/answer.h"
#include "mgmtd/json_text.h"
#include "mgmtd/model.h"
#include "mgmtd/resource.h"
#include "mgmtd/store.h"
#include "mgmtd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct history {
	struct job job;
	struct request *request;
	struct store *store;
	struct revision_filter filter;
	uint64_t number, next;
	json_t *result;
	char *text;		/* result as JSON, made on the reader thread, too */
};

static void history_free(void *work)
{
	struct history *h = work;
	json_decref(h->result);
	free(h->text);
	free(h);
}

static void finish(struct history *h, int error)
{
	if (!error && !(h->text = json_dumps(h->result, JSON_TEXT)))
		error = ENOMEM;
	h->request->error = error;
	request_wake(h->request);
}

static void read_list(struct job *job, bool cancelled)
{
	struct history *h = (struct history *)((char *)job - offsetof(struct history, job));
	h->result = json_array();
	finish(h, cancelled ? ECANCELED : store_revisions(h->store, &h->filter, h->result, &h->next));
}

static void read_one(struct job *job, bool cancelled)
{
	struct history *h = (struct history *)((char *)job - offsetof(struct history, job));
	finish(h, cancelled ? ECANCELED : store_revision(h->store, h->number, &h->result));
}

static void answer_trouble(struct request *r)
{
	if (r->error == EAGAIN)
		answer_problem(r, 503, NULL, NULL, "too many readers of the history wait already; try again");
	else if (r->error == ECANCELED)
		answer_problem(r, 503, NULL, NULL, "mgmtd is stopping");
	else if (r->error == ENOMEM)
		answer_no_memory(r);
	else
		answer_problem(r, 503, "store_unavailable", NULL, "the database cannot be read now: %s", strerror(r->error));
}

static void answer_list(struct request *r)
{
	struct history *h = r->work;
	struct buffer b = { 0 };
	if (r->error) {
		answer_trouble(r);
		return;
	}
	model_lock(r->daemon->model);
	uint64_t revision = model_revision(r->daemon->model);
	model_unlock(r->daemon->model);
	buffer_format(&b, "{\"items\":");
	buffer_text(&b, h->text);
	if (h->next)
		buffer_format(&b, ",\"next\":\"r%" PRIu64 "\"", h->next);
	else
		buffer_text(&b, ",\"next\":null");
	buffer_format(&b, ",\"revision\":%" PRIu64 "}", revision);
	answer_buffer(r, 200, "application/json", &b);
	answer_etag(r, revision);
}

static void answer_one(struct request *r)
{
	struct history *h = r->work;
	if (r->error == ENOENT)
		answer_problem(r, 404, NULL, NULL, "there is no revision %" PRIu64, h->number);
	else if (r->error)
		answer_trouble(r);
	else
		answer_json(r, 200, h->text, strlen(h->text));
	if (!r->error)
		answer_etag(r, h->number);
}

static void start(struct request *r, struct history *h, void (*run)(struct job *job, bool cancelled),
                  void (*then)(struct request *r))
{
	h->request = r;
	h->store = r->daemon->store;
	h->job.run = run;
	r->work = h;
	r->work_free = history_free;
	request_wait(r, then);
	int e = worker_submit(r->daemon->reader, &h->job);
	if (e) {
		r->error = e;
		request_wake(r);
	}
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

void history_list(struct request *r)
{
	const char *cursor = request_query_text(r, Q_CURSOR);
	uint64_t before = 0;
	if (cursor && (cursor[0] != 'r' || parse_number(&before, cursor + 1) != 0)) {
		cursor_refuse(r);
		return;
	}
	struct history *h = calloc(1, sizeof *h);
	if (!h)
		return;
	h->filter = (struct revision_filter){ .before = before, .limit = (unsigned)request_query_number(r, Q_LIMIT) };
	start(r, h, read_list, answer_list);
}

void history_show(struct request *r)
{
	uint64_t number;
	if (parse_number(&number, r->argument) != 0) {
		answer_problem(r, 404, NULL, NULL, "a revision has a number");
		return;
	}
	struct history *h = calloc(1, sizeof *h);
	if (!h)
		return;
	h->number = number;
	start(r, h, read_one, answer_one);
}
