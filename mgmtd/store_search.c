/* GET /revisions: the newest revisions that match, by the indexes. */
#include "mgmtd/store_history_private.h"

#include "mgmtd/buffer.h"
#include "mgmtd/revision.h"
#include "mgmtd/store_database.h"
#include "mgmtd/store_private.h"
#include "mgmtd/store_span.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EXAMINED_MAX 5000	/* records looked at, and steps through the indexes, for one page: some ten milliseconds */

struct search {
	struct store_history *h;
	const struct revision_filter *filter;
	unsigned examined;
	uint64_t first;			/* none before it is looked at */
	uint64_t at;			/* the revision looked at next, or 0 */
};

static int in_span(struct store_history *h, const char *facet, const char *value, uint64_t *at)
{
	sqlite3_stmt *statement = h->statements[SQL_IN_SPAN];

	sqlite3_bind_text(statement, 1, facet, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)*at);
	return store_history_lower(statement, at);
}

static int in_pending(struct store_history *h, uint64_t *at)
{
	sqlite3_stmt *statement = h->statements[SQL_PENDING];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)*at);
	return store_history_lower(statement, at);
}

static int in_changes_of_any_kind(struct store_history *h, const char *name, uint64_t *at)
{
	uint64_t newest = 0;
	int error = 0;

	for (size_t k = 0; k < KIND_COUNT && !error; k++) {
		uint64_t one = *at;
		error = store_history_changed(h->statements[SQL_CHANGE], &schema_kinds[k], name, &one);
		newest = one > newest ? one : newest;
	}
	*at = newest;
	return error;
}

/* Lowers x->at to the next revision that every index allows: each in turn, until none of them lowers it further. */
static int settle(struct search *x)
{
	const struct revision_filter *f = x->filter;
	uint64_t before;
	int error = 0;

	do {
		before = x->at;
		if (f->pending)
			error = in_pending(x->h, &x->at);
		if (!error && x->at && f->actor)
			error = in_span(x->h, STORE_SPAN_ACTOR, f->actor, &x->at);
		if (!error && x->at && f->kind && !f->name)
			error = in_span(x->h, STORE_SPAN_KIND, f->kind->path, &x->at);
		if (!error && x->at && f->name)
			error = f->kind ? store_history_changed(x->h->statements[SQL_CHANGE], f->kind, f->name, &x->at) : in_changes_of_any_kind(x->h, f->name, &x->at);
		x->examined++;
	} while (!error && x->at >= x->first && x->at < before && x->examined < EXAMINED_MAX);
	return error;
}

/* What stands in the list item stands in the record, too, as long as nothing in it is escaped. */
static bool cannot_mention(const char *record, const char *q)
{
	return !strpbrk(q, "\"\\") && !strcasestr(record, q);
}

/* A span holds others, too.  A quotation mark within a text has a backslash before it, so the kind can stand nowhere else. */
static bool is_of(const char *record, const struct revision_filter *filter)
{
	char actor[SCHEMA_NAME_MAX + 1], kind[SCHEMA_NAME_MAX + 32];

	if (filter->actor && (revision_actor(actor, record) != 0 || strcmp(actor, filter->actor) != 0))
		return false;
	snprintf(kind, sizeof kind, "{\"kind\":\"%s\",\"name\":", filter->kind ? filter->kind->path : "");
	return !filter->kind || filter->name || strstr(record, kind);
}

static bool matches(const char *record, const struct revision_filter *filter)
{
	return is_of(record, filter) && (!filter->q || (!cannot_mention(record, filter->q) && revision_mentions(record, filter->q)));
}

/* Appends the list item of a record; of one damaged by hand nothing, the audit tells of it. */
static bool append(struct buffer *items, const char *record)
{
	size_t len = items->len;

	if (len > 1)
		buffer_text(items, ",");
	if (revision_item(items, record) == 0)
		return true;
	items->len = len;
	return false;
}

/* The row of x->at, or of the next one before it: appended if it matches.  Leaves x->at at the next to look at. */
static int look(struct search *x, struct buffer *items, unsigned *count)
{
	sqlite3_stmt *statement = x->h->statements[SQL_AT_MOST];
	uint64_t asked = x->at;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)asked);
	int code = sqlite3_step(statement);
	uint64_t found = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
	bool indexed = x->filter->actor || x->filter->kind || x->filter->name || x->filter->pending;
	const char *record = found ? store_history_text(statement, 1) : "";
	if (found >= x->first && found && (found == asked || !indexed) && matches(record, x->filter))
		*count += append(items, record);
	x->at = found == asked || !indexed ? found ? found - 1 : 0 : found;
	x->examined++;
	sqlite3_reset(statement);
	return store_errno(code);
}

static int search(struct search *x, struct buffer *items, uint64_t *next)
{
	unsigned found = 0;
	int error;

	while (!(error = settle(x)) && x->at >= x->first && x->at > 0) {
		if (found == x->filter->limit || x->examined >= EXAMINED_MAX) {
			*next = x->at + 1;
			break;
		}
		if ((error = look(x, items, &found)))
			break;
	}
	return error;
}

/* ------------------------------------------------------------------ times */

/* The first revision at or after the time, for `at` that grow with their numbers; newest + 1 = there is none. */
static int first_since(struct store_history *h, const char *time, uint64_t newest, uint64_t *first)
{
	sqlite3_stmt *statement = h->statements[SQL_AT_LEAST];
	uint64_t low = 1, high = newest + 1, number;
	int error = 0;

	while (low < high && !error) {
		uint64_t middle = low + (high - low) / 2;
		char at[TIME_TEXT] = "";
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)middle);
		int code = sqlite3_step(statement);
		if (code == SQLITE_ROW && revision_at(at, &number, store_history_text(statement, 1)) != 0)
			code = SQLITE_CORRUPT;
		sqlite3_reset(statement);
		error = store_errno(code);
		if (strcmp(at, time) >= 0)
			high = middle;
		else
			low = middle + 1;
	}
	*first = low;
	return error;
}

/* Times in records have ms: one at or after `us` is not before the next whole one. */
static void bound_text(char text[TIME_TEXT], int64_t us)
{
	time_text(text, ((uint64_t)us + 999) / 1000 * 1000);
}

/* The window of revisions that since, until and before leave. */
static int bound(struct search *x)
{
	const struct revision_filter *f = x->filter;
	char time[TIME_TEXT];
	uint64_t newest, end;
	int error = 0;
	sqlite3_stmt *statement = x->h->statements[SQL_NEWEST];

	newest = INT64_MAX;
	if ((error = store_history_lower(statement, &newest)))
		return error;
	x->first = 1;
	x->at = f->before && f->before <= newest ? f->before - 1 : newest;
	if (f->since > 0) {
		bound_text(time, f->since);
		error = first_since(x->h, time, newest, &x->first);
	}
	if (!error && f->until > 0) {
		bound_text(time, f->until);
		error = first_since(x->h, time, newest, &end);
		x->at = !error && end - 1 < x->at ? end - 1 : x->at;
	}
	return error;
}

int store_revisions(struct store *s, const struct revision_filter *filter, struct buffer *items, uint64_t *next)
{
	struct search x = { .h = store_history_of(s), .filter = filter };
	int error = store_history_begin(s);

	*next = 0;
	if (error)
		return error;
	buffer_text(items, "[");
	if (!(error = bound(&x)))
		error = search(&x, items, next);
	buffer_text(items, "]");
	store_history_end(s);
	return error ? error : items->failed ? ENOMEM : 0;
}
