/*
 * What SQLite alone needs for the rows of one change: BEGIN, the object's document, the index of history, the revision,
 * COMMIT, with the journal mode and the synchronous level that mgmtd uses.
 *
 *     bare_sqlite DATABASE --seconds S
 *
 * DATABASE is a copy of a database that mgmtd made and that holds changes of registrations: its last revision is the
 * model for the rows' sizes, and each change goes to one of the objects that are there.  Prints one JSON object.
 */
#include "tests/bench/samples.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <string.h>

#define OBJECTS_MAX 200000

static sqlite3 *db;
static char *names[OBJECTS_MAX];
static size_t name_count;
static char *record, *document;
static int64_t revision;

enum statement { BEGIN, COMMIT, PUT, INDEX, APPEND, STATEMENTS };
static const char *const sql[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[PUT] = "UPDATE documents SET revision = ?2, document = ?3 WHERE kind = 'registrations' AND name = ?1",
	[INDEX] = "INSERT OR IGNORE INTO changes VALUES ('registrations', ?1, ?2)",
	[APPEND] = "INSERT INTO revisions (revision, record, prev_hash, hash) VALUES (?1, ?2, ?3, ?4)",
};
static sqlite3_stmt *statements[STATEMENTS];

static void check(int code)
{
	if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) {
		fprintf(stderr, "bare_sqlite: %s\n", db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
		exit(1);
	}
}

static void run(enum statement which)
{
	check(sqlite3_step(statements[which]));
	check(sqlite3_reset(statements[which]));
}

static char *text_of(const char *query)
{
	sqlite3_stmt *statement;
	char *text = NULL;

	check(sqlite3_prepare_v2(db, query, -1, &statement, NULL));
	if (sqlite3_step(statement) == SQLITE_ROW)
		text = strdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	if (!text) {
		fprintf(stderr, "bare_sqlite: nothing found by: %s\n", query);
		exit(1);
	}
	return text;
}

static void read_model(void)
{
	sqlite3_stmt *statement;
	char *number;

	record = text_of("SELECT record FROM revisions ORDER BY revision DESC LIMIT 1");
	number = text_of("SELECT max(revision) FROM revisions");
	revision = strtoll(number, NULL, 10);
	free(number);
	document = text_of("SELECT document FROM documents WHERE kind = 'registrations' ORDER BY revision DESC LIMIT 1");
	check(sqlite3_prepare_v2(db, "SELECT name FROM documents WHERE kind = 'registrations'", -1, &statement, NULL));
	while (name_count < OBJECTS_MAX && sqlite3_step(statement) == SQLITE_ROW)
		names[name_count++] = strdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
}

static void write_rows(const char *name)
{
	static const unsigned char hash[32] = { 1 };

	revision++;
	sqlite3_bind_text(statements[PUT], 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statements[PUT], 2, revision);
	sqlite3_bind_text(statements[PUT], 3, document, -1, SQLITE_STATIC);
	run(PUT);
	sqlite3_bind_text(statements[INDEX], 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statements[INDEX], 2, revision);
	run(INDEX);
	sqlite3_bind_int64(statements[APPEND], 1, revision);
	sqlite3_bind_text(statements[APPEND], 2, record, -1, SQLITE_STATIC);
	sqlite3_bind_blob(statements[APPEND], 3, hash, sizeof hash, SQLITE_STATIC);
	sqlite3_bind_blob(statements[APPEND], 4, hash, sizeof hash, SQLITE_STATIC);
	run(APPEND);
}

static void measure(double seconds)
{
	struct samples samples = { 0 };
	uint64_t start = clock_ns(), now = start, cpu = cpu_ns(), random = 88172645463325252u;

	while (now < start + (uint64_t)(seconds * 1e9)) {
		uint64_t from = clock_ns();
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		run(BEGIN);
		write_rows(names[random % name_count]);
		run(COMMIT);
		now = clock_ns();
		samples_add(&samples, now - from);
	}
	printf("{");
	samples_print(&samples, (double)(now - start) / 1e9);
	printf(",\"cpu_us\":%.2f}\n", (double)(cpu_ns() - cpu) / 1e3 / (double)samples.count);
}

int main(int argc, char **argv)
{
	if (argc != 4 || strcmp(argv[2], "--seconds") != 0 || strtod(argv[3], NULL) <= 0) {
		fputs("usage: bare_sqlite DATABASE --seconds S\n", stderr);
		return 2;
	}
	check(sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
	check(sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000", NULL, NULL,
	                   NULL));
	read_model();
	for (int i = 0; i < STATEMENTS; i++)
		check(sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL));
	measure(strtod(argv[3], NULL));
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(statements[i]);
	return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
