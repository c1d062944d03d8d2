/* The way of a call to a gateway: which one, the INVITE, its answers, and on to the next. */
#include "call.h"

#include "attempt.h"
#include "chance.h"
#include "loop.h"

#include "shm/status_counter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How far the gateway has come: each has a patience of its own. */
enum progress { NO_ANSWER, TRYING, PROGRESS, PROGRESS_SDP, RINGING };

struct attempt_out {
	struct call *call;
	struct routing_gateway *gateway;	/* claimed */
	struct gateway_settings *settings;
	struct registration_claims *claim;
	struct resolver_wait wait;
	struct resolver_result where;
	size_t target;
	struct sip_client *client;
	struct dialog_key *key;			/* of our From tag */
	struct sip_credential credentials[SIP_CHALLENGES_MAX];
	size_t credential_count;
	bool challenged;			/* answered one: a second challenge is a refusal, unless it says stale … */
	bool renewed;				/* … once */
	bool sdp;				/* one came from the gateway */
	enum progress progress;
	uint32_t cseq;
	char tag[SIP_TAG_MAX], call_id[40], branch[80];
	char *contact;				/* ours, as sent */
};

static void send_invite(struct call *call);
static bool credentials(const struct call *call, const char **username, const char **password);
static void answered(void *arg, const struct sip_response *response);

uint32_t attempt_cseq(const struct attempt_out *attempt)
{
	return attempt->cseq;
}

const struct gateway_settings *attempt_settings(const struct attempt_out *attempt)
{
	return attempt->settings;
}

struct routing_gateway *attempt_gateway(const struct attempt_out *attempt)
{
	return attempt ? attempt->gateway : NULL;
}

/* ------------------------------------------------------------------ forks */

struct fork *call_fork(struct call *call, const char *remote_tag)
{
	for (uint32_t i = 0; i < call->fork_count; i++)
		if (strcasecmp(sip_leg_remote_tag(call->forks[i].leg), remote_tag) == 0)
			return &call->forks[i];
	return NULL;
}

static void drop_forks(struct call *call)
{
	for (uint32_t i = 0; i < call->fork_count; i++) {
		dialog_remove(call->calls, call->forks[i].key);
		sip_leg_free(call->forks[i].leg);
	}
	call->fork_count = 0;
	call->answered = NULL;
}

/* The early dialog of a response, made when it is the first with its tag.  NULL: no memory, or too many. */
static struct fork *fork_of(struct call *call, const struct sip_response *response)
{
	struct attempt_out *a = call->attempt;
	const struct routing_gateway_record *record = a->settings->routing;
	struct fork *fork = call_fork(call, sip_message_to_tag(response->message));
	struct sip_leg_options options = {
		.resolver = call->calls->parts.resolver, .request_address = record->request_address, .tls_name = record->host,
		.tls_verify = record->tls_verify, .session_timer = record->session_timer == SESSION_TIMER_ON, .tag = a->tag,
	};

	const char *username, *password;

	if (fork) {
		sip_leg_heard(fork->leg, &response->source, response->connection, response->message, true);
		return fork;
	}
	if (call->fork_count == CALL_FORKS_MAX)
		return NULL;
	options.listener = sip_listener(call->calls->parts.sip, record->listener, response->source.transport,
	                                response->source.address.family);
	if (!options.listener)
		return NULL;
	fork = &call->forks[call->fork_count];
	memset(fork, 0, sizeof *fork);
	if (sip_leg_of_callee(&fork->leg, call->calls->parts.sip, response, &options) != 0)
		return NULL;
	sip_leg_set_contact(fork->leg, a->contact ? a->contact : "");
	if (credentials(call, &username, &password))
		sip_leg_set_account(fork->leg, username, password);
	sip_leg_set_cseq(fork->leg, a->cseq);
	calls_new_tag(fork->upstream_tag);
	if (dialog_add(call, &fork->key, CALLER, fork->upstream_tag) != 0) {
		sip_leg_free(fork->leg);
		return NULL;
	}
	call->fork_count++;
	return fork;
}

/* ------------------------------------------------------------------ dropping an attempt */

void call_attempt_drop(struct call *call, enum drop how, const struct sip_message *why)
{
	struct attempt_out *a = call->attempt;

	timer_disarm(call->calls->parts.timers, &call->timer);
	drop_forks(call);
	call_session_reset(call, CALLEE, false);
	if (!a)
		return;
	call->attempt = NULL;
	resolver_forget(&a->wait);
	/* A gateway that said nothing is sent nothing more: a CANCEL would have to wait for its answer (RFC 3261 9.1). */
	if (a->client && how == DROP_CANCELLED)
		sip_client_cancel(a->client, why);
	sip_client_release(a->client);
	dialog_remove(call->calls, a->key);
	for (size_t i = 0; i < a->credential_count; i++)
		sip_credential_free(&a->credentials[i]);
	registration_release(a->claim);
	routing_release(a->gateway);
	gateway_settings_unref(a->settings);
	free(a->contact);
	free(a);
}

/* ------------------------------------------------------------------ patience */

static int32_t own_or(int32_t own, int32_t inherited)
{
	return own > 0 ? own : inherited;
}

static uint64_t patience(const struct call *call)
{
	const struct routing_gateway_record *r = call->attempt->settings->routing;
	const struct sip_parameters *p = &call->parameters;
	int32_t seconds = 0;

	switch (call->attempt->progress) {
	case NO_ANSWER:		seconds = own_or(r->timeout_invite, p->SS_SIP_TIMEOUT_INVITE); break;
	case TRYING:		seconds = own_or(r->timeout_trying, p->SS_SIP_TIMEOUT_TRYING); break;
	case PROGRESS:		seconds = own_or(r->timeout_session_progress, p->SS_SIP_TIMEOUT_SESSION_PROGRESS); break;
	case PROGRESS_SDP:	seconds = own_or(r->timeout_session_progress_sdp, p->SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP); break;
	case RINGING:		seconds = own_or(r->timeout_ringing, p->SS_SIP_TIMEOUT_RINGING); break;
	}
	return (uint64_t)seconds * SECOND_US;
}

static void progress(struct call *call, enum progress to)
{
	if (to == call->attempt->progress)
		return;
	call->attempt->progress = to;
	timer_arm(call->calls->parts.timers, &call->timer, loop_now() + patience(call));
}

/* ------------------------------------------------------------------ failure, and on */

/* What the caller hears of a code that is not for it to act on. */
static uint16_t passed_on(uint16_t code)
{
	return (code >= 300 && code < 400) || code == 401 || code == 407 || code == 422 ? 503 : code;
}

/* The attempt ended with this code; relay: the gateway's answer, if there is one. */
static void failed(struct call *call, uint16_t code, const struct sip_message *relay)
{
	struct attempt_out *a = call->attempt;
	enum drop how = a->progress == NO_ANSWER ? DROP_SILENTLY : DROP_CANCELLED;
	bool stop = routing_stops(a->settings, code) || (call->sdp_passed && call->parameters.SS_SIP_STOP_SWITCH_AFTER_SDP);
	char text[8];

	snprintf(text, sizeof text, "%u", code);
	call_note(&call->facts.tried, gateway_name(gateway_of_routing(a->gateway)), text);
	gateway_tried(gateway_of_routing(a->gateway), code);
	call->facts.code = code;
	if (code == 503 && relay && sip_message_retry_after(relay) > 0)
		routing_hold(a->gateway, sip_message_retry_after(relay));
	if (stop && code == passed_on(code)) {
		call_attempt_drop(call, how, NULL);
		call_refuse(call, code, relay ? sip_message_phrase(relay) : NULL, relay, HUNG_UP_BY_CALLEE);
		return;
	}
	call_attempt_drop(call, how, NULL);
	if (stop)
		call_refuse(call, passed_on(code), NULL, NULL, HUNG_UP_BY_CALLEE);
	else
		call_seek(call);
}

void call_attempt_timer(struct call *call)
{
	failed(call, 408, NULL);
}

/* ------------------------------------------------------------------ challenges */

/* User name and password of the gateway, else of its registration.  False: there are none. */
static bool credentials(const struct call *call, const char **username, const char **password)
{
	const struct routing_gateway_record *record = call->attempt->settings->routing;
	bool named;
	const struct registration *r = routing_registration(call->attempt->gateway, &named);

	if (record->password[0]) {
		*username = record->username;
		*password = record->password;
		if (!record->username[0] && r)
			*username = account_auth_username(registration_account(r));
	} else if (r) {
		*username = account_auth_username(registration_account(r));
		*password = account_text(registration_account(r), ACCOUNT_PASSWORD);
	} else {
		*username = *password = "";
	}
	return (*password)[0] != '\0';
}

/* The INVITE goes out once more, to the same place. */
static void send_again(struct call *call)
{
	struct attempt_out *a = call->attempt;

	sip_client_release(a->client);
	a->client = NULL;
	a->cseq++;
	send_invite(call);
}

/* True: it goes out once more, with an answer to the challenge. */
static bool answer_challenge(struct call *call, const struct sip_message *message)
{
	struct attempt_out *a = call->attempt;
	const char *username, *password;
	struct sip_challenge_list list;
	bool stale = false;
	int error = 0;

	if (!credentials(call, &username, &password) || sip_challenges_read(&list, message) != 0)
		return false;
	for (size_t i = 0; i < list.count; i++)
		stale = stale || list.challenges[i].stale;
	if (list.count == 0 || (a->challenged && (!stale || a->renewed))) {
		sip_challenges_free(&list);
		return false;
	}
	for (size_t i = 0; i < a->credential_count; i++)
		sip_credential_free(&a->credentials[i]);
	a->credential_count = 0;
	for (size_t i = 0; i < list.count && !error; i++) {
		error = sip_credential_copy(&a->credentials[i], &list.challenges[i]);
		a->credential_count += error == 0;
	}
	sip_challenges_free(&list);
	if (error)
		return false;
	a->renewed = a->challenged;
	a->challenged = true;
	send_again(call);
	return true;
}

/* True: it goes out once more, with the session interval that the gateway asks for (RFC 4028 7.3). */
static bool raise_session(struct call *call, const struct sip_message *refusal)
{
	if (!call->sessions[CALLEE].on || !call_session_raise(call, CALLEE, refusal))
		return false;
	send_again(call);
	return true;
}

/* ------------------------------------------------------------------ answers */

static void provisional(struct call *call, const struct sip_response *response)
{
	struct attempt_out *a = call->attempt;
	const struct sip_message *m = response->message;
	bool sdp = sip_message_has_sdp(m), ringing = response->code == 180;
	struct fork *fork;

	if (response->code == 100) {
		if (a->progress == NO_ANSWER)
			progress(call, TRYING);
		return;
	}
	a->sdp = a->sdp || sdp;
	progress(call, ringing ? RINGING : a->sdp ? PROGRESS_SDP : PROGRESS);
	if (!sip_message_to_tag(m)[0] || !(fork = fork_of(call, response)))
		return;
	call->sdp_passed = call->sdp_passed || sdp;
	call_session_said(call, CALLER, m);
	call_reply(call, response->code, sip_message_phrase(m), fork->upstream_tag, m);
	if (call->facts.ringing_at == 0)
		call->facts.ringing_at = loop_wall();
	if (call->phase == CALL_SETUP)
		call_phase(call, CALL_RINGING);
}

static void keep_only(struct call *call, struct fork *fork)
{
	struct fork kept = *fork;

	for (uint32_t i = 0; i < call->fork_count; i++)
		if (&call->forks[i] != fork) {
			dialog_remove(call->calls, call->forks[i].key);
			sip_leg_free(call->forks[i].leg);
		}
	call->forks[0] = kept;
	call->fork_count = 1;
	call->answered = &call->forks[0];
}

static void connected(struct call *call, const struct sip_response *response)
{
	struct attempt_out *a = call->attempt;
	struct fork *fork = fork_of(call, response);
	struct sip_server *invite = call->invite;

	if (!fork) {
		failed(call, 500, NULL);
		return;
	}
	keep_only(call, fork);
	sip_leg_set_tag(call->caller, call->answered->upstream_tag);
	call_exchanges_drop(call);
	call->up_since = loop_now();
	call->facts.answered_at = loop_wall();
	call->facts.code = response->code;
	snprintf(call->facts.phrase, sizeof call->facts.phrase, "%s", sip_message_phrase(response->message));
	call_note(&call->facts.tried, gateway_name(gateway_of_routing(a->gateway)), "200");
	gateway_tried(gateway_of_routing(a->gateway), response->code);
	gateway_answered(gateway_of_routing(a->gateway));
	gateway_tried(gateway_of_mapping(call->mapping), response->code);
	gateway_answered(gateway_of_mapping(call->mapping));
	status_count(call->calls->parts.status, COUNT_CALLS_ANSWERED, 1);
	if (!call->sessions[CALLEE].said)
		call_session_said(call, CALLEE, sip_server_request(invite));
	call_session_said(call, CALLER, response->message);
	call_session_agreed(call, CALLEE, response->message);
	call_reply(call, response->code, sip_message_phrase(response->message), call->answered->upstream_tag, response->message);
	sip_client_release(a->client);
	a->client = NULL;
	call->state = CALL_UP;
	call->invite = NULL;
	free(call->route);
	call->route = NULL;
	timer_disarm(call->calls->parts.timers, &call->timer);
	call_await_ack(call, invite, CALLER, call->caller_cseq, a->cseq);
	call_phase(call, CALL_ANSWERED);
}

/* The stack gives up after 64 T1; the gateway's patience may be longer. */
static bool go_on_sending(struct call *call)
{
	struct attempt_out *a = call->attempt;

	if (a->progress != NO_ANSWER || loop_now() >= call->timer.at || !timer_armed(&call->timer))
		return false;
	sip_invite_branch(a->client, a->branch, sizeof a->branch);
	sip_client_release(a->client);
	a->client = NULL;
	send_invite(call);
	return true;
}

static void unanswered(struct call *call, const struct sip_response *response)
{
	struct attempt_out *a = call->attempt;

	if (response->result == SIP_SILENT && go_on_sending(call))
		return;
	if (response->result == SIP_BROKEN && a->progress == NO_ANSWER && a->target + 1 < a->where.count) {
		sip_client_release(a->client);
		a->client = NULL;
		a->target++;
		send_invite(call);
		return;
	}
	failed(call, response->result == SIP_SILENT ? 408 : 503, NULL);
}

static void answered(void *arg, const struct sip_response *response)
{
	struct call *call = arg;

	if (response->result != SIP_ANSWERED)
		unanswered(call, response);
	else if (response->code < 200)
		provisional(call, response);
	else if (response->code < 300)
		connected(call, response);
	else if ((response->code == 401 || response->code == 407) && answer_challenge(call, response->message))
		return;
	else if (response->code == 422 && raise_session(call, response->message))
		return;
	else
		failed(call, response->code, response->message);
}

/* ------------------------------------------------------------------ sending */

/* The first target from the present one on that some listener can reach. */
static const struct listener *find_listener(struct call *call)
{
	struct attempt_out *a = call->attempt;

	for (; a->target < a->where.count; a->target++) {
		const struct target *t = &a->where.targets[a->target];
		const struct listener *listener = sip_listener(call->calls->parts.sip, a->settings->routing->listener, t->transport,
		                                               t->address.family);
		if (listener)
			return listener;
	}
	return NULL;
}

static void plan_source(const struct call *call, struct plan_source *source, struct numbers_in *in, struct numbers_store *store)
{
	bool named;

	sip_message_numbers(sip_server_request(call->invite), in, store);
	*source = (struct plan_source){
		.gateway = call->attempt->settings->routing, .parameters = &call->parameters,
		.registration = routing_registration(call->attempt->gateway, &named),
		.trusted = call->mapping_settings->mapping->trusted != 0, .in = in, .original = call->facts.original,
		.callee = call->facts.callee, .caller = call->facts.caller, .session_min = call->sessions[CALLEE].min,
	};
}

static void remember_plan(struct call *call, const struct invite_plan *plan)
{
	struct call_facts *f = &call->facts;

	memcpy(f->routed, plan->routed, sizeof f->routed);
	memcpy(f->caller_out, plan->caller_out, sizeof f->caller_out);
	snprintf(f->to_out, sizeof f->to_out, "%s", plan->identity.to_number);
	snprintf(f->call_id_out, sizeof f->call_id_out, "%s", call->attempt->call_id);
	f->use_contact = plan->identity.use_contact;
	if (!call->attempt->contact && (call->attempt->contact = malloc(strlen(plan->contact) + 3)))
		snprintf(call->attempt->contact, strlen(plan->contact) + 3, "<%s>", plan->contact);
}

static void send_invite(struct call *call)
{
	struct attempt_out *a = call->attempt;
	const struct listener *listener = find_listener(call);
	struct invite_plan plan;
	struct plan_source source;
	struct numbers_store store;
	struct numbers_in in;
	int error = listener ? 0 : EADDRNOTAVAIL;

	plan_source(call, &source, &in, &store);
	if (!error)
		error = invite_plan_numbers(&plan, &source);
	if (!error)
		error = invite_plan_address(&plan, &source, listener, &a->where.targets[a->target]);
	if (!error) {
		remember_plan(call, &plan);
		plan.invite.call_id = a->call_id;
		plan.invite.from_tag = a->tag;
		plan.invite.branch = a->branch[0] ? a->branch : NULL;
		plan.invite.cseq = a->cseq;
		plan.invite.max_forwards = sip_message_max_forwards(sip_server_request(call->invite)) - 1;
		plan.invite.original = sip_server_request(call->invite);
		plan.invite.credentials = a->credentials;
		plan.invite.credential_count = a->credential_count;
		credentials(call, &plan.invite.username, &plan.invite.password);
		error = sip_invite_send(call->calls->parts.sip, &a->client, &plan.invite, answered, call);
		a->branch[0] = '\0';
	}
	if (error) {
		failed(call, error == EMSGSIZE ? 414 : 503, NULL);
		return;
	}
	call_report(call);	/* which gateway is tried, and with which numbers */
	if (!timer_armed(&call->timer))
		timer_arm(call->calls->parts.timers, &call->timer, loop_now() + patience(call));
}

static void resolved(struct resolver_wait *wait, const struct resolver_result *result)
{
	struct attempt_out *a = (struct attempt_out *)(void *)((char *)wait - offsetof(struct attempt_out, wait));

	if (!result || result->count == 0) {
		failed(a->call, 503, NULL);
		return;
	}
	a->where = *result;
	send_invite(a->call);
}

static void skipped(void *arg, const struct routing_gateway *gateway, const char *why)
{
	struct call *call = arg;

	call_note(&call->facts.skipped, gateway_name((const struct gateway *)(const void *)gateway), why);
}

/* Takes the gateway for the call.  0, EBUSY its registration is full meanwhile, ENOMEM. */
static int take(struct call *call, struct routing_gateway *gateway)
{
	struct attempt_out *a = calloc(1, sizeof *a);
	bool named;
	struct registration *r;
	char random[17];

	if (!a)
		return ENOMEM;
	if (routing_claim(gateway) != 0) {
		free(a);
		return EBUSY;
	}
	a->call = call;
	a->gateway = gateway;
	a->settings = gateway_settings_ref(gateway_of_routing(gateway)->settings);
	a->wait.done = resolved;
	a->cseq = 1 + (chance_word() & 0xffff);
	chance_hex(random, 16);
	snprintf(a->call_id, sizeof a->call_id, "g%08x-%s", gateway_of_routing(gateway)->id, random);
	calls_tag_for(call->calls, a->tag, a->call_id);
	call->attempt = a;
	call_session_reset(call, CALLEE, a->settings->routing->session_timer == SESSION_TIMER_ON);
	r = routing_registration(gateway, &named);
	if ((r && registration_claim(r, &a->claim) != 0) || dialog_add(call, &a->key, CALLEE, a->tag) != 0) {
		call_attempt_drop(call, DROP_SILENTLY, NULL);
		return EBUSY;
	}
	snprintf(call->facts.routing_gateway, sizeof call->facts.routing_gateway, "%s", gateway_name(gateway_of_routing(gateway)));
	if (r && !call->trunk)
		snprintf(call->facts.registration, sizeof call->facts.registration, "%s", registration_name(r));
	return 0;
}

static void no_more(struct call *call)
{
	if (call->facts.tried)
		call_refuse(call, passed_on(call->facts.code), NULL, NULL, HUNG_UP_BY_CALLEE);
	else if (route_any(call->route))
		call_refuse(call, 503, NULL, NULL, HUNG_UP_BY_SWITCH);
	else
		call_refuse(call, 404, NULL, NULL, HUNG_UP_BY_SWITCH);
}

void call_seek(struct call *call)
{
	struct routing_gateway *gateway;
	struct attempt_out *a;
	const struct routing_gateway_record *record;
	int error;

	do {
		gateway = route_next(call->route, skipped, call);
	} while (gateway && take(call, gateway) != 0);
	if (!gateway) {
		no_more(call);
		return;
	}
	a = call->attempt;
	record = a->settings->routing;
	error = resolver_find(call->calls->parts.resolver, &a->wait, &a->where, record->host, (uint16_t)record->port,
	                      record->transport);
	if (error == EINPROGRESS)
		timer_arm(call->calls->parts.timers, &call->timer, loop_now() + patience(call));
	else if (error)
		failed(call, 503, NULL);
	else
		send_invite(call);
}
