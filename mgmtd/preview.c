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

/* What the head of the switch's answer may tell (shm/control.h), one line each; the numbers under the names of the API. */
enum told { TARGET, GATEWAY, USE_CONTACT, NUMBERS, TOLD_COUNT = NUMBERS + 10 };
static const char *const told_names[TOLD_COUNT] = {
	[TARGET] = "target", [GATEWAY] = "gateway", [USE_CONTACT] = "invite_use_contact", [NUMBERS] = "callee_in", "original", "mapped",
	"prefix", "routed", "request_uri_out", "to_out", "caller_in", "caller_mapped", "caller_out",
};

struct preview {
	struct request *request;
	struct waiter waiter;
	char arguments[CONTROL_ARGUMENTS_MAX];	/* callee, caller and mode, each with its NUL */
	bool invite;
	/* as the switch answered; they point into waiter.text.  NULL = not told */
	const char *told[TOLD_COUNT];
	struct buffer skipped;			/* as the items of a JSON array */
	const char *message;			/* or why there is none */
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
	buffer_free(&p->skipped);
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

static void take_skipped(struct buffer *b, char *gateway)
{
	char *why = gateway + strcspn(gateway, " ");
	if (*why)
		*why++ = '\0';
	buffer_text(b, b->len ? ",{\"gateway\":" : "{\"gateway\":");
	buffer_json(b, gateway, strlen(gateway));
	render_text(b, "why", why);
	buffer_text(b, "}");
}

/* A line of the head, "name value", ended by NUL. */
static void take_line(struct preview *p, char *line)
{
	char *value = strchr(line, ' ');
	if (!value)
		return;
	*value++ = '\0';
	if (strcmp(line, "skipped") == 0)
		take_skipped(&p->skipped, value);
	for (size_t i = 0; i < TOLD_COUNT; i++)
		if (strcmp(told_names[i], line) == 0)
			p->told[i] = value;
}

/* The head, an empty line, and the rest.  EBADMSG: it is not. */
static int split(struct preview *p)
{
	struct buffer *text = &p->waiter.text;
	char *line = text->text, *end;
	while (line && (end = memchr(line, '\n', text->len - (size_t)(line - text->text)))) {
		*end = '\0';
		if (end == line) {
			p->message = end + 1;
			p->len = text->len - (size_t)(p->message - text->text);
			return 0;
		}
		take_line(p, line);
		line = end + 1;
	}
	return EBADMSG;
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

static void render_told(struct buffer *b, const struct preview *p, const char *member, enum told which)
{
	render_text(b, member, p->told[which] ? p->told[which] : "");
}

/* Of an INVITE, sent or refused. */
static void render_call(struct buffer *b, const struct preview *p)
{
	render_told(b, p, "invite_use_contact", USE_CONTACT);
	for (size_t i = NUMBERS; i < TOLD_COUNT; i++) {
		buffer_format(b, "%s\"%s\":", i == NUMBERS ? ",\"numbers\":{" : ",", told_names[i]);
		if (p->told[i])
			buffer_json(b, p->told[i], strlen(p->told[i]));	/* "" is a number that is known: the empty one */
		else
			buffer_text(b, "null");
	}
	buffer_text(b, "},\"skipped\":[");
	buffer_append(b, p->skipped.text ? p->skipped.text : "", p->skipped.len);
	buffer_text(b, "]");
	b->failed |= p->skipped.failed;
}

static void render_preview(struct buffer *b, const struct preview *p)
{
	buffer_text(b, "{\"target\":");
	buffer_json_or_null(b, p->told[TARGET] ? p->told[TARGET] : "");
	render_told(b, p, "routing_gateway", GATEWAY);
	render_masked(b, "message", p->message, p->len);
	render_headers(b, p);
	render_null(b, "refused");
}

/* The switch would not send it: what a caller would get, and why. */
static void render_refusal(struct buffer *b, const struct preview *p, int error)
{
	buffer_text(b, "{\"target\":null");
	render_told(b, p, "routing_gateway", GATEWAY);
	buffer_text(b, ",\"message\":null,\"headers\":null,\"refused\":{\"code\":");
	if (p->waiter.code)
		buffer_format(b, "%" PRIu32, p->waiter.code);
	else
		buffer_text(b, "null");
	render_text(b, "reason", p->len ? p->message : strerror(error));
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
	const struct compare_side expected = { p->message, p->len, p->told[TARGET] }, seen = { p->seen, p->seen_len, target };
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
	if (p->invite)
		render_call(&b, p);
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
	bool readable = split(p) == 0;
	if (r->error == 0 && readable && p->told[TARGET])
		return true;
	if (r->error == EAGAIN)
		answer_problem(r, 504, "switchcore_timeout", NULL, "not yet: %s", p->len ? p->message : "ask again");
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
	const struct field *mode = schema_field(&schema_kinds[KIND_ROUTING_GATEWAY], "invite_use_contact");
	int32_t use_contact = INVITE_MODE_INHERIT;
	const struct body_field fields[] = {
		{ .name = "mapping_gateway", .text = name, .min = 1, .max = SCHEMA_NAME_MAX },
		{ .name = "callee", .text = callee, .min = 1, .max = NUMBER_MAX },
		{ .name = "caller", .text = caller, .max = NUMBER_MAX },
		/* The real call that is watched for goes as it is configured. */
		p->verify ? (struct body_field){ .name = "watch_s", .number = &p->watch_s, .min = 1, .max = WATCH_MOST_S, .optional = true }
		          : (struct body_field){ .name = "invite_use_contact", .field = mode, .option = &use_contact, .optional = true },
	};
	p->invite = true;
	if (!body_take(r, fields, sizeof fields / sizeof fields[0]) || !find(r, subject, KIND_MAPPING_GATEWAY, "mapping_gateway", name))
		return false;
	int len = snprintf(p->arguments, sizeof p->arguments, "%s%c%s%c%s%c", callee, '\0', caller, '\0', mode->options[use_contact].word, '\0');
	p->waiter.arguments = p->arguments;
	p->waiter.arguments_len = (size_t)len;
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
