/* What the files of the history share: store_history.c (the connection, what is read of it), store_search.c (GET /revisions). */
#ifndef MGMTD_STORE_HISTORY_PRIVATE_H
#define MGMTD_STORE_HISTORY_PRIVATE_H

#include "mgmtd/store_history.h"

#include <pthread.h>

enum history_statement {
	SQL_BEGIN, SQL_END, SQL_NEWEST, SQL_AT_MOST, SQL_AT_LEAST, SQL_ONE, SQL_EACH, SQL_IN_SPAN, SQL_PENDING, SQL_CHANGE, SQL_TOUCHED, SQL_NEXT_NAME,
	SQL_CURRENT, SQL_READER_COUNT,
	SQL_EACH_STAGED = SQL_READER_COUNT, SQL_CHANGE_STAGED,	/* the writer's */
	SQL_COUNT
};

struct store_history {
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
	pthread_mutex_t browsing;	/* recursive: taken by begin() and by each function between */
};

/* The first column of the only row, if that is less than *at; 0 = there is no row. */
int store_history_lower(sqlite3_stmt *statement, uint64_t *at);
/* The same of the newest revision up to *at that touched the object, by the statement of that name. */
int store_history_changed(sqlite3_stmt *statement, const struct kind *kind, const char *name, uint64_t *at);

const char *store_history_text(sqlite3_stmt *statement, int column);	/* "" for NULL */

#endif
