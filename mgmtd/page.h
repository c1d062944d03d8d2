/* GET of a list that is read on the reader's thread: a page of items, and the cursor of the next one. */
#ifndef MGMTD_PAGE_H
#define MGMTD_PAGE_H

#include "mgmtd/request.h"
#include "mgmtd/worker.h"

#define PAGE_CURSOR 80

struct page {
	struct job job;
	struct request *request;
	struct daemon *daemon;
	int (*read)(struct page *page);
	unsigned limit;
	char after[PAGE_CURSOR];	/* the last key of the page before, or "" */
	uint64_t before;		/* the same of a list by number, the newest first; 0 = from the newest */
	char last[PAGE_CURSOR];		/* read() keeps the key of its last item here, */
	bool more;			/* and whether there are others after it */
	json_t *items;
};

/* The cursor is the name of the last item, or its number. */
void page_by_name(struct request *r, int (*read)(struct page *page));
void page_by_number(struct request *r, int (*read)(struct page *page));

#endif
