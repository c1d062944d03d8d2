#include "mgmtd/worker.h"

#include "mgmtd/buffer.h"
#include "mgmtd/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct worker {
	const char *name;
	int nice;
	unsigned limit, waiting;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool cancelling, stopping;
	struct job *first, **last;
	unsigned beat_ms;		/* 0 = none */
	int64_t beat_at_ms;
	void (*beat)(void *arg);
	void *beat_arg;
};

/* Under the lock, with no job there. */
static void wait_for_work(struct worker *w)
{
	struct timespec until = { .tv_sec = w->beat_at_ms / 1000, .tv_nsec = w->beat_at_ms % 1000 * 1000000 };
	if (w->beat_ms)
		pthread_cond_clockwait(&w->work, &w->lock, CLOCK_MONOTONIC, &until);
	else
		pthread_cond_wait(&w->work, &w->lock);
}

/* Under the lock, which it lets go while it beats. */
static void beat_if_due(struct worker *w)
{
	if (!w->beat_ms || w->stopping || time_monotonic_ms() < w->beat_at_ms)
		return;
	pthread_mutex_unlock(&w->lock);
	w->beat(w->beat_arg);
	pthread_mutex_lock(&w->lock);
	w->beat_at_ms = time_monotonic_ms() + w->beat_ms;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	pthread_setname_np(pthread_self(), w->name);
	/* On Linux the nice value is the thread's own. */
	if (w->nice && setpriority(PRIO_PROCESS, (id_t)gettid(), w->nice) != 0)
		log_warn("%s: cannot lower its priority", w->name);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		beat_if_due(w);
		struct job *job = w->first;
		if (!job) {
			if (w->stopping)
				break;
			wait_for_work(w);
			continue;
		}
		w->first = job->next;
		if (!w->first)
			w->last = &w->first;
		w->waiting--;
		bool cancelled = w->cancelling;
		pthread_mutex_unlock(&w->lock);
		job->run(job, cancelled);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int worker_start(struct worker **w, const char *name, int nice, unsigned limit)
{
	struct worker *new = calloc(1, sizeof *new);
	if (!new)
		return ENOMEM;
	new->name = name;
	new->nice = nice;
	new->limit = limit;
	new->last = &new->first;
	pthread_mutex_init(&new->lock, NULL);
	pthread_cond_init(&new->work, NULL);
	int e = pthread_create(&new->thread, NULL, work, new);
	if (e) {
		free(new);
		return e;
	}
	*w = new;
	return 0;
}

void worker_beat(struct worker *w, unsigned ms, void (*beat)(void *arg), void *arg)
{
	pthread_mutex_lock(&w->lock);
	w->beat_ms = ms;
	w->beat = beat;
	w->beat_arg = arg;
	w->beat_at_ms = time_monotonic_ms();
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

int worker_submit(struct worker *w, struct job *job)
{
	int e = 0;
	pthread_mutex_lock(&w->lock);
	if (w->waiting >= w->limit) {
		e = EAGAIN;
	} else {
		job->next = NULL;
		*w->last = job;
		w->last = &job->next;
		w->waiting++;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	return e;
}

void worker_cancel(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->cancelling = true;
	pthread_mutex_unlock(&w->lock);
}

bool worker_cancelling(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	bool cancelling = w->cancelling;
	pthread_mutex_unlock(&w->lock);
	return cancelling;
}

void worker_stop(struct worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->cancelling = w->stopping = true;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
