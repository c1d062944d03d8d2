/* Troubles of routing gateways, mapping gateways and parameters (parameters.md, "Advice"). */
#include "mgmtd/advisor_private.h"

#include <inttypes.h>

#define REFUSED_LEAST 3u	/* calls in an hour: one wrong number is no pattern */
#define OTHER_LEAST 10u
#define HOUR_US UINT64_C(3600000000)

const struct routing_gateway_record *facts_gateway(const struct facts *f)
{
	return (const struct routing_gateway_record *)f->record;
}

const struct mapping_gateway_record *facts_mapping(const struct facts *f)
{
	return (const struct mapping_gateway_record *)f->record;
}

static bool in_routing(const struct facts *f)
{
	return facts_gateway(f)->enabled && !facts_gateway(f)->locked;
}

static uint32_t counted(const struct facts *f, enum call_fact fact)
{
	return f->seen->calls ? calls_in_hour(f->seen->calls, fact, f->now) : 0;
}

/* ------------------------------------------------------------------ the registration behind a gateway */

bool facts_trunk_usable(const struct facts *f)
{
	if (!f->trunk || !f->trunk->enabled)
		return false;
	return f->trunk_seen->known && f->trunk_seen->binding_end > f->now && f->trunk_seen->state != STATE_DISABLED &&
	       f->trunk_seen->state != STATE_UNREGISTERING && f->trunk_seen->state != STATE_UNREGISTERED;
}

bool trunk_down_holds(const struct facts *f)
{
	if (!in_routing(f) || !f->trunk || facts_trunk_usable(f))
		return false;
	if (!f->trunk->enabled)
		return true;
	/* The first REGISTER is out: nothing is wrong yet.  In later ones it is as bad as before. */
	bool trying = f->trunk_seen->state == STATE_QUEUED || f->trunk_seen->state == STATE_REGISTERING;
	return f->trunk_seen->known && (!trying || f->seen->bits & TROUBLE_BIT(TRUNK_DOWN));
}

void trunk_down_tell(const struct facts *f, json_t *item)
{
	const char *trunk = f->trunk->head.name;

	advice_text(item, "symptom", "Routing gateway %s takes no calls%s.", f->record->name,
	            f->seen->alone ? ", and a prefix of it has no other gateway: they are refused with 503" : "");
	if (!f->trunk->enabled) {
		advice_text(item, "cause", "Registration %s, which its calls leave through, is disabled.", trunk);
		advice_step(item, "Enable registration %s, or lock the gateway until it is wanted.", trunk);
		advice_fix(item, KIND_REGISTRATION, trunk, "its gateway is in routing", json_pack("{s:b}", "enabled", 1));
	} else {
		advice_text(item, "cause", "Registration %s, which its calls leave through, has no binding: state %s.", trunk,
		            status_state_words[f->trunk_seen->state]);
		advice_step(item, "See what is told of registration %s.", trunk);
		advice_step(item, "Until it is back: lock the gateway, or give its prefixes to another gateway, too.");
	}
	advice_evidence(item, "/routing-gateways/%s/status", f->record->name);
	advice_evidence(item, "/registrations/%s/status", trunk);
	advice_evidence(item, "/registrations/%s/attempts", trunk);
}

bool no_backup_holds(const struct facts *f)
{
	return in_routing(f) && f->trunk && f->seen->alone;
}

void no_backup_tell(const struct facts *f, json_t *item)
{
	int32_t delay = f->trunk->retry_delay > 0 ? f->trunk->retry_delay : f->parameters->SS_SIP_USER_AGENT_RETRY_DELAY;

	advice_text(item, "symptom", "When registration %s is lost, calls to %s%s%s are refused for %d s and more.", f->trunk->head.name,
	            f->seen->prefix[0] ? "prefix \"" : "every number", f->seen->prefix, f->seen->prefix[0] ? "\"" : "", delay);
	advice_text(item, "cause", "Routing gateway %s is the only one for it, and needs the registration: there is no backup during the retry delay of %d s.",
	            f->record->name, delay);
	advice_step(item, "Add a second routing gateway with the same prefix and a higher priority number, or a shorter prefix.");
	advice_evidence(item, "/routing-gateways/%s", f->record->name);
	advice_evidence(item, "/registrations/%s/status", f->trunk->head.name);
}

/* ------------------------------------------------------------------ which number the gateway reads */

bool facts_mode_on(const struct facts *f)
{
	int32_t mode = facts_gateway(f)->invite_use_contact;

	return mode == INVITE_MODE_INHERIT ? f->parameters->SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT : mode == INVITE_MODE_ON;
}

/* In that mode it refuses rewritten numbers and nothing else. */
static bool refuses_rewritten(const struct facts *f, enum call_fact mode)
{
	return counted(f, mode + CALLS_OFF_REWRITTEN_REFUSED) >= REFUSED_LEAST && counted(f, mode + CALLS_OFF_REWRITTEN_TAKEN) == 0 &&
	       counted(f, mode + CALLS_OFF_PLAIN_REFUSED) == 0;
}

bool reads_to_holds(const struct facts *f)
{
	return facts_gateway(f)->enabled && facts_mode_on(f) && refuses_rewritten(f, CALLS_ON) &&
	       counted(f, CALLS_OFF_REWRITTEN_REFUSED) == 0;
}

bool reads_dialled_holds(const struct facts *f)
{
	/* What failed in the other mode within the hour, too, has another reason. */
	return facts_gateway(f)->enabled && !facts_mode_on(f) && refuses_rewritten(f, CALLS_OFF) &&
	       counted(f, CALLS_ON_REWRITTEN_REFUSED) == 0;
}

static void tell_refused(const struct facts *f, json_t *item, enum call_fact mode, const char *word)
{
	const struct calls *calls = f->seen->calls;

	advice_text(item, "symptom", "Routing gateway %s answered 404 or 484 to %u calls with a rewritten number in the last hour (limit: %u), and to no other;"
	            " the last: %s dialled, %s routed.", f->record->name, counted(f, mode + CALLS_OFF_REWRITTEN_REFUSED), REFUSED_LEAST,
	            calls->refused_original, calls->refused_routed);
	advice_evidence(item, "/cdrs/%016" PRIx64, calls->refused);
	advice_evidence(item, "/cdrs?gateway=%s", f->record->name);
	advice_evidence(item, "/routing-gateways/%s?effective=true", f->record->name);
	advice_fix(item, KIND_ROUTING_GATEWAY, f->record->name, "which number the gateway reads",
	           json_pack("{s:{s:s}}", "sip", "invite_use_contact", word));
}

void reads_to_tell(const struct facts *f, json_t *item)
{
	advice_text(item, "cause", "invite_use_contact is on: To carries the number as dialled, and this gateway reads To.");
	advice_step(item, "Set invite_use_contact to \"off\" for this gateway only: both places then carry the routed number.");
	advice_step(item, "Make a test call and compare: POST /api/v1/verify/call.");
	tell_refused(f, item, CALLS_ON, "off");
}

void reads_dialled_tell(const struct facts *f, json_t *item)
{
	advice_text(item, "cause", "invite_use_contact is off: To carries the routed number, and this gateway may look the dialled number up in To.");
	advice_step(item, "Try invite_use_contact \"on\" for this gateway only: To then carries the number as dialled.");
	advice_step(item, "If that changes nothing, the routed number is wrong: look at callee_rewrite.");
	tell_refused(f, item, CALLS_OFF, "on");
}

bool other_number_holds(const struct facts *f)
{
	return facts_mapping(f)->enabled && facts_mapping(f)->callee == CALLEE_SOURCE_TO && counted(f, CALLS_OTHER_NUMBER) >= OTHER_LEAST;
}

void other_number_tell(const struct facts *f, json_t *item)
{
	const struct calls *calls = f->seen->calls;

	advice_text(item, "symptom", "%u INVITEs of mapping gateway %s in the last hour (limit: %u) had another number in the request line than in To; the last:"
	            " %s in the request line, %s in To.", counted(f, CALLS_OTHER_NUMBER), f->record->name, OTHER_LEAST, calls->other_request,
	            calls->other_to);
	advice_text(item, "cause", "callee is \"to\": its calls are routed by To, while the caller may mean the number in the request line.");
	advice_step(item, "Ask the caller which of the two is the number to call.");
	advice_step(item, "If it is the one in the request line, set callee to \"request_line\".");
	advice_evidence(item, "/cdrs/%016" PRIx64, calls->other);
	advice_evidence(item, "/cdrs?gateway=%s", f->record->name);
	advice_fix(item, KIND_MAPPING_GATEWAY, f->record->name, "the number to call stands in the request line",
	           json_pack("{s:{s:s}}", "sip", "callee", "request_line"));
}

/* ------------------------------------------------------------------ where in-dialog requests go */

static bool contact_holds(const struct facts *f, int32_t request_address)
{
	const struct lost_contact *contact = f->seen->contact;

	return request_address != REQUEST_ADDRESS_SOCKET && contact && f->now - contact->at < HOUR_US;
}

static void tell_contact(const struct facts *f, json_t *item, enum kind_id kind, int32_t request_address)
{
	const struct lost_contact *contact = f->seen->contact;
	const char *word = request_address == REQUEST_ADDRESS_CONTACT ? "contact" : "contact_port";

	advice_text(item, "symptom", "Calls of %s %s lose ACK, BYE and re-INVITE: they end late, or have one-way audio.", schema_kinds[kind].noun,
	            f->record->name);
	advice_text(item, "cause", "request_address is \"%s\", and its Contact says %s, which cannot be reached from here: its messages come from %s.",
	            word, contact->contact, contact->source);
	advice_step(item, "Set request_address to \"socket\": in-dialog requests then go where its messages come from.");
	advice_evidence(item, "/trace?gateway=%s", f->record->name);
	advice_evidence(item, "/%s/%s", schema_kinds[kind].path, f->record->name);
	advice_fix(item, kind, f->record->name, "its Contact cannot be reached", json_pack("{s:{s:s}}", "sip", "request_address", "socket"));
}

bool routing_contact_holds(const struct facts *f)
{
	return facts_gateway(f)->enabled && contact_holds(f, facts_gateway(f)->request_address);
}

void routing_contact_tell(const struct facts *f, json_t *item)
{
	tell_contact(f, item, KIND_ROUTING_GATEWAY, facts_gateway(f)->request_address);
}

bool mapping_contact_holds(const struct facts *f)
{
	return facts_mapping(f)->enabled && contact_holds(f, facts_mapping(f)->request_address);
}

void mapping_contact_tell(const struct facts *f, json_t *item)
{
	tell_contact(f, item, KIND_MAPPING_GATEWAY, facts_mapping(f)->request_address);
}

/* ------------------------------------------------------------------ parameters */

bool no_unregister_holds(const struct facts *f)
{
	return !f->parameters->SS_SIP_USER_AGENT_SEND_UNREGISTER;
}

void no_unregister_tell(const struct facts *f, json_t *item)
{
	advice_text(item, "symptom", "When the switch stops, or a registration is deleted or disabled, carriers keep routing calls here until the binding ends.");
	advice_text(item, "cause", "SS_SIP_USER_AGENT_SEND_UNREGISTER is off: no binding is removed; %u registrations are set up.",
	            snapshot_count(f->advisor->snap, KIND_REGISTRATION));
	advice_step(item, "Switch SS_SIP_USER_AGENT_SEND_UNREGISTER on.");
	advice_evidence(item, "/sip-parameters/SS_SIP_USER_AGENT_SEND_UNREGISTER");
	advice_fix(item, KIND_PARAMETERS, "SS_SIP_USER_AGENT_SEND_UNREGISTER", "remove bindings when they end", json_true());
}
