/* Troubles of outbound registrations (parameters.md, "Advice"). */
#include "mgmtd/advisor_private.h"

#include <string.h>

#define NAT_EXPIRY_MOST 300	/* s; a pinhole seldom lives longer */
#define NAT_EXPIRY 180
#define NAT_KEEP_ALIVE 30
#define EXPIRY_LEAST 60		/* below it is a flood */
#define EXPIRY_RAISED_TO 120
#define DELAY_SHORT 60
#define DELAY_LONG 120
#define FAILURES_MANY 10u
#define SILENT_ATTEMPTS 5u
#define DELAY_LEAST 30
#define EXPIRY_AUTO_ASKS 3600
#define EXPIRY_MAX 7200

const struct registration_record *facts_registration(const struct facts *f)
{
	return (const struct registration_record *)f->record;
}

static bool enabled(const struct facts *f)
{
	return facts_registration(f)->enabled;
}

static bool registered(const struct facts *f)
{
	return enabled(f) && f->known && f->status.state == STATE_REGISTERED;
}

int32_t facts_fixed_expiry(const struct facts *f)
{
	int32_t period = facts_registration(f)->register_period;

	if (period == KEYWORD(REGISTER_PERIOD_INHERIT))
		period = f->parameters->SS_SIP_USER_AGENT_EXPIRE;
	return period > 0 ? period : 0;
}

int32_t facts_retry_delay(const struct facts *f)
{
	int32_t delay = facts_registration(f)->retry_delay;

	return delay > 0 ? delay : f->parameters->SS_SIP_USER_AGENT_RETRY_DELAY;
}

/* What is asked for now: fixed, or raised by 423; 0 = auto. */
static int32_t asked(const struct facts *f)
{
	int32_t fixed = facts_fixed_expiry(f);

	return fixed && f->status.raised_to > fixed ? f->status.raised_to : fixed;
}

int32_t facts_expiry(const struct facts *f)
{
	if (!registered(f) || f->status.granted_expiry <= 0)
		return 0;
	return asked(f) && asked(f) < f->status.granted_expiry ? asked(f) : f->status.granted_expiry;
}

bool facts_nat(const struct facts *f)
{
	return f->known && f->status.nat_public[0] && f->status.nat_detected;
}

static void tell_status(const struct facts *f, json_t *item)
{
	advice_evidence(item, "/registrations/%s/status", f->record->name);
	advice_evidence(item, "/registrations/%s/attempts", f->record->name);
}

static void patch(json_t *item, const struct facts *f, const char *comment, json_t *value)
{
	advice_fix(item, KIND_REGISTRATION, f->record->name, comment, value);
}

/* ------------------------------------------------------------------ NAT */

/* The server insists on more by 423: no setting of ours can lower it. */
static bool nat_expiry_is_theirs(const struct facts *f)
{
	return f->status.raised_to > NAT_EXPIRY_MOST;
}

static bool nat_too_long(const struct facts *f)
{
	return facts_expiry(f) > NAT_EXPIRY_MOST && !nat_expiry_is_theirs(f);
}

bool nat_binding_holds(const struct facts *f)
{
	return registered(f) && facts_nat(f) && (facts_expiry(f) > NAT_EXPIRY_MOST || facts_registration(f)->keep_alive == 0) &&
	       (nat_too_long(f) || facts_registration(f)->keep_alive == 0);
}

void nat_binding_tell(const struct facts *f, json_t *item)
{
	int32_t expiry = facts_expiry(f), keep_alive = facts_registration(f)->keep_alive;
	json_t *value = json_object();

	advice_text(item, "symptom", "Inbound calls stop silently 5 to 30 minutes after the last REGISTER, while registration %s still shows registered.",
	            f->record->name);
	advice_text(item, "cause", "NAT detected: %s here is %s for the registrar. The expiry in force is %d s (limit behind NAT: %d s), keep-alive is "
	            "%s: the NAT forgets the pinhole in between.", f->status.nat_local, f->status.nat_public, expiry, NAT_EXPIRY_MOST,
	            keep_alive ? "on" : "off");
	if (nat_too_long(f)) {
		advice_step(item, "Set register_period to a fixed 120 to 300 s; %d s suits most NATs.", NAT_EXPIRY);
		json_object_set_new(value, "register_period", json_integer(NAT_EXPIRY));
	} else if (expiry > NAT_EXPIRY_MOST) {
		advice_step(item, "The server refuses less than %d s (423): only keep-alives keep the pinhole open.", f->status.raised_to);
	}
	if (keep_alive == 0) {
		advice_step(item, "Set keep_alive to %d s.", NAT_KEEP_ALIVE);
		json_object_set_new(value, "keep_alive", json_integer(NAT_KEEP_ALIVE));
	}
	advice_step(item, "Call in through the trunk half an hour later.");
	tell_status(f, item);
	patch(item, f, "behind NAT: keep the pinhole open", value);
}

/* ------------------------------------------------------------------ expiry */

static bool short_is_ours(const struct facts *f)
{
	return facts_fixed_expiry(f) > 0 && facts_fixed_expiry(f) < EXPIRY_LEAST && (!f->known || asked(f) < EXPIRY_LEAST);
}

static bool short_is_theirs(const struct facts *f)
{
	int32_t expiry = facts_expiry(f);

	return expiry > 0 && expiry < EXPIRY_LEAST;
}

bool short_expiry_holds(const struct facts *f)
{
	return enabled(f) && (short_is_ours(f) || short_is_theirs(f));
}

void short_expiry_tell(const struct facts *f, json_t *item)
{
	int32_t expiry = facts_expiry(f);

	advice_text(item, "symptom", "REGISTER flood: one every %d s or less for registration %s.",
	            (expiry ? expiry : facts_fixed_expiry(f)) / 2, f->record->name);
	tell_status(f, item);
	if (short_is_ours(f)) {
		advice_text(item, "cause", "Our setting: the expiry asked for is %d s (%s), below %d s.", facts_fixed_expiry(f),
		            facts_registration(f)->register_period > 0 ? "register_period" : "SS_SIP_USER_AGENT_EXPIRE", EXPIRY_LEAST);
		advice_step(item, "Set register_period to %d s or more, or to \"auto\".", EXPIRY_RAISED_TO);
		patch(item, f, "fewer REGISTERs", json_pack("{s:i}", "register_period", EXPIRY_RAISED_TO));
		return;
	}
	advice_text(item, "cause", "The server's choice: asked for %d s, it grants %d s, below %d s.", asked(f) ? asked(f) : EXPIRY_AUTO_ASKS,
	            expiry, EXPIRY_LEAST);
	advice_step(item, "Ask the provider why it grants %d s only, and for 120 s or more. No setting here can raise it.", expiry);
}

bool expiry_raised_holds(const struct facts *f)
{
	return enabled(f) && f->known && facts_fixed_expiry(f) > 0 && f->status.raised_to > facts_fixed_expiry(f);
}

void expiry_raised_tell(const struct facts *f, json_t *item)
{
	int32_t raised = f->status.raised_to;

	advice_text(item, "symptom", "Registration %s asks for %d s, not for the %d s that are set.", f->record->name, raised, facts_fixed_expiry(f));
	advice_text(item, "cause", "The server refused %d s with 423 Interval Too Brief and wants at least %d s (Min-Expires).",
	            facts_fixed_expiry(f), raised);
	tell_status(f, item);
	if (raised > EXPIRY_MAX) {
		advice_step(item, "Set register_period to \"auto\": %d s is beyond the greatest fixed value, %d s.", raised, EXPIRY_MAX);
		patch(item, f, "the server wants a longer expiry", json_pack("{s:s}", "register_period", "auto"));
		return;
	}
	advice_step(item, "Set register_period to %d s: no REGISTER is refused any more.", raised);
	patch(item, f, "the server wants a longer expiry", json_pack("{s:i}", "register_period", raised));
}

bool expiry_cut_holds(const struct facts *f)
{
	return registered(f) && facts_fixed_expiry(f) > 0 && f->status.granted_expiry > 0 && f->status.granted_expiry < asked(f);
}

void expiry_cut_tell(const struct facts *f, json_t *item)
{
	int32_t granted = f->status.granted_expiry;

	advice_text(item, "symptom", "Registration %s is granted %d s, not the %d s that it asks for.", f->record->name, granted, asked(f));
	advice_text(item, "cause", "The server cuts the fixed value of %d s to %d s.", asked(f), granted);
	tell_status(f, item);
	if (granted < EXPIRY_LEAST) {
		/* A fixed value so short would be a flood of ours. */
		advice_step(item, "Set register_period to \"auto\", which adopts what the server grants; ask the provider for %d s or more.", EXPIRY_RAISED_TO);
		patch(item, f, "what the server grants", json_pack("{s:s}", "register_period", "auto"));
		return;
	}
	advice_step(item, "Set register_period to %d s, or to \"auto\", which adopts what the server grants.", granted);
	patch(item, f, "what the server grants", json_pack("{s:i}", "register_period", granted));
}

/* ------------------------------------------------------------------ failures and retries */

bool many_failures_holds(const struct facts *f)
{
	return enabled(f) && f->known && facts_retry_delay(f) < DELAY_SHORT && f->status.consecutive_failures >= FAILURES_MANY;
}

void many_failures_tell(const struct facts *f, json_t *item)
{
	advice_text(item, "symptom", "Registration %s has failed %u times running (limit: %u), and is tried again every %d s.", f->record->name,
	            f->status.consecutive_failures, FAILURES_MANY, facts_retry_delay(f));
	advice_text(item, "cause", "The last failure: %s%s%s. With a retry delay below %d s the carrier may take us for an attacker and block us.",
	            status_reason_words[f->status.reason], f->status.detail[0] ? ", " : "", f->status.detail, DELAY_SHORT);
	advice_step(item, "Set retry_delay to 60 to 120 s.");
	advice_step(item, "Ask the carrier for its limit on REGISTERs, and what it answers them with.");
	tell_status(f, item);
	patch(item, f, "do not get blocked", json_pack("{s:i}", "retry_delay", DELAY_SHORT));
}

bool slow_retry_holds(const struct facts *f)
{
	return enabled(f) && f->seen->role >= ROLE_FIRST && facts_retry_delay(f) > DELAY_LONG;
}

void slow_retry_tell(const struct facts *f, json_t *item)
{
	const struct record *gateway = snapshot_record(f->advisor->snap, KIND_ROUTING_GATEWAY, f->seen->role_gateway);
	const char *name = gateway ? gateway->name : "?";

	advice_text(item, "symptom", "After one lost REGISTER, calls to prefix \"%s\" %s for %d s.", f->seen->prefix,
	            f->seen->role == ROLE_ONLY ? "are refused" : "take another way", facts_retry_delay(f));
	advice_text(item, "cause", "The retry delay is %d s (limit for it: %d s), and routing gateway %s, which needs registration %s, is the %s route of the prefix.",
	            facts_retry_delay(f), DELAY_LONG, name, f->record->name, f->seen->role == ROLE_ONLY ? "only" : "first");
	advice_step(item, "Set retry_delay to 30 to 60 s.");
	advice_evidence(item, "/registrations/%s?effective=true", f->record->name);
	advice_evidence(item, "/routing-gateways/%s", name);
	patch(item, f, "a primary trunk is retried soon", json_pack("{s:i}", "retry_delay", DELAY_SHORT));
}

bool late_retry_holds(const struct facts *f)
{
	return enabled(f) && f->known && (f->status.state == STATE_REGISTERED || f->status.state == STATE_WAITING) &&
	       f->status.granted_expiry > 0 && 2 * (int64_t)facts_retry_delay(f) > f->status.granted_expiry;
}

void late_retry_tell(const struct facts *f, json_t *item)
{
	int32_t granted = f->status.granted_expiry;

	advice_text(item, "symptom", "When one refresh of registration %s is lost, its binding ends before the retry: no calls for up to %d s.",
	            f->record->name, facts_retry_delay(f) - granted / 2);
	advice_text(item, "cause", "The retry delay is %d s, more than half of the granted expiry of %d s.", facts_retry_delay(f), granted);
	tell_status(f, item);
	if (granted / 2 < DELAY_LEAST) {
		advice_step(item, "Ask the provider for an expiry of %d s or more: the least retry delay is %d s.", 2 * DELAY_LEAST, DELAY_LEAST);
		return;
	}
	advice_step(item, "Set retry_delay to %d s or less.", granted / 2);
	patch(item, f, "retry before the binding ends", json_pack("{s:i}", "retry_delay", granted / 2 < 600 ? granted / 2 : 600));
}

bool credentials_holds(const struct facts *f)
{
	return enabled(f) && f->known && f->status.reason == REASON_CREDENTIALS;
}

void credentials_tell(const struct facts *f, json_t *item)
{
	advice_text(item, "symptom", "Registration %s is refused; it is tried again every %d s.", f->record->name, facts_retry_delay(f));
	advice_text(item, "cause", "The server does not take the credentials: %u %s%s%s.", f->status.last_code, f->status.last_phrase,
	            f->status.detail[0] ? "; " : "", f->status.detail);
	if (!facts_registration(f)->password[0])
		advice_step(item, "Set the password: there is none.");
	else
		advice_step(item, "Set the password anew: PATCH /api/v1/registrations/%s {\"password\": …}.", f->record->name);
	advice_step(item, "Compare username \"%s\", auth_username and domain with what the provider gave you.", facts_registration(f)->username);
	advice_step(item, "Ask the provider whether the account is suspended, or bound to another address.");
	tell_status(f, item);
	advice_evidence(item, "/trace?registration=%s", f->record->name);
}

/* ------------------------------------------------------------------ blocked */

static bool asks_for_credentials(uint16_t code)
{
	return code == 401 || code == 403 || code == 407;
}

/* The attempts known, the newest first, that left and got no answer. */
static unsigned silent(const struct registration_status *s)
{
	unsigned count = 0;

	for (uint64_t i = 0; i < s->attempt_count && i < s->attempts; i++) {
		const struct registration_attempt *attempt = &s->attempt[(s->attempts - 1 - i) % STATUS_ATTEMPTS];
		if (!attempt->done)
			continue;
		if (attempt->code || !attempt->target[0])
			break;
		count++;
	}
	return count;
}

bool blocked_holds(const struct facts *f)
{
	if (!enabled(f) || !f->known || f->status.consecutive_failures < SILENT_ATTEMPTS || !asks_for_credentials(f->seen->last_answer))
		return false;
	/* Also while the next one is out. */
	return (f->status.state != STATE_WAITING || f->status.reason == REASON_TIMEOUT) && silent(&f->status) >= SILENT_ATTEMPTS;
}

void blocked_tell(const struct facts *f, json_t *item)
{
	advice_text(item, "symptom", "The last %u REGISTERs of registration %s got no answer at all; earlier ones got %u.", silent(&f->status),
	            f->record->name, f->seen->last_answer);
	advice_text(item, "cause", "Our address%s%s may be blocked by the server: it answered %u before, and has been silent for %u attempts (limit: %u).",
	            f->status.nat_public[0] ? " " : "", f->status.nat_public, f->seen->last_answer, silent(&f->status), SILENT_ATTEMPTS);
	advice_step(item, "Ask the provider whether our address is blocked, and to let it in again.");
	advice_step(item, "Put the credentials right before that, or it is blocked again.");
	advice_step(item, "Set a longer retry_delay; it is %d s.", facts_retry_delay(f));
	tell_status(f, item);
}
