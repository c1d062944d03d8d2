/* Which calls stand on a page: the table is in no order, so the page's share of it is kept in a heap while it is read. */
#include "mgmtd/calls.h"

#include <errno.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct call_key *x = a, *y = b;
	if (x->setup_at != y->setup_at)
		return x->setup_at < y->setup_at ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

int call_page_begin(struct call_page *page, size_t limit, struct call_key after)
{
	*page = (struct call_page){ .limit = limit, .after = after, .keys = malloc((limit + 1) * sizeof *page->keys) };
	return page->keys ? 0 : ENOMEM;
}

static void rise(struct call_key *keys, size_t at)
{
	while (at > 0 && compare(&keys[(at - 1) / 2], &keys[at]) < 0) {
		struct call_key key = keys[at];
		keys[at] = keys[(at - 1) / 2];
		at = (at - 1) / 2;
		keys[at] = key;
	}
}

static void sink(struct call_key *keys, size_t count)
{
	for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
		struct call_key key = keys[at];
		if (child + 1 < count && compare(&keys[child], &keys[child + 1]) < 0)
			child++;
		if (compare(&keys[at], &keys[child]) >= 0)
			return;
		keys[at] = keys[child];
		keys[child] = key;
	}
}

void call_page_take(struct call_page *page, const struct call_status *call)
{
	struct call_key key = { call->setup_at, call->id };
	if (compare(&key, &page->after) <= 0)
		return;
	if (page->count <= page->limit) {
		page->keys[page->count] = key;
		rise(page->keys, page->count++);
	} else if (compare(&key, &page->keys[0]) < 0) {
		page->keys[0] = key;
		sink(page->keys, page->count);
	}
}

bool call_page_end(struct call_page *page)
{
	bool more = page->count > page->limit;
	qsort(page->keys, page->count, sizeof *page->keys, compare);
	if (more)
		page->count = page->limit;
	return more;
}

void call_page_free(struct call_page *page)
{
	free(page->keys);
	page->keys = NULL;
}
