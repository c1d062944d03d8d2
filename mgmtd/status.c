#include "mgmtd/status.h"

#include "mgmtd/render.h"

#include <inttypes.h>
#include <string.h>

#define END(text) ((text)[sizeof(text) - 1] = '\0')

static void tame_registration(struct registration_status *s)
{
	END(s->detail);
	END(s->last_phrase);
	END(s->remote_address);
	END(s->listener);
	END(s->nat_local);
	END(s->nat_public);
	END(s->contact);
	END(s->call_id);
	for (size_t i = 0; i < STATUS_ATTEMPTS; i++) {
		END(s->attempt[i].target);
		END(s->attempt[i].phrase);
		if (s->attempt[i].kind >= ATTEMPT_COUNT)
			s->attempt[i].kind = 0;
	}
	if (s->attempt_count > STATUS_ATTEMPTS)
		s->attempt_count = STATUS_ATTEMPTS;
	if (s->state >= STATE_COUNT)
		s->state = STATE_UNREGISTERED;
	if (s->reason >= REASON_COUNT)
		s->reason = REASON_NONE;
}

static void tame_gateway(struct gateway_status *s)
{
	END(s->why);
	if (s->probe >= PROBE_COUNT)
		s->probe = PROBE_UNKNOWN;
	if (s->code_count > STATUS_CODES)
		s->code_count = STATUS_CODES;
}

static void tame_call(struct call_status *s)
{
	END(s->mapping_gateway);
	END(s->routing_gateway);
	END(s->registration);
	END(s->caller_in);
	END(s->callee_in);
	END(s->caller_out);
	END(s->routed);
	END(s->call_id_in);
	END(s->call_id_out);
	if (s->phase >= CALL_PHASE_COUNT)
		s->phase = CALL_ENDED;
}

void status_tame(unsigned table, void *status)
{
	switch (table) {
	case KIND_REGISTRATION:
		tame_registration(status);
		break;
	case KIND_ROUTING_GATEWAY:
	case KIND_MAPPING_GATEWAY:
		tame_gateway(status);
		break;
	case STATUS_CALL:
		tame_call(status);
		break;
	}
}

static void render_nothing(struct buffer *b, bool stale)
{
	static const char *const before[] = { "state", "reason", "detail", "since" };
	static const char *const after[] = { "refreshing", "last_code", "last_phrase", "remote_address", "contact", "call_id", "listener",
	                                     "requested_expiry", "granted_expiry", "raised_to", "registered_at", "binding_expires_at",
	                                     "next_attempt_at", "retry_after", "attempts", "failures", "consecutive_failures",
	                                     "attempts_last_hour", "rtt_ms" };
	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
		render_null(b, before[i]);
	render_flag(b, "stale", stale);
	for (size_t i = 0; i < sizeof after / sizeof after[0]; i++)
		render_null(b, after[i]);
	buffer_text(b, ",\"nat\":{\"detected\":null,\"local\":null,\"public\":null}");
}

static void render_nat(struct buffer *b, const struct registration_status *s)
{
	/* Whether there is NAT is known once an answer showed us our public address. */
	buffer_format(b, ",\"nat\":{\"detected\":%s", !s->nat_public[0] ? "null" : s->nat_detected ? "true" : "false");
	render_text(b, "local", s->nat_local);
	render_text(b, "public", s->nat_public);
	buffer_text(b, "}");
}

void status_render(struct buffer *b, const char *name, uint64_t incarnation, const struct registration_status *s, bool stale)
{
	buffer_text(b, "{\"name\":");
	buffer_json(b, name, strlen(name));
	if (s) {
		render_text(b, "state", status_state_words[s->state]);
		render_text(b, "reason", status_reason_words[s->reason]);
		render_text(b, "detail", s->detail);
		render_time(b, "since", s->since);
		render_flag(b, "stale", stale);
		render_flag(b, "refreshing", s->refreshing);
		render_number(b, "last_code", s->last_code, 1);
		render_text(b, "last_phrase", s->last_phrase);
		render_text(b, "remote_address", s->remote_address);
		render_text(b, "contact", s->contact);
		render_text(b, "call_id", s->call_id);
		render_text(b, "listener", s->listener);
		render_number(b, "requested_expiry", s->requested_expiry, 0);
		render_number(b, "granted_expiry", s->granted_expiry, 0);
		render_number(b, "raised_to", s->raised_to, 0);
		render_time(b, "registered_at", s->registered_at);
		render_time(b, "binding_expires_at", s->binding_expires_at);
		render_time(b, "next_attempt_at", s->next_attempt_at);
		render_number(b, "retry_after", s->retry_after, 0);
		render_number(b, "attempts", (int64_t)s->attempts, 0);
		render_number(b, "failures", (int64_t)s->failures, 0);
		render_number(b, "consecutive_failures", s->consecutive_failures, 0);
		render_number(b, "attempts_last_hour", s->attempts_last_hour, 0);
		render_thousandths(b, "rtt_ms", s->rtt_us);
		render_nat(b, s);
	} else {
		render_nothing(b, stale);
	}
	buffer_format(b, ",\"incarnation\":%" PRIu64 "}", incarnation);
}

static void render_attempt(struct buffer *b, const struct registration_attempt *a)
{
	buffer_text(b, "{\"at\":");
	buffer_json_time(b, a->at);
	render_text(b, "kind", status_attempt_words[a->kind]);
	render_text(b, "target", a->target);
	render_number(b, "code", a->code, 1);
	render_text(b, "phrase", a->phrase);
	render_thousandths(b, "rtt_ms", a->rtt_us);
	render_number(b, "requested_expiry", a->requested_expiry, 0);
	render_number(b, "granted_expiry", a->granted_expiry, 0);
	render_thousandths(b, "since_previous_s", a->since_previous_us / 1000);
	render_thousandths(b, "planned_s", a->planned_us / 1000);
	buffer_text(b, "}");
}

void status_render_attempts(struct buffer *b, const struct registration_status *s)
{
	buffer_text(b, "[");
	for (uint64_t i = 0; s && i < s->attempt_count && i < s->attempts; i++) {
		if (i > 0)
			buffer_text(b, ",");
		render_attempt(b, &s->attempt[(s->attempts - 1 - i) % STATUS_ATTEMPTS]);
	}
	buffer_text(b, "]");
}
