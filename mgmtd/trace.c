#include "mgmtd/trace.h"

#include "mgmtd/answer.h"
#include "mgmtd/message.h"
#include "mgmtd/model.h"
#include "mgmtd/resource.h"
#include "mgmtd/status.h"
#include "mgmtd/trace_filter.h"
#include "mgmtd/trace_tell.h"
#include "mgmtd/watch.h"
#include "mgmtd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum trace_form { TRACE_JSON, TRACE_TEXT, TRACE_PCAP };
static const char *const types[] = { "application/json", "text/plain", "application/vnd.tcpdump.pcap" };

struct trace {
	struct job job;
	struct request *request;
	/* asked */
	struct trace_filter filter;
	uint64_t after;				/* sequence number of the cursor */
	bool forward;				/* from the oldest on, not the newest only */
	enum trace_form form;
	size_t limit;
	/* found: the last `limit` matches, in turn, or in `forward` the first */
	uint64_t *found;
	size_t count;
	bool more;
	/* at work */
	struct status_reader *reader;
	char *message;
	struct trace_header header;
	size_t len;				/* bytes of message */
	char call_id[TRACE_CALL_ID_MAX + 1];	/* its own */
	struct buffer out, masked;
	struct pcap pcap;
	/* the registration that the last Call-ID belongs to */
	char known_call_id[TRACE_CALL_ID_MAX + 1], known_name[SCHEMA_NAME_MAX + 1];
};

static void trace_free(void *work)
{
	struct trace *t = work;
	trace_filter_free(&t->filter);
	pcap_end(&t->pcap);
	free(t->found);
	free(t->message);
	buffer_free(&t->out);
	buffer_free(&t->masked);
	free(t);
}

/* ------------------------------------------------------------------ reading; on the reader thread */

void trace_call_id(char call_id[TRACE_CALL_ID_MAX + 1], const char *message, size_t len)
{
	size_t n = 0;
	const char *value = message_header(message, len, "Call-ID", "i", &n);
	snprintf(call_id, TRACE_CALL_ID_MAX + 1, "%.*s", (int)n, value ? value : "");
}

/* The next one after *cursor; false: no more. */
static bool next_message(struct trace *t, uint64_t *cursor)
{
	uint64_t lost;
	int e;
	do
		e = status_next_trace(t->reader, cursor, &t->header, t->message, TRACE_MESSAGE_MAX, &lost);
	while (e == EOVERFLOW);
	if (e)
		return false;
	t->len = status_trace_kept(t->reader, t->header.length);
	t->len = t->len < TRACE_MESSAGE_MAX ? t->len : TRACE_MESSAGE_MAX;
	trace_call_id(t->call_id, t->message, t->len);
	return true;
}

/* The registration whose Call-ID this is, "" = none. */
static const char *registration_of(struct trace *t, const char *call_id)
{
	struct model *model = t->request->daemon->model;
	struct registration_status status;
	uint32_t id;
	if (!call_id[0] || strcmp(call_id, t->known_call_id) == 0)
		return call_id[0] ? t->known_name : "";
	snprintf(t->known_call_id, sizeof t->known_call_id, "%s", call_id);
	t->known_name[0] = '\0';
	if (message_record_id(&id, call_id) != 0 || status_get(t->reader, KIND_REGISTRATION, id, &status) != 0)
		return "";
	status_tame(KIND_REGISTRATION, &status);
	if (strcmp(status.call_id, call_id) != 0)
		return "";
	model_lock(model);
	const struct object *object = model_find_id(model, KIND_REGISTRATION, id);
	if (object && object->incarnation == status.incarnation)
		memcpy(t->known_name, object->name, sizeof t->known_name);
	model_unlock(model);
	return t->known_name;
}

static bool is_of_registration(void *arg, const char *call_id)
{
	return registration_of(arg, call_id)[0] != '\0';
}

static struct trace_seen seen_of(const struct trace *t)
{
	return (struct trace_seen){ &t->header, t->message, t->len, t->call_id };
}

static void find(struct trace *t)
{
	for (uint64_t cursor = 0; t->filter.learn && next_message(t, &cursor);) {
		struct trace_seen seen = seen_of(t);
		trace_filter_learn(&t->filter, &seen);
	}
	for (uint64_t cursor = t->after; next_message(t, &cursor);) {
		struct trace_seen seen = seen_of(t);
		if (!trace_filter_passes(&t->filter, &seen, is_of_registration, t))
			continue;
		if (t->forward && t->count == t->limit) {
			t->more = true;
			return;
		}
		t->found[t->count++ % t->limit] = t->header.sequence;
	}
}

static void tell_one(struct trace *t)
{
	struct trace_item item = { .header = &t->header, .call_id = t->call_id, .registration = registration_of(t, t->call_id) };
	t->masked.len = 0;
	message_masked(&t->masked, t->message, t->len);
	message_summary(item.summary, sizeof item.summary, t->message, t->len);
	item.message = t->masked.text ? t->masked.text : "";
	item.len = t->masked.len;
	item.missing = t->header.length > t->len ? t->header.length - t->len : 0;
	if (t->form == TRACE_PCAP) {
		trace_tell_packet(&t->pcap, &item);
	} else if (t->form == TRACE_TEXT) {
		trace_tell_text(&t->out, &item);
	} else {
		if (t->out.len && t->out.text[t->out.len - 1] != '[')
			buffer_text(&t->out, ",");
		trace_tell_json(&t->out, &item);
	}
}

static void tell(struct trace *t)
{
	size_t first = t->count > t->limit ? t->count - t->limit : 0;
	for (size_t i = first; i < t->count; i++) {
		uint64_t cursor = t->found[i % t->limit] - 1;
		/* Another one: it was overwritten meanwhile. */
		if (next_message(t, &cursor) && t->header.sequence == t->found[i % t->limit])
			tell_one(t);
	}
}

static void read_ring(struct status_reader *reader, void *arg)
{
	struct trace *t = arg;
	t->reader = reader;
	if (t->filter.gateway[0])
		trace_filter_prepare(&t->filter, t->request->daemon, reader);
	find(t);
	tell(t);
}

static void read_trace(struct job *job, bool cancelled)
{
	struct trace *t = (struct trace *)((char *)job - offsetof(struct trace, job));
	int e = cancelled ? ECANCELED : 0;
	if (t->form == TRACE_JSON)
		buffer_text(&t->out, "{\"items\":[");
	else if (t->form == TRACE_PCAP)
		pcap_begin(&t->pcap, &t->out);
	if (!e && !t->out.failed)
		core_with_status(watch_core(t->request->daemon->watch), read_ring, t);
	if (!e && (t->out.failed || t->masked.failed))
		e = ENOMEM;
	t->request->error = e;
	request_wake(t->request);
}

/* ------------------------------------------------------------------ answering */

static void end_json(struct request *r, struct trace *t)
{
	uint64_t revision = model_newest(r->daemon->model);
	if (t->more)
		buffer_format(&t->out, "],\"next\":\"m%" PRIu64 "\"", t->found[t->limit - 1]);
	else
		buffer_text(&t->out, "],\"next\":null");
	buffer_format(&t->out, ",\"revision\":%" PRIu64 "}", revision);
}

static void answer_trace(struct request *r)
{
	struct trace *t = r->work;
	if (r->error) {
		answer_unavailable(r, NULL, "readers");
		return;
	}
	const char *type = t->form == TRACE_TEXT ? "text/plain; charset=utf-8" : types[t->form];
	if (t->form == TRACE_JSON)
		end_json(r, t);
	if (!t->out.text)
		answer_static(r, 200, type, "", 0);
	else
		answer_buffer(r, 200, type, &t->out);
	if (t->form == TRACE_PCAP)
		answer_header(r, "Content-Disposition", "attachment; filename=\"tandem.pcap\"");
}

/* ------------------------------------------------------------------ asking */

/* What is named first among those there are; JSON when nothing is said.  ENOTSUP: none is wanted. */
static int choose(enum trace_form *form, const char *accept)
{
	const char *first = NULL;
	*form = TRACE_JSON;
	if (!accept || !accept[0])
		return 0;
	for (int i = TRACE_JSON; i <= TRACE_PCAP; i++) {
		const char *at = strstr(accept, types[i]);
		if (at && (!first || at < first)) {
			first = at;
			*form = (enum trace_form)i;
		}
	}
	if (first || strstr(accept, "*/*") || strstr(accept, "application/*"))
		return 0;
	*form = TRACE_TEXT;
	return strstr(accept, "text/*") ? 0 : ENOTSUP;
}

/* False: there is no such registration, and that was answered. */
static bool take_registration(struct request *r, struct trace *t, const char *name)
{
	struct registration_status status;
	struct subject subject;
	if (!subject_named(r->daemon, &subject, KIND_REGISTRATION, name)) {
		subject_refuse(r, Q_REGISTRATION, "registration", name);
		return false;
	}
	bool known = subject_read(r->daemon, &subject, &status).known;
	/* A registration that has sent nothing has no Call-ID, and no message has this one. */
	const char *call_id = known && status.call_id[0] ? status.call_id : "\r";
	if (!trace_filter_has_call_id(&t->filter, call_id))
		call_id = "\r";
	snprintf(t->filter.call_id, sizeof t->filter.call_id, "%s", call_id);
	return true;
}

static bool take_gateway(struct request *r, struct trace *t, const char *name)
{
	if (trace_filter_gateway(&t->filter, r->daemon, name) == 0)
		return true;
	subject_refuse(r, Q_GATEWAY, "gateway", name);
	return false;
}

/* False: answered, or out of memory. */
static bool take_query(struct request *r, struct trace *t)
{
	const char *call_id = request_query_text(r, Q_CALL_ID), *name = request_query_text(r, Q_REGISTRATION);
	const char *cursor = request_query_text(r, Q_CURSOR), *number = request_query_text(r, Q_NUMBER);
	const char *gateway = request_query_text(r, Q_GATEWAY);
	char *end = NULL;
	t->request = r;
	t->limit = (size_t)request_query_number(r, Q_LIMIT);
	t->filter.since = (uint64_t)request_query_number(r, Q_SINCE);
	t->forward = request_query_given(r, Q_SINCE) || cursor;
	if (choose(&t->form, r->head.accept.value) != 0) {
		answer_problem(r, 406, NULL, NULL, "the trace is had as application/json, text/plain or application/vnd.tcpdump.pcap");
		return false;
	}
	if (cursor && (cursor[0] != 'm' || cursor[1] < '0' || cursor[1] > '9' || (t->after = strtoull(cursor + 1, &end, 10), *end))) {
		cursor_refuse(r);
		return false;
	}
	snprintf(t->filter.call_id, sizeof t->filter.call_id, "%s", call_id ? call_id : "");
	snprintf(t->filter.number, sizeof t->filter.number, "%s", number ? number : "");
	if ((name && !take_registration(r, t, name)) || (gateway && !take_gateway(r, t, gateway)))
		return false;
	t->found = calloc(t->limit, sizeof *t->found);
	t->message = malloc(TRACE_MESSAGE_MAX);
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
	request_hand_over(r, r->daemon->reader, &t->job, answer_trace);
}
