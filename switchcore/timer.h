/*
 * Timers: a binary heap of deadlines.  Arm and disarm are O(log n) and cannot fail; room is reserved when a timer is
 * initialised.  Times are microseconds of one clock, given by the caller, so that tests can turn it by hand.
 */
#ifndef SWITCHCORE_TIMER_H
#define SWITCHCORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_NEVER UINT64_MAX
#define SECOND_US UINT64_C(1000000)

struct timer {
	uint64_t at;
	size_t place;		/* in the heap + 1; 0 = not armed */
	void (*fire)(struct timer *timer);
};

struct timers {
	struct timer_slot { uint64_t at; struct timer *timer; } *heap;
	size_t count;		/* armed */
	size_t reserved;	/* initialised timers */
	size_t room;
};

#define TIMER_OWNER(timer, type, member) ((type *)(void *)((char *)(timer) - offsetof(type, member)))

int timer_init(struct timers *timers, struct timer *timer, void (*fire)(struct timer *timer));	/* 0 or ENOMEM */
void timer_destroy(struct timers *timers, struct timer *timer);	/* of an initialised one; disarms it */
void timer_arm(struct timers *timers, struct timer *timer, uint64_t at);	/* or moves it */
void timer_disarm(struct timers *timers, struct timer *timer);
static inline bool timer_armed(const struct timer *timer)
{
	return timer->place != 0;
}

uint64_t timers_next(const struct timers *timers);		/* or TIMER_NEVER */
/* Fires what is due at `now`.  What is armed meanwhile for a time already due waits for the next call: no endless loop. */
void timers_run(struct timers *timers, uint64_t now);
void timers_free(struct timers *timers);

#endif
