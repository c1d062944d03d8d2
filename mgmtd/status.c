#include "mgmtd/status.h"

#include <inttypes.h>
#include <string.h>

void status_tame(struct registration_status *s)
{
#define END(text) ((text)[sizeof(text) - 1] = '\0')
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
#undef END
	if (s->attempt_count > STATUS_ATTEMPTS)
		s->attempt_count = STATUS_ATTEMPTS;
	if (s->state >= STATE_COUNT)
		s->state = STATE_UNREGISTERED;
	if (s->reason >= REASON_COUNT)
		s->reason = REASON_NONE;
}

static void member(struct buffer *b, const char *name)
{
	buffer_format(b, ",\"%s\":", name);
}

static void text(struct buffer *b, const char *name, const char *value)
{
	member(b, name);
	buffer_json_or_null(b, value);
}

static void moment(struct buffer *b, const char *name, uint64_t us)
{
	member(b, name);
	buffer_json_time(b, us);
}

/* Unknown below `least`. */
static void number(struct buffer *b, const char *name, int64_t value, int64_t least)
{
	member(b, name);
	if (value < least)
		buffer_text(b, "null");
	else
		buffer_format(b, "%" PRId64, value);
}

/* Thousandths of the unit with three digits; 0 = unknown. */
static void thousandths(struct buffer *b, const char *name, uint64_t value)
{
	member(b, name);
	if (value == 0)
		buffer_text(b, "null");
	else
		buffer_format(b, "%" PRIu64 ".%03" PRIu64, value / 1000, value % 1000);
}

static void flag(struct buffer *b, const char *name, bool value)
{
	member(b, name);
	buffer_text(b, value ? "true" : "false");
}

static void render_nothing(struct buffer *b, bool stale)
{
	static const char *const before[] = { "state", "reason", "detail", "since" };
	static const char *const after[] = { "refreshing", "last_code", "last_phrase", "remote_address", "contact", "call_id", "listener",
	                                     "requested_expiry", "granted_expiry", "raised_to", "registered_at", "binding_expires_at",
	                                     "next_attempt_at", "retry_after", "attempts", "failures", "consecutive_failures",
	                                     "attempts_last_hour", "rtt_ms" };
	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
		buffer_format(b, ",\"%s\":null", before[i]);
	flag(b, "stale", stale);
	for (size_t i = 0; i < sizeof after / sizeof after[0]; i++)
		buffer_format(b, ",\"%s\":null", after[i]);
	buffer_text(b, ",\"nat\":{\"detected\":null,\"local\":null,\"public\":null}");
}

static void render_nat(struct buffer *b, const struct registration_status *s)
{
	/* Whether there is NAT is known once an answer showed us our public address. */
	buffer_format(b, ",\"nat\":{\"detected\":%s", !s->nat_public[0] ? "null" : s->nat_detected ? "true" : "false");
	text(b, "local", s->nat_local);
	text(b, "public", s->nat_public);
	buffer_text(b, "}");
}

void status_render(struct buffer *b, const char *name, uint64_t incarnation, const struct registration_status *s, bool stale)
{
	buffer_text(b, "{\"name\":");
	buffer_json(b, name, strlen(name));
	if (s) {
		text(b, "state", status_state_words[s->state]);
		text(b, "reason", status_reason_words[s->reason]);
		text(b, "detail", s->detail);
		moment(b, "since", s->since);
		flag(b, "stale", stale);
		flag(b, "refreshing", s->refreshing);
		number(b, "last_code", s->last_code, 1);
		text(b, "last_phrase", s->last_phrase);
		text(b, "remote_address", s->remote_address);
		text(b, "contact", s->contact);
		text(b, "call_id", s->call_id);
		text(b, "listener", s->listener);
		number(b, "requested_expiry", s->requested_expiry, 0);
		number(b, "granted_expiry", s->granted_expiry, 0);
		number(b, "raised_to", s->raised_to, 0);
		moment(b, "registered_at", s->registered_at);
		moment(b, "binding_expires_at", s->binding_expires_at);
		moment(b, "next_attempt_at", s->next_attempt_at);
		number(b, "retry_after", s->retry_after, 0);
		number(b, "attempts", (int64_t)s->attempts, 0);
		number(b, "failures", (int64_t)s->failures, 0);
		number(b, "consecutive_failures", s->consecutive_failures, 0);
		number(b, "attempts_last_hour", s->attempts_last_hour, 0);
		thousandths(b, "rtt_ms", s->rtt_us);
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
	text(b, "kind", status_attempt_words[a->kind]);
	text(b, "target", a->target);
	number(b, "code", a->code, 1);
	text(b, "phrase", a->phrase);
	thousandths(b, "rtt_ms", a->rtt_us);
	number(b, "requested_expiry", a->requested_expiry, 0);
	number(b, "granted_expiry", a->granted_expiry, 0);
	thousandths(b, "since_previous_s", a->since_previous_us / 1000);
	thousandths(b, "planned_s", a->planned_us / 1000);
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
