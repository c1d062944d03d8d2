#include "mgmtd/store_span.h"

#include "mgmtd/store_database.h"
#include "mgmtd/store_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN INT64_MAX	/* the end of a run that goes on */

enum statement { SQL_NEWEST, SQL_BEGIN_RUN, SQL_END_RUN, SQL_ACTOR, SQL_COUNT };

static const char *const sql[SQL_COUNT] = {
	[SQL_NEWEST] = "SELECT until FROM spans WHERE facet = ?1 AND value = ?2 ORDER BY since DESC LIMIT 1",
	[SQL_BEGIN_RUN] = "INSERT INTO spans VALUES (?1, ?2, ?3, 9223372036854775807)",
	[SQL_END_RUN] = "UPDATE spans SET until = ?3 WHERE facet = ?1 AND value = ?2 AND until = 9223372036854775807"
		" AND since = (SELECT max(since) FROM spans WHERE facet = ?1 AND value = ?2)",
	[SQL_ACTOR] = "SELECT json_extract(record, '$.actor') FROM revisions WHERE revision = ?1",
};

struct store_spans {
	sqlite3_stmt *statements[SQL_COUNT];
	/* the runs that go on, as of the newest revision; known: read from the database, or kept since */
	bool known;
	char actor[SCHEMA_NAME_MAX + 1];	/* "" = none */
	bool open[KIND_COUNT];
};

int store_spans_open(struct store_spans **out, sqlite3 *writer, const char *path, struct shm_why *why)
{
	struct store_spans *sp = calloc(1, sizeof *sp);

	if (!sp)
		return ENOMEM;
	*out = sp;
	return store_prepare(sp->statements, writer, sql, SQL_COUNT, path, why);
}

void store_spans_close(struct store_spans *sp)
{
	if (!sp)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(sp->statements[i]);
	free(sp);
}

void store_spans_forget(struct store_spans *sp)
{
	sp->known = false;
}

static sqlite3_stmt *of_run(struct store_spans *sp, enum statement which, const char *facet, const char *value)
{
	sqlite3_bind_text(sp->statements[which], 1, facet, -1, SQLITE_STATIC);
	sqlite3_bind_text(sp->statements[which], 2, value, -1, SQLITE_STATIC);
	return sp->statements[which];
}

static int begin_run(struct store_spans *sp, const char *facet, const char *value, uint64_t revision)
{
	sqlite3_stmt *statement = of_run(sp, SQL_BEGIN_RUN, facet, value);

	sqlite3_bind_int64(statement, 3, (sqlite3_int64)revision);
	return store_step(statement);
}

static int end_run(struct store_spans *sp, const char *facet, const char *value, uint64_t last)
{
	sqlite3_stmt *statement = of_run(sp, SQL_END_RUN, facet, value);

	sqlite3_bind_int64(statement, 3, (sqlite3_int64)last);
	return store_step(statement);
}

static int is_open(struct store_spans *sp, const char *facet, const char *value, bool *open)
{
	sqlite3_stmt *statement = of_run(sp, SQL_NEWEST, facet, value);
	int code = sqlite3_step(statement);

	*open = code == SQLITE_ROW && sqlite3_column_int64(statement, 0) == OPEN;
	sqlite3_reset(statement);
	return store_errno(code);
}

/* The actor of the newest revision, if the run of his goes on. */
static int load_actor(struct store_spans *sp, uint64_t newest)
{
	sqlite3_stmt *statement = sp->statements[SQL_ACTOR];
	bool open = false;

	sp->actor[0] = '\0';
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)newest);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW && sqlite3_column_text(statement, 0))
		snprintf(sp->actor, sizeof sp->actor, "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_reset(statement);
	int error = store_errno(code);
	if (!error && sp->actor[0])
		error = is_open(sp, STORE_SPAN_ACTOR, sp->actor, &open);
	if (!open)
		sp->actor[0] = '\0';
	return error;
}

static int load(struct store_spans *sp, uint64_t newest)
{
	int error = load_actor(sp, newest);

	for (size_t k = 0; k < KIND_COUNT && !error; k++)
		error = is_open(sp, STORE_SPAN_KIND, schema_kinds[k].path, &sp->open[k]);
	sp->known = error == 0;
	return error;
}

static int put_actor(struct store_spans *sp, uint64_t revision, const char *actor)
{
	int error = 0;

	if (strcmp(sp->actor, actor) == 0)
		return 0;
	if (sp->actor[0])
		error = end_run(sp, STORE_SPAN_ACTOR, sp->actor, revision - 1);
	if (!error)
		error = begin_run(sp, STORE_SPAN_ACTOR, actor, revision);
	snprintf(sp->actor, sizeof sp->actor, "%s", actor);
	return error;
}

int store_put_spans(struct store *s, uint64_t revision, const char *actor, const bool touched[KIND_COUNT])
{
	struct store_spans *sp = store_spans_of(s);
	int error = sp->known ? 0 : load(sp, revision - 1);

	if (!error)
		error = put_actor(sp, revision, actor);
	for (size_t k = 0; k < KIND_COUNT && !error; k++) {
		const char *kind = schema_kinds[k].path;
		if (touched[k] != sp->open[k])
			error = touched[k] ? begin_run(sp, STORE_SPAN_KIND, kind, revision) : end_run(sp, STORE_SPAN_KIND, kind, revision - 1);
		sp->open[k] = touched[k];
	}
	return error;
}
