/*
 * One thread that watches the switch: doorbells, commands, states that change, requests that wait for it.
 */
#ifndef MGMTD_WATCH_H
#define MGMTD_WATCH_H

#include "mgmtd/census.h"
#include "mgmtd/core.h"
#include "mgmtd/events.h"
#include "mgmtd/writer.h"

struct watch;

/* A request that waits for the switch; its owner's memory until done() was called, on the watch's thread. */
struct waiter {
	void (*done)(struct waiter *waiter);
	void *arg;
	int error;		/* 0; ETIMEDOUT; ECONNREFUSED the switch is down; ECANCELED; of a command also the switch's own */
	/* for the watch */
	enum { WAIT_APPLIED, WAIT_SEND, WAIT_REPLY, WAIT_OUTCOME } what;
	bool to_the_end;
	int64_t timeout_ms, deadline_ms;
	uint64_t generation;
	uint32_t id;
	uint64_t incarnation, command, attempt;
	struct waiter *next;
};

#define WATCH_COMMAND_MS 2000	/* longest wait for the switch's answer to a command */

int watch_open(struct watch **w, const char *run, struct events *events, struct shm_why *why);
/* The hooks of the writer, usable before watch_start(). */
void watch_hooks(struct watch *w, struct writer_hooks *hooks);
int watch_start(struct watch *w, struct writer *writer);
void watch_cancel(struct watch *w);	/* every waiter, also those to come: ECANCELED */
void watch_stop(struct watch *w);	/* the thread ends, the hooks still work */
void watch_close(struct watch *w);

struct core *watch_core(struct watch *w);
struct census *watch_census(struct watch *w);

/* Ends with 0 when the switch has acted on the generation, or cannot: ask core_applied(). */
void watch_wait_applied(struct watch *w, struct waiter *waiter, uint64_t generation, int64_t timeout_ms);
/* Has the registration register now.  outcome_ms: wait so long for the outcome of the attempt; 0 = only for the switch to begin.
 * error: besides those above ENOENT, ESTALE, EINVAL of control.h; ETIME the outcome did not come. */
void watch_refresh(struct watch *w, struct waiter *waiter, uint32_t id, uint64_t incarnation, int64_t outcome_ms);

void watch_note(struct watch *w, uint64_t generation, uint64_t revision);	/* what was published */
uint64_t watch_applied_revision(struct watch *w);				/* or CORE_REVISION_UNKNOWN */

#endif
