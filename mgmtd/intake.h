/*
 * One thread that takes call records from the spool into the database.
 *
 * Each batch and the place in the spool behind it are one transaction, so a record comes exactly once, whenever mgmtd or
 * the switch is killed.  The spool's files go when what is in them is durable.  While the database cannot be written, they wait.
 */
#ifndef MGMTD_INTAKE_H
#define MGMTD_INTAKE_H

#include "mgmtd/store_cdr.h"

#include <stdint.h>

struct intake;

/* spool: the directory, which the switch makes; keep_days: how long records stay in the database, 0 = for ever. */
int intake_start(struct intake **in, struct store_cdrs *store, const char *spool, unsigned keep_days);
void intake_stop(struct intake *in);

/* Any thread.  What waits in the spool as of a second ago, and what became of the rest since mgmtd started. */
struct intake_figures { uint64_t files, bytes, taken, missing; };
void intake_look(struct intake *in, struct intake_figures *figures);

#endif
