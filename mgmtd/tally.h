/* What mgmtd counts of its own work, for /metrics.  Any thread may count, any may look. */
#ifndef MGMTD_TALLY_H
#define MGMTD_TALLY_H

#include "mgmtd/change.h"
#include "mgmtd/histogram.h"
#include "mgmtd/route.h"

#define TALLY_CLASSES 6u	/* of a status: its first digit */

#define TALLY_RESULTS(R) \
	R(CHANGED, "changed") R(UNCHANGED, "unchanged") R(DRY_RUN, "dry_run") R(REFUSED, "refused") R(NOT_STORED, "not_stored")
#define TALLY_CONSTANT(id, word) TALLY_##id,
enum tally_result { TALLY_RESULTS(TALLY_CONSTANT) TALLY_RESULT_COUNT };
#undef TALLY_CONSTANT

#define TALLY_NO_ROUTE (route_count + 1)	/* behind those of the API and that of the panel */
#define TALLY_ROUTES (route_count + 2)

struct tally_route {
	_Atomic uint64_t answers[TALLY_CLASSES];
	struct histogram times;		/* but of streams */
};

struct tally {
	struct tally_route *routes;	/* TALLY_ROUTES */
	_Atomic uint64_t log_ins, log_ins_refused, log_ins_throttled;
	_Atomic uint64_t changes[TALLY_RESULT_COUNT];
	struct histogram change_times;	/* from the queue until they are durable and published: of CHANGED */
};
extern const char *const tally_result_words[TALLY_RESULT_COUNT];

struct route;

int tally_open(struct tally **t);
void tally_close(struct tally *t);

/* A request was answered with that status after so long.  route NULL: it had none. */
void tally_answer(struct tally *t, const struct route *route, unsigned status, uint64_t us);
/* The writer is done with a change.  error: of the commit that it was part of.  t may be NULL. */
void tally_change(struct tally *t, const struct change *change, int error, uint64_t us);

#endif
