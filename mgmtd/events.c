#include "mgmtd/events_private.h"

#include "mgmtd/event_type.h"
#include "mgmtd/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define STUCK_MS 2000	/* a client that fell too far behind and takes nothing for so long is cut off */

int events_open(struct events **e)
{
	struct events *new = calloc(1, sizeof *new);
	if (!new)
		return ENOMEM;
	pthread_mutex_init(&new->lock, NULL);
	snprintf(new->boot, sizeof new->boot, "%08" PRIx32, randombytes_random());
	new->next = 1;
	*e = new;
	return 0;
}

void events_drop(struct event *event)
{
	if (event && --event->refs == 0)
		free(event);
}

void events_free(struct events *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < EVENTS_HELD; i++)
		events_drop(e->held[i]);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

/* Under the lock; the subscriber's connection cannot end while it sleeps. */
static void rouse(struct subscriber *s)
{
	if (!s->sleeping)
		return;
	s->sleeping = false;
	MHD_resume_connection(s->connection);
}

static void rouse_all(struct events *e)
{
	for (struct subscriber *s = e->subscribers; s; s = s->next)
		rouse(s);
}

/* Event number `number` stands there.  Who sleeps has had all before it, and sleeps on if it wants none of this type. */
static void announce(struct events *e, uint64_t number, unsigned type)
{
	for (struct subscriber *s = e->subscribers; s; s = s->next) {
		if (s->types & type)
			rouse(s);
		else if (s->sleeping && s->wanted == number)
			s->wanted++;
	}
}

void events_close(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	e->closing = true;
	rouse_all(e);
	pthread_mutex_unlock(&e->lock);
}

void events_set_revision(struct events *e, uint64_t revision)
{
	atomic_store(&e->revision, revision);
}

uint64_t events_oldest(const struct events *e)
{
	uint64_t held = e->next > EVENTS_HELD ? e->next - EVENTS_HELD : 1;
	return held > e->whole_from ? held : e->whole_from;
}

static bool wanted(struct events *e)
{
	int64_t left_ms = atomic_load_explicit(&e->left_ms, memory_order_relaxed);
	return atomic_load_explicit(&e->listeners, memory_order_relaxed) > 0 ||
	       (left_ms && time_monotonic_ms() - left_ms < EVENTS_LINGER_MS);
}

bool events_unheard(struct events *e)
{
	if (wanted(e))
		return false;
	if (atomic_load_explicit(&e->gap, memory_order_relaxed))
		return true;
	pthread_mutex_lock(&e->lock);
	bool alone = !e->subscribers;
	if (alone) {
		/* This number stands for all that are left out until the next one is published, or somebody comes. */
		events_drop(e->held[e->next % EVENTS_HELD]);
		e->held[e->next % EVENTS_HELD] = NULL;
		e->whole_from = ++e->next;
		atomic_store_explicit(&e->gap, true, memory_order_relaxed);
	}
	pthread_mutex_unlock(&e->lock);
	return alone;
}

void events_publish(struct events *e, const char *type, const char *data, size_t len)
{
	struct event *event = malloc(sizeof *event + len + 128);
	if (!event) {
		log_warnx("events: out of memory; an event of type %s is lost", type);
		return;
	}
	pthread_mutex_lock(&e->lock);
	int head = snprintf(event->text, 120, "id: %s-%" PRIu64 "\nevent: %s\ndata: ", e->boot, e->next, type);
	memcpy(event->text + head, data, len);
	memcpy(event->text + (size_t)head + len, "\n\n", 2);
	event->len = (size_t)head + len + 2;
	event->refs = 1;
	event->type = event_type(type, strlen(type));
	events_drop(e->held[e->next % EVENTS_HELD]);
	e->held[e->next % EVENTS_HELD] = event;
	atomic_store_explicit(&e->gap, false, memory_order_relaxed);
	announce(e, e->next++, event->type);
	pthread_mutex_unlock(&e->lock);
}

void events_look(struct events *e, struct events_figures *figures)
{
	*figures = (struct events_figures){ .published = events_next(e) - 1,
	                                    .clients = atomic_load_explicit(&e->listeners, memory_order_relaxed),
	                                    .slow = atomic_load_explicit(&e->slow, memory_order_relaxed) };
}

uint64_t events_next(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	uint64_t next = e->next;
	pthread_mutex_unlock(&e->lock);
	return next;
}

int events_reset_data(const struct events *e, char *text, size_t size, const char *reason)
{
	return snprintf(text, size, "{\"reason\":\"%s\",\"revision\":%" PRIu64 "}", reason, atomic_load(&e->revision));
}

void events_publish_reset(struct events *e, const char *reason)
{
	char data[128];
	int len = events_reset_data(e, data, sizeof data, reason);
	events_publish(e, "reset", data, (size_t)len);
}

/* The library does not look at a connection that sleeps. */
static bool hung_up(const struct subscriber *s)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLRDHUP };
	return s->sleeping && poll(&fd, 1, 0) > 0;
}

/* Its last words would never reach it; and its place is wanted. */
static void cut_off(struct events *e, struct subscriber *s)
{
	log_info("events: a client fell %" PRIu64 " events behind, takes nothing and is dropped", e->next - s->wanted);
	atomic_fetch_add_explicit(&e->slow, 1, memory_order_relaxed);
	s->ended = true;
	shutdown(s->fd, SHUT_RDWR);
}

void events_tick(struct events *e)
{
	int64_t now = time_monotonic_ms();
	time_t today = time(NULL);
	pthread_mutex_lock(&e->lock);
	for (struct subscriber *s = e->subscribers; s; s = s->next) {
		s->ended |= hung_up(s);
		s->beat = now - s->sent_ms >= EVENTS_HEARTBEAT_MS;
		s->ended |= s->expires_at <= today;
		if (!s->sleeping && !s->ended && s->wanted < events_oldest(e) && now - s->sent_ms >= STUCK_MS)
			cut_off(e, s);
		if (s->beat || s->ended)
			rouse(s);
	}
	pthread_mutex_unlock(&e->lock);
}

static void end(struct events *e, const char *jti, const char *username, const char *but)
{
	pthread_mutex_lock(&e->lock);
	for (struct subscriber *s = e->subscribers; s; s = s->next)
		if ((jti && strcmp(s->jti, jti) == 0) ||
		    (username && strcmp(s->username, username) == 0 && (!but || strcmp(s->jti, but) != 0))) {
			s->ended = true;
			rouse(s);
		}
	pthread_mutex_unlock(&e->lock);
}

void events_end_session(struct events *e, const char *jti)
{
	end(e, jti, NULL, NULL);
}

void events_end_user(struct events *e, const char *username, const char *but_jti)
{
	end(e, NULL, username, but_jti);
}

uint64_t events_resume(const char **reason, const char *last_id, const char *boot, uint64_t oldest, uint64_t next)
{
	size_t len = strlen(boot);
	char *rest;
	*reason = NULL;
	if (!last_id || !last_id[0])
		return next;
	*reason = "restart";
	if (strncmp(last_id, boot, len) != 0 || last_id[len] != '-')
		return next;
	const char *digits = last_id + len + 1;
	errno = 0;
	unsigned long long last = strtoull(digits, &rest, 10);
	*reason = "lost";
	if (errno || rest == digits || *rest || digits[0] < '0' || digits[0] > '9' || last >= next)
		return next;
	*reason = "slow";
	if (last + 1 < oldest)
		return next;
	*reason = NULL;
	return last + 1;
}
