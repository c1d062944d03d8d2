#include "mgmtd/writer.h"

#include "mgmtd/buffer.h"
#include "mgmtd/deadline.h"
#include "mgmtd/document.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"
#include "mgmtd/segment.h"
#include "mgmtd/stage.h"
#include "mgmtd/state.h"
#include "mgmtd/tally.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX 4096		/* waiting change-sets; more are turned away */
#ifndef BATCH_MAX		/* 1 in the build that the benchmarks compare with */
#define BATCH_MAX 256		/* change-sets in one transaction */
#endif

struct job {
	int (*run)(struct store *s, void *arg);
	void (*done)(int error, void *arg);
	void *arg;
	int error;
	struct job *next;
};

struct writer {
	struct store *store;
	struct model *model;
	struct secrets *secrets;
	struct config_writer *segment;
	struct stage *stage;
	struct writer_hooks hooks;
	char run_dir[4096];
	int lock_fd;
	bool segment_lost;		/* said so already */
	struct deadline deadline;

	pthread_t thread;
	bool thread_runs;
	pthread_mutex_t mutex;		/* guards what follows */
	pthread_cond_t wake;
	struct change *first, **last;
	size_t waiting;
	struct job *jobs, **last_job;
	bool closing;

	/* what writer_state() tells other threads */
	_Atomic uint64_t revision, generation;
	_Atomic uint32_t pages_used, pages_total;
	_Atomic bool store_available, published;
};

/* ------------------------------------------------------------------ opening and closing */

static int explain(struct shm_why *why, int error, const char *what)
{
	snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(error));
	return error;
}

static int load_object(void *arg, const struct object *row)
{
	struct writer *w = arg;
	struct object *object;

	if (row->kind->id == KIND_PARAMETERS && !schema_field(row->kind, row->name))
		return 0;
	if (!(object = object_new(row->kind, row->name)))
		return ENOMEM;
	object->id = row->id;
	object->incarnation = row->incarnation;
	object->revision = row->revision;
	memcpy(object->changed_at, row->changed_at, sizeof object->changed_at);
	object->changed_by = strdup(row->changed_by);
	object->document = row->kind->id == KIND_PARAMETERS ? strdup(row->document) : document_complete(row->kind, row->document);
	if (object->changed_by && object->document && model_load(w->model, object) == 0)
		return 0;
	object_free(object);
	return ENOMEM;
}

static int open_stored(struct writer *w, const char *state, unsigned char head[STORE_HASH], struct shm_why *why)
{
	char path[4096];
	uint64_t revision;
	bool fresh;
	int error;

	snprintf(path, sizeof path, "%s/tandem.db", state);
	if ((error = secrets_open(&w->secrets, state, access(path, F_OK) != 0, why)) ||
	    (error = store_open(&w->store, state, &fresh, why)))
		return error;
	if ((error = model_new(&w->model)) || (error = store_head(w->store, &revision, head)) ||
	    (error = store_each_object(w->store, load_object, w)) || (error = model_loaded(w->model, revision)))
		return explain(why, error, path);
	atomic_store(&w->store_available, true);
	return 0;
}

static int publish_all(struct writer *w)
{
	uint64_t generation;
	int error = segment_publish_all(w->segment, w->model, w->store, w->secrets, &generation);

	if (!error && w->hooks.published)
		w->hooks.published(w->hooks.arg, generation, model_revision(w->model));
	if (!error && w->hooks.answered)
		w->hooks.answered(w->hooks.arg);
	return error;
}

static int open_segment(struct writer *w, struct shm_why *why)
{
	uint64_t published;
	int error = config_writer_open(&w->segment, w->run_dir, NULL, why);

	if (error)
		return error;
	published = config_writer_revision(w->segment);
	if (config_writer_generation(w->segment) > 0 && published == model_revision(w->model))
		return 0;
	if ((error = publish_all(w)))
		return explain(why, error, "the configuration segment cannot be filled");
	log_info("segment: published revision %" PRIu64 " as generation %" PRIu64, model_revision(w->model),
	         config_writer_generation(w->segment));
	return 0;
}

static void note_state(struct writer *w)
{
	uint32_t used, total;

	config_writer_pages(w->segment, &used, &total);
	atomic_store(&w->pages_used, used);
	atomic_store(&w->pages_total, total);
	atomic_store(&w->revision, model_revision(w->model));
	atomic_store(&w->generation, config_writer_generation(w->segment));
	atomic_store(&w->published, config_writer_generation(w->segment) > 0);
}

static void *thread_main(void *arg);

int writer_open(struct writer **out, const char *state, const char *run, const struct writer_hooks *hooks, struct shm_why *why)
{
	unsigned char head[STORE_HASH];
	pthread_condattr_t monotonic;
	struct writer *w = calloc(1, sizeof *w);
	int error;

	if (!w)
		return ENOMEM;
	w->lock_fd = -1;
	w->hooks = *hooks;
	w->last = &w->first;
	w->last_job = &w->jobs;
	snprintf(w->run_dir, sizeof w->run_dir, "%s", run);
	pthread_mutex_init(&w->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if ((error = state_lock(&w->lock_fd, state, why)) || (error = open_stored(w, state, head, why)) || (error = open_segment(w, why)) ||
	    (error = stage_new(&w->stage, w->model, w->store, w->segment, w->secrets, &w->hooks, head)))
		goto out;
	note_state(w);
	if ((error = pthread_create(&w->thread, NULL, thread_main, w)))
		explain(why, error, "the writer thread");
	w->thread_runs = !error;
out:
	if (error) {
		writer_close(w);
		return error;
	}
	*out = w;
	return 0;
}

void writer_close(struct writer *w)
{
	if (!w)
		return;
	if (w->thread_runs) {
		pthread_mutex_lock(&w->mutex);
		w->closing = true;
		pthread_cond_signal(&w->wake);
		pthread_mutex_unlock(&w->mutex);
		pthread_join(w->thread, NULL);
	}
	stage_free(w->stage);
	config_writer_close(w->segment);
	model_free(w->model);
	store_close(w->store);
	secrets_close(w->secrets);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->mutex);
	free(w);
}

struct model *writer_model(struct writer *w)
{
	return w->model;
}

struct store *writer_store(struct writer *w)
{
	return w->store;
}

const struct secrets *writer_secrets(struct writer *w)
{
	return w->secrets;
}

void writer_state(struct writer *w, struct writer_state *state)
{
	*state = (struct writer_state){
		.stored_revision = atomic_load(&w->revision), .published_generation = atomic_load(&w->generation),
		.pages_used = atomic_load(&w->pages_used), .pages_total = atomic_load(&w->pages_total),
		.store_available = atomic_load(&w->store_available), .published = atomic_load(&w->published),
	};
}

/* ------------------------------------------------------------------ the queue */

int writer_submit(struct writer *w, struct change *change)
{
	int error = 0;

	change->queued_us = time_monotonic_us();
	pthread_mutex_lock(&w->mutex);
	if (w->closing) {
		error = ECANCELED;
	} else if (w->waiting >= QUEUE_MAX) {
		error = EAGAIN;
	} else {
		change->next = NULL;
		*w->last = change;
		w->last = &change->next;
		w->waiting++;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->mutex);
	return error;
}

int writer_run(struct writer *w, int (*run)(struct store *s, void *arg), void (*done)(int error, void *arg), void *arg)
{
	struct job *job = malloc(sizeof *job);
	int error = 0;

	if (!job)
		return ENOMEM;
	*job = (struct job){ run, done, arg, 0, NULL };
	pthread_mutex_lock(&w->mutex);
	if (w->closing) {
		error = ECANCELED;
		free(job);
	} else {
		*w->last_job = job;
		w->last_job = &job->next;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->mutex);
	return error;
}

struct batch { struct change *changes; struct job *jobs; bool closing; };

/* Waits for work, at most a second. */
static struct batch take_batch(struct writer *w)
{
	struct batch batch = { 0 };
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec++;
	deadline_limit(&w->deadline, &deadline);
	pthread_mutex_lock(&w->mutex);
	while (!w->first && !w->jobs && !w->closing)
		if (pthread_cond_timedwait(&w->wake, &w->mutex, &deadline) == ETIMEDOUT)
			break;
	struct change **end = &w->first;
	for (int i = 0; i < BATCH_MAX && *end; i++, w->waiting--)
		end = &(*end)->next;
	struct change *rest = *end;
	*end = NULL;
	batch.changes = w->first;
	w->first = rest;
	if (!rest)
		w->last = &w->first;
	batch.jobs = w->jobs;
	w->jobs = NULL;
	w->last_job = &w->jobs;
	batch.closing = w->closing && !rest;
	pthread_mutex_unlock(&w->mutex);
	return batch;
}

static void run_jobs(struct writer *w, struct job *jobs)
{
	for (struct job *job = jobs; job; job = job->next) {
		if (stage_begin(w->stage))
			return;
		if ((job->error = job->run(w->store, job->arg)))
			stage_doom(w->stage, job->error);
	}
}

static void finish_jobs(struct job *jobs, int error)
{
	for (struct job *job = jobs, *next; job; job = next) {
		next = job->next;
		job->done(error, job->arg);
		free(job);
	}
}

static void carry_out(struct writer *w, struct batch batch)
{
	bool settled = batch.jobs != NULL;
	struct change *next;
	bool shed = false;

	run_jobs(w, batch.jobs);
	for (struct change *change = batch.changes; change; change = change->next)
		stage_add(w->stage, change);
	uint64_t before = config_writer_generation(w->segment);
	int error = stage_commit(w->stage);
	if (error || batch.jobs)
		atomic_store(&w->store_available, error == 0);
	note_state(w);
	finish_jobs(batch.jobs, error);
	for (struct change *change = batch.changes; change; change = next) {
		next = change->next;
		settled |= change->confirm_within > 0;
		if (change->taken)
			atomic_store(&w->store_available, true);
		stage_answer(w->stage, change, error);
		tally_change(w->hooks.tally, change, error, (uint64_t)(time_monotonic_us() - change->queued_us));
		if (change->whole) {	/* its 100,000 operations are freed here, not where requests are served */
			change_shed(change);
			shed = true;
		}
		change->done(change);
	}
	if (config_writer_generation(w->segment) != before && w->hooks.answered)
		w->hooks.answered(w->hooks.arg);
	if (settled && !error)
		deadline_load(&w->deadline, w->store);
	if (shed)
		malloc_trim(0);
}

static void *thread_main(void *arg)
{
	struct writer *w = arg;
	struct timespec now, last = { 0 };
	struct batch batch;

	deadline_load(&w->deadline, w->store);
	do {
		batch = take_batch(w);
		deadline_add(&w->deadline, &batch.changes);
		if (batch.changes || batch.jobs)
			carry_out(w, batch);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec != last.tv_sec) {
			last = now;
			config_writer_tick(w->segment);
			note_state(w);
		}
	} while (!batch.closing);
	return NULL;
}
