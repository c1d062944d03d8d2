/*
 * The advisor: recognises known troubles from the configuration, the live status, the trace and the call records.
 *
 * It has a thread of its own, which looks every few seconds and whenever it is asked.  A look costs what changed since the last
 * one: a registration whose record and status are the same is passed by with two comparisons.
 */
#ifndef MGMTD_ADVISOR_H
#define MGMTD_ADVISOR_H

#include "mgmtd/buffer.h"
#include "schema/schema.h"

#include <jansson.h>

struct advisor;
struct daemon;
struct job;

int advisor_start(struct advisor **a, struct daemon *daemon);
void advisor_cancel(struct advisor *a);		/* what waits is run as cancelled */
void advisor_stop(struct advisor *a);

/* Runs the job on the advisor's thread, where the functions below may be called.  EAGAIN: too many wait. */
int advisor_submit(struct advisor *a, struct job *job);

struct advice_cursor { uint32_t trouble, id; };
struct advice_filter {
	int severity;			/* enum advice_severity; -1 = any */
	int kind;			/* enum kind_id; -1 = any */
	const char *name;		/* of the subject; NULL = any */
	struct advice_cursor from;	/* begin there */
	unsigned limit;
};

/* Appends the members `items`, `next`, `revision`, `at`, `age_ms`, `stale` and `totals` of the answer.  ENOENT: nothing is
 * published yet. */
int advisor_list(struct advisor *a, const struct advice_filter *filter, struct buffer *b);

/* The items of a checklist: an array; names NULL = none was named.  ENOENT: *missing = the first name that is not there. */
struct checklist_names { const char *registration, *gateway, *mapping; const char *missing; enum kind_id missing_kind; };
int advisor_check_registration(struct advisor *a, struct checklist_names *names, json_t **items);
int advisor_check_gateway(struct advisor *a, struct checklist_names *names, json_t **items);

#endif
