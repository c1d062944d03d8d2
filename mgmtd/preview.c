#include "mgmtd/preview.h"

#include "mgmtd/answer.h"
#include "mgmtd/body.h"
#include "mgmtd/command.h"
#include "mgmtd/compare.h"
#include "mgmtd/message.h"
#include "mgmtd/problem.h"
#include "mgmtd/render.h"
#include "mgmtd/subject.h"
#include "mgmtd/trace_tell.h"
#include "mgmtd/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 128
#define WATCH_S 30
#define WATCH_MOST_S 60
#define WATCHERS 16u	/* each reads every traced message while it waits */

struct preview {
	struct request *request;
	struct waiter waiter;
	char arguments[2 * (NUMBER_MAX + 1)];	/* callee and caller, each with its NUL */
	/* as the switch answered; they point into waiter.text */
	const char *gateway, *target, *message;
	size_t len;
	/* watching */
	bool verify, counted;
	int64_t watch_s;
	uint64_t cursor;
	char *seen;				/* room for a message */
	size_t seen_len;
	struct trace_header header;
	bool found;
};

static unsigned watchers;	/* the event thread's */

static void preview_free(void *work)
{
	struct preview *p = work;
	if (p->counted)
		watchers--;
	buffer_free(&p->waiter.text);
	free(p->seen);
	free(p);
}

static struct preview *preview_new(struct request *r)
{
	struct preview *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->request = r;
	r->work = p;
	r->work_free = preview_free;
	return p;
}

/* ------------------------------------------------------------------ asking the switch */

/* "gateway\ntarget\nmessage".  EBADMSG: it is not. */
static int split(struct preview *p)
{
	struct buffer *text = &p->waiter.text;
	char *target = text->text ? memchr(text->text, '\n', text->len) : NULL;
	char *message = target ? memchr(target + 1, '\n', text->len - (size_t)(target + 1 - text->text)) : NULL;
	if (!message)
		return EBADMSG;
	*target = *message = '\0';
	p->gateway = text->text;
	p->target = target + 1;
	p->message = message + 1;
	p->len = text->len - (size_t)(p->message - text->text);
	return 0;
}

static void ask(struct request *r, struct preview *p, enum control_command command, const struct subject *subject,
                void (*then)(struct request *r))
{
	p->waiter.request = (struct control_request){ .command = command, .kind = subject->kind, .object = subject->id,
	                                              .incarnation = subject->incarnation };
	command_send(r, &p->waiter, 0, then);
}

/* False: there is none of that name, and 422 was answered. */
static bool find(struct request *r, struct subject *subject, enum kind_id kind, const char *field, const char *name)
{
	if (subject_named(r->daemon, subject, kind, name))
		return true;
	json_t *errors = json_array();
	problem_violation(errors, "", field, "unknown_reference", "there is no %s \"%s\"", schema_kinds[kind].noun, name);
	answer_problem(r, 422, NULL, errors, "there is no %s \"%s\"", schema_kinds[kind].noun, name);
	return false;
}

/* ------------------------------------------------------------------ telling */

static void render_masked(struct buffer *b, const char *name, const char *message, size_t len)
{
	struct buffer masked = { 0 };
	message_masked(&masked, message, len);
	render_member(b, name);
	buffer_json(b, masked.text ? masked.text : "", masked.len);
	b->failed |= masked.failed;
	buffer_free(&masked);
}

static void render_headers(struct buffer *b, const struct preview *p)
{
	static const struct { const char *member, *name; } headers[] = {
		{ "from", "From" }, { "to", "To" }, { "contact", "Contact" }, { "call_id", "Call-ID" }, { "expires", "Expires" },
		{ "route", "Route" }, { "p_asserted_identity", "P-Asserted-Identity" },
		{ "p_preferred_identity", "P-Preferred-Identity" }, { "remote_party_id", "Remote-Party-ID" }, { "privacy", "Privacy" },
		{ "session_expires", "Session-Expires" },
		{ "diversion", "Diversion" }, { "user_agent", "User-Agent" },
	};
	size_t len = 0;
	const char *value = message_request_uri(p->message, p->len, &len);
	buffer_text(b, ",\"headers\":{\"request_uri\":");
	buffer_json(b, value ? value : "", value ? len : 0);
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		value = message_header(p->message, p->len, headers[i].name, NULL, &len);
		render_member(b, headers[i].member);
		if (value)
			buffer_json(b, value, len);
		else
			buffer_text(b, "null");
	}
	buffer_text(b, "}");
}

static void render_preview(struct buffer *b, const struct preview *p)
{
	buffer_text(b, "{\"target\":");
	buffer_json_or_null(b, p->target);
	render_text(b, "routing_gateway", p->gateway);
	render_masked(b, "message", p->message, p->len);
	render_headers(b, p);
	render_null(b, "refused");
}

/* The switch would not send it: what a caller would get, and why. */
static void render_refusal(struct buffer *b, const struct preview *p, int error)
{
	const char *reason = p->waiter.text.len ? p->waiter.text.text : strerror(error);
	buffer_text(b, "{\"target\":null,\"routing_gateway\":null,\"message\":null,\"headers\":null,\"refused\":{\"code\":");
	if (p->waiter.code)
		buffer_format(b, "%" PRIu32, p->waiter.code);
	else
		buffer_text(b, "null");
	render_text(b, "reason", reason);
	buffer_text(b, "}");
}

static void end_verification(struct buffer *b, const struct preview *p)
{
	char remote[TRACE_ADDRESS_MAX], target[TRACE_ADDRESS_MAX + 8];
	if (!p->found) {
		buffer_text(b, ",\"seen\":null,\"fields\":[]");
		return;
	}
	trace_address_text(remote, &p->header.remote);
	snprintf(target, sizeof target, "%s:%s", trace_transport_word(&p->header), remote);
	const struct compare_side expected = { p->message, p->len, p->target }, seen = { p->seen, p->seen_len, target };
	char call_id[TRACE_CALL_ID_MAX + 1];
	trace_call_id(call_id, p->seen, p->seen_len);
	buffer_format(b, ",\"seen\":{\"seq\":%" PRIu64, p->header.sequence);
	render_time(b, "at", p->header.at);
	render_text(b, "call_id", call_id);
	render_text(b, "target", target);
	render_masked(b, "message", p->seen, p->seen_len);
	buffer_text(b, "},\"fields\":");
	compare_render(b, &expected, &seen);
}

static void answer(struct request *r, int refused)
{
	struct preview *p = r->work;
	struct buffer b = { 0 };
	if (refused)
		render_refusal(&b, p, refused);
	else
		render_preview(&b, p);
	if (p->verify)
		end_verification(&b, p);
	buffer_text(&b, "}");
	answer_buffer(r, 200, "application/json", &b);
}

/* The reply is there.  True: it is a preview; else it was answered. */
static bool take_reply(struct request *r)
{
	struct preview *p = r->work;
	if (command_failed(r))
		return false;
	if (p->waiter.text.failed) {
		answer_no_memory(r);
		return false;
	}
	if (r->error == 0 && split(p) == 0)
		return true;
	if (r->error == EAGAIN)
		answer_problem(r, 504, "switchcore_timeout", NULL, "not yet: %s", p->waiter.text.len ? p->waiter.text.text : "ask again");
	else if (r->error == 0)
		answer_problem(r, 503, NULL, NULL, "the switch answered in a form that is not known");
	else if ((r->error == ENOENT || r->error == ESTALE) && !p->waiter.code)
		answer_problem(r, 409, NULL, NULL, "the switch has not taken it up yet; try again");
	else
		answer(r, r->error);
	return false;
}

/* ------------------------------------------------------------------ previews */

static void answer_preview(struct request *r)
{
	if (take_reply(r))
		answer(r, 0);
}

void preview_register(struct request *r)
{
	char name[SCHEMA_NAME_MAX + 1] = "";
	const struct body_field fields[] = { { .name = "registration", .text = name, .min = 1, .max = SCHEMA_NAME_MAX } };
	struct subject subject;
	struct preview *p = preview_new(r);
	if (p && body_take(r, fields, 1) && find(r, &subject, KIND_REGISTRATION, "registration", name))
		ask(r, p, CONTROL_PREVIEW_REGISTER, &subject, answer_preview);
}

/* The call described in the body; false: answered. */
static bool take_call(struct request *r, struct preview *p, struct subject *subject)
{
	char name[SCHEMA_NAME_MAX + 1] = "", callee[NUMBER_MAX + 1] = "", caller[NUMBER_MAX + 1] = "";
	const struct body_field fields[] = {
		{ .name = "mapping_gateway", .text = name, .min = 1, .max = SCHEMA_NAME_MAX },
		{ .name = "callee", .text = callee, .min = 1, .max = NUMBER_MAX },
		{ .name = "caller", .text = caller, .max = NUMBER_MAX },
		{ .name = "watch_s", .number = &p->watch_s, .min = 1, .max = WATCH_MOST_S, .optional = true },
	};
	if (!body_take(r, fields, p->verify ? 4 : 3) || !find(r, subject, KIND_MAPPING_GATEWAY, "mapping_gateway", name))
		return false;
	size_t len = strlen(callee) + 1;
	memcpy(p->arguments, callee, len);
	memcpy(p->arguments + len, caller, strlen(caller) + 1);
	p->waiter.arguments = p->arguments;
	p->waiter.arguments_len = len + strlen(caller) + 1;
	return true;
}

void preview_invite(struct request *r)
{
	struct subject subject;
	struct preview *p = preview_new(r);
	if (p && take_call(r, p, &subject))
		ask(r, p, CONTROL_PREVIEW_INVITE, &subject, answer_preview);
}

/* ------------------------------------------------------------------ verifying */

static void mark_newest(struct status_reader *reader, void *arg)
{
	((struct preview *)arg)->cursor = status_trace_newest(reader);
}

static void look_for_it(struct status_reader *reader, void *arg)
{
	struct preview *p = arg;
	uint64_t lost;
	for (;;) {
		int e = status_next_trace(reader, &p->cursor, &p->header, p->seen, TRACE_MESSAGE_MAX, &lost);
		if (e == EOVERFLOW)
			continue;
		if (e)
			return;
		if (p->header.direction != TRACE_OUT)
			continue;
		p->seen_len = status_trace_kept(reader, p->header.length);
		if (p->seen_len > TRACE_MESSAGE_MAX)
			p->seen_len = TRACE_MESSAGE_MAX;
		if (compare_matches(p->seen, p->seen_len, p->message, p->len)) {
			p->found = true;
			return;
		}
	}
}

/* On the watch's thread. */
static bool look(struct waiter *waiter)
{
	struct request *r = waiter->arg;
	struct preview *p = r->work;
	core_with_status(watch_core(r->daemon->watch), look_for_it, p);
	return p->found;
}

static void answer_verification(struct request *r)
{
	if (r->error == ECANCELED)
		command_failed(r);
	else
		answer(r, 0);
}

static void watch_for_it(struct request *r)
{
	struct preview *p = r->work;
	if (!take_reply(r))
		return;
	p->waiter.look = look;
	command_watch(r, &p->waiter, p->watch_s * 1000, answer_verification);
}

void preview_verify(struct request *r)
{
	struct subject subject;
	struct preview *p = preview_new(r);
	if (!p)
		return;
	p->verify = true;
	p->watch_s = WATCH_S;
	if (!take_call(r, p, &subject) || !(p->seen = malloc(TRACE_MESSAGE_MAX)))
		return;
	if (watchers >= WATCHERS) {
		answer_problem(r, 503, "too_many_watchers", NULL, "%u calls are waited for already", WATCHERS);
		answer_header(r, "Retry-After", "5");
		return;
	}
	watchers++;
	p->counted = true;
	core_with_status(watch_core(r->daemon->watch), mark_newest, p);
	ask(r, p, CONTROL_PREVIEW_INVITE, &subject, watch_for_it);
}
