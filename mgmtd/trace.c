#include "mgmtd/trace.h"

#include "mgmtd/answer.h"
#include "mgmtd/message.h"
#include "mgmtd/model.h"
#include "mgmtd/problem.h"
#include "mgmtd/resource.h"
#include "mgmtd/status.h"
#include "mgmtd/watch.h"
#include "mgmtd/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX (128u << 10)	/* the switch takes no greater one */
#define CALL_ID_MAX 256

struct trace {
	struct job job;
	struct request *request;
	/* asked */
	char call_id[CALL_ID_MAX + 1];		/* "" = any */
	uint64_t since;				/* us */
	uint64_t after;				/* sequence number of the cursor */
	bool forward;				/* from the oldest on, not the newest only */
	bool as_text;
	size_t limit;
	/* found: the last `limit` matches, in turn, or in `forward` the first */
	uint64_t *found;
	size_t count;
	bool more;
	/* at work */
	char *message;
	struct trace_header header;
	struct buffer out, masked;
	/* the registration that the last Call-ID belongs to */
	char known_call_id[CALL_ID_MAX + 1], known_name[SCHEMA_NAME_MAX + 1];
};

static void trace_free(void *work)
{
	struct trace *t = work;
	free(t->found);
	free(t->message);
	buffer_free(&t->out);
	buffer_free(&t->masked);
	free(t);
}

static size_t message_length(const struct trace *t)
{
	return t->header.length < MESSAGE_MAX ? t->header.length : MESSAGE_MAX;
}

static void call_id_of(const struct trace *t, char call_id[CALL_ID_MAX + 1])
{
	size_t len = 0;
	const char *value = message_header(t->message, message_length(t), "Call-ID", "i", &len);
	snprintf(call_id, CALL_ID_MAX + 1, "%.*s", (int)len, value ? value : "");
}

/* ------------------------------------------------------------------ finding */

static bool matches(const struct trace *t)
{
	char call_id[CALL_ID_MAX + 1];
	if (t->header.at < t->since)
		return false;
	if (!t->call_id[0])
		return true;
	call_id_of(t, call_id);
	return strcmp(call_id, t->call_id) == 0;
}

static void find(struct status_reader *reader, struct trace *t)
{
	uint64_t cursor = t->after, lost;
	for (;;) {
		int e = status_next_trace(reader, &cursor, &t->header, t->message, MESSAGE_MAX, &lost);
		if (e == EOVERFLOW)
			continue;
		if (e)
			return;
		if (!matches(t))
			continue;
		if (t->forward && t->count == t->limit) {
			t->more = true;
			return;
		}
		t->found[t->count++ % t->limit] = t->header.sequence;
	}
}

/* ------------------------------------------------------------------ telling */

static void address_text(char *text, size_t size, const struct sockaddr_in6 *address)
{
	char host[INET6_ADDRSTRLEN] = "";
	if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
		inet_ntop(AF_INET, &address->sin6_addr.s6_addr[12], host, sizeof host);
		snprintf(text, size, "%s:%u", host, ntohs(address->sin6_port));
	} else {
		inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
		snprintf(text, size, "[%s]:%u", host, ntohs(address->sin6_port));
	}
}

/* The registration whose Call-ID this is, "" = none. */
static const char *registration_of(struct status_reader *reader, struct trace *t, const char *call_id)
{
	struct model *model = t->request->daemon->model;
	struct registration_status status;
	uint32_t id;
	if (!call_id[0] || strcmp(call_id, t->known_call_id) == 0)
		return call_id[0] ? t->known_name : "";
	snprintf(t->known_call_id, sizeof t->known_call_id, "%s", call_id);
	t->known_name[0] = '\0';
	if (message_record_id(&id, call_id) != 0 || status_get(reader, KIND_REGISTRATION, id, &status) != 0)
		return "";
	status_tame(&status);
	if (strcmp(status.call_id, call_id) != 0)
		return "";
	model_lock(model);
	const struct object *object = model_find_id(model, KIND_REGISTRATION, id);
	if (object && object->incarnation == status.incarnation)
		memcpy(t->known_name, object->name, sizeof t->known_name);
	model_unlock(model);
	return t->known_name;
}

struct item { char local[64], remote[64], call_id[CALL_ID_MAX + 1], summary[256]; const char *registration, *direction, *transport; };

static void describe(struct status_reader *reader, struct trace *t, struct item *item)
{
	static const char *const transports[] = { "udp", "tcp", "tls" };
	address_text(item->local, sizeof item->local, &t->header.local);
	address_text(item->remote, sizeof item->remote, &t->header.remote);
	call_id_of(t, item->call_id);
	message_summary(item->summary, sizeof item->summary, t->message, message_length(t));
	item->registration = registration_of(reader, t, item->call_id);
	item->direction = t->header.direction == TRACE_OUT ? "out" : "in";
	item->transport = t->header.transport <= TRACE_TLS ? transports[t->header.transport] : "";
	t->masked.len = 0;
	message_masked(&t->masked, t->message, message_length(t));
}

static void tell_json(struct trace *t, const struct item *item)
{
	struct buffer *b = &t->out;
	buffer_format(b, "%s{\"seq\":%" PRIu64 ",\"at\":", b->text[b->len - 1] == '[' ? "" : ",", t->header.sequence);
	buffer_json_time(b, t->header.at);
	buffer_format(b, ",\"direction\":\"%s\",\"transport\":\"%s\",\"local\":\"%s\",\"remote\":\"%s\",\"registration\":",
	              item->direction, item->transport, item->local, item->remote);
	buffer_json_or_null(b, item->registration);
	buffer_text(b, ",\"call_id\":");
	buffer_json_or_null(b, item->call_id);
	buffer_text(b, ",\"summary\":");
	buffer_json(b, item->summary, strlen(item->summary));
	buffer_text(b, ",\"message\":");
	buffer_json(b, t->masked.text ? t->masked.text : "", t->masked.len);
	buffer_text(b, "}");
}

/* Bytes that could steer a terminal are shown as '?'. */
static void append_printable(struct buffer *b, const char *text, size_t len)
{
	size_t begin = b->len;
	buffer_append(b, text, len);
	for (size_t i = begin; !b->failed && i < b->len; i++) {
		unsigned char c = (unsigned char)b->text[i];
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			b->text[i] = c == '\r' ? ' ' : '?';
	}
}

static void tell_text(struct trace *t, const struct item *item)
{
	char at[25];
	struct buffer *b = &t->out;
	time_text(at, t->header.at);
	buffer_format(b, "%s  %s  %s  %s %s %s", at, item->direction, item->transport, item->local,
	              t->header.direction == TRACE_OUT ? "->" : "<-", item->remote);
	if (item->registration[0])
		buffer_format(b, "  registration %s", item->registration);
	buffer_text(b, "\n\n");
	/* Line ends of the wire are CR LF; people's are LF. */
	for (size_t i = 0; i < t->masked.len;) {
		const char *line = t->masked.text + i, *end = memchr(line, '\n', t->masked.len - i);
		size_t n = end ? (size_t)(end - line) : t->masked.len - i;
		append_printable(b, line, n > 0 && line[n - 1] == '\r' ? n - 1 : n);
		buffer_text(b, "\n");
		i += n + (end != NULL);
	}
	buffer_text(b, "\n");
}

static void tell(struct status_reader *reader, struct trace *t)
{
	size_t first = t->count > t->limit ? t->count - t->limit : 0;
	for (size_t i = first; i < t->count; i++) {
		struct item item;
		uint64_t lost, cursor = t->found[i % t->limit] - 1;
		if (status_next_trace(reader, &cursor, &t->header, t->message, MESSAGE_MAX, &lost) != 0 ||
		    t->header.sequence != t->found[i % t->limit])
			continue;	/* overwritten meanwhile */
		describe(reader, t, &item);
		if (t->as_text)
			tell_text(t, &item);
		else
			tell_json(t, &item);
	}
}

static void read_ring(struct status_reader *reader, void *arg)
{
	struct trace *t = arg;
	find(reader, t);
	tell(reader, t);
}

static void read_trace(struct job *job, bool cancelled)
{
	struct trace *t = (struct trace *)((char *)job - offsetof(struct trace, job));
	int e = cancelled ? ECANCELED : 0;
	if (!t->as_text)
		buffer_text(&t->out, "{\"items\":[");
	if (!e && !t->out.failed)
		core_with_status(watch_core(t->request->daemon->watch), read_ring, t);
	if (!e && t->out.failed)
		e = ENOMEM;
	t->request->error = e;
	request_wake(t->request);
}

static void answer_trace(struct request *r)
{
	struct trace *t = r->work;
	if (r->error == ENOMEM) {
		answer_no_memory(r);
		return;
	}
	if (r->error) {
		answer_problem(r, 503, NULL, NULL, r->error == EAGAIN ? "too many readers wait already; try again" : "mgmtd is stopping");
		return;
	}
	if (t->as_text) {
		if (!t->out.text)
			answer_static(r, 200, "text/plain; charset=utf-8", "", 0);
		else
			answer_buffer(r, 200, "text/plain; charset=utf-8", &t->out);
		return;
	}
	model_lock(r->daemon->model);
	uint64_t revision = model_revision(r->daemon->model);
	model_unlock(r->daemon->model);
	if (t->more)
		buffer_format(&t->out, "],\"next\":\"m%" PRIu64 "\"", t->found[t->limit - 1]);
	else
		buffer_text(&t->out, "],\"next\":null");
	buffer_format(&t->out, ",\"revision\":%" PRIu64 "}", revision);
	answer_buffer(r, 200, "application/json", &t->out);
}

/* ------------------------------------------------------------------ asking */

/* text/plain when it is named before JSON; JSON when nothing is said.  ENOTSUP: neither is wanted. */
static int choose(bool *as_text, const char *accept)
{
	const char *plain = accept ? strstr(accept, "text/plain") : NULL;
	const char *json = accept ? strstr(accept, "application/json") : NULL;
	*as_text = plain && (!json || plain < json);
	if (!accept || !accept[0] || plain || json || strstr(accept, "*/*") || strstr(accept, "application/*"))
		return 0;
	*as_text = true;
	return strstr(accept, "text/*") ? 0 : ENOTSUP;
}

/* False: there is no such registration, and that was answered. */
static bool take_registration(struct request *r, struct trace *t, const char *name)
{
	struct model *model = r->daemon->model;
	struct registration_status status;
	uint32_t id = 0;
	uint64_t incarnation = 0;
	model_lock(model);
	const struct object *object = model_find(model, KIND_REGISTRATION, name);
	if (object) {
		id = object->id;
		incarnation = object->incarnation;
	}
	model_unlock(model);
	if (!object) {
		json_t *errors = json_array();
		json_t *v = problem_violation(errors, "", NULL, "unknown_reference", "there is no registration \"%s\"", name);
		json_object_set_new(v, "parameter", json_string("registration"));
		answer_problem(r, 422, NULL, errors, "there is no registration \"%s\"", name);
		return false;
	}
	bool known = core_status(watch_core(r->daemon->watch), KIND_REGISTRATION, id, &status) == 0 && status.incarnation == incarnation;
	/* A registration that has sent nothing has no Call-ID, and no message has this one. */
	const char *call_id = known && status.call_id[0] ? status.call_id : "\r";
	if (t->call_id[0] && strcmp(t->call_id, call_id) != 0)
		call_id = "\r";
	snprintf(t->call_id, sizeof t->call_id, "%s", call_id);
	return true;
}

/* False: answered, or out of memory. */
static bool take_query(struct request *r, struct trace *t)
{
	const char *call_id = request_query_text(r, Q_CALL_ID), *name = request_query_text(r, Q_REGISTRATION);
	const char *cursor = request_query_text(r, Q_CURSOR);
	char *end = NULL;
	t->request = r;
	t->limit = (size_t)request_query_number(r, Q_LIMIT);
	t->since = (uint64_t)request_query_number(r, Q_SINCE);
	t->forward = request_query_given(r, Q_SINCE) || cursor;
	if (choose(&t->as_text, r->head.accept.value) != 0) {
		answer_problem(r, 406, NULL, NULL, "the trace is had as application/json or text/plain");
		return false;
	}
	if (cursor && (cursor[0] != 'm' || cursor[1] < '0' || cursor[1] > '9' || (t->after = strtoull(cursor + 1, &end, 10), *end))) {
		cursor_refuse(r);
		return false;
	}
	snprintf(t->call_id, sizeof t->call_id, "%s", call_id ? call_id : "");
	if (name && !take_registration(r, t, name))
		return false;
	t->found = calloc(t->limit, sizeof *t->found);
	t->message = malloc(MESSAGE_MAX);
	return t->found && t->message;
}

void trace_list(struct request *r)
{
	struct trace *t = calloc(1, sizeof *t);
	if (!t)
		return;
	r->work = t;
	r->work_free = trace_free;
	if (!take_query(r, t))
		return;
	t->job.run = read_trace;
	request_wait(r, answer_trace);
	int e = worker_submit(r->daemon->reader, &t->job);
	if (e) {
		r->error = e;
		request_wake(r);
	}
}
