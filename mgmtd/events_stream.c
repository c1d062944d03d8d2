/* One client's stream: all of it runs on the event thread, and what touches the events under their lock. */
#include "mgmtd/events_private.h"

#include "mgmtd/answer.h"
#include "mgmtd/event_type.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG (128 << 10)	/* bytes; the kernel doubles it */

static void greet(struct events *e, struct subscriber *s, const char *reason)
{
	char data[128] = "";
	if (reason)
		events_reset_data(e, data, sizeof data, reason);
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
	if (s->ended)
		return NULL;
	if (s->wanted < events_oldest(e)) {
		log_info("events: a client fell %" PRIu64 " events behind and is dropped", e->next - s->wanted);
		atomic_fetch_add_explicit(&e->slow, 1, memory_order_relaxed);
		s->ended = true;
		greet(e, s, "slow");
		return NULL;
	}
	while (s->wanted < e->next && !(e->held[s->wanted % EVENTS_HELD]->type & s->types))
		s->wanted++;
	if (s->wanted >= e->next)
		return NULL;
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
			events_drop(s->current);
			s->current = NULL;
		}
	}
	return n;
}

/* With a filter the place moves on though nothing is sent; told, or a reconnect might be taken for one that missed events. */
static size_t heartbeat(const struct events *e, const struct subscriber *s, char *to, size_t room)
{
	char text[64];
	int len = s->types == EVENT_ANY ? snprintf(text, sizeof text, ":\n\n")
	                                : snprintf(text, sizeof text, ":\nid: %s-%" PRIu64 "\n\n", e->boot, s->wanted - 1);
	if ((size_t)len > room)
		return 0;
	memcpy(to, text, (size_t)len);
	return (size_t)len;
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
	if (n == 0 && s->beat && !s->ended)
		n = (ssize_t)heartbeat(e, s, to, room);
	if (n == 0 && s->ended) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (n == 0) {
		s->sleeping = true;
		MHD_suspend_connection(s->connection);
	}
	s->beat = false;
	if (n > 0) {
		s->sent_ms = time_monotonic_ms();
		s->request->sent += (uint64_t)n;
	}
	pthread_mutex_unlock(&e->lock);
	return n;
}

static void unsubscribe(void *arg)
{
	struct subscriber *s = arg;
	struct events *e = s->events;
	pthread_mutex_lock(&e->lock);
	events_drop(s->current);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	e->count--;
	atomic_store_explicit(&e->left_ms, time_monotonic_ms(), memory_order_relaxed);
	atomic_fetch_sub_explicit(&e->listeners, 1, memory_order_relaxed);
	pthread_mutex_unlock(&e->lock);
	free(s);
}

/* What a client that does not read can pile up in the kernel; left to itself that grows to 4 MiB each. */
static void bound_backlog(int fd)
{
	const int bytes = BACKLOG;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static struct subscriber *subscribe(struct events *e, struct request *r, unsigned types)
{
	const char *reason;
	struct subscriber *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->events = e;
	s->request = r;
	s->types = types;
	s->connection = r->connection;
	s->fd = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	bound_backlog(s->fd);
	s->expires_at = r->identity.expires_at;
	snprintf(s->jti, sizeof s->jti, "%s", r->identity.jti);
	snprintf(s->username, sizeof s->username, "%s", r->identity.username);
	s->sent_ms = time_monotonic_ms();
	pthread_mutex_lock(&e->lock);
	s->wanted = events_resume(&reason, r->head.last_event_id.value, e->boot, events_oldest(e), e->next);
	/* What was left out because nobody listened is no fault of the client. */
	if (reason && strcmp(reason, "slow") == 0 && events_oldest(e) == e->whole_from)
		reason = "lost";
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

/* False: it was refused, and answered. */
static bool take_types(struct request *r, unsigned *types)
{
	const char *list = request_query_text(r, Q_TYPES), *wrong;
	if (!list || event_types_parse(types, list, &wrong) == 0)
		return true;
	json_t *errors = json_array();
	json_t *v = problem_violation(errors, "", NULL, "not_an_option", "must be types of events with commas between them; \"%.*s\" is none",
	                              (int)strcspn(wrong, ","), wrong);
	json_object_set_new(v, "parameter", json_string("types"));
	answer_problem(r, 422, NULL, errors, "the query is not as this path takes it");
	return false;
}

void events_stream(struct request *r)
{
	struct events *e = r->daemon->events;
	unsigned types = EVENT_ANY;
	if (!take_types(r, &types))
		return;
	if (e->count >= EVENTS_CLIENTS) {	/* only this thread changes it */
		answer_problem(r, 503, "too_many_event_clients", NULL, "%u clients listen already", EVENTS_CLIENTS);
		answer_header(r, "Retry-After", "2");
		return;
	}
	struct subscriber *s = subscribe(e, r, types);
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
