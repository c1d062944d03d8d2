/*
 * Whose turn it is to send (rule 7 of the registration life cycle).  Every server has a queue of its own and the
 * queues are served in turn; rates hold back what is not urgent, caps bound what is unanswered.  A server that does
 * not answer keeps at most PACING_SILENT_CAP requests in flight, and all such servers together at most half of the
 * cap, so a dead carrier never uses up the turns of another.
 */
#ifndef SWITCHCORE_PACING_H
#define SWITCHCORE_PACING_H

#include "timer.h"

#define PACING_SILENT_CAP 5
/* So long without any answer while requests are out counts as not answering, before the time-out proves it. */
#define PACING_SILENCE_US SECOND_US

struct pacing;
struct pacing_server;

struct pacing_limits {
	uint32_t rate, rate_per_server;		/* a second, 0 = no limit */
	uint32_t in_flight, in_flight_per_server;
};

enum pacing_place { PACING_OUT, PACING_QUEUED, PACING_IN_FLIGHT };

struct pacing_entry {				/* embedded in what is paced */
	struct pacing_server *server;
	struct pacing_entry *next, *previous;	/* in its server's queue */
	uint8_t place;				/* enum pacing_place */
	uint8_t urgent;
	void (*turn)(struct pacing_entry *entry);	/* may call anything but pacing_run() */
};

enum pacing_outcome { PACING_ANSWERED, PACING_SILENT, PACING_DROPPED };

int pacing_create(struct pacing **pacing, const struct pacing_limits *limits);
void pacing_destroy(struct pacing *pacing);

/* The server of that key, with a reference.  NULL: no memory. */
struct pacing_server *pacing_server_get(struct pacing *pacing, const char *key);
void pacing_server_put(struct pacing *pacing, struct pacing_server *server);

/* Puts the entry into its server's queue; entry->turn() comes from pacing_run(). */
void pacing_want(struct pacing *pacing, struct pacing_entry *entry, bool urgent, uint64_t now);
/* An answer of any sort came for it: the server lives. */
void pacing_sign(struct pacing *pacing, struct pacing_entry *entry, uint64_t now);
/* It is over, or no longer wanted; also takes it out of a queue.  DROPPED says nothing about the server. */
void pacing_done(struct pacing *pacing, struct pacing_entry *entry, enum pacing_outcome outcome, uint64_t now);

void pacing_run(struct pacing *pacing, uint64_t now);
uint64_t pacing_next(const struct pacing *pacing);	/* when to run again, or TIMER_NEVER */
void pacing_ignore_rates(struct pacing *pacing);	/* while stopping: only the caps hold */

uint32_t pacing_in_flight(const struct pacing *pacing);

#endif
