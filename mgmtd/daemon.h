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
	struct advisor *advisor;
	struct watch *watch;
	struct events *events;
	struct tokens *tokens;
	struct worker *hasher;		/* passwords: one thread of low priority */
	struct worker *auditor;		/* verifies the history: for seconds, beside all others */
	struct worker *reader;		/* history and trace: what would hold up the event loop */
	struct throttle *throttle;	/* of log-ins; the event thread's */
	struct refusals *refusals;
	struct tls *tls;		/* NULL = plain HTTP */
	struct panel *panel;		/* NULL = none */
	struct worker *bulk;		/* whole configurations: what takes seconds */
	struct worker *backup;
	struct store_export *exports;	/* bulk's */
	struct server *server;
	struct tally *tally;
	struct access_log *access_log;	/* NULL = none is wanted */
};

#endif
