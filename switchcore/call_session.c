/* Session timers (RFC 4028): each leg has its own, agreed on with its peer alone, and is refreshed or hung up by it. */
#include "call.h"

#include "chance.h"
#include "log.h"
#include "loop.h"

#include <errno.h>
#include <inttypes.h>

#define RAISES_MAX 2			/* 422s in a row */
#define EXPIRED_SAID 20			/* in one second; more are counted */
#define BUSY_WAIT_US (2 * SECOND_US)	/* until the INVITE that passes is over */
#define RETRY_LEAST_US (10 * SECOND_US)
/* Value of Reason (RFC 3326): what telephone exchanges say when a timer ends a call. */
#define REASON "Q.850;cause=102;text="

static void send_refresh(struct call_session *s, const struct sip_message *challenge);

static enum call_side side_of(const struct call_session *s)
{
	return s == &s->call->sessions[CALLER] ? CALLER : CALLEE;
}

static uint32_t ttl(const struct call *call)
{
	return (uint32_t)call->parameters.SS_SIP_SESSION_TTL;
}

/* ------------------------------------------------------------------ when */

static void arm(struct call_session *s)
{
	struct timers *timers = s->call->calls->parts.timers;
	uint64_t at = s->client || s->hang_up_at < s->refresh_at ? s->hang_up_at : s->refresh_at;

	if (at == TIMER_NEVER)
		timer_disarm(timers, &s->timer);
	else
		timer_arm(timers, &s->timer, at);
}

static void forget_said(struct call_session *s)
{
	sip_content_free(s->said);
	s->said = NULL;
}

/* The session was refreshed, or begins: with the terms that hold now. */
static void start(struct call_session *s)
{
	const struct sip_parameters *p = &s->call->parameters;
	uint64_t limit = (uint64_t)p->SS_SIP_NO_TIMER_REINVITE_INTERVAL * SECOND_US, now = loop_now();
	uint32_t early = (uint32_t)p->SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP, segment = (uint32_t)p->SS_SIP_SESSION_UPDATE_SEGMENT;

	s->raises = 0;
	s->refresh_at = s->hang_up_at = TIMER_NEVER;
	if (s->terms.interval)
		s->hang_up_at = now + session_hang_up_after(s->terms.interval, early) * SECOND_US;
	else if (limit)
		s->hang_up_at = s->call->up_since + limit;
	if (s->terms.ours)
		s->refresh_at = now + session_refresh_after(s->terms.interval, segment) * SECOND_US;
	if (!s->terms.ours || s->update_taken)
		forget_said(s);
	arm(s);
}

/* ------------------------------------------------------------------ what the headers say */

void call_session_said(struct call *call, enum call_side side, const struct sip_message *message)
{
	struct call_session *s = &call->sessions[side];
	struct sip_content *content = s->on && !s->update_taken ? sip_content_keep(message) : NULL;

	if (!content)
		return;
	forget_said(s);
	s->said = content;
}

void call_session_offer(const struct call *call, enum call_side side, char lines[SESSION_LINES_MAX])
{
	const struct call_session *s = &call->sessions[side];

	lines[0] = '\0';
	if (s->on)
		session_write_offer(lines, &s->terms, ttl(call), s->min);
}

bool call_session_raise(struct call *call, enum call_side side, const struct sip_message *refusal)
{
	struct call_session *s = &call->sessions[side];
	struct session_words words;

	sip_session_read(&words, refusal);
	return s->raises++ < RAISES_MAX && session_raise(&s->min, session_offered(&s->terms, ttl(call), s->min), &words);
}

void call_session_agreed(struct call *call, enum call_side side, const struct sip_message *answer)
{
	struct call_session *s = &call->sessions[side];
	struct session_words words = { 0 };

	if (s->on)
		sip_session_read(&words, answer);
	session_agree(&s->terms, &words);
	start(s);
}

void call_session_accept(struct call *call, enum call_side side, const struct sip_message *request, char lines[SESSION_LINES_MAX])
{
	struct call_session *s = &call->sessions[side];
	struct session_words words;

	lines[0] = '\0';
	if (s->on) {
		sip_session_read(&words, request);
		session_accept(&s->terms, lines, &words, ttl(call));
	}
	start(s);
}

/* ------------------------------------------------------------------ our refresh */

static void hang_up(struct call_session *s, const char *reason, const char *what)
{
	static const char *const sides[] = { "caller", "callee" };
	struct call *call = s->call;

	/* When a whole network is gone, thousands end in one second. */
	if (call->calls->expired++ < EXPIRED_SAID)
		log_info("call %016" PRIx64 ": hung up: %s on the %s's side", call->id, what, sides[side_of(s)]);
	call->why = reason;
	call_end(call, HUNG_UP_BY_SWITCH);
}

static void expired(struct call_session *s)
{
	if (s->terms.interval)
		hang_up(s, REASON "\"Session not refreshed\"", "the session was not refreshed (RFC 4028)");
	else
		hang_up(s, REASON "\"Longest call without session timer\"", "no session timer, and SS_SIP_NO_TIMER_REINVITE_INTERVAL is over");
}

static void put_off(struct call_session *s, uint64_t us)
{
	s->refresh_at = us == TIMER_NEVER ? us : loop_now() + us;
	arm(s);
}

/* RFC 4028 10: not again and again. */
static void failed(struct call_session *s)
{
	uint64_t now = loop_now(), left = s->hang_up_at > now ? s->hang_up_at - now : 0;

	s->challenged = false;
	put_off(s, left / 2 >= RETRY_LEAST_US ? left / 2 : TIMER_NEVER);
}

/* RFC 3261 14.1: who made the Call-ID waits longer. */
static void collided(struct call_session *s)
{
	uint64_t steps = chance_word();

	put_off(s, side_of(s) == CALLEE ? 2100000 + steps % 191 * 10000 : steps % 201 * 10000);
}

static void accepted(struct call_session *s, const struct sip_response *response, bool invited)
{
	struct sip_leg *leg = call_leg(s->call, side_of(s));
	struct sip_leg_request ack = { .method = SIP_ACK, .name = "ACK", .cseq = sip_message_cseq(response->message) };

	s->challenged = false;
	if (invited)
		sip_leg_send(leg, NULL, &ack, NULL, NULL);
	else
		s->update_taken = true;
	call_session_agreed(s->call, side_of(s), response->message);
}

static void refused(struct call_session *s, const struct sip_response *response, bool invited)
{
	uint16_t code = response->code;

	if ((code == 401 || code == 407) && !s->challenged) {
		s->challenged = true;
		send_refresh(s, response->message);
	} else if (code == 422 && call_session_raise(s->call, side_of(s), response->message)) {
		send_refresh(s, NULL);
	} else if ((code == 405 || code == 501) && !invited && s->said) {
		s->update_refused = true;
		send_refresh(s, NULL);
	} else if (code == 491) {
		collided(s);
	} else if (code == 408 || code == 481 || response->result == SIP_SILENT) {
		hang_up(s, REASON "\"Session refresh failed\"", code == 481 ? "a session refresh was answered 481" :
		                                                 "a session refresh was not answered");
	} else {
		failed(s);
	}
}

static void refreshed(void *arg, const struct sip_response *response)
{
	struct call_session *s = arg;
	struct sip_leg *leg = call_leg(s->call, side_of(s));
	bool invited = s->inviting, success = response->code >= 200 && response->code < 300;

	if (response->result == SIP_ANSWERED && response->code < 200)
		return;
	if (response->message)
		sip_leg_heard(leg, &response->source, response->connection, response->message, success);
	sip_client_release(s->client);
	s->client = NULL;
	s->inviting = false;
	if (success)
		accepted(s, response, invited);
	else
		refused(s, response, invited);
}

/* challenge: the answer that asks for credentials, or NULL. */
static void send_refresh(struct call_session *s, const struct sip_message *challenge)
{
	struct sip_leg *leg = call_leg(s->call, side_of(s));
	bool update = !s->said || (sip_leg_takes_update(leg) && !s->update_refused);
	char lines[SESSION_LINES_MAX];
	struct sip_leg_request request = {
		.method = update ? SIP_UPDATE : SIP_INVITE, .name = update ? "UPDATE" : "INVITE", .headers = lines,
		.content = update ? NULL : s->said, .challenge = challenge,
	};

	if (!update && call_inviting(s->call)) {
		put_off(s, BUSY_WAIT_US);
		return;
	}
	call_session_offer(s->call, side_of(s), lines);
	request.cseq = sip_leg_next_cseq(leg);
	if (sip_leg_send(leg, &s->client, &request, refreshed, s) != 0) {
		failed(s);
		return;
	}
	s->inviting = !update;
	arm(s);
}

static void due(struct timer *timer)
{
	struct call_session *s = TIMER_OWNER(timer, struct call_session, timer);

	if (loop_now() >= s->hang_up_at)
		expired(s);
	else if (!s->client && loop_now() >= s->refresh_at)
		send_refresh(s, NULL);
	else
		arm(s);
}

void calls_expired_tick(struct calls *calls)
{
	if (calls->expired > EXPIRED_SAID)
		log_info("calls: %" PRIu32 " more hung up by their session timers", calls->expired - EXPIRED_SAID);
	calls->expired = 0;
}

bool call_session_inviting(const struct call *call)
{
	return call->sessions[CALLER].inviting || call->sessions[CALLEE].inviting;
}

/* ------------------------------------------------------------------ birth and end */

int call_sessions_init(struct call *call)
{
	struct timers *timers = call->calls->parts.timers;

	for (int side = CALLER; side <= CALLEE; side++) {
		call->sessions[side].call = call;
		call->sessions[side].refresh_at = call->sessions[side].hang_up_at = TIMER_NEVER;
	}
	if (timer_init(timers, &call->sessions[CALLER].timer, due) != 0)
		return ENOMEM;
	if (timer_init(timers, &call->sessions[CALLEE].timer, due) == 0)
		return 0;
	timer_destroy(timers, &call->sessions[CALLER].timer);
	return ENOMEM;
}

void call_session_reset(struct call *call, enum call_side side, bool on)
{
	struct call_session *s = &call->sessions[side];

	forget_said(s);
	s->on = on;
	s->min = 0;
	s->raises = 0;
}

void call_sessions_stop(struct call *call)
{
	for (int side = CALLER; side <= CALLEE; side++) {
		struct call_session *s = &call->sessions[side];
		timer_disarm(call->calls->parts.timers, &s->timer);
		if (s->client && s->inviting)
			sip_client_cancel(s->client, NULL);
		sip_client_release(s->client);
		s->client = NULL;
		s->inviting = false;
		forget_said(s);
	}
}

void call_sessions_destroy(struct call *call)
{
	call_sessions_stop(call);
	for (int side = CALLER; side <= CALLEE; side++)
		timer_destroy(call->calls->parts.timers, &call->sessions[side].timer);
}
