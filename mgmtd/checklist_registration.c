/* Checklist "outbound-registration" (parameters.md, "Advice"). */
#include "mgmtd/checklist_private.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SECOND_US UINT64_C(1000000)
#define LATE_US (2 * SECOND_US)		/* retries come at most 1 s late; and the measuring */

enum { NAT, DELAY, UNREGISTER, BACKUP, FAILOVER, INTERVALS, CREDENTIALS, TEXTS };
static const char *const texts[TEXTS] = {
	[NAT] = "The expiry suits the NAT", [DELAY] = "The retry delay suits the role of the trunk", [UNREGISTER] = "Unregister is on",
	[BACKUP] = "A backup route exists", [FAILOVER] = "Failover was tried", [INTERVALS] = "The last retry intervals match the delay",
	[CREDENTIALS] = "The credentials are accepted",
};

static void check_nat(json_t *items, const struct facts *f)
{
	json_t *item = check_item(items, texts[NAT]);

	advice_evidence(item, "/registrations/%s/status", f->record->name);
	if (!f->known || !f->status.nat_public[0] || f->status.state != STATE_REGISTERED) {
		CHECK(item, CHECK_TODO, "Register first: only an answer tells whether there is NAT.");
	} else if (!facts_nat(f)) {
		CHECK(item, CHECK_DONE, "No NAT: %s is also what the registrar sees; %d s are in force.", f->status.nat_local, facts_expiry(f));
	} else if (nat_binding_holds(f)) {
		CHECK(item, CHECK_WARNING, "NAT, and %d s are in force (limit: 300 s), keep-alive %s.", facts_expiry(f),
		      facts_registration(f)->keep_alive ? "on" : "off");
		check_fix(item, f, TROUBLE_NAT_BINDING);
	} else {
		CHECK(item, CHECK_DONE, "NAT; %d s are in force, a keep-alive every %d s.", facts_expiry(f), facts_registration(f)->keep_alive);
	}
}

static void check_delay(json_t *items, const struct facts *f)
{
	static const char *const roles[] = { "unused", "a later", "the first", "the only" };
	json_t *item = check_item(items, texts[DELAY]);
	int32_t delay = facts_retry_delay(f);

	advice_evidence(item, "/registrations/%s?effective=true", f->record->name);
	if (f->seen->role == ROLE_UNUSED) {
		CHECK(item, CHECK_MANUAL, "No gateway in routing sends calls through it, so its role is not known; the delay is %d s.", delay);
	} else if (slow_retry_holds(f)) {
		CHECK(item, CHECK_WARNING, "%d s (limit: 120 s), and it is behind %s route of prefix \"%s\".", delay, roles[f->seen->role],
		      f->seen->prefix);
		check_fix(item, f, TROUBLE_SLOW_RETRY);
	} else {
		CHECK(item, CHECK_DONE, "%d s, behind %s route of prefix \"%s\".", delay, roles[f->seen->role], f->seen->prefix);
	}
}

static void check_unregister(json_t *items, const struct facts *f)
{
	json_t *item = check_item(items, texts[UNREGISTER]);

	advice_evidence(item, "/sip-parameters/SS_SIP_USER_AGENT_SEND_UNREGISTER");
	if (f->parameters->SS_SIP_USER_AGENT_SEND_UNREGISTER) {
		CHECK(item, CHECK_DONE, "SS_SIP_USER_AGENT_SEND_UNREGISTER is on.");
		return;
	}
	CHECK(item, CHECK_WARNING, "SS_SIP_USER_AGENT_SEND_UNREGISTER is off: the far side keeps routing calls to a switch that is gone.");
	check_fix(item, f, TROUBLE_NO_UNREGISTER);
}

static void check_backup(json_t *items, const struct facts *f)
{
	json_t *item = check_item(items, texts[BACKUP]);

	advice_evidence(item, "/routing-gateways");
	if (f->seen->role == ROLE_UNUSED)
		CHECK(item, CHECK_TODO, "No gateway in routing sends calls through it.");
	else if (f->seen->role == ROLE_ONLY)
		CHECK(item, CHECK_WARNING, "Prefix \"%s\" has no other gateway: its calls are refused while the registration is lost.", f->seen->prefix);
	else
		CHECK(item, CHECK_DONE, "Each prefix of its gateways has another one.");
}

/* The newest record of a call that a gateway of this registration could not take, and another one did; 0 = none. */
static uint64_t failover_of(const struct facts *f)
{
	const struct snapshot *snap = f->advisor->snap;
	const struct seen_table *table = &f->advisor->seen[KIND_ROUTING_GATEWAY];

	for (uint32_t id = 0; id < table->room; id++) {
		const struct routing_gateway_record *gateway = (const void *)snapshot_record(snap, KIND_ROUTING_GATEWAY, id);
		if (gateway && table->v[id].calls && table->v[id].calls->failover && strcmp(gateway->registration, f->record->name) == 0)
			return table->v[id].calls->failover;
	}
	return 0;
}

static void check_failover(json_t *items, const struct facts *f)
{
	json_t *item = check_item(items, texts[FAILOVER]);
	uint64_t id = failover_of(f);

	if (id) {
		CHECK(item, CHECK_DONE, "A call went on to another gateway.");
		advice_evidence(item, "/cdrs/%016" PRIx64, id);
	} else if (f->seen->role == ROLE_UNUSED) {
		CHECK(item, CHECK_TODO, "No gateway in routing sends calls through it.");
	} else {
		CHECK(item, CHECK_TODO, "No call of the last hour went on to another gateway: disable the registration for a moment, and call.");
	}
}

static const struct registration_attempt *last_retry(const struct facts *f)
{
	const struct registration_status *s = &f->status;

	for (uint64_t i = 0; f->known && i < s->attempt_count && i < s->attempts; i++) {
		const struct registration_attempt *attempt = &s->attempt[(s->attempts - 1 - i) % STATUS_ATTEMPTS];
		if (attempt->kind == ATTEMPT_RETRY && attempt->planned_us)
			return attempt;
	}
	return NULL;
}

static void check_intervals(json_t *items, const struct facts *f)
{
	json_t *item = check_item(items, texts[INTERVALS]);
	const struct registration_attempt *retry = last_retry(f);
	uint64_t delay = (uint64_t)facts_retry_delay(f) * SECOND_US;

	advice_evidence(item, "/registrations/%s/attempts", f->record->name);
	if (!retry) {
		CHECK(item, CHECK_TODO, "None of the attempts known is a retry: take the server away for a moment, and wait for one.");
		return;
	}
	uint64_t waited = retry->since_previous_us;
	/* A longer plan obeyed a Retry-After. */
	bool planned = retry->planned_us >= delay && waited + SECOND_US / 10 >= retry->planned_us && waited <= retry->planned_us + LATE_US;
	CHECK(item, planned ? CHECK_DONE : CHECK_WARNING, "The last retry came %.1f s after the failure, %.1f s were planned; the delay is %d s.",
	      (double)waited / 1e6, (double)retry->planned_us / 1e6, facts_retry_delay(f));
}

static void check_credentials(json_t *items, const struct facts *f)
{
	json_t *item = check_item(items, texts[CREDENTIALS]);

	advice_evidence(item, "/registrations/%s/status", f->record->name);
	if (f->known && f->status.state == STATE_REGISTERED)
		CHECK(item, CHECK_DONE, "Registered, %u %s.", f->status.last_code, f->status.last_phrase);
	else if (credentials_holds(f))
		CHECK(item, CHECK_WARNING, "Refused: %u %s.", f->status.last_code, f->status.last_phrase);
	else
		CHECK(item, CHECK_TODO, "Not registered: %s.", f->known ? status_state_words[f->status.state] : "the switch has told nothing yet");
}

static void check_all(json_t *items, const struct facts *f)
{
	check_nat(items, f);
	check_delay(items, f);
	check_unregister(items, f);
	check_backup(items, f);
	check_failover(items, f);
	check_intervals(items, f);
	check_credentials(items, f);
}

int advisor_check_registration(struct advisor *a, struct checklist_names *names, json_t **items)
{
	static struct facts f;	/* the advisor's thread's */
	const struct record *record;
	int error = advisor_look(a);

	if (!error && !names->registration) {
		*items = check_unnamed(texts, TEXTS, "registration");
	} else if (!error) {
		record = snapshot_find(a->snap, KIND_REGISTRATION, names->registration);
		if (!record || !advisor_facts(&f, a, KIND_REGISTRATION, record->id)) {
			names->missing = names->registration;
			names->missing_kind = KIND_REGISTRATION;
			error = ENOENT;
		} else {
			check_all(*items = json_array(), &f);
		}
	}
	advisor_idle(a);
	return error;
}
