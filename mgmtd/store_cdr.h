/*
 * The CDRs: <state>/cdr.db.  A database of its own, because SQLite has one writer a file: a change of the configuration must
 * not wait for a batch of CDRs and its fsync, nor write back their pages; a copy of the configuration before a migration must
 * not drag millions of calls along.
 *
 * One connection belongs to the thread that takes the spool in, a read-only one to the thread that answers GET /cdrs.  Errors
 * as in store.h.
 */
#ifndef MGMTD_STORE_CDR_H
#define MGMTD_STORE_CDR_H

#include "shm/cdr.h"

#include <stdbool.h>

struct store_cdrs;

int store_cdrs_open(struct store_cdrs **s, const char *state, struct shm_why *why);
void store_cdrs_close(struct store_cdrs *s);

/* --- the thread that takes the spool in */

/* Up to where the records in the database go. */
int store_cdrs_place(struct store_cdrs *s, struct cdr_place *place);
int store_cdrs_begin(struct store_cdrs *s);
int store_cdrs_put(struct store_cdrs *s, const struct cdr *cdr, bool *known);	/* known: this very one is there */
int store_cdrs_commit(struct store_cdrs *s, const struct cdr_place *place);	/* durable (fsync) when 0; rolled back when not */
void store_cdrs_rollback(struct store_cdrs *s);
/* Deletes at most `limit` of those ended before; *count = how many. */
int store_cdrs_forget(struct store_cdrs *s, uint64_t before_us, unsigned limit, unsigned *count);
const char *store_cdrs_fault(struct store_cdrs *s);	/* SQLite's words about the last error */

/* --- the thread that answers */

struct cdr_cursor { uint64_t ended_at, seq; };	/* {0} = none */

struct cdr_filter {
	uint64_t since, until;		/* µs of ended_at: at or after, and before; until 0 = any */
	const char *gateway;		/* mapping or routing gateway; NULL = any */
	const char *number;		/* any of the call's numbers; NULL = any */
	uint32_t code;			/* 0 = any */
	struct cdr_cursor after;	/* go on behind it */
	unsigned limit;
};

typedef void store_cdr_f(void *arg, const struct cdr *cdr);

/* Each, last ended first: a record comes when its call ends, so a window of time that is past gets no more of them.  *next = where to go on; it may be given with fewer than `limit` found, even none: a search through
 * many records that do not match ends for now. */
int store_cdrs_list(struct store_cdrs *s, const struct cdr_filter *filter, store_cdr_f *each, void *arg, struct cdr_cursor *next);
int store_cdrs_get(struct store_cdrs *s, uint64_t id, store_cdr_f *each, void *arg);	/* the last of that id; ENOENT */

/* For tests: the which-th statement, to be freed with sqlite3_free(); NULL = there are no more. */
char *store_cdrs_sql(unsigned which);

#endif
