/*
 * A database read from end to end, to be verified: read-only, on a connection of its own, as of one moment.  One thread.
 * Errors as in store.h.
 */
#ifndef MGMTD_STORE_AUDIT_H
#define MGMTD_STORE_AUDIT_H

#include "shm/shm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_audit;

/* path: of the database, whether mgmtd runs on it or not.  Nothing is written, not even beside it. */
int store_audit_open(struct store_audit **a, const char *path, struct shm_why *why);
void store_audit_close(struct store_audit *a);

/* Rows as they lie there; each() ends the walk with an error of its own. */
struct audit_revision {
	int64_t revision;
	const char *record;
	size_t len;
	const void *prev_hash, *hash;
	size_t prev_hash_len, hash_len;
};
struct audit_document { const char *kind, *name, *changed_at, *changed_by, *document; int64_t revision; };
int store_audit_each_revision(struct store_audit *a, int (*each)(void *arg, const struct audit_revision *row), void *arg);
int store_audit_each_document(struct store_audit *a, int (*each)(void *arg, const struct audit_document *row), void *arg);
int store_audit_each_change(struct store_audit *a, int (*each)(void *arg, const char *kind, const char *name, int64_t revision), void *arg);

/* To find where the table `changes` differs from what the records tell: tell all of that, then ask. */
int store_audit_tell(struct store_audit *a, const char *kind, const char *name, int64_t revision);
struct audit_difference { int64_t revision; char kind[64], name[64]; bool missing; /* in `changes`; else too much there */ };
int store_audit_difference(struct store_audit *a, struct audit_difference *first);	/* the oldest; ENOENT: there is none */

#endif
