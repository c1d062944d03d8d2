/*
 * The one way in for every change: a queue and one thread behind it.  What waits is validated, given revisions, committed
 * in one SQLite transaction, put into the model, published once, and answered.
 */
#ifndef MGMTD_WRITER_H
#define MGMTD_WRITER_H

#include "mgmtd/change.h"
#include "mgmtd/store.h"
#include "shm/config.h"

struct writer;

struct writer_hooks {
	void *arg;
	/* After each publish, on the writer thread: before the changes are answered, and when they have been. */
	void (*published)(void *arg, uint64_t generation, uint64_t revision);
	void (*answered)(void *arg);	/* ring the switch: what wakes it must not come before what wakes those who wait */
	/* After each commit, on the writer thread, per revision: for /events.  item is the list item of GET /revisions as
	 * JSON text. */
	void (*committed)(void *arg, uint64_t revision, const char *item);
	/* Which listeners the running switch has: "a,b,c"; NULL = it is down.  Copied to names. */
	bool (*listeners)(void *arg, char *names, size_t size);
	/* True: answer dry runs of a delete or disable with a warning that the switch is down and the binding stays. */
	bool (*switch_up)(void *arg);
	struct tally *tally;	/* counts the changes; or NULL */
};

/* Opens database and segment, loads the model, republishes if the segment is behind, starts the thread.
 * state, run: directories.  Errors: a positive errno with why: EBUSY another mgmtd, EPROTO newer database, others. */
int writer_open(struct writer **w, const char *state, const char *run, const struct writer_hooks *hooks, struct shm_why *why);
void writer_close(struct writer *w);	/* finishes what is queued */

struct model *writer_model(struct writer *w);
struct store *writer_store(struct writer *w);	/* for its read-only functions, on any one other thread */

const struct secrets *writer_secrets(struct writer *w);	/* for any thread */

/* Queues the change; change->done is called later.  ECANCELED: closing; EAGAIN: queue full (answer 503). */
int writer_submit(struct writer *w, struct change *change);

/* Runs job(store, arg) inside the next transaction, then done(error, arg) when it is durable: for users and tokens. */
int writer_run(struct writer *w, int (*job)(struct store *s, void *arg), void (*done)(int error, void *arg), void *arg);

struct writer_state {
	uint64_t stored_revision, published_generation;
	uint32_t pages_used, pages_total;
	bool store_available, published;	/* false: disk full or read-only; nothing in the segment yet */
};
void writer_state(struct writer *w, struct writer_state *state);

#endif
