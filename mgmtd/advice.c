#include "mgmtd/advice.h"

#include "mgmtd/advice_item.h"
#include "mgmtd/answer.h"
#include "mgmtd/resource.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static void ask_free(void *work)
{
	struct advice_ask *ask = work;
	buffer_free(&ask->out);
	free(ask);
}

struct advice_ask *advice_ask_new(struct request *r)
{
	struct advice_ask *ask = calloc(1, sizeof *ask);
	if (!ask)
		return NULL;
	ask->request = r;
	r->work = ask;
	r->work_free = ask_free;
	return ask;
}

static void run(struct job *job, bool cancelled)
{
	struct advice_ask *ask = (struct advice_ask *)((char *)job - offsetof(struct advice_ask, job));
	int e = cancelled ? ECANCELED : ask->run(ask);
	ask->request->error = e ? e : ask->out.failed ? ENOMEM : 0;
	request_wake(ask->request);
}

void advice_ask(struct request *r, int (*work)(struct advice_ask *ask), void (*then)(struct request *r))
{
	struct advice_ask *ask = r->work;
	ask->run = work;
	ask->job.run = run;
	request_wait(r, then);
	int e = advisor_submit(r->daemon->advisor, &ask->job);
	if (e) {
		r->error = e;
		request_wake(r);
	}
}

bool advice_failed(struct request *r)
{
	switch (r->error) {
	case 0:
		return false;
	case EAGAIN:
		answer_problem(r, 503, NULL, NULL, "too many wait for advice already; try again");
		return true;
	case ECANCELED:
		answer_problem(r, 503, NULL, NULL, "mgmtd is stopping");
		return true;
	case ENOMEM:
		answer_no_memory(r);
		return true;
	default:
		answer_problem(r, 503, NULL, NULL, "the configuration is not published, and cannot be judged: %s", strerror(r->error));
		return true;
	}
}

/* ------------------------------------------------------------------ the list */

static int list(struct advice_ask *ask)
{
	return advisor_list(ask->request->daemon->advisor, &ask->filter, &ask->out);
}

static void answer_list(struct request *r)
{
	struct advice_ask *ask = r->work;
	if (!advice_failed(r))
		answer_buffer(r, 200, "application/json", &ask->out);
}

static int hex_number(uint32_t *number, const char **text, char end)
{
	size_t len = strspn(*text, "0123456789abcdef");
	if (len == 0 || len > 8 || (*text)[len] != end)
		return EINVAL;
	*number = (uint32_t)strtoul(*text, NULL, 16);
	*text += len + 1;
	return 0;
}

static int parse_cursor(struct advice_cursor *cursor, const char *text)
{
	if (*text++ != 'a' || hex_number(&cursor->trouble, &text, '-') != 0)
		return EINVAL;
	return hex_number(&cursor->id, &text, '\0');
}

void advice_list(struct request *r)
{
	const char *cursor = request_query_text(r, Q_CURSOR), *kind = request_query_text(r, Q_ADVICE_KIND);
	struct advice_ask *ask = advice_ask_new(r);
	if (!ask)
		return;
	ask->filter = (struct advice_filter){ .severity = -1, .kind = kind ? (int)schema_kind_by_path(kind)->id : -1,
	                                      .name = request_query_text(r, Q_ADVICE_NAME),
	                                      .limit = (unsigned)request_query_number(r, Q_LIMIT) };
	if (request_query_given(r, Q_ADVICE_SEVERITY))
		ask->filter.severity = (int)request_query_number(r, Q_ADVICE_SEVERITY);
	if (cursor && parse_cursor(&ask->filter.from, cursor) != 0)
		cursor_refuse(r);
	else
		advice_ask(r, list, answer_list);
}
