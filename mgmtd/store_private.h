/* What the files with tandem.db's SQL share: store.c (connections, objects, revisions) and the others, each of which belongs to the
 * thread that its own header names. */
#ifndef MGMTD_STORE_PRIVATE_H
#define MGMTD_STORE_PRIVATE_H

#include "mgmtd/store.h"
#include "mgmtd/store_answers.h"
#include "mgmtd/store_database.h"

#define STORE_EACH_OBJECT \
	"SELECT kind, name, id, incarnation, revision, changed_at, changed_by, document FROM documents ORDER BY kind, name"

/* Each row of STORE_EACH_OBJECT, as store_each_object(). */
int store_rows(sqlite3_stmt *statement, int (*each)(void *arg, const struct object *row), void *arg);

/* The row that a "SELECT box FROM secrets WHERE reference = ?1" gives, as store_get_secret(). */
int store_box(sqlite3_stmt *statement, const char *reference, void *box, size_t *size);

/* Lends the connection of the writer thread. */
int store_answers_open(struct store_answers **a, sqlite3 *writer, const char *path, struct shm_why *why);
void store_answers_close(struct store_answers *a);

struct store_history;
struct store_spans;
struct store_confirmations;

struct store_history *store_history_of(const struct store *s);
struct store_spans *store_spans_of(const struct store *s);
struct store_confirmations *store_confirmations_of(const struct store *s);

#endif
