#include "lifecycle.h"

#include "attempt.h"
#include "log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_LEAST_US (5 * SECOND_US)
#define RESTORE_LEAST_US (1 * SECOND_US)	/* after a lost connection: 1 to 5 s */
#define RESTORE_SPREAD_US (4 * SECOND_US)

static void enqueue_initial(struct registration *r);
static void enqueue_refresh(struct registration *r);
static void enqueue_retry(struct registration *r);
static void enqueue_now(struct registration *r);
static void enqueue_soon(struct registration *r);
static void start_over(struct registration *r);
static void start_removal(struct registration *r);
static void hold_binding(struct registration *r);
static void forget_binding(struct registration *r);
static void nothing(struct registration *r);

#define IN(state) (1u << STATE_##state)
#define SAME STATE_COUNT

static const struct edge {
	unsigned from;
	enum registration_event on;
	void (*act)(struct registration *r);
	enum registration_state to;
} edges[] = {
	{ IN(DISABLED) | IN(UNREGISTERED) | IN(UNREGISTERING),	EV_WANTED,	enqueue_initial,  STATE_QUEUED },
	{ IN(QUEUED),						EV_TURN,	nothing,          STATE_REGISTERING },
	{ IN(REGISTERING) | IN(REGISTERED) | IN(UNREGISTERING),	EV_TURN,	nothing,          SAME },
	{ IN(QUEUED) | IN(REGISTERING) | IN(REGISTERED),	EV_ACCEPTED,	hold_binding,     STATE_REGISTERED },
	{ IN(QUEUED) | IN(REGISTERING) | IN(REGISTERED),	EV_FAILED,	registration_arm_pulse, STATE_WAITING },
	{ IN(REGISTERED),					EV_TIMER,	enqueue_refresh,  SAME },
	{ IN(WAITING),						EV_TIMER,	enqueue_retry,    STATE_QUEUED },
	{ IN(REGISTERED),					EV_LAPSED_QUEUED, nothing,        STATE_QUEUED },
	{ IN(REGISTERED),					EV_LAPSED_SENT,	nothing,          STATE_REGISTERING },
	{ IN(QUEUED) | IN(REGISTERING) | IN(WAITING),		EV_NOW,		enqueue_now,      STATE_QUEUED },
	{ IN(REGISTERED),					EV_NOW,		enqueue_now,      SAME },
	{ IN(REGISTERED) | IN(REGISTERING),			EV_SOON,	enqueue_soon,     SAME },
	{ IN(QUEUED) | IN(REGISTERING) | IN(REGISTERED) | IN(WAITING), EV_MOVED, start_over,      STATE_QUEUED },
	{ IN(QUEUED) | IN(REGISTERING) | IN(REGISTERED) | IN(WAITING), EV_REMOVE, start_removal,  STATE_UNREGISTERING },
	{ ~IN(DISABLED),					EV_DISABLED,	forget_binding,   STATE_DISABLED },
	{ ~0u,							EV_DROPPED,	forget_binding,   STATE_UNREGISTERED },
};

/* ------------------------------------------------------------------ small things */

static uint64_t now(const struct registration *r)
{
	return r->set->world.now(r->set->world.arg);
}

static uint64_t wall_at(const struct registration *r, uint64_t at)
{
	return r->set->world.wall(r->set->world.arg) + (at - now(r));
}

void registration_tell(struct registration *r)
{
	r->told_last_hour = registration_attempts_last_hour(r);
	r->set->world.changed(r->set->world.arg, r);
}

const struct account *registration_account(const struct registration *r)
{
	return r->bound ? r->bound : r->account;
}

void registration_call_id(const struct registration *r, char text[REGISTRATION_CALL_ID_MAX])
{
	size_t n = (size_t)snprintf(text, REGISTRATION_CALL_ID_MAX, "%08x-", r->id);
	for (size_t i = 0; i < sizeof r->unique; i++) {
		text[n++] = "0123456789abcdef"[r->unique[i] >> 4];
		text[n++] = "0123456789abcdef"[r->unique[i] & 15];
	}
	text[n] = '\0';
}

static bool may_be_bound(const struct registration *r)
{
	return r->binding_end > now(r) || r->maybe_end > now(r);
}

uint64_t registration_expires_at(const struct registration *r)
{
	return r->binding_end > now(r) ? r->expires_at : 0;
}

int32_t registration_asks(const struct registration *r)
{
	int32_t period = account_period(r->account, &r->set->parameters);

	if (period == 0)
		period = REGISTRATION_AUTO_EXPIRY;
	return r->raised_to > period ? r->raised_to : period;
}

static void set_text(char **at, const char *text)
{
	if (*at && text && strcmp(*at, text) == 0)
		return;
	free(*at);
	*at = text && text[0] ? strdup(text) : NULL;	/* no memory: the words are lost, nothing else */
}

/* The one place that writes `state`. */
bool registration_fire(struct registration *r, enum registration_event event)
{
	for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
		const struct edge *e = &edges[i];
		enum registration_state from = (enum registration_state)r->state;
		if (e->on != event || !(e->from & (1u << from)))
			continue;
		if (e->to != SAME && e->to != from) {
			r->state = (uint8_t)e->to;
			r->since = r->set->world.wall(r->set->world.arg);
			r->set->busy += (uint64_t)(e->to == STATE_UNREGISTERING);
			r->set->busy -= (uint64_t)(from == STATE_UNREGISTERING);
			if (e->to != STATE_WAITING && e->to != STATE_QUEUED)
				set_text(&r->detail, NULL);
			if (e->to != STATE_WAITING && e->to != STATE_QUEUED && e->to != STATE_REGISTERING)
				r->reason = REASON_NONE;
		}
		e->act(r);
		if (r->state != from)
			r->set->world.transition(r->set->world.arg, r, from);
		registration_tell(r);
		return true;
	}
	log_debug("registration %s: event %d ignored in state %s", account_text(r->account, ACCOUNT_NAME), (int)event,
	          status_state_words[r->state]);
	return false;
}

static void nothing(struct registration *r)
{
	(void)r;
}

/* ------------------------------------------------------------------ queue and attempt */

void registration_turn(struct pacing_entry *entry)
{
	struct registration *r = (struct registration *)(void *)((char *)entry - offsetof(struct registration, turn));

	r->queued = false;
	if (!r->attempt && attempt_create(&r->attempt, r) != 0) {
		struct attempt_ending ending = { .outcome = { .reason = REASON_TRANSPORT, .granted = -1, .detail = "out of memory" },
		                                 .pacing = PACING_DROPPED, .retry_after = -1 };
		registration_failed(r, &ending);
		return;
	}
	attempt_go(r);
}

/* Ends whatever attempt there is, without an outcome of its own. */
static void abandon(struct registration *r)
{
	if (attempt_counted(r)) {
		struct registration_outcome outcome = { .reason = REASON_NONE, .granted = -1, .phrase = "superseded" };
		r->attempts_done++;
		r->ended_at = now(r);
		r->set->world.over(r->set->world.arg, r, &outcome);
	}
	attempt_destroy(r);
	if (r->turn.server)
		pacing_done(r->set->pacing, &r->turn, PACING_DROPPED, now(r));
	r->queued = false;
}

static void enqueue(struct registration *r, enum attempt_kind kind, bool urgent)
{
	const struct account *account = registration_account(r);
	struct pacing_server *old = r->turn.server, *server;
	char host[261], key[280];
	int32_t port;

	r->kind = (uint8_t)kind;
	account_path(account, host, sizeof host, &port);
	snprintf(key, sizeof key, "%s:%s:%d", target_transport_word(account->transport), host, port);
	server = pacing_server_get(r->set->pacing, key);
	if (server) {
		r->turn.server = server;
		pacing_server_put(r->set->pacing, old);
	} else if (!old) {
		/* No memory for a queue: try again when the retry delay is over. */
		timer_arm(r->set->timers, &r->timer, now(r) + REGISTRATION_TARGET_US);
		return;
	}
	r->queued = true;
	pacing_want(r->set->pacing, &r->turn, urgent, now(r));
}

static void enqueue_initial(struct registration *r)
{
	timer_disarm(r->set->timers, &r->timer);
	r->planned_us = 0;
	if (r->predecessor)
		timer_arm(r->set->timers, &r->timer, now(r) + REGISTRATION_HANDOVER_US);
	else
		enqueue(r, ATTEMPT_INITIAL, false);
}

/* While a refresh waits or is out, the one timer watches the end of the binding. */
static void watch_binding(struct registration *r)
{
	if (r->state == STATE_REGISTERED)
		timer_arm(r->set->timers, &r->timer, r->binding_end);
	else
		timer_disarm(r->set->timers, &r->timer);
}

static void enqueue_refresh(struct registration *r)
{
	watch_binding(r);
	enqueue(r, ATTEMPT_REFRESH, true);
}

static void enqueue_retry(struct registration *r)
{
	enqueue(r, ATTEMPT_RETRY, false);
}

static void enqueue_now(struct registration *r)
{
	abandon(r);
	watch_binding(r);
	r->planned_us = 0;
	enqueue(r, (enum attempt_kind)r->next_kind, r->next_kind == ATTEMPT_MANUAL);
}

static void enqueue_soon(struct registration *r)
{
	if (attempt_sent(r)) {
		r->again = true;
	} else if (!r->queued && !r->attempt) {
		watch_binding(r);
		r->planned_us = 0;
		enqueue(r, ATTEMPT_REFRESH, false);
	}
}

void registration_forget(struct registration *r)
{
	timer_disarm(r->set->timers, &r->timer);
	timer_disarm(r->set->timers, &r->pulse);
	sip_flow_leave(&r->flow);
	r->binding_end = r->maybe_end = r->maybe_before = 0;
	r->registered_at = r->expires_at = r->next_at = 0;
	r->granted = r->retry_after = -1;
	r->again = false;
	free(r->old_contact_user);
	r->old_contact_user = NULL;
}

static void forget_binding(struct registration *r)
{
	abandon(r);
	registration_forget(r);
	r->consecutive_failures = 0;
}

static void start_over(struct registration *r)
{
	forget_binding(r);
	enqueue_initial(r);
}

static void start_removal(struct registration *r)
{
	abandon(r);
	registration_arm_pulse(r);
	r->next_at = 0;
	r->planned_us = 0;
	r->requested = 0;
	if (r->wanted)
		timer_arm(r->set->timers, &r->timer, now(r) + REGISTRATION_HANDOVER_US);
	else
		timer_disarm(r->set->timers, &r->timer);
	enqueue(r, ATTEMPT_UNREGISTER, false);
}

static void count_recent(struct registration *r)
{
	uint32_t slot = (uint32_t)(now(r) / REGISTRATION_RECENT_US);

	for (uint32_t s = r->recent_slot + 1; s != slot + 1 && s - r->recent_slot <= REGISTRATION_RECENT; s++)
		r->recent[s % REGISTRATION_RECENT] = 0;
	r->recent_slot = slot;
	if (r->recent[slot % REGISTRATION_RECENT] < UINT16_MAX)
		r->recent[slot % REGISTRATION_RECENT]++;
}

uint32_t registration_attempts_last_hour(const struct registration *r)
{
	uint32_t slot = (uint32_t)(now(r) / REGISTRATION_RECENT_US), count = 0;

	for (uint32_t age = 0; age < REGISTRATION_RECENT && age <= r->recent_slot; age++)
		if (r->recent_slot - age + REGISTRATION_RECENT > slot)
			count += r->recent[(r->recent_slot - age) % REGISTRATION_RECENT];
	return count;
}

void registration_begun(struct registration *r)
{
	r->attempts++;
	r->maybe_before = r->maybe_end;
	r->attempt_at = r->set->world.wall(r->set->world.arg);
	r->attempt_since_us = r->ended_at ? now(r) - r->ended_at : 0;
	r->attempt_planned_us = r->planned_us;
	r->retries = r->kind == ATTEMPT_RETRY ? r->retries + 1 : 0;
	count_recent(r);
	r->set->world.begun(r->set->world.arg, r);
}

void registration_sent(struct registration *r)
{
	uint64_t end = now(r) + (uint64_t)(attempt_expires(r) > 0 ? attempt_expires(r) : 0) * SECOND_US;

	if (r->kind != ATTEMPT_UNREGISTER) {
		r->requested = attempt_expires(r);
		if (end > r->maybe_end)
			r->maybe_end = end;
	}
	r->set->world.sent(r->set->world.arg, r);
	registration_fire(r, EV_TURN);
}

void registration_sign(struct registration *r)
{
	pacing_sign(r->set->pacing, &r->turn, now(r));
}

void registration_resolving(struct registration *r)
{
	char text[160], host[100];
	int32_t port;

	pacing_done(r->set->pacing, &r->turn, PACING_DROPPED, now(r));
	account_path(registration_account(r), host, sizeof host, &port);
	snprintf(text, sizeof text, "resolving %s", host);
	if (r->state == STATE_QUEUED)
		registration_fire(r, EV_TURN);
	if (r->state == STATE_REGISTERING) {
		set_text(&r->detail, text);
		registration_tell(r);
	}
}

void registration_resolved(struct registration *r)
{
	r->queued = true;
	pacing_want(r->set->pacing, &r->turn, true, now(r));
}

void registration_raise(struct registration *r, int32_t seconds)
{
	r->raised_to = seconds;
}

/* ------------------------------------------------------------------ outcomes */

static void end_attempt(struct registration *r, const struct registration_outcome *outcome, enum pacing_outcome pacing)
{
	r->attempts_done++;
	r->ended_at = now(r);
	r->last_code = outcome->code;
	r->rtt_us = outcome->rtt_us;
	set_text(&r->last_phrase, outcome->phrase);
	if (outcome->reason != REASON_NONE) {
		r->failures++;
		r->consecutive_failures++;
	} else {
		r->consecutive_failures = 0;
	}
	r->set->world.over(r->set->world.arg, r, outcome);
	attempt_destroy(r);
	pacing_done(r->set->pacing, &r->turn, pacing, now(r));
}

/* The refresh: at half of the binding, up to 5 % earlier, but no closer than 5 s; a tiny grant at half, but no closer
 * than 1 s.  However long the grant, twice a day at least: a registrar that forgot us would go unnoticed until then. */
static uint64_t refresh_after(struct registration *r, int32_t seconds)
{
	uint64_t half = (uint64_t)seconds * SECOND_US / 2, jitter;
	uint32_t random = r->set->world.random(r->set->world.arg);

	if (seconds < 10)
		return half < SECOND_US ? SECOND_US : half;
	if (half > REGISTRATION_REFRESH_MAX_US)
		half = REGISTRATION_REFRESH_MAX_US;
	jitter = half / 20 * (random >> 8) >> 24;
	return half - jitter < REFRESH_LEAST_US ? REFRESH_LEAST_US : half - jitter;
}

void registration_arm_pulse(struct registration *r)
{
	if (r->state == STATE_REGISTERED && r->account->keep_alive > 0)
		timer_arm(r->set->timers, &r->pulse, now(r) + (uint64_t)r->account->keep_alive * SECOND_US);
	else if (r->state != STATE_REGISTERED && r->binding_end > now(r))
		timer_arm(r->set->timers, &r->pulse, r->binding_end);
	else
		timer_disarm(r->set->timers, &r->pulse);
}

void registration_pulse_due(struct timer *timer)
{
	struct registration *r = TIMER_OWNER(timer, struct registration, pulse);

	if (r->state != STATE_REGISTERED) {
		registration_tell(r);	/* the binding ended */
		return;
	}
	if (!r->listener)
		return;
	r->set->world.keep_alive(r->set->world.arg, r->listener, &r->target, r->flow.flow);
	registration_arm_pulse(r);
}

/* After a 2xx: granted and requested are set. */
static void hold_binding(struct registration *r)
{
	int32_t life = r->granted;
	uint64_t wait, old_end = r->binding_end;

	if (account_period(r->account, &r->set->parameters) > 0 && life > r->requested)
		life = r->requested;
	wait = refresh_after(r, life);
	r->binding_end = r->maybe_end = now(r) + (uint64_t)life * SECOND_US;
	r->planned_us = wait;
	r->registered_at = wall_at(r, now(r));
	r->expires_at = wall_at(r, r->binding_end);
	r->next_at = wall_at(r, now(r) + wait);
	r->retry_after = -1;
	timer_arm(r->set->timers, &r->timer, now(r) + wait);
	/* A refresh does not put off a keep-alive. */
	if (!timer_armed(&r->pulse) || r->pulse.at == old_end)
		registration_arm_pulse(r);
}

static void end_removal(struct registration *r);

void registration_accepted(struct registration *r, const struct sip_answer *answer)
{
	struct registration_outcome outcome = { .reason = REASON_NONE, .code = answer->code, .rtt_us = answer->rtt_us,
	                                        .granted = answer->granted };

	memcpy(outcome.phrase, answer->phrase, sizeof outcome.phrase);
	if (r->kind == ATTEMPT_UNREGISTER) {
		outcome.granted = 0;
		end_attempt(r, &outcome, PACING_ANSWERED);
		end_removal(r);
		return;
	}
	r->granted = answer->granted;
	end_attempt(r, &outcome, PACING_ANSWERED);
	free(r->old_contact_user);
	r->old_contact_user = NULL;
	registration_fire(r, EV_ACCEPTED);
	if (r->again) {
		r->again = false;
		registration_fire(r, EV_SOON);
	}
}

int32_t registration_retry_after(const struct registration *r)
{
	int32_t asked = r->retry_after < REGISTRATION_RETRY_AFTER_MAX ? r->retry_after : REGISTRATION_RETRY_AFTER_MAX;

	return asked > account_retry_delay(r->account, &r->set->parameters) ? asked : -1;
}

/* Exactly the retry delay after the failure was known; a Retry-After that asks for longer is obeyed. */
void registration_arm_retry(struct registration *r)
{
	int32_t delay = registration_retry_after(r);
	uint64_t at;

	if (delay < 0)
		delay = account_retry_delay(r->account, &r->set->parameters);
	at = r->failed_at + (uint64_t)delay * SECOND_US;
	r->planned_us = (uint64_t)delay * SECOND_US;
	r->next_at = wall_at(r, at);
	timer_arm(r->set->timers, &r->timer, at);
}

void registration_failed(struct registration *r, const struct attempt_ending *ending)
{
	end_attempt(r, &ending->outcome, ending->pacing);
	if (r->kind == ATTEMPT_UNREGISTER) {
		r->set->unconfirmed++;
		end_removal(r);
		return;
	}
	if (ending->unbound)
		r->maybe_end = r->maybe_before;
	r->again = false;
	r->reason = (uint8_t)ending->outcome.reason;
	set_text(&r->detail, ending->outcome.detail);
	r->failed_at = now(r);
	r->retry_after = ending->retry_after;
	registration_arm_retry(r);
	registration_fire(r, EV_FAILED);
}

/* ------------------------------------------------------------------ timer and connection */

void registration_timer_due(struct timer *timer)
{
	struct registration *r = TIMER_OWNER(timer, struct registration, timer);

	if (r->state == STATE_REGISTERED && (r->queued || r->attempt))
		registration_fire(r, attempt_sent(r) ? EV_LAPSED_SENT : EV_LAPSED_QUEUED);
	else if (r->state == STATE_UNREGISTERING) {
		r->set->unconfirmed++;
		end_removal(r);
	} else if (r->state == STATE_QUEUED) {
		if (r->predecessor)
			r->predecessor->successor = NULL;
		r->predecessor = NULL;
		enqueue(r, ATTEMPT_INITIAL, false);
	} else {
		registration_fire(r, EV_TIMER);
	}
}

/* The connection that carried the REGISTER closed: what comes in for us cannot reach us any more.  Once in a retry delay,
 * so that a server that closes after every answer is not flooded. */
void registration_connection_lost(struct sip_flow_user *user)
{
	struct registration *r = (struct registration *)(void *)((char *)user - offsetof(struct registration, flow));
	uint64_t delay = (uint64_t)account_retry_delay(r->account, &r->set->parameters) * SECOND_US;
	uint64_t wait = RESTORE_LEAST_US + (RESTORE_SPREAD_US * (r->set->world.random(r->set->world.arg) >> 8) >> 24);
	uint64_t at;

	if (r->state != STATE_REGISTERED || r->queued || r->attempt)
		return;
	if (r->lost_at && r->lost_at + delay > now(r) + wait)
		at = r->lost_at + delay;
	else
		at = now(r) + wait;
	r->lost_at = now(r);
	if (at >= r->timer.at)
		return;
	r->planned_us = at - now(r);
	r->next_at = wall_at(r, at);
	timer_arm(r->set->timers, &r->timer, at);
	registration_tell(r);
}

/* ------------------------------------------------------------------ removal */

/* The old binding is gone, or nobody waits for it any longer. */
static void end_removal(struct registration *r)
{
	struct registration *successor = r->successor;

	account_destroy(r->bound);
	r->bound = NULL;
	if (r->wanted) {
		forget_binding(r);
		r->requested = -1;
		registration_fire(r, EV_WANTED);
		return;
	}
	registration_fire(r, r->orphan || r->stopping ? EV_DROPPED : EV_DISABLED);
	if (!r->orphan)
		return;
	if (successor) {	/* in state QUEUED, and its timer runs */
		successor->predecessor = NULL;
		r->successor = NULL;
		timer_disarm(r->set->timers, &successor->timer);
		enqueue(successor, ATTEMPT_INITIAL, false);
	}
	registrations_destroy_one(r);
}

bool registration_must_remove(const struct registration *r)
{
	return r->set->parameters.SS_SIP_USER_AGENT_SEND_UNREGISTER && may_be_bound(r);
}

/* Disabled, deleted or stopping: removes the binding if there may be one. */
void registration_unwant(struct registration *r)
{
	r->wanted = false;
	if (r->predecessor) {
		r->predecessor->successor = NULL;
		r->predecessor = NULL;
	}
	if (r->state == STATE_DISABLED || r->state == STATE_UNREGISTERED)
		return;
	if (r->state == STATE_UNREGISTERING)
		timer_disarm(r->set->timers, &r->timer);	/* nothing follows: take the time that an answer needs */
	else if (!registration_must_remove(r))
		registration_fire(r, r->orphan || r->stopping ? EV_DROPPED : EV_DISABLED);
	else
		registration_fire(r, EV_REMOVE);
}
