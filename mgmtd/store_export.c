#include "mgmtd/store_export.h"

#include "mgmtd/secret.h"
#include "mgmtd/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES_PER_STEP 64	/* 256 KiB: between two steps others get the disk, and stopping is noticed */

enum statement { SQL_BEGIN, SQL_END, SQL_HEAD, SQL_EACH, SQL_SECRET, SQL_COUNT };

static const char *const sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN",
	[SQL_END] = "COMMIT",
	[SQL_HEAD] = "SELECT revision, coalesce(json_extract(record, '$.at'), '') FROM revisions ORDER BY revision DESC LIMIT 1",
	[SQL_EACH] = STORE_EACH_OBJECT,
	[SQL_SECRET] = "SELECT box FROM secrets WHERE reference = ?1",
};

struct store_export {
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
};

void store_export_close(struct store_export *e)
{
	if (!e)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(e->statements[i]);
	sqlite3_close(e->db);
	free(e);
}

int store_export_open(struct store_export **out, const char *state, struct shm_why *why)
{
	char path[4096];
	struct store_export *e = calloc(1, sizeof *e);

	if (!e)
		return ENOMEM;
	snprintf(path, sizeof path, "%s/tandem.db", state);
	int error = store_connect(&e->db, path, SQLITE_OPEN_READONLY, "PRAGMA query_only = ON", why);
	for (int i = 0; i < SQL_COUNT && !error; i++) {
		int code = sqlite3_prepare_v3(e->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &e->statements[i], NULL);
		error = code == SQLITE_OK ? 0 : store_failed(why, e->db, path, code);
	}
	if (error) {
		store_export_close(e);
		return error;
	}
	*out = e;
	return 0;
}

int store_export_begin(struct store_export *e, uint64_t *revision, char at[TIME_TEXT])
{
	sqlite3_stmt *head = e->statements[SQL_HEAD];
	int error = store_step(e->statements[SQL_BEGIN]);

	if (error)
		return error;
	int code = sqlite3_step(head);	/* the first read chooses the state that is seen */
	*revision = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(head, 0) : 0;
	snprintf(at, TIME_TEXT, "%s", code == SQLITE_ROW ? (const char *)sqlite3_column_text(head, 1) : "");
	sqlite3_reset(head);
	if ((error = store_errno(code)))
		store_export_end(e);
	return error;
}

void store_export_end(struct store_export *e)
{
	store_step(e->statements[SQL_END]);
}

int store_rows(sqlite3_stmt *statement, int (*each)(void *arg, const struct object *row), void *arg)
{
	int code, error = 0;

	while (!error && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct object row = {
			.kind = schema_kind_by_path((const char *)sqlite3_column_text(statement, 0)),
			.id = (uint32_t)sqlite3_column_int64(statement, 2),
			.incarnation = (uint64_t)sqlite3_column_int64(statement, 3),
			.revision = (uint64_t)sqlite3_column_int64(statement, 4),
			.changed_by = (char *)(uintptr_t)sqlite3_column_text(statement, 6),
			.document = (char *)(uintptr_t)sqlite3_column_text(statement, 7),
		};
		snprintf(row.name, sizeof row.name, "%s", (const char *)sqlite3_column_text(statement, 1));
		snprintf(row.changed_at, sizeof row.changed_at, "%s", (const char *)sqlite3_column_text(statement, 5));
		error = row.kind ? each(arg, &row) : 0;	/* a kind of a later version cannot be here: newer is refused */
	}
	if (!error)
		error = store_errno(code);
	sqlite3_reset(statement);
	return error;
}

int store_export_each(struct store_export *e, int (*each)(void *arg, const struct object *row), void *arg)
{
	return store_rows(e->statements[SQL_EACH], each, arg);
}

int store_box(sqlite3_stmt *statement, const char *reference, void *box, size_t *size)
{
	sqlite3_bind_text(statement, 1, reference, -1, SQLITE_STATIC);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*size = (size_t)sqlite3_column_bytes(statement, 0);
		if (*size <= SECRET_BOX_MAX)
			memcpy(box, sqlite3_column_blob(statement, 0), *size);
	}
	sqlite3_reset(statement);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? ENOENT : store_errno(code);
	return *size <= SECRET_BOX_MAX ? 0 : EIO;
}

int store_export_secret(struct store_export *e, const char *reference, void *box, size_t *size)
{
	return store_box(e->statements[SQL_SECRET], reference, box, size);
}

/* ------------------------------------------------------------------ a copy */

/* The read transaction holds the state that is copied: changes meanwhile make no step begin anew. */
static int copy_pages(struct store_export *e, sqlite3 *to, bool (*stop)(void *arg), void *arg)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", e->db, "main");
	int code = backup ? SQLITE_OK : sqlite3_errcode(to);

	while (code == SQLITE_OK && !(stop && stop(arg)))
		code = sqlite3_backup_step(backup, PAGES_PER_STEP);
	if (!backup)
		return store_errno(code) ? store_errno(code) : EIO;
	int finished = sqlite3_backup_finish(backup);
	if (code == SQLITE_DONE)
		return store_errno(finished);
	return code == SQLITE_OK ? ECANCELED : store_errno(code);
}

static int sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 || fsync(fd) != 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

int store_export_copy(struct store_export *e, const char *path, bool (*stop)(void *arg), void *arg)
{
	struct shm_why why;
	sqlite3 *to = NULL;
	/* O_EXCL: what stands there already is somebody's. */
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	/* Of a copy that is not complete nothing is kept, so SQLite need not make it safe on the way. */
	int error = store_connect(&to, path, SQLITE_OPEN_READWRITE, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", &why);
	if (!error)
		error = copy_pages(e, to, stop, arg);
	sqlite3_close(to);
	if (!error)
		error = sync_file(path);
	if (error)
		unlink(path);
	return error;
}
