#include "mgmtd/store.h"

#include "mgmtd/secret.h"
#include "mgmtd/store_account.h"
#include "mgmtd/store_confirmation.h"
#include "mgmtd/store_database.h"
#include "mgmtd/store_history.h"
#include "mgmtd/store_private.h"
#include "mgmtd/store_span.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The writer's statements. */
enum statement {
	SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_PUT_OBJECT, SQL_DELETE_OBJECT, SQL_APPEND_REVISION, SQL_INDEX_CHANGE,
	SQL_PUT_SECRET, SQL_GET_SECRET, SQL_HEAD, SQL_EACH_OBJECT,
	SQL_COUNT
};

static const char *const sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_PUT_OBJECT] = "INSERT INTO documents VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
		" ON CONFLICT DO UPDATE SET id = ?3, incarnation = ?4, revision = ?5, changed_at = ?6, changed_by = ?7, document = ?8",
	[SQL_DELETE_OBJECT] = "DELETE FROM documents WHERE kind = ?1 AND name = ?2",
	[SQL_APPEND_REVISION] = "INSERT INTO revisions (revision, record, prev_hash, hash) VALUES (?1, ?2, ?3, ?4)",
	[SQL_INDEX_CHANGE] = "INSERT OR IGNORE INTO changes VALUES (?1, ?2, ?3)",
	[SQL_PUT_SECRET] = "INSERT OR IGNORE INTO secrets VALUES (?1, ?2)",
	[SQL_GET_SECRET] = "SELECT box FROM secrets WHERE reference = ?1",
	[SQL_HEAD] = "SELECT revision, hash FROM revisions ORDER BY revision DESC LIMIT 1",
	[SQL_EACH_OBJECT] = STORE_EACH_OBJECT,
};

static const struct store_migration migrations[] = {
#include "gen/migrations.inc"
};
#define MIGRATIONS (int)(sizeof migrations / sizeof migrations[0])

struct store {
	sqlite3 *writer;
	struct store_accounts *accounts;	/* a connection of its own: a long list must not hold up the check of a token */
	sqlite3_stmt *statements[SQL_COUNT];
	struct store_history *history;
	struct store_spans *spans;
	struct store_confirmations *confirmations;
	struct store_answers *answers;
	EVP_MD_CTX *sha256;		/* OpenSSL's uses the processor's instructions; libsodium's takes as long as an INSERT */
	bool in_transaction;
};

void store_close(struct store *s)
{
	if (!s)
		return;
	store_history_close(s->history);
	store_spans_close(s->spans);
	store_confirmations_close(s->confirmations);
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	store_answers_close(s->answers);
	store_accounts_close(s->accounts);
	sqlite3_close(s->writer);
	EVP_MD_CTX_free(s->sha256);
	free(s);
}

struct store_answers *store_answers(struct store *s)
{
	return s->answers;
}

const char *store_explain(int error)
{
	switch (error) {
	case ENOSPC:	return "there is no room left, on the disk or in the run directory";
	case EROFS:	return "the database is read-only";
	case EBUSY:	return "the database is locked by another program";
	default:	return strerror(error);
	}
}

struct store_accounts *store_accounts(struct store *s)
{
	return s->accounts;
}

const char *store_fault(struct store *s)
{
	return sqlite3_errmsg(s->writer);
}

struct store_history *store_history_of(const struct store *s)
{
	return s->history;
}

struct store_spans *store_spans_of(const struct store *s)
{
	return s->spans;
}

struct store_confirmations *store_confirmations_of(const struct store *s)
{
	return s->confirmations;
}

/* ------------------------------------------------------------------ opening */

static int prepare(struct store *s, const char *path, struct shm_why *why)
{
	int error = store_prepare(s->statements, s->writer, sql, SQL_COUNT, path, why);

	if (!error)
		error = store_history_open(&s->history, s->writer, path, why);
	if (!error)
		error = store_spans_open(&s->spans, s->writer, path, why);
	if (!error)
		error = store_confirmations_open(&s->confirmations, s->writer, path, why);
	return error;
}

int store_open(struct store **out, const char *state, bool *fresh, struct shm_why *why)
{
	char path[4096];
	struct stat st;
	int error;

	snprintf(path, sizeof path, "%s/tandem.db", state);
	struct store *s = calloc(1, sizeof *s);
	if (!s)
		return ENOMEM;
	if (!(s->sha256 = EVP_MD_CTX_new()) || EVP_DigestInit_ex2(s->sha256, EVP_sha256(), NULL) != 1) {
		store_close(s);
		return ENOMEM;
	}
	/* A file of no bytes is what a start killed before its first commit leaves. */
	*fresh = stat(path, &st) != 0 || st.st_size == 0;
	/* SQLite's own default mode follows the umask; the directory is 0700, the files should not depend on that. */
	mode_t old = umask(077);
	error = store_connect(&s->writer, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000; PRAGMA cache_size = -32000", why);
	if (!error)
		error = store_migrate(s->writer, path, migrations, MIGRATIONS, why);
	if (!error)
		error = store_accounts_open(&s->accounts, path, s->writer, why);
	if (!error)
		error = prepare(s, path, why);
	if (!error)
		error = store_answers_open(&s->answers, s->writer, path, why);
	umask(old);
	if (error) {
		store_close(s);
		return error;
	}
	*out = s;
	return 0;
}

/* ------------------------------------------------------------------ writing */

static int run(struct store *s, enum statement which)
{
	return store_step(s->statements[which]);
}

static void bind_text(struct store *s, enum statement which, int column, const char *text)
{
	sqlite3_bind_text(s->statements[which], column, text, -1, SQLITE_STATIC);
}

static void bind_number(struct store *s, enum statement which, int column, uint64_t number)
{
	sqlite3_bind_int64(s->statements[which], column, (sqlite3_int64)number);
}

int store_begin(struct store *s)
{
	int error = run(s, SQL_BEGIN);
	s->in_transaction = error == 0;
	return error;
}

void store_rollback(struct store *s)
{
	/* SQLite rolls back by itself on some errors, among them a full disk. */
	if (!sqlite3_get_autocommit(s->writer))
		run(s, SQL_ROLLBACK);
	store_spans_forget(s->spans);
	s->in_transaction = false;
}

int store_commit(struct store *s)
{
	int error = run(s, SQL_COMMIT);
	if (error)
		store_rollback(s);
	s->in_transaction = false;
	return error;
}

int store_put_object(struct store *s, const struct object *object)
{
	bind_text(s, SQL_PUT_OBJECT, 1, object->kind->path);
	bind_text(s, SQL_PUT_OBJECT, 2, object->name);
	bind_number(s, SQL_PUT_OBJECT, 3, object->id);
	bind_number(s, SQL_PUT_OBJECT, 4, object->incarnation);
	bind_number(s, SQL_PUT_OBJECT, 5, object->revision);
	bind_text(s, SQL_PUT_OBJECT, 6, object->changed_at);
	bind_text(s, SQL_PUT_OBJECT, 7, object->changed_by);
	bind_text(s, SQL_PUT_OBJECT, 8, object->document);
	return run(s, SQL_PUT_OBJECT);
}

int store_delete_object(struct store *s, const struct kind *kind, const char *name)
{
	bind_text(s, SQL_DELETE_OBJECT, 1, kind->path);
	bind_text(s, SQL_DELETE_OBJECT, 2, name);
	return run(s, SQL_DELETE_OBJECT);
}

int store_append_revision(struct store *s, uint64_t revision, const char *record, size_t len,
                          const unsigned char prev[STORE_HASH], unsigned char hash[STORE_HASH])
{
	if (EVP_DigestInit_ex2(s->sha256, NULL, NULL) != 1 || EVP_DigestUpdate(s->sha256, prev, STORE_HASH) != 1 ||
	    EVP_DigestUpdate(s->sha256, record, len) != 1 || EVP_DigestFinal_ex(s->sha256, hash, NULL) != 1)
		return EIO;
	sqlite3_stmt *statement = s->statements[SQL_APPEND_REVISION];
	bind_number(s, SQL_APPEND_REVISION, 1, revision);
	sqlite3_bind_text64(statement, 2, record, len, SQLITE_STATIC, SQLITE_UTF8);
	sqlite3_bind_blob(statement, 3, prev, STORE_HASH, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 4, hash, STORE_HASH, SQLITE_STATIC);
	return run(s, SQL_APPEND_REVISION);
}

int store_index_change(struct store *s, uint64_t revision, const struct object *object)
{
	bind_text(s, SQL_INDEX_CHANGE, 1, object->kind->path);
	bind_text(s, SQL_INDEX_CHANGE, 2, object->name);
	bind_number(s, SQL_INDEX_CHANGE, 3, revision);
	return run(s, SQL_INDEX_CHANGE);
}

int store_put_secret(struct store *s, const char *reference, const void *box, size_t size)
{
	bind_text(s, SQL_PUT_SECRET, 1, reference);
	sqlite3_bind_blob(s->statements[SQL_PUT_SECRET], 2, box, (int)size, SQLITE_STATIC);
	return run(s, SQL_PUT_SECRET);
}

/* ------------------------------------------------------------------ reading */

int store_get_secret(struct store *s, const char *reference, void *box, size_t *size)
{
	return store_box(s->statements[SQL_GET_SECRET], reference, box, size);
}

int store_head(struct store *s, uint64_t *revision, unsigned char hash[STORE_HASH])
{
	sqlite3_stmt *statement = s->statements[SQL_HEAD];
	int code = sqlite3_step(statement);

	*revision = 0;
	memset(hash, 0, STORE_HASH);
	if (code == SQLITE_ROW) {
		*revision = (uint64_t)sqlite3_column_int64(statement, 0);
		if (sqlite3_column_bytes(statement, 1) == STORE_HASH)
			memcpy(hash, sqlite3_column_blob(statement, 1), STORE_HASH);
	}
	sqlite3_reset(statement);
	return store_errno(code);
}

int store_each_object(struct store *s, int (*each)(void *arg, const struct object *row), void *arg)
{
	return store_rows(s->statements[SQL_EACH_OBJECT], each, arg);
}
