/*
 * The configuration's database, <state>/tandem.db.  Only store*.c have SQL.  The connection here belongs to the writer thread; users and
 * history have others, read-only, for every other thread.
 *
 * Errors of all functions here: 0, or ENOENT no such row, ENOSPC disk full, EROFS read-only, EBUSY locked by another
 * program, EPROTO the database is newer than this program, EIO anything else of SQLite's.
 */
#ifndef MGMTD_STORE_H
#define MGMTD_STORE_H

#include "mgmtd/model.h"
#include "shm/shm.h"

#include <jansson.h>

struct store;

#define STORE_HASH 32	/* bytes of SHA-256 */

/* Opens <state>/tandem.db, made or migrated as needed; *fresh = there was none before. */
int store_open(struct store **s, const char *state, bool *fresh, struct shm_why *why);
void store_close(struct store *s);

/* --- the writer thread, or before it runs */
int store_begin(struct store *s);
int store_commit(struct store *s);	/* durable (fsync) when it returns 0; rolled back when not */
void store_rollback(struct store *s);
const char *store_explain(int error);	/* one of the errors above in words for people */
const char *store_fault(struct store *s);	/* SQLite's words about the last error */

int store_put_object(struct store *s, const struct object *object);
int store_delete_object(struct store *s, const struct kind *kind, const char *name);
/* hash: out, of this record chained to prev. */
int store_append_revision(struct store *s, uint64_t revision, const char *record, size_t len,
                          const unsigned char prev[STORE_HASH], unsigned char hash[STORE_HASH]);
int store_index_change(struct store *s, uint64_t revision, const struct object *object);
int store_put_secret(struct store *s, const char *reference, const void *box, size_t size);
/* box: SECRET_BOX_MAX bytes */
int store_get_secret(struct store *s, const char *reference, void *box, size_t *size);

/* The newest revision and its hash; revision 0 and a zero hash when there is none. */
int store_head(struct store *s, uint64_t *revision, unsigned char hash[STORE_HASH]);
/* Every object in order of kind and name; the object is each()'s to copy from. */
int store_each_object(struct store *s, int (*each)(void *arg, const struct object *row), void *arg);

#endif
