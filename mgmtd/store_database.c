#include "mgmtd/store_database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int store_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK: case SQLITE_DONE: case SQLITE_ROW:	return 0;
	case SQLITE_FULL:					return ENOSPC;
	case SQLITE_READONLY: case SQLITE_CANTOPEN: case SQLITE_PERM: return EROFS;
	case SQLITE_BUSY: case SQLITE_LOCKED:			return EBUSY;
	default:						return EIO;
	}
}

int store_failed(struct shm_why *why, sqlite3 *db, const char *path, int code)
{
	snprintf(why->text, sizeof why->text, "%s: %s", path, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
	return store_errno(code) ? store_errno(code) : EIO;
}

static int user_version(sqlite3 *db, int *version)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);

	if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
		*version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* The file as it was before migration N, beside it; one left by an interrupted start is replaced. */
static int copy_before(sqlite3 *db, const char *path, int version, struct shm_why *why)
{
	char copy[4200], *statement;

	snprintf(copy, sizeof copy, "%s.before-%d", path, version + 1);
	if (unlink(copy) != 0 && errno != ENOENT) {
		snprintf(why->text, sizeof why->text, "%s: %s", copy, strerror(errno));
		return EIO;
	}
	if (!(statement = sqlite3_mprintf("VACUUM INTO %Q", copy)))
		return ENOMEM;
	int code = sqlite3_exec(db, statement, NULL, NULL, NULL);
	sqlite3_free(statement);
	return code == SQLITE_OK ? 0 : store_failed(why, db, copy, code);
}

int store_migrate(sqlite3 *db, const char *path, const struct store_migration *migrations, int count, struct shm_why *why)
{
	int version = 0, code = user_version(db, &version), error;
	char bump[64];

	if (code != SQLITE_OK)
		return store_failed(why, db, path, code);
	if (version > count) {
		snprintf(why->text, sizeof why->text, "%s: made by a newer mgmtd (database version %d, this program knows %d)",
		         path, version, count);
		return EPROTO;
	}
	if (version == count)
		return 0;
	if (version > 0 && (error = copy_before(db, path, version, why)))
		return error;
	code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (int i = version; code == SQLITE_OK && i < count; i++)
		code = sqlite3_exec(db, migrations[i].text, NULL, NULL, NULL);
	snprintf(bump, sizeof bump, "PRAGMA user_version = %d; COMMIT", count);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, bump, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return 0;
	error = store_failed(why, db, path, code);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return error;
}

int store_connect(sqlite3 **db, const char *path, int flags, const char *pragmas, struct shm_why *why)
{
	int code = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(*db, 1000);
		code = sqlite3_exec(*db, pragmas, NULL, NULL, NULL);
	}
	return code == SQLITE_OK ? 0 : store_failed(why, *db, path, code);
}

int store_prepare(sqlite3_stmt *statements[], sqlite3 *db, const char *const sql[], int count, const char *path, struct shm_why *why)
{
	for (int i = 0; i < count; i++) {
		int code = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL);
		if (code != SQLITE_OK)
			return store_failed(why, db, path, code);
	}
	return 0;
}

int store_step(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? 0 : store_errno(code) ? store_errno(code) : EIO;
}
