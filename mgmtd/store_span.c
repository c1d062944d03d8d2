#include "mgmtd/store_span.h"

#include "mgmtd/revision.h"
#include "mgmtd/store_database.h"
#include "mgmtd/store_history.h"
#include "mgmtd/store_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN INT64_MAX	/* the end of a run that goes on */
#define GAP 16		/* so many revisions of others do not end a run */

enum statement { SQL_NEWEST, SQL_BEGIN_RUN, SQL_END_RUN, SQL_COUNT };

static const char *const sql[SQL_COUNT] = {
	[SQL_NEWEST] = "SELECT until FROM spans WHERE facet = ?1 AND value = ?2 ORDER BY since DESC LIMIT 1",
	[SQL_BEGIN_RUN] = "INSERT INTO spans VALUES (?1, ?2, ?3, 9223372036854775807)",
	[SQL_END_RUN] = "UPDATE spans SET until = ?3 WHERE facet = ?1 AND value = ?2 AND until = 9223372036854775807"
		" AND since = (SELECT max(since) FROM spans WHERE facet = ?1 AND value = ?2)",
};

/* A run that goes on: the newest revision in it, 0 = it does not. */
struct run { uint64_t last; char value[SCHEMA_NAME_MAX + 1]; };

struct store_spans {
	sqlite3_stmt *statements[SQL_COUNT];
	bool known;			/* what follows was read from the database, or kept since */
	struct run kinds[KIND_COUNT];
	struct run actors[GAP + 1];	/* more cannot have been here within the gap */
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

/* Ends the runs from which this revision is too far away. */
static int sweep(struct store_spans *sp, const char *facet, struct run *runs, size_t count, uint64_t revision)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		if (!runs[i].last || revision - runs[i].last <= GAP)
			continue;
		error = end_run(sp, facet, runs[i].value, runs[i].last);
		runs[i].last = 0;
	}
	return error;
}

static struct run *actor_of(struct store_spans *sp, const char *actor)
{
	struct run *free_one = NULL;

	for (size_t i = 0; i < GAP + 1; i++) {
		if (sp->actors[i].last && strcmp(sp->actors[i].value, actor) == 0)
			return &sp->actors[i];
		if (!sp->actors[i].last)
			free_one = &sp->actors[i];
	}
	assert(free_one);
	return free_one;
}

/* ------------------------------------------------------------------ as of the newest revision */

static int touch(struct store_spans *sp, const char *facet, struct run *run, const char *value, uint64_t revision, bool begin)
{
	bool goes_on = true;
	int error = 0;

	if (!run->last)
		error = begin ? begin_run(sp, facet, value, revision) : is_open(sp, facet, value, &goes_on);
	if (goes_on) {
		run->last = revision;
		snprintf(run->value, sizeof run->value, "%s", value);
	}
	return error;
}

struct recent { struct store_spans *sp; uint64_t revision; };

static int recent_change(void *arg, const struct revision_change *change)
{
	struct recent *recent = arg;

	return !change->kind ? 0 : touch(recent->sp, STORE_SPAN_KIND, &recent->sp->kinds[change->kind->id], change->path, recent->revision, false);
}

static int recent_record(void *arg, uint64_t revision, const char *record)
{
	struct recent *recent = arg;
	char actor[SCHEMA_NAME_MAX + 1];

	recent->revision = revision;
	if (revision_actor(actor, record) != 0)
		return 0;	/* damaged by hand: the audit tells; the run begins anew */
	int error = touch(recent->sp, STORE_SPAN_ACTOR, actor_of(recent->sp, actor), actor, revision, false);
	int fault = error ? 0 : revision_each_change(record, recent_change, recent);
	return error ? error : fault == EINVAL ? 0 : fault;
}

static int load(struct store *s, struct store_spans *sp, uint64_t newest)
{
	struct recent recent = { .sp = sp };

	memset(sp->kinds, 0, sizeof sp->kinds);
	memset(sp->actors, 0, sizeof sp->actors);
	int error = store_each_staged_record(s, newest > GAP ? newest - GAP - 1 : 0, newest, recent_record, &recent);
	sp->known = error == 0;
	return error;
}

int store_put_spans(struct store *s, uint64_t revision, const char *actor, const bool touched[KIND_COUNT])
{
	struct store_spans *sp = store_spans_of(s);
	int error = sp->known ? 0 : load(s, sp, revision - 1);

	if (!error)
		error = sweep(sp, STORE_SPAN_ACTOR, sp->actors, GAP + 1, revision);
	if (!error)
		error = sweep(sp, STORE_SPAN_KIND, sp->kinds, KIND_COUNT, revision);
	if (!error)
		error = touch(sp, STORE_SPAN_ACTOR, actor_of(sp, actor), actor, revision, true);
	for (size_t k = 0; k < KIND_COUNT && !error; k++)
		if (touched[k])
			error = touch(sp, STORE_SPAN_KIND, &sp->kinds[k], schema_kinds[k].path, revision, true);
	return error;
}
