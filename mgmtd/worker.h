/* A thread with a bounded queue of jobs before it, for what would hold up the event loop. */
#ifndef MGMTD_WORKER_H
#define MGMTD_WORKER_H

#include <stdbool.h>

struct worker;

struct job {
	void (*run)(struct job *job, bool cancelled);	/* on the worker's thread; cancelled: it is stopping, end at once */
	struct job *next;
};

/* nice: added to the thread's own (setpriority(2)); limit: most jobs that wait. */
int worker_start(struct worker **w, const char *name, int nice, unsigned limit);
void worker_cancel(struct worker *w);	/* every job that waits or comes now is run as cancelled */
void worker_stop(struct worker *w);
bool worker_cancelling(struct worker *w);	/* for a job that takes long: end now */

/* Before the first job: beat(arg) on the worker's thread, at once and then every so many ms in which there is time for it. */
void worker_beat(struct worker *w, unsigned ms, void (*beat)(void *arg), void *arg);

/* The job stays its owner's until run() has been called.  EAGAIN: the queue is full. */
int worker_submit(struct worker *w, struct job *job);

#endif
