/*
 * Spans: stretches of the history in which revisions of one user, or that touch one kind, follow each other with few of others
 * between.  GET /revisions?actor=&kind= looks only there.  An index entry a revision would cost every change a page of the
 * database; a span costs one where it begins and one where it ends, also of two users who take turns.
 *
 * The writer thread, inside its transaction.  Errors as in store.h.
 */
#ifndef MGMTD_STORE_SPAN_H
#define MGMTD_STORE_SPAN_H

#include "mgmtd/store.h"

#include <sqlite3.h>

#define STORE_SPAN_ACTOR "actor"
#define STORE_SPAN_KIND "kind"

/* The newest revision has this actor and touches these kinds. */
int store_put_spans(struct store *s, uint64_t revision, const char *actor, const bool touched[KIND_COUNT]);

/* --- for store.c */
struct store_spans;
int store_spans_open(struct store_spans **sp, sqlite3 *writer, const char *path, struct shm_why *why);
void store_spans_close(struct store_spans *sp);
void store_spans_forget(struct store_spans *sp);	/* the transaction was rolled back */

#endif
