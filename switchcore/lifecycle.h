/*
 * Between registration.c (one registration: states, queue, outcomes, timer) and registrations.c (the set: what the
 * configuration, commands and the end of the process do to them).  Nobody else includes this.
 */
#ifndef SWITCHCORE_LIFECYCLE_H
#define SWITCHCORE_LIFECYCLE_H

#include "registration.h"

#define ORPHAN_BUCKETS 1024u

struct registrations {
	struct registration_world world;
	struct timers *timers;
	struct pacing *pacing;
	struct sip_parameters parameters;
	struct registration **table;		/* by id */
	uint32_t limit;
	uint32_t swept;				/* registrations_sweep() goes on with this id */
	struct registration *orphans[ORPHAN_BUCKETS];	/* by line token */
	uint64_t busy;				/* UNREGISTERING */
	uint64_t unconfirmed;
	bool stopping;
	struct hash names, lines, contacts;	/* of those configured */
};

enum registration_event {
	EV_WANTED,	/* it shall register: configured, enabled, moved and the old binding gone */
	EV_TURN,	/* its turn came: the REGISTER left, or its target is being resolved */
	EV_ACCEPTED,
	EV_FAILED,
	EV_TIMER,	/* due: refresh, retry, or a wait for an old binding is over */
	EV_LAPSED_QUEUED,	/* the binding ended while its refresh waits for its turn */
	EV_LAPSED_SENT,	/* … while its refresh is out */
	EV_NOW,		/* asked for, or what is on the wire changed: one attempt at once */
	EV_SOON,	/* expiry, privacy or display name changed */
	EV_MOVED,	/* other registrar, and no old binding to remove */
	EV_REMOVE,	/* the binding must go */
	EV_DISABLED,	/* not wanted, no binding left to remove */
	EV_DROPPED,	/* the same while stopping, or deleted */
	EV_COUNT
};

/* The one place that writes `state`.  False: the table has no such edge, nothing happened. */
bool registration_fire(struct registration *r, enum registration_event event);

/* The handlers of its timers, its turn and its connection. */
void registration_timer_due(struct timer *timer);
void registration_pulse_due(struct timer *timer);
void registration_turn(struct pacing_entry *entry);
void registration_connection_lost(struct sip_flow_user *user);

void registration_tell(struct registration *r);
void registration_forget(struct registration *r);	/* everything about the binding */
bool registration_must_remove(const struct registration *r);	/* a binding may exist, and unregistering is on */
void registration_unwant(struct registration *r);	/* disabled, deleted or stopping: removes the binding if need be */
void registration_arm_retry(struct registration *r);	/* counts from the failure */
void registration_arm_pulse(struct registration *r);

void registrations_destroy_one(struct registration *r);
/* registration_use.c */
int registration_claims_create(struct registration *r);
void registration_claims_leave(struct registration *r);	/* the claims go on without it */
void registrations_list(struct registration *r);	/* anew, where its look-ups changed */
void registrations_unlist(struct registration *r);
size_t registrations_bucket(const char *line);

#endif
