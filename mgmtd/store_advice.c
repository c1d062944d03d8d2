#include "mgmtd/store_advice.h"

#include "mgmtd/store_database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum statement { SQL_NEWEST, SQL_FIRST_SINCE, SQL_READ, SQL_NUMBERS, SQL_COUNT };

/* Each by one index, without sorting. */
static const char *const sql[SQL_COUNT] = {
	[SQL_NEWEST] = "SELECT seq FROM cdrs ORDER BY seq DESC LIMIT 1",
	[SQL_FIRST_SINCE] = "SELECT seq FROM cdrs WHERE ended_at >= ?1 ORDER BY ended_at LIMIT 1",
	[SQL_READ] = "SELECT seq, id, ringing_at, answered_at, ended_at, code, mapping_gateway, routing_gateway, request_uri_in, to_in,"
		" callee_in, original, routed, invite_use_contact, call_id_in, tried, skipped FROM cdrs WHERE seq > ?1 ORDER BY seq LIMIT ?2",
	[SQL_NUMBERS] = "SELECT original, routed, to_out, call_id_out, invite_use_contact FROM cdrs WHERE id = ?1 ORDER BY ended_at DESC LIMIT 1",
};

struct store_advice {
	sqlite3 *reader;
	sqlite3_stmt *statements[SQL_COUNT];
};

char *store_advice_sql(unsigned which)
{
	return which < SQL_COUNT ? sqlite3_mprintf("%s", sql[which]) : NULL;
}

void store_advice_close(struct store_advice *s)
{
	if (!s)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->reader);
	free(s);
}

int store_advice_open(struct store_advice **out, const char *state)
{
	struct store_advice *s = calloc(1, sizeof *s);
	struct shm_why why = { "" };
	char path[4096];

	if (!s)
		return ENOMEM;
	snprintf(path, sizeof path, "%s/cdr.db", state);
	int error = store_connect(&s->reader, path, SQLITE_OPEN_READONLY, "PRAGMA query_only = ON", &why);
	for (int i = 0; i < SQL_COUNT && !error; i++)
		error = store_errno(sqlite3_prepare_v3(s->reader, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL));
	if (error) {
		store_advice_close(s);
		return error;
	}
	*out = s;
	return 0;
}

/* The number in the first row; 0 = there is no row. */
static int first_number(sqlite3_stmt *statement, uint64_t *number)
{
	int code = sqlite3_step(statement);

	*number = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
	sqlite3_reset(statement);
	return store_errno(code);
}

int store_advice_begin(struct store_advice *s, uint64_t since_us, uint64_t most, uint64_t *seq)
{
	uint64_t newest, first;

	sqlite3_bind_int64(s->statements[SQL_FIRST_SINCE], 1, (sqlite3_int64)since_us);
	int error = first_number(s->statements[SQL_NEWEST], &newest);
	if (!error)
		error = first_number(s->statements[SQL_FIRST_SINCE], &first);
	if (error)
		return error;
	*seq = first ? first - 1 : newest;
	if (newest - *seq > most)
		*seq = newest - most;
	return 0;
}

static const char *text_at(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

static struct advice_record load(sqlite3_stmt *statement)
{
	return (struct advice_record){
		.seq = (uint64_t)sqlite3_column_int64(statement, 0), .id = (uint64_t)sqlite3_column_int64(statement, 1),
		.ringing_at = (uint64_t)sqlite3_column_int64(statement, 2), .answered_at = (uint64_t)sqlite3_column_int64(statement, 3),
		.ended_at = (uint64_t)sqlite3_column_int64(statement, 4), .code = (uint32_t)sqlite3_column_int64(statement, 5),
		.mapping_gateway = text_at(statement, 6), .routing_gateway = text_at(statement, 7),
		.request_uri_in = text_at(statement, 8), .to_in = text_at(statement, 9), .callee_in = text_at(statement, 10),
		.original = text_at(statement, 11), .routed = text_at(statement, 12), .invite_use_contact = text_at(statement, 13),
		.call_id_in = text_at(statement, 14), .tried = text_at(statement, 15), .skipped = text_at(statement, 16),
	};
}

int store_advice_read(struct store_advice *s, uint64_t *seq, unsigned limit, void (*each)(void *arg, const struct advice_record *record),
                      void *arg)
{
	sqlite3_stmt *statement = s->statements[SQL_READ];
	int code;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)*seq);
	sqlite3_bind_int64(statement, 2, limit);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct advice_record record = load(statement);
		*seq = record.seq;
		each(arg, &record);
	}
	sqlite3_reset(statement);
	return store_errno(code);
}

int store_advice_numbers(struct store_advice *s, uint64_t id, struct advice_numbers *n)
{
	sqlite3_stmt *statement = s->statements[SQL_NUMBERS];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)id);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		snprintf(n->original, sizeof n->original, "%s", text_at(statement, 0));
		snprintf(n->routed, sizeof n->routed, "%s", text_at(statement, 1));
		snprintf(n->to_out, sizeof n->to_out, "%s", text_at(statement, 2));
		snprintf(n->call_id_out, sizeof n->call_id_out, "%s", text_at(statement, 3));
		snprintf(n->mode, sizeof n->mode, "%s", text_at(statement, 4));
	}
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? ENOENT : store_errno(code);
}
