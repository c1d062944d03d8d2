#include "mgmtd/deadline.h"

#include "mgmtd/buffer.h"
#include "mgmtd/log.h"
#include "mgmtd/reversal.h"

#include <string.h>

void deadline_load(struct deadline *d, struct store *store)
{
	d->store = store;
	int error = store_confirmation_next(store, &d->next);
	if (error)
		log_warnx("confirm_within: the deadlines cannot be read: %s", strerror(error));
}

void deadline_limit(const struct deadline *d, struct timespec *until)
{
	uint64_t now = time_now_us(), at = d->next.deadline_us;
	struct timespec monotonic;

	if (!d->next.revision || at >= now + 1000000)
		return;
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	uint64_t left = at > now ? (at - now) * 1000 : 0, nanoseconds = (uint64_t)monotonic.tv_nsec + left;
	*until = (struct timespec){ .tv_sec = monotonic.tv_sec + (time_t)(nanoseconds / 1000000000),
	                            .tv_nsec = (long)(nanoseconds % 1000000000) };
}

static struct change *take(struct deadline *d)
{
	if (!d->next.revision || time_now_us() < d->next.deadline_us)
		return NULL;
	struct change *change = reversal_of(d->store, &d->next);
	/* Tried again once a second: the disk may be full, or the database locked. */
	d->next.deadline_us = time_now_us() + 1000000;
	if (!change)
		log_warnx("revision %llu: its record cannot be read to roll it back", (unsigned long long)d->next.revision);
	else
		change->done = change_free;
	return change;
}

void deadline_add(struct deadline *d, struct change **changes)
{
	struct change *undoing = take(d);

	while (undoing && *changes)
		changes = &(*changes)->next;
	if (undoing)
		*changes = undoing;
}
