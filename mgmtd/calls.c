#include "mgmtd/calls.h"

#include "mgmtd/answer.h"
#include "mgmtd/command.h"
#include "mgmtd/log.h"
#include "mgmtd/model.h"
#include "mgmtd/render.h"
#include "mgmtd/resource.h"
#include "mgmtd/status.h"
#include "mgmtd/watch.h"
#include "mgmtd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT(id) ((uint32_t)((id) & ((UINT64_C(1) << CALL_SLOT_BITS) - 1)))

int call_id_read(uint64_t *id, const char *text)
{
	uint64_t value = 0;
	for (int i = 0; i < 16; i++) {
		char c = text[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
		if (digit < 0)
			return EINVAL;
		value = value << 4 | (uint64_t)digit;
	}
	*id = value;
	return text[16] ? EINVAL : 0;
}

static void render_duration(struct buffer *b, const struct call_status *call, uint64_t now)
{
	uint64_t end = call->ended_at ? call->ended_at : now;
	if (!call->answered_at)
		render_null(b, "duration_ms");
	else
		render_number(b, "duration_ms", end > call->answered_at ? (int64_t)((end - call->answered_at) / 1000) : 0, 0);
}

void call_render(struct buffer *b, const struct call_status *call, uint64_t now)
{
	buffer_format(b, "{\"id\":\"%016" PRIx64 "\",\"phase\":\"%s\"", call->id, status_call_phase_words[call->phase]);
	render_text(b, "mapping_gateway", call->mapping_gateway);
	render_text(b, "routing_gateway", call->routing_gateway);
	render_text(b, "registration", call->registration);
	render_text(b, "caller_in", call->caller_in);
	render_text(b, "callee_in", call->callee_in);
	render_text(b, "caller_out", call->caller_out);
	render_text(b, "routed", call->routed);
	render_text(b, "call_id_in", call->call_id_in);
	render_text(b, "call_id_out", call->call_id_out);
	render_time(b, "setup_at", call->setup_at);
	render_time(b, "ringing_at", call->ringing_at);
	render_time(b, "answered_at", call->answered_at);
	render_duration(b, call, now);
	render_number(b, "code", call->code, 1);
	buffer_text(b, "}");
}

/* ------------------------------------------------------------------ the list; on the reader thread */

struct list {
	struct job job;
	struct request *request;
	struct call_page page;
	struct buffer out;
	bool more, down;
};

static void list_free(void *work)
{
	struct list *l = work;
	call_page_free(&l->page);
	buffer_free(&l->out);
	free(l);
}

static bool is_live(const struct call_status *call)
{
	return call->id != 0 && call->phase != CALL_ENDED;
}

/* One record, tamed; false: none, or torn: its call is just beginning or ending. */
static bool read_call(struct status_reader *reader, uint32_t slot, struct call_status *call)
{
	if (status_get(reader, STATUS_CALL, slot, call) != 0)
		return false;
	status_tame(STATUS_CALL, call);
	return is_live(call);
}

static void read_page(struct status_reader *reader, void *arg)
{
	struct list *l = arg;
	struct call_status call;
	uint32_t limit = status_limit(reader, STATUS_CALL);
	uint64_t now = time_now_us();
	const char *comma = "";
	for (uint32_t slot = 0; slot < limit; slot++)
		if (read_call(reader, slot, &call))
			call_page_take(&l->page, &call);
	l->more = call_page_end(&l->page);
	for (size_t i = 0; i < l->page.count; i++) {
		if (!read_call(reader, SLOT(l->page.keys[i].id), &call) || call.id != l->page.keys[i].id)
			continue;	/* ended meanwhile */
		buffer_text(&l->out, comma);
		call_render(&l->out, &call, now);
		comma = ",";
	}
}

static void read_list(struct job *job, bool cancelled)
{
	struct list *l = (struct list *)((char *)job - offsetof(struct list, job));
	struct core *core = watch_core(l->request->daemon->watch);
	buffer_text(&l->out, "{\"items\":[");
	/* The calls of a switch that is down are over, or nobody knows of them. */
	l->down = core_state(core) != CORE_UP;
	if (!cancelled && !l->down)
		core_with_status(core, read_page, l);
	l->request->error = cancelled ? ECANCELED : 0;
	request_wake(l->request);
}

static void answer_list(struct request *r)
{
	struct list *l = r->work;
	if (r->error) {
		answer_unavailable(r, NULL, "readers");
		return;
	}
	uint64_t revision = model_newest(r->daemon->model);
	if (l->more) {
		const struct call_key *last = &l->page.keys[l->page.count - 1];
		buffer_format(&l->out, "],\"next\":\"c%" PRIx64 "-%016" PRIx64 "\"", last->setup_at, last->id);
	} else {
		buffer_text(&l->out, "],\"next\":null");
	}
	buffer_format(&l->out, ",\"revision\":%" PRIu64, revision);
	render_flag(&l->out, "stale", l->down);
	buffer_text(&l->out, "}");
	answer_buffer(r, 200, "application/json", &l->out);
}

/* "c<time>-<id>", both in hex. */
static int cursor_place(struct call_key *after, const char *cursor)
{
	char *end;
	if (cursor[0] != 'c' || strspn(cursor + 1, "0123456789abcdef") == 0)
		return EINVAL;
	after->setup_at = strtoull(cursor + 1, &end, 16);
	return *end == '-' ? call_id_read(&after->id, end + 1) : EINVAL;
}

void calls_list(struct request *r)
{
	const char *cursor = request_query_text(r, Q_CURSOR);
	struct call_key after = { 0, 0 };
	if (cursor && cursor_place(&after, cursor) != 0) {
		cursor_refuse(r);
		return;
	}
	struct list *l = calloc(1, sizeof *l);
	if (!l)
		return;
	r->work = l;
	r->work_free = list_free;
	if (call_page_begin(&l->page, (size_t)request_query_number(r, Q_LIMIT), after) != 0)
		return;
	l->request = r;
	l->job.run = read_list;
	request_hand_over(r, r->daemon->reader, &l->job, answer_list);
}

/* ------------------------------------------------------------------ one */

static void answer_gone(struct request *r)
{
	answer_problem(r, 404, NULL, NULL, "there is no such call, or no longer");
}

/* False: 404 was answered. */
static bool find(struct request *r, struct call_status *call)
{
	struct core *core = watch_core(r->daemon->watch);
	uint64_t id;
	bool there = call_id_read(&id, r->argument) == 0 && core_state(core) == CORE_UP &&
	             core_status(core, STATUS_CALL, SLOT(id), call) == 0 && call->id == id && is_live(call);
	if (!there)
		answer_gone(r);
	return there;
}

void calls_show(struct request *r)
{
	struct call_status call;
	struct buffer b = { 0 };
	if (!find(r, &call))
		return;
	call_render(&b, &call, time_now_us());
	answer_buffer(r, 200, "application/json", &b);
}

static void waiter_free(void *work)
{
	struct waiter *waiter = work;
	buffer_free(&waiter->text);
	free(waiter);
}

static void answer_hung_up(struct request *r)
{
	if (command_failed(r))
		return;
	if (r->error == 0) {
		log_info("call %.16s: hung up by %s from %s", r->argument, r->identity.username, r->address);
		answer_empty(r, 204);
	} else if (r->error == ENOENT || r->error == ESTALE) {
		answer_gone(r);
	} else {
		answer_problem(r, 409, NULL, NULL, "the switch refused: %s", strerror(r->error));
	}
}

void calls_hang_up(struct request *r)
{
	uint64_t id;
	if (call_id_read(&id, r->argument) != 0) {
		answer_gone(r);
		return;
	}
	struct waiter *waiter = calloc(1, sizeof *waiter);
	if (!waiter)
		return;
	r->work = waiter;
	r->work_free = waiter_free;
	waiter->request = (struct control_request){ .command = CONTROL_HANG_UP, .kind = STATUS_CALL, .object = SLOT(id),
	                                            .incarnation = id };
	command_send(r, waiter, 0, answer_hung_up);
}
