/* How many registrations are in each state, kept up by what changes.  Belongs to one thread, but for census_counts(). */
#ifndef MGMTD_CENSUS_H
#define MGMTD_CENSUS_H

#include "mgmtd/core.h"
#include "mgmtd/model.h"

struct census;

int census_open(struct census **c, struct model *model, struct core *core);
void census_close(struct census *c);

void census_take_changes(struct census *c);	/* what the switch marked since the last call */
void census_take_all(struct census *c);		/* from nothing: another status segment */
void census_forget_removed(struct census *c);	/* after objects were deleted */

void census_counts(struct census *c, uint64_t counts[STATE_COUNT]);	/* any thread */

#endif
