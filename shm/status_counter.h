/*
 * What the switch counts since it started, in the header of the status segment: for those who watch it from outside.  Each is
 * one 8-byte word that only switchcore writes; several of them read together are not of one instant.
 */
#ifndef SHM_STATUS_COUNTER_H
#define SHM_STATUS_COUNTER_H

#include "shm/status.h"

/* Upper bounds, in µs, of the buckets of the times from a REGISTER to its answer; the last bucket has none. */
#define STATUS_RTT_BOUNDS { 1000, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 }
#define STATUS_RTT_BUCKETS 13u

/*     id              words                          */
#define STATUS_COUNTERS(C) \
	C(CALLS,           1)				/* begun */ \
	C(CALLS_ANSWERED,  1) \
	C(CALLS_SHED,      1)				/* refused with 503 because more came in than could be handled */ \
	C(CDRS,            1)				/* written to the spool */ \
	C(CDRS_LOST,       1)				/* that could not be written */ \
	C(RTT_US,          1)				/* sum of what the buckets count */ \
	C(RTT,             STATUS_RTT_BUCKETS)		/* each value in one bucket only */ \
	C(REGISTER_ENDS,   REASON_COUNT)		/* attempts to register, by enum registration_reason; NONE = they succeeded */ \
	C(TRANSITIONS,     STATE_COUNT * STATE_COUNT)	/* of registrations: from * STATE_COUNT + to */

enum status_counter {
#define STATUS_COUNTER_FIRST(id, words) COUNT_##id, COUNT_##id##_LAST = COUNT_##id + (words) - 1,
	STATUS_COUNTERS(STATUS_COUNTER_FIRST)
#undef STATUS_COUNTER_FIRST
	COUNT_COUNT
};

/* Writer.  counter: an enum status_counter, plus the place in it where it has several words.  One load and one store. */
void status_count(struct status_writer *w, unsigned counter, uint64_t by);
/* An answer to a REGISTER came after so long. */
void status_count_rtt(struct status_writer *w, uint32_t rtt_us);

/* Reader. */
void status_counters(const struct status_reader *r, uint64_t counts[COUNT_COUNT]);

#endif
