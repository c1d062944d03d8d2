/*
 * Requests that wait for the switch: until it has acted on a change, or for a command and its outcome.  Any thread adds
 * them; the watch's thread ends them.
 */
#ifndef MGMTD_WAITER_H
#define MGMTD_WAITER_H

#include "mgmtd/core.h"

#include <pthread.h>
#include <stdatomic.h>

#define WAITER_COMMAND_MS 2000	/* longest wait for the switch's answer to a command */
#define WAITER_AGAIN_MS 50	/* until what is to be asked again is asked again */

/* Its owner's memory until done() was called, on the watch's thread. */
struct waiter {
	void (*done)(struct waiter *waiter);
	void *arg;
	int error;		/* 0; ETIMEDOUT; ECONNREFUSED the switch is down; ECANCELED; of a command also the switch's own */
	struct control_request request;		/* of a command: command, kind, object, incarnation */
	const void *arguments;			/* of a command, likewise its owner's memory */
	size_t arguments_len;
	uint32_t code;				/* of its reply */
	struct buffer text;			/* of its reply; the owner frees it */
	bool (*look)(struct waiter *waiter);	/* of waiter_look(): has it come?  On the watch's thread, and brief */
	/* for waiter.c */
	enum { WAIT_APPLIED, WAIT_SEND, WAIT_REPLY, WAIT_OUTCOME, WAIT_LOOK } what;
	bool to_the_end;
	int64_t timeout_ms, deadline_ms, not_before_ms;
	uint64_t generation, attempt;
	struct waiter *next;
};

struct waiters {
	struct core *core;
	int bell;				/* eventfd: have somebody call waiters_look() */
	const _Atomic uint64_t *newest;		/* generation published last */
	pthread_mutex_t lock;
	struct waiter *first;
	bool cancelled;
	uint64_t next_command;			/* the watch thread's */
};

void waiters_init(struct waiters *ws, struct core *core, int bell, const _Atomic uint64_t *newest);
void waiters_end(struct waiters *ws);

/* Ends with 0 when the switch has acted on the generation, or cannot: ask core_applied(). */
void waiter_applied(struct waiters *ws, struct waiter *waiter, uint64_t generation, int64_t timeout_ms);
/* Sends the command once the switch knows the newest configuration, and waits for the reply; what it says to ask again for
 * (EAGAIN) is asked again.  outcome_ms, of a refresh: wait so long for the outcome of the attempt; 0 = only for the switch to
 * begin.  error: besides those above that of the reply; ETIME the outcome did not come. */
void waiter_command(struct waiters *ws, struct waiter *waiter, int64_t outcome_ms);

/* Ends with 0 when waiter->look() says so: it is asked at every doorbell, and once a second.  ETIME. */
void waiter_look(struct waiters *ws, struct waiter *waiter, int64_t timeout_ms);

void waiters_cancel(struct waiters *ws);	/* every one, also those to come: ECANCELED */

/* --- the watch's thread */
void waiters_look(struct waiters *ws);		/* after a doorbell, at a deadline */
void waiters_reply(struct waiters *ws, const struct control_packet *reply);
void waiters_orphan(struct waiters *ws);	/* the switch went away: what it was asked it will not answer */
int64_t waiters_deadline(struct waiters *ws, int64_t latest_ms);

#endif
