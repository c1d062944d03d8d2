/* When the next change that was made with confirm_within goes back.  The writer thread's. */
#ifndef MGMTD_DEADLINE_H
#define MGMTD_DEADLINE_H

#include "mgmtd/change.h"
#include "mgmtd/store_confirmation.h"

#include <time.h>

struct deadline {
	struct store *store;
	struct confirmation next;	/* revision 0 = nothing is pending */
};

/* Asks the database: at the start, and when something was armed, confirmed or rolled back. */
void deadline_load(struct deadline *d, struct store *store);

/* Makes `until`, of CLOCK_MONOTONIC, no later than the deadline.  That is one of the wall clock: a second is the most to wait
 * before it is looked at again. */
void deadline_limit(const struct deadline *d, struct timespec *until);

/* Appends the change that undoes what has run out, if something has, to those of a batch: what came before it counts as changed
 * since.  Its done() frees it. */
void deadline_add(struct deadline *d, struct change **changes);

#endif
