#include "timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void timers_free(struct timers *timers)
{
	free(timers->heap);
	timers->heap = NULL;
	timers->count = timers->reserved = timers->room = 0;
}

int timer_init(struct timers *timers, struct timer *timer, void (*fire)(struct timer *timer))
{
	if (timers->reserved == timers->room) {
		size_t room = timers->room ? timers->room * 2 : 64;
		struct timer_slot *heap = realloc(timers->heap, room * sizeof *heap);
		if (!heap)
			return ENOMEM;
		timers->heap = heap;
		timers->room = room;
	}
	timers->reserved++;
	timer->at = TIMER_NEVER;
	timer->place = 0;
	timer->fire = fire;
	return 0;
}

void timer_destroy(struct timers *timers, struct timer *timer)
{
	timer_disarm(timers, timer);
	assert(timers->reserved > 0);
	timers->reserved--;
}

static void put(struct timers *timers, size_t place, struct timer_slot slot)
{
	timers->heap[place] = slot;
	slot.timer->place = place + 1;
}

static void sift(struct timers *timers, size_t place, struct timer_slot slot)
{
	while (place > 0 && timers->heap[(place - 1) / 2].at > slot.at) {
		put(timers, place, timers->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * place + 1;
		if (child >= timers->count)
			break;
		if (child + 1 < timers->count && timers->heap[child + 1].at < timers->heap[child].at)
			child++;
		if (timers->heap[child].at >= slot.at)
			break;
		put(timers, place, timers->heap[child]);
		place = child;
	}
	put(timers, place, slot);
}

void timer_arm(struct timers *timers, struct timer *timer, uint64_t at)
{
	struct timer_slot slot = { at, timer };

	assert(timer->fire);
	timer->at = at;
	if (timer->place == 0) {
		assert(timers->count < timers->reserved);
		timer->place = ++timers->count;
	}
	sift(timers, timer->place - 1, slot);
}

void timer_disarm(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place;
	struct timer_slot last;

	if (place == 0)
		return;
	timer->place = 0;
	timer->at = TIMER_NEVER;
	last = timers->heap[--timers->count];
	if (last.timer != timer)
		sift(timers, place - 1, last);
}

uint64_t timers_next(const struct timers *timers)
{
	return timers->count ? timers->heap[0].at : TIMER_NEVER;
}

void timers_run(struct timers *timers, uint64_t now)
{
	/* At most as many as are armed now: a handler that re-arms its timer in the past is met again next turn. */
	for (size_t left = timers->count; left > 0 && timers_next(timers) <= now; left--) {
		struct timer *timer = timers->heap[0].timer;
		timer_disarm(timers, timer);
		timer->fire(timer);
	}
}
