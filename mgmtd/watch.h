/* One thread that watches the switch: doorbells, commands, states that change, requests that wait for it. */
#ifndef MGMTD_WATCH_H
#define MGMTD_WATCH_H

#include "mgmtd/census.h"
#include "mgmtd/core.h"
#include "mgmtd/events.h"
#include "mgmtd/waiter.h"
#include "mgmtd/writer.h"

struct watch;

int watch_open(struct watch **w, const char *run, struct events *events, struct shm_why *why);
/* The hooks of the writer, usable before watch_start(). */
void watch_hooks(struct watch *w, struct writer_hooks *hooks);
int watch_start(struct watch *w, struct writer *writer);
void watch_stop(struct watch *w);	/* the thread ends, the hooks still work */
void watch_close(struct watch *w);

struct core *watch_core(struct watch *w);
struct census *watch_census(struct watch *w);
struct waiters *watch_waiters(struct watch *w);

uint64_t watch_applied_lag(struct watch *w);	/* µs since what the switch has not acted on yet was published; 0 = it has on all */
uint64_t watch_applied_revision(struct watch *w);				/* or CORE_REVISION_UNKNOWN */

#endif
