#include "mgmtd/page.h"

#include "mgmtd/answer.h"
#include "mgmtd/json_text.h"
#include "mgmtd/model.h"
#include "mgmtd/resource.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void page_free(void *work)
{
	struct page *page = work;
	json_decref(page->items);
	free(page);
}

static void read_page(struct job *job, bool cancelled)
{
	struct page *page = (struct page *)((char *)job - offsetof(struct page, job));
	page->request->error = cancelled ? ECANCELED : page->read(page);
	request_wake(page->request);
}

static void answer_page(struct request *r)
{
	struct page *page = r->work;
	if (r->error) {
		answer_unavailable(r, NULL, "readers");
		return;
	}
	uint64_t revision = model_newest(r->daemon->model);
	answer_value(r, 200, json_pack("{s:O, s:o, s:I}", "items", page->items, "next",
	                               page->more ? json_string(page->last) : json_null(), "revision", (json_int_t)revision));
}

static void start(struct request *r, struct page *page, int (*read)(struct page *page))
{
	page->request = r;
	page->daemon = r->daemon;
	page->read = read;
	page->limit = (unsigned)request_query_number(r, Q_LIMIT);
	page->items = json_array();
	page->job.run = read_page;
	r->work = page;
	r->work_free = page_free;
	request_hand_over(r, r->daemon->reader, &page->job, answer_page);
}

void page_by_name(struct request *r, int (*read)(struct page *page))
{
	const char *cursor = request_query_text(r, Q_CURSOR);
	if (cursor && schema_name_fault(cursor, strlen(cursor))) {
		cursor_refuse(r);
		return;
	}
	struct page *page = calloc(1, sizeof *page);
	if (!page)
		return;
	snprintf(page->after, sizeof page->after, "%s", cursor ? cursor : "");
	start(r, page, read);
}

void page_by_number(struct request *r, int (*read)(struct page *page))
{
	const char *cursor = request_query_text(r, Q_CURSOR);
	char *end = NULL;
	errno = 0;
	unsigned long long before = cursor ? strtoull(cursor, &end, 10) : 0;
	if (cursor && (errno || cursor[0] < '1' || cursor[0] > '9' || *end || before > INT64_MAX)) {
		cursor_refuse(r);
		return;
	}
	struct page *page = calloc(1, sizeof *page);
	if (!page)
		return;
	page->before = before;
	start(r, page, read);
}
