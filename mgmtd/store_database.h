/* What the databases of the state directory share: connections, numbered migrations, SQLite's errors as errno. */
#ifndef MGMTD_STORE_DATABASE_H
#define MGMTD_STORE_DATABASE_H

#include "shm/shm.h"

#include <sqlite3.h>

struct store_migration { const char *name, *text; };

int store_errno(int code);	/* of SQLite; 0 = it is none */
int store_failed(struct shm_why *why, sqlite3 *db, const char *path, int code);	/* says why, and gives the errno, never 0 */

int store_connect(sqlite3 **db, const char *path, int flags, const char *pragmas, struct shm_why *why);

/* Brings it to version `count` in one transaction; PATH.before-N keeps how it was.  EPROTO: it is newer. */
int store_migrate(sqlite3 *db, const char *path, const struct store_migration *migrations, int count, struct shm_why *why);

/* Prepares each text for the connection, to be kept. */
int store_prepare(sqlite3_stmt *statements[], sqlite3 *db, const char *const sql[], int count, const char *path, struct shm_why *why);

/* Runs a statement that gives no rows, and resets it. */
int store_step(sqlite3_stmt *statement);

#endif
