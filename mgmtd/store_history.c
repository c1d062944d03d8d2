#include "mgmtd/store_history_private.h"

#include "mgmtd/buffer.h"
#include "mgmtd/revision.h"
#include "mgmtd/store_database.h"
#include "mgmtd/store_private.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH "SELECT revision, record FROM revisions WHERE revision > ?1 AND revision <= ?2 ORDER BY revision"

#define CHANGE "SELECT revision FROM changes WHERE kind = ?1 AND name = ?2 AND revision <= ?3 ORDER BY revision DESC LIMIT 1"

/* Every search goes down one b-tree by its key and takes the first row: what it costs does not grow with the history. */
static const char *const sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN",
	[SQL_END] = "COMMIT",
	[SQL_NEWEST] = "SELECT revision, hash FROM revisions ORDER BY revision DESC LIMIT 1",
	[SQL_AT_MOST] = "SELECT revision, record FROM revisions WHERE revision <= ?1 ORDER BY revision DESC LIMIT 1",
	[SQL_AT_LEAST] = "SELECT revision, substr(record, 1, 80) FROM revisions WHERE revision >= ?1 ORDER BY revision LIMIT 1",
	[SQL_ONE] = "SELECT record, hash, prev_hash, state, deadline, settled_at, settled_by, rolled_back_by, detail"
		" FROM revisions LEFT JOIN confirmations USING (revision) WHERE revision = ?1",
	[SQL_EACH] = EACH,
	[SQL_IN_SPAN] = "SELECT until FROM spans WHERE facet = ?1 AND value = ?2 AND since <= ?3 ORDER BY since DESC LIMIT 1",
	/* Looks at all that are pending, which are few, and at none that are settled. */
	[SQL_PENDING] = "SELECT max(revision) FROM confirmations INDEXED BY confirmations_pending WHERE state = 'pending' AND deadline > 0 AND revision <= ?1",
	[SQL_CHANGE] = CHANGE,
	[SQL_TOUCHED] = "SELECT (SELECT revision FROM changes WHERE kind = ?1 AND name = ?2 AND revision > ?3 ORDER BY revision LIMIT 1),"
		" (SELECT revision FROM changes WHERE kind = ?1 AND name = ?2 AND revision <= ?4 ORDER BY revision DESC LIMIT 1)",
	[SQL_NEXT_NAME] = "SELECT name FROM changes WHERE kind = ?1 AND name > ?2 ORDER BY name LIMIT 1",
	[SQL_CURRENT] = "SELECT name, document FROM documents WHERE kind = ?1 ORDER BY name",
	[SQL_EACH_STAGED] = EACH,
	[SQL_CHANGE_STAGED] = CHANGE,
};

int store_history_open(struct store_history **out, sqlite3 *writer, const char *path, struct shm_why *why)
{
	struct store_history *h = calloc(1, sizeof *h);
	pthread_mutexattr_t recursive;

	if (!h)
		return ENOMEM;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&h->browsing, &recursive);
	pthread_mutexattr_destroy(&recursive);
	*out = h;
	int error = store_connect(&h->db, path, SQLITE_OPEN_READONLY, "PRAGMA query_only = ON", why);
	if (!error)
		error = store_prepare(h->statements, h->db, sql, SQL_READER_COUNT, path, why);
	if (!error)
		error = store_prepare(h->statements + SQL_READER_COUNT, writer, sql + SQL_READER_COUNT, SQL_COUNT - SQL_READER_COUNT, path, why);
	return error;
}

void store_history_close(struct store_history *h)
{
	if (!h)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(h->statements[i]);
	sqlite3_close(h->db);
	pthread_mutex_destroy(&h->browsing);
	free(h);
}

const char *store_history_sql(unsigned which)
{
	return which < SQL_COUNT ? sql[which] : NULL;
}

int store_history_begin(struct store *s)
{
	struct store_history *h = store_history_of(s);

	pthread_mutex_lock(&h->browsing);
	int error = store_step(h->statements[SQL_BEGIN]);
	if (error)
		pthread_mutex_unlock(&h->browsing);
	return error;
}

void store_history_end(struct store *s)
{
	struct store_history *h = store_history_of(s);

	store_step(h->statements[SQL_END]);
	pthread_mutex_unlock(&h->browsing);
}

const char *store_history_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

int store_history_lower(sqlite3_stmt *statement, uint64_t *at)
{
	int code = sqlite3_step(statement);
	uint64_t found = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;

	sqlite3_reset(statement);
	if (found < *at)
		*at = found;
	return store_errno(code);
}

int store_history_changed(sqlite3_stmt *statement, const struct kind *kind, const char *name, uint64_t *at)
{
	sqlite3_bind_text(statement, 1, kind->path, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)*at);
	return store_history_lower(statement, at);
}

/* ------------------------------------------------------------------ one */

static json_t *text_or_null(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL ? json_null() : json_string(store_history_text(statement, column));
}

/* What became of a change made with confirm_within; null without it. */
static json_t *confirmation_of(sqlite3_stmt *statement)
{
	char deadline[TIME_TEXT];

	if (sqlite3_column_type(statement, 3) == SQLITE_NULL)
		return json_null();
	time_text(deadline, (uint64_t)sqlite3_column_int64(statement, 4));
	bool taken_back = sqlite3_column_type(statement, 7) != SQLITE_NULL;
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "state", store_history_text(statement, 3), "confirm_by", deadline,
	                 "settled_at", text_or_null(statement, 5), "settled_by", text_or_null(statement, 6), "rolled_back_by",
	                 taken_back ? json_integer(sqlite3_column_int64(statement, 7)) : json_null(), "detail", text_or_null(statement, 8));
}

static json_t *hash_of(sqlite3_stmt *statement, int column)
{
	char hex[2 * STORE_HASH + 1] = "";

	if (sqlite3_column_bytes(statement, column) == STORE_HASH)
		sodium_bin2hex(hex, sizeof hex, sqlite3_column_blob(statement, column), STORE_HASH);
	return json_string(hex);
}

int store_revision(struct store *s, uint64_t number, json_t **revision)
{
	struct store_history *h = store_history_of(s);
	sqlite3_stmt *statement = h->statements[SQL_ONE];
	json_t *record = NULL;

	pthread_mutex_lock(&h->browsing);
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW && (record = json_loads(store_history_text(statement, 0), 0, NULL))) {
		*revision = revision_detail(record);
		json_object_set_new(*revision, "confirmation", confirmation_of(statement));
		json_object_set_new(*revision, "hash", hash_of(statement, 1));
		json_object_set_new(*revision, "prev_hash", hash_of(statement, 2));
	}
	sqlite3_reset(statement);
	pthread_mutex_unlock(&h->browsing);
	if (code != SQLITE_ROW)
		return code == SQLITE_DONE ? ENOENT : store_errno(code);
	json_decref(record);
	return record ? 0 : EIO;
}

int store_newest(struct store *s, uint64_t *revision, unsigned char hash[STORE_HASH])
{
	struct store_history *h = store_history_of(s);
	sqlite3_stmt *statement = h->statements[SQL_NEWEST];

	*revision = 0;
	memset(hash, 0, STORE_HASH);
	pthread_mutex_lock(&h->browsing);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*revision = (uint64_t)sqlite3_column_int64(statement, 0);
		if (sqlite3_column_bytes(statement, 1) == STORE_HASH)
			memcpy(hash, sqlite3_column_blob(statement, 1), STORE_HASH);
	}
	sqlite3_reset(statement);
	pthread_mutex_unlock(&h->browsing);
	return store_errno(code);
}

/* ------------------------------------------------------------------ walking */

static int each_record(sqlite3_stmt *statement, uint64_t from, uint64_t to, store_record_f *each, void *arg)
{
	int code = SQLITE_DONE, error = 0;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)from);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)to);
	while (!error && (code = sqlite3_step(statement)) == SQLITE_ROW)
		error = each(arg, (uint64_t)sqlite3_column_int64(statement, 0), store_history_text(statement, 1));
	sqlite3_reset(statement);
	return error ? error : store_errno(code);
}

int store_each_record(struct store *s, uint64_t from, uint64_t to, store_record_f *each, void *arg)
{
	struct store_history *h = store_history_of(s);

	pthread_mutex_lock(&h->browsing);
	int error = each_record(h->statements[SQL_EACH], from, to, each, arg);
	pthread_mutex_unlock(&h->browsing);
	return error;
}

int store_each_staged_record(struct store *s, uint64_t from, uint64_t to, store_record_f *each, void *arg)
{
	return each_record(store_history_of(s)->statements[SQL_EACH_STAGED], from, to, each, arg);
}

int store_newest_change(struct store *s, const struct kind *kind, const char *name, uint64_t until, uint64_t *revision)
{
	struct store_history *h = store_history_of(s);

	pthread_mutex_lock(&h->browsing);
	*revision = until;
	int error = store_history_changed(h->statements[SQL_CHANGE], kind, name, revision);
	pthread_mutex_unlock(&h->browsing);
	return error;
}

/* The name that follows; "" = none does. */
static int next_name(struct store_history *h, const struct kind *kind, char name[SCHEMA_NAME_MAX + 1])
{
	sqlite3_stmt *statement = h->statements[SQL_NEXT_NAME];
	char next[SCHEMA_NAME_MAX + 1];

	sqlite3_bind_text(statement, 1, kind->path, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
	int code = sqlite3_step(statement);
	snprintf(next, sizeof next, "%s", code == SQLITE_ROW ? store_history_text(statement, 0) : "");
	sqlite3_reset(statement);
	memcpy(name, next, sizeof next);
	return store_errno(code);
}

static int touched(struct store_history *h, struct store_touched *t, uint64_t from, uint64_t to)
{
	sqlite3_stmt *statement = h->statements[SQL_TOUCHED];

	sqlite3_bind_text(statement, 1, t->kind->path, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, t->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)from);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)to);
	int code = sqlite3_step(statement);
	t->first = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;	/* 0 = NULL: none */
	t->last = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 1) : 0;
	sqlite3_reset(statement);
	return store_errno(code);
}

int store_each_touched(struct store *s, const struct kind *kind, uint64_t from, uint64_t to,
                       int (*each)(void *arg, const struct store_touched *object), void *arg)
{
	struct store_history *h = store_history_of(s);
	struct store_touched t = { .kind = kind };
	int error;

	pthread_mutex_lock(&h->browsing);
	while (!(error = next_name(h, kind, t.name)) && t.name[0] && !(error = touched(h, &t, from, to)))
		if (t.first && t.first <= to && (error = each(arg, &t)))
			break;
	pthread_mutex_unlock(&h->browsing);
	return error;
}

int store_newest_staged_change(struct store *s, const struct kind *kind, const char *name, uint64_t *revision)
{
	return store_history_changed(store_history_of(s)->statements[SQL_CHANGE_STAGED], kind, name, revision);
}

int store_each_current(struct store *s, const struct kind *kind, int (*each)(void *arg, const struct object *row), void *arg)
{
	struct store_history *h = store_history_of(s);
	sqlite3_stmt *statement = h->statements[SQL_CURRENT];
	int code = SQLITE_DONE, error = 0;

	pthread_mutex_lock(&h->browsing);
	sqlite3_bind_text(statement, 1, kind->path, -1, SQLITE_STATIC);
	while (!error && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct object row = { .kind = kind, .document = (char *)(uintptr_t)store_history_text(statement, 1) };
		snprintf(row.name, sizeof row.name, "%s", store_history_text(statement, 0));
		error = each(arg, &row);
	}
	sqlite3_reset(statement);
	pthread_mutex_unlock(&h->browsing);
	return error ? error : store_errno(code);
}
