#include "mgmtd/waiter.h"

#include <errno.h>
#include <unistd.h>

void waiters_init(struct waiters *ws, struct core *core, int bell, const _Atomic uint64_t *newest)
{
	*ws = (struct waiters){ .core = core, .bell = bell, .newest = newest };
	pthread_mutex_init(&ws->lock, NULL);
}

void waiters_end(struct waiters *ws)
{
	pthread_mutex_destroy(&ws->lock);
}

static void add(struct waiters *ws, struct waiter *waiter)
{
	const uint64_t one = 1;
	waiter->error = 0;
	pthread_mutex_lock(&ws->lock);
	bool cancelled = ws->cancelled;
	if (!cancelled) {
		waiter->next = ws->first;
		ws->first = waiter;
	}
	pthread_mutex_unlock(&ws->lock);
	if (cancelled) {
		waiter->error = ECANCELED;
		waiter->done(waiter);
		return;
	}
	ssize_t n = write(ws->bell, &one, sizeof one);
	(void)n;	/* full means that it rings already */
}

void waiter_applied(struct waiters *ws, struct waiter *waiter, uint64_t generation, int64_t timeout_ms)
{
	waiter->what = WAIT_APPLIED;
	waiter->generation = generation;
	waiter->deadline_ms = time_monotonic_ms() + timeout_ms;
	add(ws, waiter);
}

void waiter_command(struct waiters *ws, struct waiter *waiter, int64_t outcome_ms)
{
	waiter->what = WAIT_SEND;
	waiter->generation = atomic_load(ws->newest);
	waiter->to_the_end = outcome_ms > 0;
	waiter->timeout_ms = outcome_ms;
	waiter->not_before_ms = 0;
	waiter->deadline_ms = time_monotonic_ms() + WAITER_COMMAND_MS;
	add(ws, waiter);
}

void waiter_look(struct waiters *ws, struct waiter *waiter, int64_t timeout_ms)
{
	waiter->what = WAIT_LOOK;
	waiter->deadline_ms = time_monotonic_ms() + timeout_ms;
	add(ws, waiter);
}

/* ------------------------------------------------------------------ each of these says: is it done?  error is set then */

static bool send_done(struct waiters *ws, struct waiter *waiter, int64_t now)
{
	if (now < waiter->not_before_ms)
		return false;
	/* It must know the object first; a bell for that is on its way. */
	if (core_state(ws->core) == CORE_STARTING || core_applied(ws->core, waiter->generation) == APPLIED_PENDING)
		return false;
	waiter->request.id = ++ws->next_command;
	int e = core_ask(ws->core, &waiter->request, waiter->arguments, waiter->arguments_len);
	if (e == EAGAIN)
		return false;	/* its socket is full: try again until the deadline */
	waiter->what = WAIT_REPLY;
	waiter->error = e ? ECONNREFUSED : 0;
	return e != 0;
}

static bool outcome_done(struct waiters *ws, struct waiter *waiter)
{
	struct registration_status status;
	int e = core_status(ws->core, KIND_REGISTRATION, waiter->request.object, &status);
	if (core_state(ws->core) != CORE_UP) {
		waiter->error = ECONNREFUSED;
		return true;
	}
	if (e)
		return false;
	return status.incarnation != waiter->request.incarnation || status.attempts_done >= waiter->attempt;
}

struct moment { int64_t now; const struct control_packet *packet; };

static bool is_done(struct waiters *ws, struct waiter *waiter, const struct moment *moment)
{
	bool done = false;
	if (waiter->what == WAIT_APPLIED)
		done = core_applied(ws->core, waiter->generation) != APPLIED_PENDING;
	else if (waiter->what == WAIT_SEND)
		done = send_done(ws, waiter, moment->now);
	else if (waiter->what == WAIT_OUTCOME)
		done = outcome_done(ws, waiter);
	else if (waiter->what == WAIT_LOOK)
		done = waiter->look(waiter);
	if (!done && moment->now >= waiter->deadline_ms) {
		waiter->error = waiter->what == WAIT_OUTCOME || waiter->what == WAIT_LOOK ? ETIME : ETIMEDOUT;
		done = true;
	}
	return done;
}

static bool is_cancelled(struct waiters *ws, struct waiter *waiter, const struct moment *moment)
{
	(void)ws;
	(void)moment;
	waiter->error = ECANCELED;
	return true;
}

static bool is_orphaned(struct waiters *ws, struct waiter *waiter, const struct moment *moment)
{
	(void)ws;
	(void)moment;
	if (waiter->what != WAIT_REPLY && waiter->what != WAIT_OUTCOME)
		return false;
	waiter->error = ECONNREFUSED;
	return true;
}

static bool is_answered(struct waiters *ws, struct waiter *waiter, const struct moment *moment)
{
	(void)ws;
	const struct control_reply *reply = &moment->packet->reply;
	if (waiter->what != WAIT_REPLY || waiter->request.id != reply->id)
		return false;
	if (reply->error == EAGAIN && moment->now + WAITER_AGAIN_MS < waiter->deadline_ms) {
		waiter->what = WAIT_SEND;
		waiter->not_before_ms = moment->now + WAITER_AGAIN_MS;
		return false;
	}
	waiter->error = reply->error;
	waiter->code = reply->code;
	buffer_append(&waiter->text, moment->packet->bytes, moment->packet->length);
	if (waiter->error || !waiter->to_the_end)
		return true;
	waiter->what = WAIT_OUTCOME;
	waiter->attempt = reply->attempt;
	waiter->deadline_ms = moment->now + waiter->timeout_ms;
	return false;
}

/* ------------------------------------------------------------------ ending them */

/* Takes those that test() says are done off the list and tells them. */
static void tell(struct waiters *ws, bool (*test)(struct waiters *ws, struct waiter *waiter, const struct moment *moment),
                 const struct control_packet *packet)
{
	const struct moment moment = { time_monotonic_ms(), packet };
	struct waiter *done = NULL;
	pthread_mutex_lock(&ws->lock);
	for (struct waiter **p = &ws->first; *p;) {
		struct waiter *waiter = *p;
		if (test(ws, waiter, &moment)) {
			*p = waiter->next;
			waiter->next = done;
			done = waiter;
		} else {
			p = &waiter->next;
		}
	}
	pthread_mutex_unlock(&ws->lock);
	while (done) {
		struct waiter *next = done->next;
		done->done(done);
		done = next;
	}
}

void waiters_look(struct waiters *ws)
{
	tell(ws, is_done, NULL);
}

void waiters_reply(struct waiters *ws, const struct control_packet *reply)
{
	tell(ws, is_answered, reply);
}

void waiters_orphan(struct waiters *ws)
{
	tell(ws, is_orphaned, NULL);
}

void waiters_cancel(struct waiters *ws)
{
	pthread_mutex_lock(&ws->lock);
	ws->cancelled = true;
	pthread_mutex_unlock(&ws->lock);
	tell(ws, is_cancelled, NULL);
}

int64_t waiters_deadline(struct waiters *ws, int64_t latest_ms)
{
	int64_t nearest = latest_ms;
	pthread_mutex_lock(&ws->lock);
	for (const struct waiter *waiter = ws->first; waiter; waiter = waiter->next) {
		if (waiter->deadline_ms < nearest)
			nearest = waiter->deadline_ms;
		if (waiter->what == WAIT_SEND && waiter->not_before_ms && waiter->not_before_ms < nearest)
			nearest = waiter->not_before_ms;
	}
	pthread_mutex_unlock(&ws->lock);
	return nearest;
}
