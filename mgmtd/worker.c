#include "mgmtd/worker.h"

#include "mgmtd/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
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
};

static void *work(void *arg)
{
	struct worker *w = arg;
	pthread_setname_np(pthread_self(), w->name);
	/* On Linux the nice value is the thread's own. */
	if (w->nice && setpriority(PRIO_PROCESS, (id_t)gettid(), w->nice) != 0)
		log_warn("%s: cannot lower its priority", w->name);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *job = w->first;
		if (!job) {
			if (w->stopping)
				break;
			pthread_cond_wait(&w->work, &w->lock);
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
