/* The parts of the daemon, put together in main.c, for the handlers that need several of them. */
#ifndef MGMTD_DAEMON_H
#define MGMTD_DAEMON_H

#include "mgmtd/options.h"

#include <stdint.h>

struct daemon {
	struct options options;
	int64_t started_ms;		/* CLOCK_MONOTONIC */
	struct writer *writer;
	struct model *model;		/* the writer's */
	struct store *store;		/* the writer's, for reading */
	struct store_cdrs *cdrs;	/* for reading, on the reader's thread */
	struct intake *intake;
	struct watch *watch;
	struct events *events;
	struct tokens *tokens;
	struct worker *hasher;		/* passwords: one thread of low priority */
	struct worker *reader;		/* history and trace: what would hold up the event loop */
	struct worker *bulk;		/* whole configurations: what takes seconds */
	struct worker *backup;
	struct store_export *exports;	/* bulk's */
	struct server *server;
};

#endif
