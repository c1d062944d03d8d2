#include "mgmtd/store_answers.h"

#include "mgmtd/store_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PUTS_BETWEEN_TRIMS 64

enum statement { SQL_GET, SQL_PUT, SQL_AMEND, SQL_EXPIRE, SQL_TRIM, SQL_COUNT };

static const char *const sql[SQL_COUNT] = {
	[SQL_GET] = "SELECT fingerprint, status, revision, body FROM answers WHERE actor = ?1 AND key = ?2 AND at > unixepoch() - ?3",
	[SQL_PUT] = "INSERT OR REPLACE INTO answers (actor, key, fingerprint, at, status, revision, bytes, body)"
		" VALUES (?1, ?2, ?3, unixepoch(), ?4, ?5, ?6, ?7)",
	[SQL_AMEND] = "UPDATE answers SET bytes = ?3, body = ?4 WHERE actor = ?1 AND key = ?2",
	[SQL_EXPIRE] = "DELETE FROM answers WHERE at <= unixepoch() - ?1",
	/* the newest stay, as far as both bounds allow */
	[SQL_TRIM] = "DELETE FROM answers WHERE number <= (SELECT max(number) FROM (SELECT number,"
		" row_number() OVER newest AS count, sum(bytes) OVER newest AS total FROM answers"
		" WINDOW newest AS (ORDER BY number DESC)) WHERE count > ?1 OR total > ?2)",
};

struct store_answers {
	sqlite3_stmt *statements[SQL_COUNT];
	unsigned puts;		/* since what is too old or too much was dropped */
};

void store_answers_close(struct store_answers *a)
{
	for (int i = 0; a && i < SQL_COUNT; i++)
		sqlite3_finalize(a->statements[i]);
	free(a);
}

int store_answers_open(struct store_answers **out, sqlite3 *writer, const char *path, struct shm_why *why)
{
	struct store_answers *a = calloc(1, sizeof *a);

	if (!a)
		return ENOMEM;
	a->puts = PUTS_BETWEEN_TRIMS;	/* what grew too old while nobody ran goes first */
	for (int i = 0; i < SQL_COUNT; i++) {
		int code = sqlite3_prepare_v3(writer, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &a->statements[i], NULL);
		if (code != SQLITE_OK) {
			store_answers_close(a);
			return store_failed(why, writer, path, code);
		}
	}
	*out = a;
	return 0;
}

static void bind_key(sqlite3_stmt *statement, const char *actor, const char *key)
{
	sqlite3_bind_text(statement, 1, actor, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
}

int store_answer_get(struct store_answers *a, const char *actor, const char *key, const unsigned char fingerprint[STORE_FINGERPRINT],
                     struct store_answer *answer)
{
	sqlite3_stmt *statement = a->statements[SQL_GET];
	int error = 0;

	*answer = (struct store_answer){ 0 };
	bind_key(statement, actor, key);
	sqlite3_bind_int64(statement, 3, STORE_ANSWER_S);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		if (sqlite3_column_bytes(statement, 0) == STORE_FINGERPRINT)
			memcpy(answer->fingerprint, sqlite3_column_blob(statement, 0), STORE_FINGERPRINT);
		answer->status = (unsigned)sqlite3_column_int(statement, 1);
		answer->revision = (uint64_t)sqlite3_column_int64(statement, 2);
		if (memcmp(answer->fingerprint, fingerprint, STORE_FINGERPRINT) == 0 &&
		    !(answer->body = strdup((const char *)sqlite3_column_text(statement, 3))))
			error = ENOMEM;
	}
	sqlite3_reset(statement);
	return error ? error : code == SQLITE_DONE ? ENOENT : store_errno(code);
}

static int trim(struct store_answers *a)
{
	sqlite3_bind_int64(a->statements[SQL_EXPIRE], 1, STORE_ANSWER_S);
	int error = store_step(a->statements[SQL_EXPIRE]);
	if (error)
		return error;
	sqlite3_bind_int64(a->statements[SQL_TRIM], 1, STORE_ANSWERS);
	sqlite3_bind_int64(a->statements[SQL_TRIM], 2, STORE_ANSWER_BYTES);
	return store_step(a->statements[SQL_TRIM]);
}

int store_answer_put(struct store_answers *a, const char *actor, const char *key, const struct store_answer *answer)
{
	sqlite3_stmt *statement = a->statements[SQL_PUT];
	size_t len = strlen(answer->body);

	bind_key(statement, actor, key);
	sqlite3_bind_blob(statement, 3, answer->fingerprint, STORE_FINGERPRINT, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, answer->status);
	sqlite3_bind_int64(statement, 5, (sqlite3_int64)answer->revision);
	sqlite3_bind_int64(statement, 6, (sqlite3_int64)len);
	sqlite3_bind_text64(statement, 7, answer->body, len, SQLITE_STATIC, SQLITE_UTF8);
	int error = store_step(statement);
	sqlite3_clear_bindings(statement);
	if (error || ++a->puts < PUTS_BETWEEN_TRIMS)
		return error;
	a->puts = 0;
	return trim(a);
}

int store_answer_amend(struct store_answers *a, const char *actor, const char *key, const char *body)
{
	sqlite3_stmt *statement = a->statements[SQL_AMEND];
	size_t len = strlen(body);

	bind_key(statement, actor, key);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)len);
	sqlite3_bind_text64(statement, 4, body, len, SQLITE_STATIC, SQLITE_UTF8);
	return store_step(statement);
}
