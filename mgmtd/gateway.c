#include "mgmtd/gateway.h"

#include "mgmtd/answer.h"
#include "mgmtd/render.h"
#include "mgmtd/resource.h"
#include "mgmtd/subject.h"

#include <inttypes.h>
#include <string.h>

/* Answered out of calls, in per cent, and the mean length of the answered that ended. */
static void render_hour(struct buffer *b, const struct gateway_status *s)
{
	/* A call may be answered in a later stretch of the hour than it began in. */
	uint32_t answered = s->answered_last_hour < s->calls_last_hour ? s->answered_last_hour : s->calls_last_hour;
	buffer_format(b, ",\"last_hour\":{\"calls\":%" PRIu32 ",\"answered\":%" PRIu32, s->calls_last_hour, s->answered_last_hour);
	if (s->calls_last_hour)
		render_tenths(b, "asr", (UINT64_C(1000) * answered + s->calls_last_hour / 2) / s->calls_last_hour);
	else
		render_null(b, "asr");
	if (s->ended_last_hour)
		render_tenths(b, "acd_s", (UINT64_C(10) * s->seconds_last_hour + s->ended_last_hour / 2) / s->ended_last_hour);
	else
		render_null(b, "acd_s");
	buffer_text(b, "}");
}

static void render_codes(struct buffer *b, const struct gateway_status *s)
{
	buffer_text(b, ",\"last_codes\":[");
	for (uint32_t i = 0; i < s->code_count; i++) {
		buffer_text(b, i ? ",{\"at\":" : "{\"at\":");
		buffer_json_time(b, s->codes[i].at);
		render_number(b, "code", s->codes[i].code, 1);
		buffer_text(b, "}");
	}
	buffer_text(b, "]");
}

static void render_probe(struct buffer *b, const struct gateway_status *s)
{
	buffer_format(b, ",\"probe\":{\"state\":\"%s\"", status_probe_words[s->probe]);
	render_time(b, "since", s->probe_since);
	render_time(b, "at", s->probe_at);
	render_number(b, "code", s->probe_code, 1);
	render_thousandths(b, "rtt_ms", s->probe_rtt_us);
	buffer_text(b, "}");
}

static void render_nothing(struct buffer *b)
{
	static const char *const members[] = { "routable", "why", "calls", "capacity", "cps", "max_cps", "calls_total", "answered_total" };
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		render_null(b, members[i]);
	buffer_text(b, ",\"last_hour\":{\"calls\":null,\"answered\":null,\"asr\":null,\"acd_s\":null},\"last_codes\":null"
	               ",\"probe\":{\"state\":null,\"since\":null,\"at\":null,\"code\":null,\"rtt_ms\":null},\"held_until\":null");
}

void gateway_render(struct buffer *b, const char *kind, const char *name, uint64_t incarnation, const struct gateway_status *s,
                    bool stale)
{
	buffer_text(b, "{\"name\":");
	buffer_json(b, name, strlen(name));
	if (kind)
		render_text(b, "kind", kind);
	if (s) {
		render_flag(b, "routable", s->routable);
		render_text(b, "why", s->why);
		render_number(b, "calls", s->calls, 0);
		render_number(b, "capacity", s->capacity, 0);
		render_number(b, "cps", s->cps, 0);
		render_number(b, "max_cps", s->max_cps, 0);
		render_number(b, "calls_total", (int64_t)s->calls_total, 0);
		render_number(b, "answered_total", (int64_t)s->answered_total, 0);
		render_hour(b, s);
		render_codes(b, s);
		render_probe(b, s);
		render_time(b, "held_until", s->held_until);
	} else {
		render_nothing(b);
	}
	buffer_format(b, ",\"incarnation\":%" PRIu64, incarnation);
	render_flag(b, "stale", stale);
	buffer_text(b, "}");
}

static void append_status(struct buffer *b, struct daemon *daemon, const char *name, const struct subject *subject)
{
	struct gateway_status status;
	struct subject_report report = subject_read(daemon, subject, &status);
	gateway_render(b, NULL, name, subject->incarnation, report.known ? &status : NULL, report.stale);
}

void gateway_list(struct request *r)
{
	resource_list(r, append_status);
}

void gateway_status(struct request *r)
{
	struct subject subject;
	struct buffer b = { 0 };
	if (!subject_find(r, &subject))
		return;
	append_status(&b, r->daemon, r->argument, &subject);
	answer_buffer(r, 200, "application/json", &b);
}
