#include "mgmtd/cdr.h"

#include "mgmtd/answer.h"
#include "mgmtd/model.h"
#include "mgmtd/resource.h"
#include "mgmtd/store_cdr.h"
#include "mgmtd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS 16

struct query_of_cdrs {
	struct job job;
	struct request *request;
	struct cdr_filter filter;
	uint64_t id;			/* of the one that is asked for */
	struct cdr_cursor next;
	struct buffer out;
};

/* ------------------------------------------------------------------ a record as JSON */

static void render_time(struct buffer *b, const char *name, uint64_t us)
{
	buffer_format(b, ",\"%s\":", name);
	buffer_json_time(b, us);
}

static void render_text(struct buffer *b, const char *name, const char *text)
{
	buffer_format(b, ",\"%s\":", name);
	buffer_json_or_null(b, text);
}

static void render_number(struct buffer *b, const char *name, uint32_t number)
{
	if (number)
		buffer_format(b, ",\"%s\":%" PRIu32, name, number);
	else
		buffer_format(b, ",\"%s\":null", name);
}

/* "GATEWAY what\n"… → [{"gateway": …, member: what}]; a code is a number. */
static void render_list(struct buffer *b, const char *name, const char *member, const char *lines)
{
	const char *comma = "";

	buffer_format(b, ",\"%s\":[", name);
	while (*lines) {
		size_t len = strcspn(lines, "\n"), gateway = strcspn(lines, " \n");
		const char *what = lines + gateway + (gateway < len);
		size_t what_len = (size_t)(lines + len - what);
		bool code = strcmp(member, "code") == 0 && what_len == 3 && strspn(what, "0123456789") >= 3 && what[0] != '0';
		buffer_format(b, "%s{\"gateway\":", comma);
		buffer_json(b, lines, gateway);
		buffer_format(b, ",\"%s\":", member);
		if (code)
			buffer_append(b, what, what_len);
		else if (what_len && strcmp(member, "code") != 0)
			buffer_json(b, what, what_len);
		else
			buffer_text(b, "null");
		buffer_text(b, "}");
		comma = ",";
		lines += len + (lines[len] == '\n');
	}
	buffer_text(b, "]");
}

/* Clocks may have been set meanwhile: never below 0. */
static uint64_t between_ms(uint64_t from, uint64_t to)
{
	return to > from ? (to - from) / 1000 : 0;
}

/* From the set-up to the first 18x, else to the final answer. */
static void render_pdd(struct buffer *b, const struct cdr *cdr)
{
	uint64_t to = cdr->ringing_at ? cdr->ringing_at : cdr->answered_at ? cdr->answered_at : cdr->ended_at;

	if (to)
		buffer_format(b, ",\"pdd_ms\":%" PRIu64, between_ms(cdr->setup_at, to));
	else
		buffer_text(b, ",\"pdd_ms\":null");
}

void cdr_render(struct buffer *b, const struct cdr *cdr)
{
	buffer_format(b, "{\"id\":\"%0*" PRIx64 "\"", ID_DIGITS, cdr->id);
#define CDR_TIME(name) render_time(b, #name, cdr->name);
#define CDR_NUMBER(name) render_number(b, #name, cdr->name);
#define CDR_TEXT(name) render_text(b, #name, cdr->name);
#define CDR_LIST(name, member) render_list(b, #name, #member, cdr->name);
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	render_text(b, "billing_callee", cdr->to_out);
	render_pdd(b, cdr);
	buffer_format(b, ",\"duration_ms\":%" PRIu64 "}", cdr->answered_at ? between_ms(cdr->answered_at, cdr->ended_at) : 0);
}

/* ------------------------------------------------------------------ on the reader thread */

static void query_free(void *work)
{
	struct query_of_cdrs *q = work;

	buffer_free(&q->out);
	free(q);
}

static void append(void *arg, const struct cdr *cdr)
{
	struct buffer *b = arg;

	if (b->len > 0 && b->text[b->len - 1] == '}')
		buffer_text(b, ",");
	cdr_render(b, cdr);
}

static void finish(struct query_of_cdrs *q, int error)
{
	q->request->error = error ? error : q->out.failed ? ENOMEM : 0;
	request_wake(q->request);
}

static void read_list(struct job *job, bool cancelled)
{
	struct query_of_cdrs *q = (struct query_of_cdrs *)((char *)job - offsetof(struct query_of_cdrs, job));

	buffer_text(&q->out, "{\"items\":[");
	finish(q, cancelled ? ECANCELED : store_cdrs_list(q->request->daemon->cdrs, &q->filter, append, &q->out, &q->next));
}

static void read_one(struct job *job, bool cancelled)
{
	struct query_of_cdrs *q = (struct query_of_cdrs *)((char *)job - offsetof(struct query_of_cdrs, job));

	finish(q, cancelled ? ECANCELED : store_cdrs_get(q->request->daemon->cdrs, q->id, append, &q->out));
}

/* ------------------------------------------------------------------ on the event thread */

static void answer_list(struct request *r)
{
	struct query_of_cdrs *q = r->work;
	struct buffer *b = &q->out;

	if (r->error) {
		answer_unavailable(r, NULL, "readers");
		return;
	}
	uint64_t revision = model_newest(r->daemon->model);
	if (q->next.seq)
		buffer_format(b, "],\"next\":\"t%" PRIx64 "-%" PRIx64 "\"", q->next.ended_at, q->next.seq);
	else
		buffer_text(b, "],\"next\":null");
	buffer_format(b, ",\"revision\":%" PRIu64 "}", revision);
	answer_buffer(r, 200, "application/json", b);
}

static void answer_one(struct request *r)
{
	struct query_of_cdrs *q = r->work;

	if (r->error == ENOENT)
		answer_problem(r, 404, NULL, NULL, "there is no call record %0*" PRIx64, ID_DIGITS, q->id);
	else if (r->error)
		answer_unavailable(r, NULL, "readers");
	else
		answer_buffer(r, 200, "application/json", &q->out);
}

static void start(struct request *r, struct query_of_cdrs *q, void (*run)(struct job *job, bool cancelled),
                  void (*then)(struct request *r))
{
	q->request = r;
	q->job.run = run;
	r->work = q;
	r->work_free = query_free;
	request_hand_over(r, r->daemon->reader, &q->job, then);
}

/* Lower-case hex digits, at least one, up to the character `end`. */
static int parse_hex(uint64_t *number, const char **text, char end)
{
	size_t len = strspn(*text, "0123456789abcdef");

	if (len == 0 || len > ID_DIGITS || (*text)[len] != end)
		return EINVAL;
	*number = strtoull(*text, NULL, 16);
	*text += len + (end != '\0');
	return 0;
}

static int parse_cursor(struct cdr_cursor *cursor, const char *text)
{
	if (*text++ != 't' || parse_hex(&cursor->ended_at, &text, '-') != 0 || parse_hex(&cursor->seq, &text, '\0') != 0)
		return EINVAL;
	return cursor->ended_at <= INT64_MAX && cursor->seq > 0 && cursor->seq <= INT64_MAX ? 0 : EINVAL;
}

/* Microseconds, 0 = not asked for. */
static uint64_t time_of(const struct request *r, enum query_id id)
{
	int64_t us = request_query_number(r, id);

	return !request_query_given(r, id) ? 0 : us > 0 ? (uint64_t)us : 1;
}

void cdr_list(struct request *r)
{
	const char *cursor = request_query_text(r, Q_CURSOR);
	struct cdr_cursor after = { 0 };

	if (cursor && parse_cursor(&after, cursor) != 0) {
		cursor_refuse(r);
		return;
	}
	struct query_of_cdrs *q = calloc(1, sizeof *q);
	if (!q)
		return;
	/* The texts are the request's, which outlives the work. */
	q->filter = (struct cdr_filter){
		.since = time_of(r, Q_CDR_SINCE), .until = time_of(r, Q_CDR_UNTIL), .gateway = request_query_text(r, Q_CDR_GATEWAY),
		.number = request_query_text(r, Q_CDR_NUMBER), .code = (uint32_t)request_query_number(r, Q_CDR_CODE), .after = after,
		.limit = (unsigned)request_query_number(r, Q_LIMIT),
	};
	start(r, q, read_list, answer_list);
}

void cdr_show(struct request *r)
{
	const char *text = r->argument;
	uint64_t id;

	if (strlen(text) != ID_DIGITS || parse_hex(&id, &text, '\0') != 0) {
		answer_problem(r, 404, NULL, NULL, "a call record's id has %d hex digits", ID_DIGITS);
		return;
	}
	struct query_of_cdrs *q = calloc(1, sizeof *q);
	if (!q)
		return;
	q->id = id;
	start(r, q, read_one, answer_one);
}
