#include "mgmtd/store_account.h"

#include "mgmtd/buffer.h"
#include "mgmtd/store_database.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER "username, role, password_hash, must_change_password, version, changed_at, changed_by"
#define TOKEN "name, jti, role, created_at, created_by, expires_at, last_used_at"

enum statement {
	/* writer */
	SQL_FIND_USER, SQL_ADMINS, SQL_PUT_USER, SQL_DELETE_USER, SQL_REVOKE, SQL_FORGET_REVOKED, SQL_FIND_TOKEN, SQL_TOKEN_COUNT,
	SQL_PUT_TOKEN, SQL_DELETE_TOKEN, SQL_TOKEN_USED, SQL_NOTE, SQL_FORGET_NOTES,
	SQL_WRITER_COUNT,
	/* reader */
	SQL_GET_USER = SQL_WRITER_COUNT, SQL_ANY_USER, SQL_USERS, SQL_GET_TOKEN, SQL_TOKENS, SQL_REVOKED, SQL_NOTES,
	SQL_COUNT
};

static const char *const sql[SQL_COUNT] = {
	[SQL_FIND_USER] = "SELECT " USER " FROM users WHERE username = ?1",
	[SQL_ADMINS] = "SELECT count(*) FROM users WHERE role = 'admin'",
	[SQL_PUT_USER] = "INSERT OR REPLACE INTO users (" USER ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_DELETE_USER] = "DELETE FROM users WHERE username = ?1",
	[SQL_REVOKE] = "INSERT OR REPLACE INTO revoked_tokens VALUES (?1, ?2)",
	[SQL_FORGET_REVOKED] = "DELETE FROM revoked_tokens WHERE expires_at < unixepoch()",
	[SQL_FIND_TOKEN] = "SELECT " TOKEN " FROM tokens WHERE name = ?1",
	[SQL_TOKEN_COUNT] = "SELECT count(*) FROM tokens",
	[SQL_PUT_TOKEN] = "INSERT INTO tokens (" TOKEN ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[SQL_DELETE_TOKEN] = "DELETE FROM tokens WHERE name = ?1",
	[SQL_TOKEN_USED] = "UPDATE tokens SET last_used_at = ?2 WHERE jti = ?1 AND last_used_at < ?2",
	[SQL_NOTE] = "INSERT INTO account_changes (at, actor, token, address, request_id, kind, name, op, fields)"
		" VALUES (?1, ?2, nullif(?3, ''), ?4, ?5, ?6, ?7, ?8, ?9)",
	[SQL_FORGET_NOTES] = "DELETE FROM account_changes WHERE seq <= (SELECT max(seq) FROM account_changes) - ?1",
	[SQL_GET_USER] = "SELECT " USER " FROM users WHERE username = ?1",
	[SQL_ANY_USER] = "SELECT " USER " FROM users LIMIT 1",
	[SQL_USERS] = "SELECT " USER " FROM users WHERE username > ?1 ORDER BY username LIMIT ?2",
	[SQL_GET_TOKEN] = "SELECT " TOKEN " FROM tokens WHERE name = ?1",
	[SQL_TOKENS] = "SELECT " TOKEN " FROM tokens WHERE name > ?1 ORDER BY name LIMIT ?2",
	[SQL_REVOKED] = "SELECT 1 FROM revoked_tokens WHERE jti = ?1",
	[SQL_NOTES] = "SELECT seq, at, actor, token, address, request_id, kind, name, op, fields FROM account_changes WHERE seq < ?1"
		" ORDER BY seq DESC LIMIT ?2",
};

struct store_accounts {
	sqlite3 *reader;
	sqlite3_stmt *statements[SQL_COUNT];
	pthread_mutex_t reading;	/* guards the reader's statements */
};

void store_accounts_close(struct store_accounts *a)
{
	if (!a)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(a->statements[i]);
	sqlite3_close(a->reader);
	pthread_mutex_destroy(&a->reading);
	free(a);
}

int store_accounts_open(struct store_accounts **out, const char *path, sqlite3 *writer, struct shm_why *why)
{
	struct store_accounts *a = calloc(1, sizeof *a);
	if (!a)
		return ENOMEM;
	pthread_mutex_init(&a->reading, NULL);
	int error = store_connect(&a->reader, path, SQLITE_OPEN_READONLY, "PRAGMA query_only = ON", why);
	for (int i = 0; !error && i < SQL_COUNT; i++) {
		sqlite3 *db = i < SQL_WRITER_COUNT ? writer : a->reader;
		int code = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &a->statements[i], NULL);
		if (code != SQLITE_OK)
			error = store_failed(why, db, path, code);
	}
	if (error) {
		store_accounts_close(a);
		return error;
	}
	*out = a;
	return 0;
}

/* ------------------------------------------------------------------ rows */

static void copy_column(char *text, size_t size, sqlite3_stmt *statement, int column)
{
	const unsigned char *value = sqlite3_column_text(statement, column);
	snprintf(text, size, "%s", value ? (const char *)value : "");
}

static void take_user(struct store_user *user, sqlite3_stmt *row)
{
	copy_column(user->username, sizeof user->username, row, 0);
	copy_column(user->role, sizeof user->role, row, 1);
	copy_column(user->password_hash, sizeof user->password_hash, row, 2);
	user->must_change_password = sqlite3_column_int(row, 3) != 0;
	user->version = sqlite3_column_int64(row, 4);
	copy_column(user->changed_at, sizeof user->changed_at, row, 5);
	copy_column(user->changed_by, sizeof user->changed_by, row, 6);
}

static void take_token(struct store_api_token *token, sqlite3_stmt *row)
{
	copy_column(token->name, sizeof token->name, row, 0);
	copy_column(token->jti, sizeof token->jti, row, 1);
	copy_column(token->role, sizeof token->role, row, 2);
	copy_column(token->created_at, sizeof token->created_at, row, 3);
	copy_column(token->created_by, sizeof token->created_by, row, 4);
	token->expires_at = sqlite3_column_int64(row, 5);
	token->last_used_at = sqlite3_column_int64(row, 6);
}

static sqlite3_stmt *with_text(struct store *s, enum statement which, const char *text)
{
	sqlite3_stmt *statement = store_accounts(s)->statements[which];
	sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
	return statement;
}

/* ENOENT: no row.  The statement is to be reset. */
static int step_row(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	return code == SQLITE_ROW ? 0 : code == SQLITE_DONE ? ENOENT : store_errno(code) ? store_errno(code) : EIO;
}

static int user_row(sqlite3_stmt *statement, struct store_user *user)
{
	int error = step_row(statement);
	if (!error)
		take_user(user, statement);
	sqlite3_reset(statement);
	return error;
}

static int token_row(sqlite3_stmt *statement, struct store_api_token *token)
{
	int error = step_row(statement);
	if (!error)
		take_token(token, statement);
	sqlite3_reset(statement);
	return error;
}

static int count_row(sqlite3_stmt *statement, unsigned *count)
{
	int error = step_row(statement);
	if (!error)
		*count = (unsigned)sqlite3_column_int(statement, 0);
	sqlite3_reset(statement);
	return error;
}

/* ------------------------------------------------------------------ reading */

static void lock(struct store *s)
{
	pthread_mutex_lock(&store_accounts(s)->reading);
}

static void unlock(struct store *s)
{
	pthread_mutex_unlock(&store_accounts(s)->reading);
}

int store_user_get(struct store *s, const char *username, struct store_user *user)
{
	lock(s);
	int error = user_row(with_text(s, SQL_GET_USER, username), user);
	unlock(s);
	return error;
}

int store_user_any(struct store *s)
{
	struct store_user user;
	lock(s);
	int error = user_row(store_accounts(s)->statements[SQL_ANY_USER], &user);
	unlock(s);
	return error;
}

int store_api_token_get(struct store *s, const char *name, struct store_api_token *token)
{
	lock(s);
	int error = token_row(with_text(s, SQL_GET_TOKEN, name), token);
	unlock(s);
	return error;
}

int store_users(struct store *s, const char *after, unsigned limit, void (*each)(void *arg, const struct store_user *user),
                void *arg, bool *more)
{
	struct store_user user;
	int error;
	lock(s);
	sqlite3_stmt *statement = with_text(s, SQL_USERS, after);
	sqlite3_bind_int64(statement, 2, limit + 1);	/* one more tells whether there is a next page */
	for (*more = false; (error = step_row(statement)) == 0 && !*more;) {
		*more = limit-- == 0;
		take_user(&user, statement);
		if (!*more)
			each(arg, &user);
	}
	sqlite3_reset(statement);
	unlock(s);
	return error == ENOENT ? 0 : error;
}

int store_api_tokens(struct store *s, const char *after, unsigned limit,
                     void (*each)(void *arg, const struct store_api_token *token), void *arg, bool *more)
{
	struct store_api_token token;
	int error;
	lock(s);
	sqlite3_stmt *statement = with_text(s, SQL_TOKENS, after);
	sqlite3_bind_int64(statement, 2, limit + 1);
	for (*more = false; (error = step_row(statement)) == 0 && !*more;) {
		*more = limit-- == 0;
		take_token(&token, statement);
		if (!*more)
			each(arg, &token);
	}
	sqlite3_reset(statement);
	unlock(s);
	return error == ENOENT ? 0 : error;
}

bool store_token_revoked(struct store *s, const char *jti)
{
	lock(s);
	sqlite3_stmt *statement = with_text(s, SQL_REVOKED, jti);
	int error = step_row(statement);
	sqlite3_reset(statement);
	unlock(s);
	return error != ENOENT;
}

static json_t *note_item(sqlite3_stmt *row)
{
	json_t *item = json_object();
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		const char *text = (const char *)sqlite3_column_text(row, i);
		bool number = sqlite3_column_type(row, i) == SQLITE_INTEGER;
		json_object_set_new(item, sqlite3_column_name(row, i), number ? json_integer(sqlite3_column_int64(row, i)) :
		                    text ? json_string(text) : json_null());
	}
	return item;
}

int store_account_changes(struct store *s, uint64_t before, unsigned limit, json_t *items, bool *more)
{
	int error;
	lock(s);
	sqlite3_stmt *statement = store_accounts(s)->statements[SQL_NOTES];
	sqlite3_bind_int64(statement, 1, before ? (sqlite3_int64)before : INT64_MAX);
	sqlite3_bind_int64(statement, 2, limit + 1);
	for (*more = false; (error = step_row(statement)) == 0 && !*more;) {
		*more = limit-- == 0;
		if (!*more)
			json_array_append_new(items, note_item(statement));
	}
	sqlite3_reset(statement);
	unlock(s);
	return error == ENOENT ? 0 : error;
}

/* ------------------------------------------------------------------ writing */

int store_user_find(struct store *s, const char *username, struct store_user *user)
{
	return user_row(with_text(s, SQL_FIND_USER, username), user);
}

int store_user_admins(struct store *s, unsigned *count)
{
	return count_row(store_accounts(s)->statements[SQL_ADMINS], count);
}

void store_user_touch(struct store_user *user, const char *by)
{
	uint64_t now = time_now_us();
	user->version = (int64_t)now > user->version ? (int64_t)now : user->version + 1;	/* whatever the clock does */
	time_text(user->changed_at, now);
	snprintf(user->changed_by, sizeof user->changed_by, "%s", by);
}

int store_user_put(struct store *s, const struct store_user *user)
{
	sqlite3_stmt *statement = with_text(s, SQL_PUT_USER, user->username);
	sqlite3_bind_text(statement, 2, user->role, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, user->password_hash, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 4, user->must_change_password);
	sqlite3_bind_int64(statement, 5, user->version);
	sqlite3_bind_text(statement, 6, user->changed_at, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 7, user->changed_by, -1, SQLITE_STATIC);
	return store_step(statement);
}

int store_user_delete(struct store *s, const char *username)
{
	return store_step(with_text(s, SQL_DELETE_USER, username));
}

int store_token_revoke(struct store *s, const char *jti, int64_t expires_at)
{
	int error = store_step(store_accounts(s)->statements[SQL_FORGET_REVOKED]);
	if (error)
		return error;
	sqlite3_stmt *statement = with_text(s, SQL_REVOKE, jti);
	sqlite3_bind_int64(statement, 2, expires_at);
	return store_step(statement);
}

int store_api_token_find(struct store *s, const char *name, struct store_api_token *token)
{
	return token_row(with_text(s, SQL_FIND_TOKEN, name), token);
}

int store_api_token_count(struct store *s, unsigned *count)
{
	return count_row(store_accounts(s)->statements[SQL_TOKEN_COUNT], count);
}

int store_api_token_put(struct store *s, const struct store_api_token *token)
{
	sqlite3_stmt *statement = with_text(s, SQL_PUT_TOKEN, token->name);
	sqlite3_bind_text(statement, 2, token->jti, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, token->role, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, token->created_at, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, token->created_by, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 6, token->expires_at);
	sqlite3_bind_int64(statement, 7, token->last_used_at);
	return store_step(statement);
}

int store_api_token_delete(struct store *s, const char *name)
{
	return store_step(with_text(s, SQL_DELETE_TOKEN, name));
}

int store_api_token_used(struct store *s, const char *jti, int64_t at_us)
{
	sqlite3_stmt *statement = with_text(s, SQL_TOKEN_USED, jti);
	sqlite3_bind_int64(statement, 2, at_us);
	return store_step(statement);
}

int store_account_note(struct store *s, const struct store_account_change *change)
{
	const char *columns[] = { change->at, change->actor, change->token, change->address, change->request_id, change->kind,
	                          change->name, change->op, change->fields };
	sqlite3_stmt *statement = store_accounts(s)->statements[SQL_NOTE];
	for (int i = 0; i < (int)(sizeof columns / sizeof columns[0]); i++)
		sqlite3_bind_text(statement, i + 1, columns[i], -1, SQLITE_STATIC);
	int error = store_step(statement);
	if (error)
		return error;
	sqlite3_bind_int(store_accounts(s)->statements[SQL_FORGET_NOTES], 1, STORE_CHANGES_KEPT);
	return store_step(store_accounts(s)->statements[SQL_FORGET_NOTES]);
}
