/*
 * The history, read on a connection of its own: a long answer must not hold up the check of a token.  Any thread; a mutex
 * inside lets one at a time in.  Errors as in store.h.
 */
#ifndef MGMTD_STORE_HISTORY_H
#define MGMTD_STORE_HISTORY_H

#include "mgmtd/buffer.h"
#include "mgmtd/store.h"

#include <sqlite3.h>

struct revision_filter {
	uint64_t before;		/* cursor, 0 = from the newest */
	unsigned limit;
	const char *actor;		/* NULL = any, as of the others */
	const struct kind *kind;	/* touches an object of this kind */
	const char *name;		/* touches an object of this name; with kind: this very object */
	const char *q;			/* in the comment or the name of an object, in any case */
	bool pending;			/* waits to be confirmed */
	int64_t since, until;		/* µs: at or after, and before; 0 = any.  By search, so where a clock was set back
					 * revisions may be missed that were made until it had caught up */
};

/* Appends the list of items of GET /revisions, as JSON text, to `items`, which is empty; *next = cursor of the next page, 0 = none.  It may be given with fewer than
 * `limit` found, even none: a search through many revisions that do not match ends for now. */
int store_revisions(struct store *s, const struct revision_filter *filter, struct buffer *items, uint64_t *next);

/* One revision with before, after and fields of each change, its hashes, and `confirmation`; a new reference in *revision. */
int store_revision(struct store *s, uint64_t number, json_t **revision);

/* The newest revision and its hash, as a reader sees it; 0 and zeros when there is none. */
int store_newest(struct store *s, uint64_t *revision, unsigned char hash[STORE_HASH]);

/* Between these two everything is as of one moment. */
int store_history_begin(struct store *s);
void store_history_end(struct store *s);

/* Each record of from < revision <= to, oldest first; ends with the first error of each(). */
typedef int store_record_f(void *arg, uint64_t revision, const char *record);
int store_each_record(struct store *s, uint64_t from, uint64_t to, store_record_f *each, void *arg);
/* The same for the writer thread, which sees also what is not committed yet. */
int store_each_staged_record(struct store *s, uint64_t from, uint64_t to, store_record_f *each, void *arg);

/* Each object of a kind that changed in from < revision <= to, in order of name, with the first and the last revision there that
 * changed it: O(objects that there ever were), whatever lies between. */
struct store_touched { const struct kind *kind; char name[SCHEMA_NAME_MAX + 1]; uint64_t first, last; };
int store_each_touched(struct store *s, const struct kind *kind, uint64_t from, uint64_t to,
                       int (*each)(void *arg, const struct store_touched *object), void *arg);

/* The newest revision up to `until` that touched the object; 0 = none did. */
int store_newest_change(struct store *s, const struct kind *kind, const char *name, uint64_t until, uint64_t *revision);

int store_newest_staged_change(struct store *s, const struct kind *kind, const char *name, uint64_t *revision);	/* likewise */

/* Each object as it is now in order of name; only kind, name and document are set. */
int store_each_current(struct store *s, const struct kind *kind, int (*each)(void *arg, const struct object *row), void *arg);

/* For tests: the which-th statement; NULL = there are no more. */
const char *store_history_sql(unsigned which);

/* --- for store.c */
struct store_history;
int store_history_open(struct store_history **h, sqlite3 *writer, const char *path, struct shm_why *why);
void store_history_close(struct store_history *h);

#endif
