#include "mgmtd/watch.h"

#include "mgmtd/log.h"
#include "mgmtd/status.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TICK_MS 1000
#define PUBLISHED_HELD 4096

struct published { uint64_t generation, revision; };

struct watch {
	struct core *core;
	struct events *events;
	struct census *census;
	struct writer *writer;
	struct model *model;
	int bell;			/* eventfd: look at the waiters, or stop */
	pthread_t thread;
	bool running;
	_Atomic bool stopping, removed;
	_Atomic uint64_t newest;	/* generation published last */
	pthread_mutex_t lock;		/* what follows */
	struct waiter *waiters;
	bool cancelled;
	struct published published[PUBLISHED_HELD];	/* in turn */
	size_t published_count;
	/* the thread's own */
	uint64_t next_command, event_cursor;
	int64_t next_tick_ms;
};

struct core *watch_core(struct watch *w)
{
	return w->core;
}

struct census *watch_census(struct watch *w)
{
	return w->census;
}

static void poke(struct watch *w)
{
	const uint64_t one = 1;
	ssize_t n = write(w->bell, &one, sizeof one);
	(void)n;	/* full means that it rings already */
}

/* ------------------------------------------------------------------ hooks, on the writer thread */

static void published_hook(void *arg, uint64_t generation)
{
	struct watch *w = arg;
	atomic_store(&w->newest, generation);
	core_ring(w->core);
}

static void committed_hook(void *arg, uint64_t revision, const char *item)
{
	struct watch *w = arg;
	events_set_revision(w->events, revision);
	events_publish(w->events, "revision", item, strlen(item));
	/* At worst a comment with this word costs one needless count. */
	if (strstr(item, "\"delete\"")) {
		atomic_store(&w->removed, true);
		poke(w);
	}
}

static bool listeners_hook(void *arg, char *names, size_t size)
{
	struct watch *w = arg;
	return core_listeners(w->core, names, size);
}

static bool switch_up_hook(void *arg)
{
	struct watch *w = arg;
	return core_state(w->core) == CORE_UP;
}

void watch_hooks(struct watch *w, struct writer_hooks *hooks)
{
	*hooks = (struct writer_hooks){ w, published_hook, committed_hook, listeners_hook, switch_up_hook };
}

/* ------------------------------------------------------------------ which revision a generation holds */

void watch_note(struct watch *w, uint64_t generation, uint64_t revision)
{
	pthread_mutex_lock(&w->lock);
	struct published *last = &w->published[(w->published_count + PUBLISHED_HELD - 1) % PUBLISHED_HELD];
	if (last->generation == generation) {
		if (revision > last->revision)
			last->revision = revision;
	} else {
		w->published[w->published_count++ % PUBLISHED_HELD] = (struct published){ generation, revision };
	}
	pthread_mutex_unlock(&w->lock);
}

uint64_t watch_applied_revision(struct watch *w)
{
	struct writer_state state;
	uint64_t applied = core_applied_generation(w->core), best = 0, revision = CORE_REVISION_UNKNOWN;
	writer_state(w->writer, &state);
	if (applied && applied == state.published_generation)
		return state.stored_revision;
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < PUBLISHED_HELD; i++) {
		const struct published *p = &w->published[i];
		if (p->generation <= applied && p->generation > best) {
			best = p->generation;
			revision = p->revision;
		}
	}
	pthread_mutex_unlock(&w->lock);
	return revision;
}

/* ------------------------------------------------------------------ waiters */

static void add(struct watch *w, struct waiter *waiter)
{
	waiter->error = 0;
	pthread_mutex_lock(&w->lock);
	bool cancelled = w->cancelled;
	if (!cancelled) {
		waiter->next = w->waiters;
		w->waiters = waiter;
	}
	pthread_mutex_unlock(&w->lock);
	if (cancelled) {
		waiter->error = ECANCELED;
		waiter->done(waiter);
	} else {
		poke(w);
	}
}

void watch_wait_applied(struct watch *w, struct waiter *waiter, uint64_t generation, int64_t timeout_ms)
{
	waiter->what = WAIT_APPLIED;
	waiter->generation = generation;
	waiter->deadline_ms = time_monotonic_ms() + timeout_ms;
	add(w, waiter);
}

void watch_refresh(struct watch *w, struct waiter *waiter, uint32_t id, uint64_t incarnation, int64_t outcome_ms)
{
	waiter->what = WAIT_SEND;
	waiter->generation = atomic_load(&w->newest);
	waiter->id = id;
	waiter->incarnation = incarnation;
	waiter->to_the_end = outcome_ms > 0;
	waiter->timeout_ms = outcome_ms;
	waiter->deadline_ms = time_monotonic_ms() + WATCH_COMMAND_MS;
	add(w, waiter);
}

/* Each of these says: is it done?  waiter->error is set then. */

static bool applied_done(struct watch *w, struct waiter *waiter)
{
	return core_applied(w->core, waiter->generation) != APPLIED_PENDING;
}

static bool send_done(struct watch *w, struct waiter *waiter)
{
	waiter->command = ++w->next_command;
	const struct control_request request = { .id = waiter->command, .command = CONTROL_REFRESH, .kind = KIND_REGISTRATION,
	                                         .object = waiter->id, .incarnation = waiter->incarnation };
	/* It must know the object first; a bell for that is on its way. */
	if (core_state(w->core) == CORE_STARTING || core_applied(w->core, waiter->generation) == APPLIED_PENDING)
		return false;
	int e = core_send(w->core, &request);
	if (e == EAGAIN)
		return false;	/* its socket is full: try again until the deadline */
	waiter->what = WAIT_REPLY;
	waiter->error = e ? ECONNREFUSED : 0;
	return e != 0;
}

static bool outcome_done(struct watch *w, struct waiter *waiter)
{
	struct registration_status status;
	int e = core_status(w->core, KIND_REGISTRATION, waiter->id, &status);
	if (core_state(w->core) != CORE_UP) {
		waiter->error = ECONNREFUSED;
		return true;
	}
	if (e)
		return false;
	return status.incarnation != waiter->incarnation || status.attempts_done >= waiter->attempt;
}

static bool is_done(struct watch *w, struct waiter *waiter, int64_t now)
{
	bool done = false;
	if (waiter->what == WAIT_APPLIED)
		done = applied_done(w, waiter);
	else if (waiter->what == WAIT_SEND)
		done = send_done(w, waiter);
	else if (waiter->what == WAIT_OUTCOME)
		done = outcome_done(w, waiter);
	if (!done && now >= waiter->deadline_ms) {
		waiter->error = waiter->what == WAIT_OUTCOME ? ETIME : ETIMEDOUT;
		done = true;
	}
	return done;
}

/* Takes the waiters that test() says are done off the list and tells them. */
static void tell(struct watch *w, bool (*test)(struct watch *w, struct waiter *waiter, int64_t arg), int64_t arg)
{
	struct waiter *done = NULL;
	pthread_mutex_lock(&w->lock);
	for (struct waiter **p = &w->waiters; *p;) {
		struct waiter *waiter = *p;
		if (test(w, waiter, arg)) {
			*p = waiter->next;
			waiter->next = done;
			done = waiter;
		} else {
			p = &waiter->next;
		}
	}
	pthread_mutex_unlock(&w->lock);
	while (done) {
		struct waiter *next = done->next;
		done->done(done);
		done = next;
	}
}

static bool is_cancelled(struct watch *w, struct waiter *waiter, int64_t arg)
{
	(void)w;
	(void)arg;
	waiter->error = ECANCELED;
	return true;
}

void watch_cancel(struct watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->cancelled = true;
	pthread_mutex_unlock(&w->lock);
	tell(w, is_cancelled, 0);
}

/* The switch went away: what it was asked it will not answer. */
static bool is_orphaned(struct watch *w, struct waiter *waiter, int64_t arg)
{
	(void)w;
	(void)arg;
	waiter->error = ECONNREFUSED;
	return waiter->what == WAIT_REPLY || waiter->what == WAIT_OUTCOME;
}

static bool is_answered(struct watch *w, struct waiter *waiter, int64_t arg)
{
	const struct control_reply *reply = (const struct control_reply *)(intptr_t)arg;
	(void)w;
	if (waiter->what != WAIT_REPLY || waiter->command != reply->id)
		return false;
	waiter->error = reply->error;
	if (reply->error || !waiter->to_the_end)
		return true;
	waiter->what = WAIT_OUTCOME;
	waiter->attempt = reply->attempt;
	waiter->deadline_ms = time_monotonic_ms() + waiter->timeout_ms;
	return false;
}

static int64_t nearest_deadline(struct watch *w)
{
	int64_t nearest = w->next_tick_ms;
	pthread_mutex_lock(&w->lock);
	for (const struct waiter *waiter = w->waiters; waiter; waiter = waiter->next)
		if (waiter->deadline_ms < nearest)
			nearest = waiter->deadline_ms;
	pthread_mutex_unlock(&w->lock);
	return nearest;
}

/* ------------------------------------------------------------------ what the switch tells */

static void publish_registration(struct watch *w, const struct status_event *event)
{
	struct registration_status status;
	char name[SCHEMA_NAME_MAX + 1] = "";
	struct buffer text = { 0 };
	model_lock(w->model);
	const struct object *object = model_find_id(w->model, KIND_REGISTRATION, event->id);
	if (object && object->incarnation == event->incarnation)
		memcpy(name, object->name, sizeof name);
	model_unlock(w->model);
	if (!name[0] || event->to >= STATE_COUNT || event->reason >= REASON_COUNT)
		return;	/* deleted meanwhile; the revision told */
	int e = core_status(w->core, KIND_REGISTRATION, event->id, &status);
	if (e || status.incarnation != event->incarnation)
		return;
	/* The record may be further on already: the listener is to see every transition, in order. */
	if (status.state != event->to || status.since != event->at) {
		status.state = event->to;
		status.reason = event->reason;
		status.since = event->at;
		status.last_code = event->code;
		status.refreshing = 0;
	}
	status_render(&text, name, event->incarnation, &status, false);
	if (!text.failed)
		events_publish(w->events, "registration", text.text, text.len);
	buffer_free(&text);
}

struct one_event { struct watch *w; struct status_event event; uint64_t lost; int e; };

static void next_event(struct status_reader *reader, void *arg)
{
	struct one_event *one = arg;
	one->e = status_next_event(reader, &one->w->event_cursor, &one->event, &one->lost);
}

static void take_events(struct watch *w, bool tell_them)
{
	struct one_event one = { .w = w };
	while (core_with_status(w->core, next_event, &one) && one.e != EAGAIN) {
		if (one.e == EOVERFLOW) {
			log_warnx("events: %llu changes of state were overwritten before they were read", (unsigned long long)one.lost);
			if (tell_them)
				events_publish_reset(w->events, "lost");
		} else if (one.e) {
			return;
		} else if (tell_them && one.event.kind == KIND_REGISTRATION) {
			publish_registration(w, &one.event);
		}
	}
}

static void publish_core(struct watch *w)
{
	struct buffer text = { 0 };
	core_render(w->core, &text, watch_applied_revision(w));
	if (!text.failed)
		events_publish(w->events, "switchcore", text.text, text.len);
	buffer_free(&text);
}

static void tick(struct watch *w, bool first)
{
	unsigned news = core_look(w->core, atomic_load(&w->newest));
	if (news & CORE_NEW_STATUS) {
		/* At our own start the past is skipped; a switch that started later is told from its beginning. */
		w->event_cursor = 0;
		take_events(w, !first);
		census_take_all(w->census);
	}
	if (news & CORE_STATE_CHANGED) {
		publish_core(w);
		if (core_state(w->core) == CORE_DOWN || core_state(w->core) == CORE_MISMATCH)
			tell(w, is_orphaned, 0);
	}
	events_tick(w->events);
	w->next_tick_ms = time_monotonic_ms() + TICK_MS;
}

static void receive(struct watch *w)
{
	union control_packet packet;
	size_t size;
	for (;;) {
		int e = core_receive(w->core, &packet, &size);
		if (e == EBADMSG)
			continue;
		if (e == EPIPE) {
			tell(w, is_orphaned, 0);
			tick(w, false);
		}
		if (e)
			return;
		if (core_state(w->core) != CORE_UP)
			w->next_tick_ms = 0;	/* it has begun to live */
		if (size == sizeof packet.reply)
			tell(w, is_answered, (int64_t)(intptr_t)&packet.reply);
	}
}

static void clear_bell(struct watch *w)
{
	uint64_t count;
	ssize_t n = read(w->bell, &count, sizeof count);
	(void)n;
}

static void *watch_switch(void *arg)
{
	struct watch *w = arg;
	pthread_setname_np(pthread_self(), "watch");
	tick(w, true);
	while (!atomic_load(&w->stopping)) {
		int64_t wait = nearest_deadline(w) - time_monotonic_ms();
		struct pollfd fds[] = { { .fd = w->bell, .events = POLLIN }, { .fd = core_control(w->core), .events = POLLIN } };
		poll(fds, 2, wait > 0 ? (int)wait : 0);
		if (fds[0].revents)
			clear_bell(w);
		if (fds[1].revents)
			receive(w);
		if (time_monotonic_ms() >= w->next_tick_ms)
			tick(w, false);
		if (atomic_exchange(&w->removed, false))
			census_forget_removed(w->census);
		census_take_changes(w->census);
		take_events(w, true);
		tell(w, is_done, time_monotonic_ms());
	}
	return NULL;
}

/* ------------------------------------------------------------------ life */

int watch_open(struct watch **out, const char *run, struct events *events, struct shm_why *why)
{
	struct watch *w = calloc(1, sizeof *w);
	int e = ENOMEM;
	if (!w)
		return e;
	w->events = events;
	w->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = w->bell < 0 ? errno : core_open(&w->core, run, why);
	if (e) {
		if (w->bell >= 0)
			close(w->bell);
		free(w);
		return e;
	}
	pthread_mutex_init(&w->lock, NULL);
	*out = w;
	return 0;
}

int watch_start(struct watch *w, struct writer *writer)
{
	struct writer_state state;
	w->writer = writer;
	w->model = writer_model(writer);
	writer_state(writer, &state);
	atomic_store(&w->newest, state.published_generation);
	events_set_revision(w->events, state.stored_revision);
	int e = census_open(&w->census, w->model, w->core);
	if (!e)
		e = pthread_create(&w->thread, NULL, watch_switch, w);
	w->running = e == 0;
	return e;
}

void watch_stop(struct watch *w)
{
	if (!w || !w->running)
		return;
	atomic_store(&w->stopping, true);
	poke(w);
	pthread_join(w->thread, NULL);
	w->running = false;
}

void watch_close(struct watch *w)
{
	if (!w)
		return;
	watch_stop(w);
	census_close(w->census);
	core_close(w->core);
	close(w->bell);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
