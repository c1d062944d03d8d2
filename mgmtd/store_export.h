/*
 * The whole configuration as it was at one moment, and copies of the database, both made beside the writer: a connection of its
 * own, for one thread, that sees one state of the database for as long as it likes and holds up nobody.
 */
#ifndef MGMTD_STORE_EXPORT_H
#define MGMTD_STORE_EXPORT_H

#include "mgmtd/model.h"
#include "shm/shm.h"

struct store_export;

/* Of <state>/tandem.db, which is there.  Errors as in store.h. */
int store_export_open(struct store_export **e, const char *state, struct shm_why *why);
void store_export_close(struct store_export *e);

/* Between the two every call sees the same state: that of *revision, which was made at `at` ("" = revision 0). */
int store_export_begin(struct store_export *e, uint64_t *revision, char at[TIME_TEXT]);
void store_export_end(struct store_export *e);

/* Every object in order of kind and name; the row is each()'s to copy from. */
int store_export_each(struct store_export *e, int (*each)(void *arg, const struct object *row), void *arg);
/* box: SECRET_BOX_MAX bytes.  ENOENT. */
int store_export_secret(struct store_export *e, const char *reference, void *box, size_t *size);

/* A copy of the database in the file `path`, which must not be there yet; durable when it returns 0.  Goes in small steps, between
 * which it asks stop(arg): true = give up with ECANCELED.  Between begin and end.  What failed leaves no file. */
int store_export_copy(struct store_export *e, const char *path, bool (*stop)(void *arg), void *arg);

#endif
