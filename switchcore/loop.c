#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include <sofia-sip/su_wait.h>

struct loop {
	su_root_t *root;
	struct timers timers;
};

struct loop_watch {
	struct loop *loop;
	su_wait_t wait;
	int index;
	void (*readable)(void *arg);
	void *arg;
};

static uint64_t clock_us(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * SECOND_US + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t now_us;
static uint64_t wall_ahead_us;		/* of the monotonic clock; looked up once a second */
static uint64_t wall_checked_us;

void loop_refresh_clock(void)
{
	now_us = clock_us(CLOCK_MONOTONIC);
	if (now_us - wall_checked_us >= SECOND_US || wall_ahead_us == 0) {
		wall_ahead_us = clock_us(CLOCK_REALTIME) - now_us;
		wall_checked_us = now_us;
	}
}

uint64_t loop_now(void)
{
	return now_us;
}

uint64_t loop_wall(void)
{
	return now_us + wall_ahead_us;
}

int loop_create(struct loop **loop)
{
	struct loop *l = calloc(1, sizeof *l);

	if (!l)
		return ENOMEM;
	loop_refresh_clock();
	if (su_init() != 0 || !(l->root = su_root_create(NULL))) {
		free(l);
		return ENOMEM;
	}
	su_root_threading(l->root, 0);
	*loop = l;
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	su_root_destroy(loop->root);
	su_deinit();
	timers_free(&loop->timers);
	free(loop);
}

struct timers *loop_timers(struct loop *loop)
{
	return &loop->timers;
}

void *loop_root(struct loop *loop)
{
	return loop->root;
}

static int woken(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *arg)
{
	struct loop_watch *watch = (struct loop_watch *)arg;

	(void)magic;
	(void)wait;
	loop_refresh_clock();
	watch->readable(watch->arg);
	return 0;
}

int loop_watch(struct loop_watch **watch, struct loop *loop, int fd, void (*readable)(void *arg), void *arg)
{
	struct loop_watch *w = calloc(1, sizeof *w);

	if (!w)
		return ENOMEM;
	w->loop = loop;
	w->readable = readable;
	w->arg = arg;
	if (su_wait_create(&w->wait, fd, SU_WAIT_IN | SU_WAIT_HUP | SU_WAIT_ERR) != 0 ||
	    (w->index = su_root_register(loop->root, &w->wait, woken, (su_wakeup_arg_t *)w, 0)) == -1) {
		int error = errno ? errno : ENOMEM;
		free(w);
		return error;
	}
	*watch = w;
	return 0;
}

void loop_unwatch(struct loop_watch *watch)
{
	if (!watch)
		return;
	su_root_deregister(watch->loop->root, watch->index);
	free(watch);
}

void loop_step(struct loop *loop, uint64_t until)
{
	uint64_t next = timers_next(&loop->timers);
	uint64_t now, wait;

	/* As of the event handled last: what that took makes the wait longer, never shorter. */
	now = loop_now();
	if (next < until)
		until = next;
	wait = until > now ? (until - now + 999) / 1000 : 0;	/* never early */
	su_root_step(loop->root, (su_duration_t)(wait > 60000 ? 60000 : wait));
	loop_refresh_clock();
}
