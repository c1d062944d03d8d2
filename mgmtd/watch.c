#include "mgmtd/watch.h"

#include "mgmtd/log.h"
#include "mgmtd/news.h"

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

struct published { uint64_t generation, revision; int64_t at_us; };

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
	struct waiters waiters;
	pthread_mutex_t lock;		/* what follows */
	struct published published[PUBLISHED_HELD];	/* in turn */
	size_t published_count;
	/* the thread's own */
	struct news news;
	uint64_t event_cursor;
	int64_t next_tick_ms;
	struct control_packet packet;	/* received last */
};

struct core *watch_core(struct watch *w)
{
	return w->core;
}

struct waiters *watch_waiters(struct watch *w)
{
	return &w->waiters;
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

/* Keeps which revision a generation holds, for `applied_revision`. */
static void published_hook(void *arg, uint64_t generation, uint64_t revision)
{
	struct watch *w = arg;
	pthread_mutex_lock(&w->lock);
	w->published[w->published_count++ % PUBLISHED_HELD] = (struct published){ generation, revision, time_monotonic_us() };
	pthread_mutex_unlock(&w->lock);
	atomic_store(&w->newest, generation);
}

static void answered_hook(void *arg)
{
	struct watch *w = arg;
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
	enum core_state state = core_state(w->core);
	return state == CORE_UP || state == CORE_STARTING;
}

void watch_hooks(struct watch *w, struct writer_hooks *hooks)
{
	*hooks = (struct writer_hooks){ .arg = w, .published = published_hook, .answered = answered_hook, .committed = committed_hook,
	                                 .listeners = listeners_hook, .switch_up = switch_up_hook };
}

/* ------------------------------------------------------------------ which revision a generation holds */

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

uint64_t watch_applied_lag(struct watch *w)
{
	uint64_t applied = core_applied_generation(w->core);
	int64_t oldest = 0, now = time_monotonic_us();
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < PUBLISHED_HELD; i++)
		if (w->published[i].generation > applied && (!oldest || w->published[i].at_us < oldest))
			oldest = w->published[i].at_us;
	pthread_mutex_unlock(&w->lock);
	return oldest ? (uint64_t)(now - oldest) : 0;
}

/* ------------------------------------------------------------------ what the switch tells */

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
		} else if (tell_them) {
			news_publish(&w->news, &one.event);
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
			waiters_orphan(&w->waiters);
	}
	events_tick(w->events);
	w->next_tick_ms = time_monotonic_ms() + TICK_MS;
}

static void receive(struct watch *w)
{
	for (;;) {
		int e = core_receive(w->core, &w->packet);
		if (e == EBADMSG)
			continue;
		if (e == EPIPE) {
			waiters_orphan(&w->waiters);
			tick(w, false);
		}
		if (e)
			return;
		if (core_state(w->core) != CORE_UP)
			w->next_tick_ms = 0;	/* it has begun to live */
		if (w->packet.type == CONTROL_REPLY)
			waiters_reply(&w->waiters, &w->packet);
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
		int64_t wait = waiters_deadline(&w->waiters, w->next_tick_ms) - time_monotonic_ms();
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
		waiters_look(&w->waiters);
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
	waiters_init(&w->waiters, w->core, w->bell, &w->newest);
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
	w->news = (struct news){ .events = w->events, .core = w->core, .model = w->model };
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
	waiters_end(&w->waiters);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
