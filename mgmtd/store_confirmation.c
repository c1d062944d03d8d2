#include "mgmtd/store_confirmation.h"

#include "mgmtd/buffer.h"
#include "mgmtd/store_database.h"
#include "mgmtd/store_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum statement { SQL_ARM, SQL_NEXT, SQL_STATE, SQL_SETTLE, SQL_COUNT };

static const char *const sql[SQL_COUNT] = {
	[SQL_ARM] = "INSERT INTO confirmations (revision, within_s, deadline, state) VALUES (?1, ?2, ?3, 'pending')",
	[SQL_NEXT] = "SELECT revision, within_s, deadline FROM confirmations WHERE state = 'pending' ORDER BY deadline, revision LIMIT 1",
	[SQL_STATE] = "SELECT state FROM confirmations WHERE revision = ?1",
	[SQL_SETTLE] = "UPDATE confirmations SET state = ?2, settled_at = ?3, settled_by = ?4, rolled_back_by = ?5, detail = ?6"
		" WHERE revision = ?1 AND state = 'pending'",
};

const char *const confirmation_words[] = { "pending", "confirmed", "rolled_back", "failed" };

struct store_confirmations { sqlite3_stmt *statements[SQL_COUNT]; };

int store_confirmations_open(struct store_confirmations **out, sqlite3 *writer, const char *path, struct shm_why *why)
{
	struct store_confirmations *c = calloc(1, sizeof *c);

	if (!c)
		return ENOMEM;
	*out = c;
	return store_prepare(c->statements, writer, sql, SQL_COUNT, path, why);
}

void store_confirmations_close(struct store_confirmations *c)
{
	if (!c)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(c->statements[i]);
	free(c);
}

static sqlite3_stmt *about(struct store *s, enum statement which, uint64_t revision)
{
	sqlite3_stmt *statement = store_confirmations_of(s)->statements[which];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)revision);
	return statement;
}

int store_confirmation_arm(struct store *s, const struct confirmation *confirmation)
{
	sqlite3_stmt *statement = about(s, SQL_ARM, confirmation->revision);

	sqlite3_bind_int64(statement, 2, confirmation->within_s);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)confirmation->deadline_us);
	return store_step(statement);
}

int store_confirmation_next(struct store *s, struct confirmation *next)
{
	sqlite3_stmt *statement = store_confirmations_of(s)->statements[SQL_NEXT];
	int code = sqlite3_step(statement);

	*next = (struct confirmation){ 0 };
	if (code == SQLITE_ROW)
		*next = (struct confirmation){ .revision = (uint64_t)sqlite3_column_int64(statement, 0),
		                               .within_s = (unsigned)sqlite3_column_int64(statement, 1),
		                               .deadline_us = (uint64_t)sqlite3_column_int64(statement, 2) };
	sqlite3_reset(statement);
	return store_errno(code);
}

int store_confirmation_state(struct store *s, uint64_t revision, enum confirmation_state *state)
{
	sqlite3_stmt *statement = about(s, SQL_STATE, revision);
	int code = sqlite3_step(statement);
	const char *word = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;

	*state = CONFIRMATION_NONE;
	for (size_t i = 0; word && i < CONFIRMATION_NONE; i++)
		if (strcmp(word, confirmation_words[i]) == 0)
			*state = (enum confirmation_state)i;
	sqlite3_reset(statement);
	return store_errno(code);
}

int store_confirmation_settle(struct store *s, uint64_t revision, enum confirmation_state state, const char *by,
                              uint64_t rolled_back_by, const char *detail)
{
	sqlite3_stmt *statement = about(s, SQL_SETTLE, revision);
	char now[TIME_TEXT];

	time_text(now, time_now_us());
	sqlite3_bind_text(statement, 2, confirmation_words[state], -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, now, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, by, -1, SQLITE_STATIC);
	if (rolled_back_by)
		sqlite3_bind_int64(statement, 5, (sqlite3_int64)rolled_back_by);
	else
		sqlite3_bind_null(statement, 5);
	sqlite3_bind_text(statement, 6, detail, -1, SQLITE_STATIC);
	return store_step(statement);
}
