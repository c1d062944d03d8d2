/*
 * The log of refused log-ins and refused changes: JSON lines in <state>/refusals.log, written by a thread of its own, never
 * more than two files of REFUSALS_FILE_MAX bytes and never faster than REFUSALS_PER_S, whatever is tried.
 */
#ifndef MGMTD_REFUSAL_H
#define MGMTD_REFUSAL_H

#include "mgmtd/request.h"

#define REFUSALS_FILE_MAX (2u << 20)	/* bytes; then it becomes refusals.log.1 */
#define REFUSALS_PER_S 20
#define REFUSALS_BURST 200
#define REFUSALS_POINTERS 10		/* of the violations of one */

struct refusals;

int refusals_open(struct refusals **r, const char *state, struct shm_why *why);
void refusals_close(struct refusals *r);

/* Notes the problem that answers the request, if it is one to note.  The event thread's; costs a few microseconds. */
void refusals_note(struct refusals *log, struct request *r, unsigned status, const json_t *problem);

/* Items with seq < before (0 = from the newest), the newest first; any thread but the event thread. */
int refusals_read(struct refusals *r, uint64_t before, unsigned limit, json_t *items, bool *more);

void refusal_list(struct request *r);	/* GET /refusals */

#endif
