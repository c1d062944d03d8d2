/* The one event loop: the SIP stack's own, with our descriptors and timers in it. */
#ifndef SWITCHCORE_LOOP_H
#define SWITCHCORE_LOOP_H

#include "timer.h"

struct loop;
struct loop_watch;

int loop_create(struct loop **loop);
void loop_destroy(struct loop *loop);
struct timers *loop_timers(struct loop *loop);
void *loop_root(struct loop *loop);		/* the stack's su_root_t, for the files that know it */

/* Calls readable(arg) whenever fd has something to read or is closed by the peer. */
int loop_watch(struct loop_watch **watch, struct loop *loop, int fd, void (*readable)(void *arg), void *arg);
void loop_unwatch(struct loop_watch *watch);	/* before fd is closed; NULL is allowed; not from readable() of another */

/* Waits for events until the next timer or `until` (loop_now()'s clock) at most, and handles them.  Due timers are left
 * to timers_run(). */
void loop_step(struct loop *loop, uint64_t until);

/* The time of the event being handled: looked up once for each. */
uint64_t loop_now(void);	/* µs, monotonic; for every deadline */
uint64_t loop_wall(void);	/* µs since the epoch; for people.  A clock that was set anew is followed within a second */
void loop_refresh_clock(void);	/* an event begins */

#endif
