#include "mgmtd/events.h"

#include "mgmtd/answer.h"
#include "mgmtd/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BOOT 9		/* 8 hex digits and NUL */
#define GREETING 256

struct event {
	unsigned refs;		/* under the lock */
	size_t len;
	char text[];
};

struct subscriber {
	struct events *events;
	struct MHD_Connection *connection;
	struct subscriber *next, **link;
	uint64_t wanted;		/* number of the event to send next */
	struct event *current;		/* being sent */
	size_t offset;
	char greeting[GREETING];	/* goes before all events; later: the last words */
	size_t greeting_len, greeting_sent;
	bool sleeping, beat, ended;
	int64_t sent_ms;
	int64_t expires_at;
	char jti[STORE_JTI];
	char username[STORE_ACTOR];
	int fd;
};

struct events {
	pthread_mutex_t lock;
	char boot[BOOT];
	struct event *held[EVENTS_HELD];	/* event n at n % EVENTS_HELD */
	uint64_t next;				/* number of the next event; from 1 */
	_Atomic uint64_t revision;
	struct subscriber *subscribers;
	unsigned count;
	_Atomic unsigned listeners;		/* count, read without the lock */
	_Atomic int64_t left_ms;		/* when a client left last, 0 = none ever did */
	_Atomic bool gap;			/* the newest number stands for events that are left out */
	uint64_t whole_from;			/* nothing was left out from this number on */
	bool closing;
};

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

static void drop(struct event *event)
{
	if (event && --event->refs == 0)
		free(event);
}

void events_free(struct events *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < EVENTS_HELD; i++)
		drop(e->held[i]);
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

static void end(struct subscriber *s)
{
	s->ended = true;
	rouse(s);
}

static void rouse_all(struct events *e)
{
	for (struct subscriber *s = e->subscribers; s; s = s->next)
		rouse(s);
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

static uint64_t oldest_held(const struct events *e)
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
		drop(e->held[e->next % EVENTS_HELD]);
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
	drop(e->held[e->next % EVENTS_HELD]);
	e->held[e->next % EVENTS_HELD] = event;
	e->next++;
	atomic_store_explicit(&e->gap, false, memory_order_relaxed);
	rouse_all(e);
	pthread_mutex_unlock(&e->lock);
}

uint64_t events_next(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	uint64_t next = e->next;
	pthread_mutex_unlock(&e->lock);
	return next;
}

static int reset_data(const struct events *e, char *text, size_t size, const char *reason)
{
	return snprintf(text, size, "{\"reason\":\"%s\",\"revision\":%" PRIu64 "}", reason, atomic_load(&e->revision));
}

void events_publish_reset(struct events *e, const char *reason)
{
	char data[128];
	int len = reset_data(e, data, sizeof data, reason);
	events_publish(e, "reset", data, (size_t)len);
}

/* The library does not look at a connection that sleeps. */
static bool hung_up(const struct subscriber *s)
{
	struct pollfd fd = { .fd = s->fd, .events = POLLRDHUP };
	return s->sleeping && poll(&fd, 1, 0) > 0;
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
		if (s->beat || s->ended)
			rouse(s);
	}
	pthread_mutex_unlock(&e->lock);
}

void events_end_session(struct events *e, const char *jti)
{
	pthread_mutex_lock(&e->lock);
	for (struct subscriber *s = e->subscribers; s; s = s->next)
		if (strcmp(s->jti, jti) == 0)
			end(s);
	pthread_mutex_unlock(&e->lock);
}

void events_end_user(struct events *e, const char *username, const char *except_jti)
{
	pthread_mutex_lock(&e->lock);
	for (struct subscriber *s = e->subscribers; s; s = s->next)
		if (strcmp(s->username, username) == 0 && (!except_jti || strcmp(s->jti, except_jti) != 0))
			end(s);
	pthread_mutex_unlock(&e->lock);
}

uint64_t events_resume(const char **reason, const char *last_id, const char *boot, uint64_t oldest, uint64_t next)
{
	size_t len = strlen(boot);
	char *end;
	*reason = NULL;
	if (!last_id || !last_id[0])
		return next;
	*reason = "restart";
	if (strncmp(last_id, boot, len) != 0 || last_id[len] != '-')
		return next;
	const char *digits = last_id + len + 1;
	errno = 0;
	unsigned long long last = strtoull(digits, &end, 10);
	*reason = "lost";
	if (errno || end == digits || *end || digits[0] < '0' || digits[0] > '9' || last >= next || last + 1 < oldest)
		return next;
	*reason = NULL;
	return last + 1;
}

/* ------------------------------------------------------------------ a stream; on the event thread, under the lock */

static void greet(struct events *e, struct subscriber *s, const char *reason)
{
	char data[128] = "";
	if (reason)
		reset_data(e, data, sizeof data, reason);
	/* The id makes the client go on from here when it reconnects. */
	int len = reason ? snprintf(s->greeting, GREETING, "id: %s-%" PRIu64 "\nevent: reset\ndata: %s\n\n", e->boot, e->next - 1, data)
			 : snprintf(s->greeting, GREETING, ": tandem\n\n");
	s->greeting_len = (size_t)len;
	s->greeting_sent = 0;
}

static size_t copy(char *to, size_t room, const char *text, size_t len, size_t *sent)
{
	size_t n = len - *sent < room ? len - *sent : room;
	memcpy(to, text + *sent, n);
	*sent += n;
	return n;
}

/* The next event, referenced; NULL = none, or the last words are to be said first. */
static struct event *next_event(struct events *e, struct subscriber *s)
{
	if (s->wanted >= e->next || s->ended)
		return NULL;
	if (s->wanted < oldest_held(e)) {
		log_info("events: a client fell %" PRIu64 " events behind and is dropped", e->next - s->wanted);
		s->ended = true;
		greet(e, s, "slow");
		return NULL;
	}
	struct event *event = e->held[s->wanted++ % EVENTS_HELD];
	event->refs++;
	return event;
}

static size_t fill(struct events *e, struct subscriber *s, char *to, size_t room)
{
	size_t n = 0;
	while (n < room) {
		if (!s->current && s->greeting_sent < s->greeting_len) {
			n += copy(to + n, room - n, s->greeting, s->greeting_len, &s->greeting_sent);
			continue;
		}
		if (!s->current) {
			s->offset = 0;
			s->current = next_event(e, s);
			if (!s->current && s->greeting_sent == s->greeting_len)
				break;
			continue;
		}
		n += copy(to + n, room - n, s->current->text, s->current->len, &s->offset);
		if (s->offset == s->current->len) {
			drop(s->current);
			s->current = NULL;
		}
	}
	return n;
}

static ssize_t read_events(void *arg, uint64_t position, char *to, size_t room)
{
	struct subscriber *s = arg;
	struct events *e = s->events;
	ssize_t n = MHD_CONTENT_READER_END_OF_STREAM;
	(void)position;
	pthread_mutex_lock(&e->lock);
	if (!e->closing)
		n = (ssize_t)fill(e, s, to, room);
	if (n == 0 && s->ended) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (n == 0 && s->beat && room >= 3) {
		memcpy(to, ":\n\n", 3);
		n = 3;
	} else if (n == 0) {
		s->sleeping = true;
		MHD_suspend_connection(s->connection);
	}
	s->beat = false;
	if (n > 0)
		s->sent_ms = time_monotonic_ms();
	pthread_mutex_unlock(&e->lock);
	return n;
}

static void unsubscribe(void *arg)
{
	struct subscriber *s = arg;
	struct events *e = s->events;
	pthread_mutex_lock(&e->lock);
	drop(s->current);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	e->count--;
	atomic_store_explicit(&e->left_ms, time_monotonic_ms(), memory_order_relaxed);
	atomic_fetch_sub_explicit(&e->listeners, 1, memory_order_relaxed);
	pthread_mutex_unlock(&e->lock);
	free(s);
}

static struct subscriber *subscribe(struct events *e, struct request *r)
{
	const char *reason;
	struct subscriber *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->events = e;
	s->connection = r->connection;
	s->fd = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	s->expires_at = r->identity.expires_at;
	snprintf(s->jti, sizeof s->jti, "%s", r->identity.jti);
	snprintf(s->username, sizeof s->username, "%s", r->identity.username);
	s->sent_ms = time_monotonic_ms();
	pthread_mutex_lock(&e->lock);
	s->wanted = events_resume(&reason, r->head.last_event_id.value, e->boot, oldest_held(e), e->next);
	greet(e, s, reason);
	s->next = e->subscribers;
	s->link = &e->subscribers;
	if (s->next)
		s->next->link = &s->next;
	e->subscribers = s;
	e->count++;
	atomic_store_explicit(&e->gap, false, memory_order_relaxed);
	atomic_fetch_add_explicit(&e->listeners, 1, memory_order_relaxed);
	pthread_mutex_unlock(&e->lock);
	return s;
}

void events_stream(struct request *r)
{
	struct events *e = r->daemon->events;
	if (e->count >= EVENTS_CLIENTS) {	/* only this thread changes it */
		answer_problem(r, 503, "too_many_event_clients", NULL, "%u clients listen already", EVENTS_CLIENTS);
		answer_header(r, "Retry-After", "2");
		return;
	}
	struct subscriber *s = subscribe(e, r);
	if (!s)
		return;
	r->status = 200;
	r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_events, s, unsubscribe);
	if (!r->response) {
		unsubscribe(s);
		return;
	}
	answer_header(r, "Content-Type", "text/event-stream");
	answer_header(r, "Cache-Control", "no-store");
	answer_header(r, "X-Accel-Buffering", "no");	/* reverse proxies must not collect events */
}
