#include "attempt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct credential {
	struct sip_credential sip;
	bool renewable;		/* one more challenge is no refusal: stale once, or the request itself changed */
	bool stale_used;
};

struct attempt {
	struct registration *r;
	struct resolver_wait wait;
	struct sip_transaction *transaction;
	struct timer patience;			/* with the present target */
	struct resolver_result where;
	size_t current;				/* target */
	struct credential credentials[SIP_CHALLENGES_MAX];
	size_t credential_count;
	int32_t expires;			/* as last asked */
	bool counted;				/* r->attempts counts it */
	bool uncertain;				/* some REGISTER of it may have been obeyed, though nobody said so */
	bool resolved;
	bool raised;
	unsigned redirects;
	uint16_t redirect_port;
	char redirect_host[254];		/* "" = none */
};

static void send_now(struct attempt *a);
static void next_target(struct attempt *a);

static const struct registration_world *world_of(const struct attempt *a)
{
	return registrations_world(a->r->set);
}

static void patience_over(struct timer *timer);
static void resolved(struct resolver_wait *wait, const struct resolver_result *result);

int attempt_create(struct attempt **attempt, struct registration *r)
{
	struct attempt *a = calloc(1, sizeof *a);

	if (!a)
		return ENOMEM;
	if (timer_init(registrations_timers(r->set), &a->patience, patience_over) != 0) {
		free(a);
		return ENOMEM;
	}
	a->r = r;
	a->wait.done = resolved;
	*attempt = a;
	return 0;
}

static void drop_transaction(struct attempt *a)
{
	struct sip_transaction *transaction = a->transaction;

	timer_disarm(registrations_timers(a->r->set), &a->patience);
	a->transaction = NULL;
	if (transaction)
		world_of(a)->release(world_of(a)->arg, transaction);
}

void attempt_destroy(struct registration *r)
{
	struct attempt *a = r->attempt;

	if (!a)
		return;
	r->attempt = NULL;
	drop_transaction(a);
	resolver_forget(&a->wait);
	timer_destroy(registrations_timers(r->set), &a->patience);
	for (size_t i = 0; i < a->credential_count; i++)
		sip_credential_free(&a->credentials[i].sip);
	free(a);
}

bool attempt_sent(const struct registration *r)
{
	return r->attempt && r->attempt->transaction;
}

bool attempt_counted(const struct registration *r)
{
	return r->attempt && r->attempt->counted;
}

int32_t attempt_expires(const struct registration *r)
{
	return r->attempt ? r->attempt->expires : -1;
}

const struct target *attempt_target(const struct registration *r)
{
	static const struct target none;
	struct attempt *a = r->attempt;

	return a && a->counted && a->current < a->where.count ? &a->where.targets[a->current] : &none;
}

/* ------------------------------------------------------------------ the end */

__attribute__((format(printf, 4, 5)))
static void fail(struct attempt *a, struct attempt_ending *ending, enum registration_reason reason, const char *format, ...)
{
	va_list arguments;

	ending->outcome.reason = reason;
	ending->unbound = !a->uncertain;
	va_start(arguments, format);
	vsnprintf(ending->outcome.detail, sizeof ending->outcome.detail, format, arguments);
	va_end(arguments);
	drop_transaction(a);
	registration_failed(a->r, ending);
}

static struct attempt_ending no_ending(void)
{
	return (struct attempt_ending){ .outcome.granted = -1, .pacing = PACING_DROPPED, .retry_after = -1 };
}

static struct attempt_ending ending_of(const struct sip_answer *answer)
{
	struct attempt_ending ending = no_ending();

	ending.pacing = answer->result == SIP_SILENT ? PACING_SILENT : PACING_ANSWERED;
	ending.retry_after = answer->retry_after;
	ending.outcome.code = answer->code;
	ending.outcome.rtt_us = answer->rtt_us;
	memcpy(ending.outcome.phrase, answer->phrase, sizeof ending.outcome.phrase);
	return ending;
}

/* ------------------------------------------------------------------ answers */

static struct credential *find_credential(struct attempt *a, const struct digest_challenge *c)
{
	for (size_t i = 0; i < a->credential_count; i++)
		if (a->credentials[i].sip.challenge.proxy == c->proxy &&
		    strcmp(a->credentials[i].sip.challenge.realm, c->realm) == 0)
			return &a->credentials[i];
	return NULL;
}

/* The request changes in a way that may make a server want a new nonce; that is no refusal of the password. */
static void allow_renewal(struct attempt *a)
{
	for (size_t i = 0; i < a->credential_count; i++)
		a->credentials[i].renewable = true;
}

/* 0 = answered in a->credentials; EACCES = the server refuses what we answered before. */
static int take_challenge(struct attempt *a, const struct digest_challenge *c)
{
	struct credential *known = find_credential(a, c), fresh;

	memset(&fresh, 0, sizeof fresh);
	if (known) {
		if (c->stale && !known->stale_used)
			known->stale_used = true;
		else if (known->renewable)
			known->renewable = false;
		else
			return EACCES;
	} else if (a->credential_count == SIP_CHALLENGES_MAX) {
		return EACCES;
	}
	if (sip_credential_copy(&fresh.sip, c) != 0)
		return ENOMEM;
	if (known) {
		sip_credential_free(&known->sip);
		known->sip = fresh.sip;
	} else {
		a->credentials[a->credential_count++] = fresh;
	}
	return 0;
}

static void challenged(struct attempt *a, const struct sip_answer *answer)
{
	struct attempt_ending ending = ending_of(answer);
	int error = 0;

	if (account_text(registration_account(a->r), ACCOUNT_PASSWORD)[0] == '\0') {
		fail(a, &ending, REASON_CREDENTIALS, "the server asks for a password and none is configured");
		return;
	}
	if (answer->challenge_count == 0) {
		fail(a, &ending, REASON_CREDENTIALS, "%s",
		     answer->unsupported_challenges ? "the server asks for an authentication that is not supported"
		                                    : "the server asks for a password without a challenge");
		return;
	}
	for (size_t i = 0; i < answer->challenge_count && !error; i++)
		error = take_challenge(a, &answer->challenges[i]);
	if (error == EACCES)
		fail(a, &ending, REASON_CREDENTIALS, "the server refuses the user name or password");
	else if (error)
		fail(a, &ending, REASON_TRANSPORT, "%s", strerror(error));
	else
		send_now(a);
}

static void too_brief(struct attempt *a, const struct sip_answer *answer)
{
	struct attempt_ending ending = ending_of(answer);

	if (answer->min_expires < 0)
		fail(a, &ending, REASON_REJECTED, "423 without Min-Expires");
	else if (answer->min_expires > REGISTRATION_RAISE_MAX)
		fail(a, &ending, REASON_REJECTED, "the server wants at least %d s; at most %d are asked", answer->min_expires,
		     REGISTRATION_RAISE_MAX);
	else if (a->raised || answer->min_expires <= a->expires)
		fail(a, &ending, REASON_REJECTED, "%d s are too brief although the server asked for %d", a->expires,
		     answer->min_expires);
	else {
		a->raised = true;
		registration_raise(a->r, answer->min_expires);
		a->expires = answer->min_expires;
		allow_renewal(a);
		send_now(a);
	}
}

static void start_resolving(struct attempt *a);

static void redirected(struct attempt *a, const struct sip_answer *answer)
{
	struct attempt_ending ending = ending_of(answer);

	if (!answer->redirect_host[0]) {
		fail(a, &ending, REASON_REJECTED, "redirected without a usable Contact");
	} else if (++a->redirects > ATTEMPT_REDIRECTS_MAX) {
		fail(a, &ending, REASON_REJECTED, "redirected more than %d times", ATTEMPT_REDIRECTS_MAX);
	} else {
		memcpy(a->redirect_host, answer->redirect_host, sizeof a->redirect_host);
		a->redirect_port = answer->redirect_port;
		allow_renewal(a);
		start_resolving(a);
	}
}

static void accepted(struct attempt *a, const struct sip_answer *answer)
{
	struct attempt_ending ending = ending_of(answer);
	int32_t granted = answer->granted < 0 ? a->expires : answer->granted;

	if (a->expires > 0 && answer->binding == SIP_BINDING_OTHERS)
		fail(a, &ending, REASON_REJECTED, "the server lists other Contacts and not ours");
	else if (a->expires > 0 && granted == 0)
		fail(a, &ending, REASON_REJECTED, "the server granted 0 s");
	else {
		struct sip_answer full = *answer;
		full.granted = granted;
		if (a->transaction)
			world_of(a)->join(world_of(a)->arg, &a->r->flow, a->transaction);
		drop_transaction(a);
		registration_accepted(a->r, &full);
	}
}

static void refused(struct attempt *a, const struct sip_answer *answer)
{
	struct attempt_ending ending = ending_of(answer);

	if (answer->code == 503 && a->current + 1 < a->where.count)
		next_target(a);
	else if (answer->code == 408)
		fail(a, &ending, REASON_TIMEOUT, "the server answered 408");
	else if (answer->code == 403 && a->credential_count > 0)
		fail(a, &ending, REASON_CREDENTIALS, "the server refuses the user name or password");
	else if (answer->code >= 500 && answer->code < 600)
		fail(a, &ending, REASON_SERVER_ERROR, "%u %s", answer->code, answer->phrase);
	else
		fail(a, &ending, REASON_REJECTED, "%u %s", answer->code, answer->phrase);
}

static void no_answer(struct attempt *a, const struct sip_answer *answer)
{
	struct attempt_ending ending = ending_of(answer);

	if (a->current + 1 < a->where.count)
		next_target(a);
	else if (answer->result == SIP_SILENT)
		fail(a, &ending, REASON_TIMEOUT, "no answer");
	else
		fail(a, &ending, REASON_TRANSPORT, "%s", answer->detail);
}

/* A proxy says 408 or 504 when the registrar behind it is silent. */
static bool leaves_doubt(const struct sip_answer *answer)
{
	if (answer->result != SIP_ANSWERED)
		return !answer->unsent;
	return answer->code == 408 || answer->code == 504;
}

static void answered(void *arg, const struct sip_answer *answer)
{
	struct attempt *a = arg;

	if (answer->public_address.family != AF_UNSPEC)
		a->r->public_address = answer->public_address;
	if (answer->result == SIP_ANSWERED)
		registration_sign(a->r);
	a->uncertain = a->uncertain || leaves_doubt(answer);
	if (answer->result != SIP_ANSWERED)
		no_answer(a, answer);
	else if (answer->code < 300)
		accepted(a, answer);
	else if (answer->code < 400)
		redirected(a, answer);
	else if (answer->code == 401 || answer->code == 407)
		challenged(a, answer);
	else if (answer->code == 423 && a->expires > 0)
		too_brief(a, answer);
	else
		refused(a, answer);
}

/* ------------------------------------------------------------------ sending */

static void patience_over(struct timer *timer)
{
	struct attempt *a = TIMER_OWNER(timer, struct attempt, patience);

	a->uncertain = true;
	next_target(a);
}

/* At once, within the same attempt (RFC 3263 4.3). */
static void next_target(struct attempt *a)
{
	drop_transaction(a);
	a->current++;
	allow_renewal(a);
	send_now(a);
}

void attempt_no_listener(char *text, size_t size, const struct registration *r, const struct account *account)
{
	const struct registration_world *world = registrations_world(r->set);
	const char *name = account_text(account, ACCOUNT_LISTENER), *word = target_transport_word(account->transport);
	const char *all = world->listeners(world->arg);

	if (name[0])
		snprintf(text, size, "no %s listener named \"%s\"; this switch has %s", word, name, all);
	else
		snprintf(text, size, "no %s listener for that address; this switch has %s", word, all);
}

static void no_listener(struct attempt *a)
{
	struct attempt_ending ending = no_ending();
	char text[sizeof ending.outcome.detail];

	attempt_no_listener(text, sizeof text, a->r, registration_account(a->r));
	fail(a, &ending, REASON_TRANSPORT, "%s", text);
}

void attempt_request(struct attempt_request *request, const struct registration *r, const struct account *account,
                     const struct listener *listener, const struct target *target, int32_t expires)
{
	int32_t port;

	registration_call_id(r, request->call_id);
	snprintf(request->tag, sizeof request->tag, "%.16s", request->call_id + 9);
	account_path(account, request->host, sizeof request->host, &port);
	request->sip = (struct sip_register){
		.account = account,
		.listener = listener,
		.target = *target,
		.tls_name = request->host,
		.privacy = account_privacy(account, registrations_get_parameters(r->set)),
		.expires = expires,
		.cseq = r->cseq + 1,
		.call_id = request->call_id,
		.from_tag = request->tag,
		.old_contact_user = expires > 0 ? r->old_contact_user : NULL,
	};
}

static int write_and_send(struct attempt *a, const struct listener *listener)
{
	const struct registration_world *world = world_of(a);
	struct sip_credential credentials[SIP_CHALLENGES_MAX];
	struct attempt_request request;
	int error;

	attempt_request(&request, a->r, registration_account(a->r), listener, &a->where.targets[a->current], a->expires);
	if (a->redirect_host[0]) {
		request.sip.tls_name = request.sip.redirect_host = a->redirect_host;
		request.sip.redirect_port = a->redirect_port;
	}
	for (size_t i = 0; i < a->credential_count; i++)
		credentials[i] = a->credentials[i].sip;
	request.sip.credentials = credentials;
	request.sip.credential_count = a->credential_count;
	error = world->send(world->arg, &a->transaction, &request.sip, answered, a);
	for (size_t i = 0; i < a->credential_count; i++)
		a->credentials[i].sip.count = credentials[i].count;
	return error;
}

/* Sends to the present target, or to the next one that some listener can reach. */
static void send_now(struct attempt *a)
{
	const struct account *account = registration_account(a->r);
	const struct registration_world *world = world_of(a);
	const struct listener *listener = NULL;
	struct attempt_ending ending = no_ending();
	int error;

	drop_transaction(a);
	for (; a->current < a->where.count && !listener; a->current += listener == NULL)
		listener = world->listener(world->arg, account_text(account, ACCOUNT_LISTENER), account->transport,
		                           a->where.targets[a->current].address.family);
	if (!listener) {
		no_listener(a);
		return;
	}
	error = write_and_send(a, listener);
	if (error) {
		fail(a, &ending, error == ENOTSUP ? REASON_CREDENTIALS : REASON_TRANSPORT, "cannot send: %s", strerror(error));
		return;
	}
	a->r->cseq++;
	a->r->listener = listener;
	a->r->target = a->where.targets[a->current];
	if (a->r->kind != ATTEMPT_UNREGISTER)
		registration_keep_server(a->r, &a->where);
	if (a->current + 1 < a->where.count)
		timer_arm(registrations_timers(a->r->set), &a->patience, world->now(world->arg) + REGISTRATION_TARGET_US);
	registration_sent(a->r);
}

/* ------------------------------------------------------------------ resolving */

static void count(struct attempt *a)
{
	if (a->counted)
		return;
	a->counted = true;
	a->expires = a->r->kind == ATTEMPT_UNREGISTER ? 0 : registration_asks(a->r);
	registration_begun(a->r);
}

static void no_address(struct attempt *a, const char *fault)
{
	struct attempt_ending ending = no_ending();

	count(a);
	fail(a, &ending, REASON_DNS, "%s", fault);
}

static void resolved(struct resolver_wait *wait, const struct resolver_result *result)
{
	struct attempt *a = (struct attempt *)(void *)((char *)wait - offsetof(struct attempt, wait));

	a->where = *result;
	if (result->count == 0)
		no_address(a, result->fault);
	else if (a->redirects > 0)
		send_now(a);		/* kept its turn */
	else
		registration_resolved(a->r);
}

static void start_resolving(struct attempt *a)
{
	const struct account *account = registration_account(a->r);
	const struct registration_world *world = world_of(a);
	char path[261];
	int32_t port;
	int error;

	account_path(account, path, sizeof path, &port);
	a->current = 0;
	a->resolved = true;
	if (a->redirect_host[0])
		error = world->resolve(world->arg, &a->wait, &a->where, a->redirect_host, a->redirect_port,
		                       account->transport);
	else
		error = world->resolve(world->arg, &a->wait, &a->where, path, (uint16_t)port, account->transport);
	if (error == 0) {
		count(a);
		send_now(a);
	} else if (error == EINPROGRESS) {
		drop_transaction(a);
		if (a->redirects == 0)
			registration_resolving(a->r);
	} else {
		no_address(a, error == ENOENT ? a->where.fault : strerror(error));
	}
}

void attempt_go(struct registration *r)
{
	struct attempt *a = r->attempt;

	if (a->resolved) {
		count(a);
		send_now(a);
	} else if (r->kind == ATTEMPT_UNREGISTER && r->target.address.family != AF_UNSPEC) {
		/* The binding is where the last REGISTER went, whatever the name says now. */
		a->resolved = true;
		a->where.count = 1;
		a->where.targets[0] = r->target;
		count(a);
		send_now(a);
	} else {
		start_resolving(a);
	}
}
