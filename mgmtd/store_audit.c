#include "mgmtd/store_audit.h"

#include "mgmtd/buffer.h"
#include "mgmtd/store_database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum statement { SQL_REVISIONS, SQL_DOCUMENTS, SQL_CHANGES, SQL_FIXED, SQL_TELL = SQL_FIXED, SQL_COMPARE, SQL_COUNT };

static const char *const sql[SQL_COUNT] = {
	[SQL_REVISIONS] = "SELECT revision, record, prev_hash, hash FROM revisions ORDER BY revision",
	[SQL_DOCUMENTS] = "SELECT kind, name, changed_at, changed_by, document, revision FROM documents",
	[SQL_CHANGES] = "SELECT kind, name, revision FROM changes",
	[SQL_TELL] = "INSERT OR IGNORE INTO told VALUES (?1, ?2, ?3)",
	[SQL_COMPARE] = "SELECT revision, kind, name, missing FROM"
		" (SELECT *, 1 AS missing FROM (SELECT kind, name, revision FROM told EXCEPT SELECT kind, name, revision FROM changes)"
		" UNION ALL SELECT *, 0 FROM (SELECT kind, name, revision FROM changes EXCEPT SELECT kind, name, revision FROM told))"
		" ORDER BY revision LIMIT 1",
};

/* What it takes memory for it may put into a file of its own. */
static const char told[] = "CREATE TEMP TABLE told (kind TEXT, name TEXT, revision INTEGER, PRIMARY KEY (kind, name, revision)) WITHOUT ROWID";

struct store_audit {
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
	bool telling;
};

/* As a URI.  Without a journal beside it nobody has the database open, and SQLite need not make one to look at it. */
static char *address_of(const char *path)
{
	struct buffer b = { 0 };
	char journal[4200];
	size_t len;

	snprintf(journal, sizeof journal, "%s-wal", path);
	buffer_text(&b, "file:");
	for (const char *c = path; *c; c++)
		if (strchr("?#%", *c))
			buffer_format(&b, "%%%02X", (unsigned)(unsigned char)*c);
		else
			buffer_append(&b, c, 1);
	buffer_text(&b, access(journal, F_OK) == 0 ? "?mode=ro" : "?mode=ro&immutable=1");
	return buffer_take(&b, &len);
}

int store_audit_open(struct store_audit **out, const char *path, struct shm_why *why)
{
	struct store_audit *a = calloc(1, sizeof *a);
	char *address = address_of(path);
	int error = a && address ? 0 : ENOMEM;

	if (!error)
		error = store_connect(&a->db, address, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, "BEGIN", why);
	if (error && a && a->db)
		store_failed(why, a->db, path, 0);	/* by its own name */
	if (!error)
		error = store_prepare(a->statements, a->db, sql, SQL_FIXED, path, why);
	free(address);
	if (error) {
		store_audit_close(a);
		return error;
	}
	*out = a;
	return 0;
}

void store_audit_close(struct store_audit *a)
{
	if (!a)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(a->statements[i]);
	sqlite3_close(a->db);
	free(a);
}

/* Never NULL: a row made by hand may hold anything. */
static const char *text_at(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

int store_audit_each_revision(struct store_audit *a, int (*each)(void *arg, const struct audit_revision *row), void *arg)
{
	sqlite3_stmt *statement = a->statements[SQL_REVISIONS];
	int code = SQLITE_DONE, error = 0;

	while (!error && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct audit_revision row = { .revision = sqlite3_column_int64(statement, 0), .record = text_at(statement, 1) };
		row.len = (size_t)sqlite3_column_bytes(statement, 1);
		row.prev_hash = sqlite3_column_blob(statement, 2);
		row.prev_hash_len = (size_t)sqlite3_column_bytes(statement, 2);
		row.hash = sqlite3_column_blob(statement, 3);
		row.hash_len = (size_t)sqlite3_column_bytes(statement, 3);
		error = each(arg, &row);
	}
	sqlite3_reset(statement);
	return error ? error : store_errno(code);
}

int store_audit_each_document(struct store_audit *a, int (*each)(void *arg, const struct audit_document *row), void *arg)
{
	sqlite3_stmt *statement = a->statements[SQL_DOCUMENTS];
	int code = SQLITE_DONE, error = 0;

	while (!error && (code = sqlite3_step(statement)) == SQLITE_ROW)
		error = each(arg, &(struct audit_document){
			.kind = text_at(statement, 0), .name = text_at(statement, 1), .changed_at = text_at(statement, 2),
			.changed_by = text_at(statement, 3), .document = text_at(statement, 4), .revision = sqlite3_column_int64(statement, 5) });
	sqlite3_reset(statement);
	return error ? error : store_errno(code);
}

int store_audit_each_change(struct store_audit *a, int (*each)(void *arg, const char *kind, const char *name, int64_t revision), void *arg)
{
	sqlite3_stmt *statement = a->statements[SQL_CHANGES];
	int code = SQLITE_DONE, error = 0;

	while (!error && (code = sqlite3_step(statement)) == SQLITE_ROW)
		error = each(arg, text_at(statement, 0), text_at(statement, 1), sqlite3_column_int64(statement, 2));
	sqlite3_reset(statement);
	return error ? error : store_errno(code);
}

static int begin_telling(struct store_audit *a)
{
	struct shm_why why;
	int code = sqlite3_exec(a->db, told, NULL, NULL, NULL);

	a->telling = code == SQLITE_OK;
	return a->telling ? store_prepare(a->statements + SQL_FIXED, a->db, sql + SQL_FIXED, SQL_COUNT - SQL_FIXED, "", &why) : store_errno(code);
}

int store_audit_tell(struct store_audit *a, const char *kind, const char *name, int64_t revision)
{
	int error = a->telling ? 0 : begin_telling(a);
	sqlite3_stmt *statement = a->statements[SQL_TELL];

	if (error)
		return error;
	sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, revision);
	return store_step(statement);
}

int store_audit_difference(struct store_audit *a, struct audit_difference *first)
{
	int error = a->telling ? 0 : begin_telling(a);
	sqlite3_stmt *statement = a->statements[SQL_COMPARE];

	if (error)
		return error;
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		first->revision = sqlite3_column_int64(statement, 0);
		snprintf(first->kind, sizeof first->kind, "%s", text_at(statement, 1));
		snprintf(first->name, sizeof first->name, "%s", text_at(statement, 2));
		first->missing = sqlite3_column_int(statement, 3) != 0;
	}
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? ENOENT : store_errno(code);
}
