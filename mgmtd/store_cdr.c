#include "mgmtd/store_cdr.h"

#include "mgmtd/store_database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXAMINED_MAX 20000	/* records looked at for one page: a fraction of a second */

/* A batch touches a page of the index for nearly each number. */
#define PRAGMAS "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 8000"

static const struct store_migration migrations[] = {
#include "gen/cdr_migrations.inc"
};
#define MIGRATIONS (int)(sizeof migrations / sizeof migrations[0])

enum statement {
	/* intake */
	SQL_BEGIN, SQL_COMMIT, SQL_ROLLBACK, SQL_GET_PLACE, SQL_SET_PLACE, SQL_PUT, SQL_FORGET,
	SQL_WRITER_COUNT,
	/* answers */
	SQL_BY_TIME = SQL_WRITER_COUNT, SQL_BY_NUMBER, SQL_BY_GATEWAY, SQL_BY_CODE, SQL_BY_ID,
	SQL_COUNT
};

/* What a record is in SQL, in the order of cdr.def. */
static const char names[] = "id"
#define CDR_TIME(name) ", " #name
#define CDR_NUMBER(name) ", " #name
#define CDR_TEXT(name) ", " #name
#define CDR_LIST(name, member) ", " #name
#include "shm/cdr.def"
	;
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST

static const char places[] = "?"
#define CDR_TIME(name) ", ?"
#define CDR_NUMBER(name) ", ?"
#define CDR_TEXT(name) ", ?"
#define CDR_LIST(name, member) ", ?"
#include "shm/cdr.def"
	;
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST

/* Searches: ?1, ?2 = the cursor, ?3 = since, ?4 = the key.  One index leads, in the order of the answer; what else was asked for
 * is compared here, so no statement ever sorts, or reads more than it is stepped. */
static const char *const sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_GET_PLACE] = "SELECT file, offset FROM spool WHERE only_row = 1",
	[SQL_SET_PLACE] = "UPDATE spool SET file = ?1, offset = ?2 WHERE only_row = 1",
	[SQL_PUT] = "INSERT INTO cdrs (%s) VALUES (%s) ON CONFLICT (id, ended_at) DO NOTHING",
	[SQL_FORGET] = "DELETE FROM cdrs WHERE seq IN (SELECT seq FROM cdrs WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
	[SQL_BY_TIME] = "SELECT %s, seq FROM cdrs WHERE (ended_at, seq) < (?1, ?2) AND ended_at >= ?3"
		" ORDER BY ended_at DESC, seq DESC",
	[SQL_BY_CODE] = "SELECT %s, seq FROM cdrs WHERE code = ?4 AND (ended_at, seq) < (?1, ?2) AND ended_at >= ?3"
		" ORDER BY ended_at DESC, seq DESC",
	[SQL_BY_NUMBER] = "SELECT %s, seq FROM cdr_slices CROSS JOIN cdr_numbers ON slice = start CROSS JOIN cdrs ON seq = cdr"
		" WHERE start <= ?1 AND start >= (SELECT max(start) FROM cdr_slices WHERE start <= ?3)"
		" AND number = ?4 AND (at, cdr) < (?1, ?2) AND at >= ?3 ORDER BY start DESC, at DESC, cdr DESC",
	[SQL_BY_GATEWAY] = "SELECT %s, seq FROM cdr_gateways CROSS JOIN cdrs ON seq = cdr WHERE gateway = ?4 AND (at, cdr) < (?1, ?2)"
		" AND at >= ?3 ORDER BY at DESC, cdr DESC",
	[SQL_BY_ID] = "SELECT %s, seq FROM cdrs WHERE id = ?1 ORDER BY ended_at DESC LIMIT 1",
};

struct store_cdrs {
	sqlite3 *writer, *reader;
	sqlite3_stmt *statements[SQL_COUNT];
};

void store_cdrs_close(struct store_cdrs *s)
{
	if (!s)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->reader);
	sqlite3_close(s->writer);
	free(s);
}

char *store_cdrs_sql(unsigned which)
{
	return which < SQL_COUNT ? sqlite3_mprintf(sql[which], names, places) : NULL;
}

static int prepare(struct store_cdrs *s, const char *path, struct shm_why *why)
{
	for (unsigned i = 0; i < SQL_COUNT; i++) {
		sqlite3 *db = i < SQL_WRITER_COUNT ? s->writer : s->reader;
		char *text = store_cdrs_sql(i);
		int code = text ? sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL) : SQLITE_NOMEM;
		sqlite3_free(text);
		if (code != SQLITE_OK)
			return store_failed(why, db, path, code);
	}
	return 0;
}

int store_cdrs_open(struct store_cdrs **out, const char *state, struct shm_why *why)
{
	struct store_cdrs *s = calloc(1, sizeof *s);
	char path[4096];
	mode_t old;
	int error;

	if (!s)
		return ENOMEM;
	snprintf(path, sizeof path, "%s/cdr.db", state);
	old = umask(077);
	error = store_connect(&s->writer, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, PRAGMAS, why);
	if (!error)
		error = store_migrate(s->writer, path, migrations, MIGRATIONS, why);
	if (!error)
		error = store_connect(&s->reader, path, SQLITE_OPEN_READONLY, "PRAGMA query_only = ON", why);
	umask(old);
	if (!error)
		error = prepare(s, path, why);
	if (error) {
		store_cdrs_close(s);
		return error;
	}
	*out = s;
	return 0;
}

/* ------------------------------------------------------------------ taking in */

const char *store_cdrs_fault(struct store_cdrs *s)
{
	return sqlite3_errmsg(s->writer);
}

int store_cdrs_place(struct store_cdrs *s, struct cdr_place *place)
{
	sqlite3_stmt *statement = s->statements[SQL_GET_PLACE];
	int code = sqlite3_step(statement);

	*place = (struct cdr_place){ 0 };
	if (code == SQLITE_ROW) {
		const char *file = (const char *)sqlite3_column_text(statement, 0);
		snprintf(place->file, sizeof place->file, "%s", file ? file : "");
		place->offset = (uint64_t)sqlite3_column_int64(statement, 1);
	}
	sqlite3_reset(statement);
	return store_errno(code);
}

int store_cdrs_begin(struct store_cdrs *s)
{
	return store_step(s->statements[SQL_BEGIN]);
}

void store_cdrs_rollback(struct store_cdrs *s)
{
	/* SQLite rolls back by itself on some errors, among them a full disk. */
	if (!sqlite3_get_autocommit(s->writer))
		store_step(s->statements[SQL_ROLLBACK]);
}

int store_cdrs_commit(struct store_cdrs *s, const struct cdr_place *place)
{
	sqlite3_stmt *statement = s->statements[SQL_SET_PLACE];
	int error;

	sqlite3_bind_text(statement, 1, place->file, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)place->offset);
	error = store_step(statement);
	if (!error)
		error = store_step(s->statements[SQL_COMMIT]);
	if (error)
		store_cdrs_rollback(s);
	return error;
}

static void bind_time(sqlite3_stmt *statement, int at, uint64_t us)
{
	/* None of this millennium can be greater; SQL's are signed. */
	sqlite3_bind_int64(statement, at, us > INT64_MAX ? INT64_MAX : (sqlite3_int64)us);
}

int store_cdrs_put(struct store_cdrs *s, const struct cdr *cdr, bool *known)
{
	sqlite3_stmt *statement = s->statements[SQL_PUT];
	int at = 1, error;

	sqlite3_bind_int64(statement, at++, (sqlite3_int64)cdr->id);
#define CDR_TIME(name) bind_time(statement, at++, cdr->name);
#define CDR_NUMBER(name) sqlite3_bind_int64(statement, at++, cdr->name);
#define CDR_TEXT(name) sqlite3_bind_text(statement, at++, cdr->name, -1, SQLITE_STATIC);
#define CDR_LIST(name, member) sqlite3_bind_text(statement, at++, cdr->name, -1, SQLITE_STATIC);
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	error = store_step(statement);
	*known = !error && sqlite3_changes(s->writer) == 0;
	return error;
}

int store_cdrs_forget(struct store_cdrs *s, uint64_t before_us, unsigned limit, unsigned *count)
{
	sqlite3_stmt *statement = s->statements[SQL_FORGET];
	int error;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)before_us);
	sqlite3_bind_int64(statement, 2, limit);
	error = store_step(statement);
	*count = error ? 0 : (unsigned)sqlite3_changes(s->writer);
	return error;
}

/* ------------------------------------------------------------------ answering */

static const char *text_at(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

/* The texts are the statement's, until its next step. */
static void load(struct cdr *cdr, struct cdr_cursor *at, sqlite3_stmt *statement)
{
	int column = 0;

	cdr->id = (uint64_t)sqlite3_column_int64(statement, column++);
#define CDR_TIME(name) cdr->name = (uint64_t)sqlite3_column_int64(statement, column++);
#define CDR_NUMBER(name) cdr->name = (uint32_t)sqlite3_column_int64(statement, column++);
#define CDR_TEXT(name) cdr->name = text_at(statement, column++);
#define CDR_LIST(name, member) cdr->name = text_at(statement, column++);
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	*at = (struct cdr_cursor){ cdr->ended_at, (uint64_t)sqlite3_column_int64(statement, column) };
}

/* What the index that leads the search does not see to; a number always leads. */
static bool matches(const struct cdr_filter *filter, const struct cdr *cdr)
{
	return (!filter->code || cdr->code == filter->code) &&
	       (!filter->gateway || strcmp(cdr->mapping_gateway, filter->gateway) == 0 ||
	        strcmp(cdr->routing_gateway, filter->gateway) == 0);
}

/* By the index that leaves the fewest, as a rule. */
static sqlite3_stmt *search(struct store_cdrs *s, const struct cdr_filter *filter)
{
	enum statement which = filter->number ? SQL_BY_NUMBER : filter->gateway ? SQL_BY_GATEWAY : filter->code ? SQL_BY_CODE : SQL_BY_TIME;
	sqlite3_stmt *statement = s->statements[which];
	bool further = filter->after.seq && (!filter->until || filter->after.ended_at < filter->until);

	bind_time(statement, 1, further ? filter->after.ended_at : filter->until ? filter->until : INT64_MAX);
	sqlite3_bind_int64(statement, 2, further ? (sqlite3_int64)filter->after.seq : filter->until ? 0 : INT64_MAX);
	bind_time(statement, 3, filter->since);
	if (which == SQL_BY_CODE)
		sqlite3_bind_int64(statement, 4, filter->code);
	else if (which != SQL_BY_TIME)
		sqlite3_bind_text(statement, 4, filter->number ? filter->number : filter->gateway, -1, SQLITE_STATIC);
	return statement;
}

int store_cdrs_list(struct store_cdrs *s, const struct cdr_filter *filter, store_cdr_f *each, void *arg, struct cdr_cursor *next)
{
	sqlite3_stmt *statement = search(s, filter);
	unsigned found = 0, examined = 0;
	struct cdr_cursor last = { 0 }, at;
	struct cdr cdr;
	int code;

	*next = (struct cdr_cursor){ 0 };
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		load(&cdr, &at, statement);
		bool match = matches(filter, &cdr);
		if (examined++ == EXAMINED_MAX || (match && found == filter->limit)) {
			*next = last;
			code = SQLITE_DONE;
			break;
		}
		if (match) {
			each(arg, &cdr);
			found++;
		}
		last = at;
	}
	sqlite3_reset(statement);
	return store_errno(code);
}

int store_cdrs_get(struct store_cdrs *s, uint64_t id, store_cdr_f *each, void *arg)
{
	sqlite3_stmt *statement = s->statements[SQL_BY_ID];
	struct cdr_cursor at;
	struct cdr cdr;
	int code;

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)id);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		load(&cdr, &at, statement);
		each(arg, &cdr);
	}
	sqlite3_reset(statement);
	return code == SQLITE_DONE ? ENOENT : store_errno(code);
}
