#include "mgmtd/news.h"

#include "mgmtd/calls.h"
#include "mgmtd/gateway.h"
#include "mgmtd/status.h"

#include <string.h>

/* Its name; false: it was deleted meanwhile, and the revision told. */
static bool name_of(struct news *n, const struct status_event *event, char name[SCHEMA_NAME_MAX + 1])
{
	model_lock(n->model);
	const struct object *object = model_find_id(n->model, event->kind, event->id);
	bool there = object && object->incarnation == event->incarnation;
	if (there)
		memcpy(name, object->name, SCHEMA_NAME_MAX + 1);
	model_unlock(n->model);
	return there;
}

static void publish(struct news *n, const char *type, struct buffer *text)
{
	if (!text->failed)
		events_publish(n->events, type, text->text, text->len);
	buffer_free(text);
}

/* In each of these the record may be further on already: the listener is to see every transition, in order. */

static void publish_registration(struct news *n, const struct status_event *event)
{
	struct registration_status status;
	char name[SCHEMA_NAME_MAX + 1];
	struct buffer text = { 0 };
	if (event->to >= STATE_COUNT || event->reason >= REASON_COUNT || !name_of(n, event, name) ||
	    core_status(n->core, KIND_REGISTRATION, event->id, &status) != 0 || status.incarnation != event->incarnation)
		return;
	if (status.state != event->to || status.since != event->at) {
		status.state = event->to;
		status.reason = event->reason;
		status.since = event->at;
		status.last_code = event->code;
		status.refreshing = 0;
	}
	status_render(&text, name, event->incarnation, &status, false);
	publish(n, "registration", &text);
}

static void publish_gateway(struct news *n, const struct status_event *event)
{
	struct gateway_status status;
	char name[SCHEMA_NAME_MAX + 1];
	struct buffer text = { 0 };
	if (!name_of(n, event, name) || core_status(n->core, event->kind, event->id, &status) != 0 ||
	    status.incarnation != event->incarnation)
		return;
	status.routable = GATEWAY_EVENT_ROUTABLE(event->to);
	if (status.routable)
		status.why[0] = '\0';
	if (status.probe != GATEWAY_EVENT_PROBE(event->to)) {
		status.probe = GATEWAY_EVENT_PROBE(event->to);
		status.probe_code = event->code;
		status.probe_since = event->at;
	}
	if (!GATEWAY_EVENT_HELD(event->to))
		status.held_until = 0;
	gateway_render(&text, schema_kinds[event->kind].path, name, event->incarnation, &status, false);
	publish(n, "gateway", &text);
}

/* Undoes what came after the phase. */
static void set_phase(struct call_status *call, enum call_phase phase, uint16_t code)
{
	if (phase == CALL_SETUP)
		call->ringing_at = 0;
	if (phase < CALL_ANSWERED)
		call->answered_at = 0;
	if (phase < CALL_ENDED)
		call->ended_at = 0;
	call->phase = (uint8_t)phase;
	call->code = code;
}

static void publish_call(struct news *n, const struct status_event *event)
{
	struct call_status call;
	struct buffer text = { 0 };
	if (event->to >= CALL_PHASE_COUNT)
		return;
	/* Many in a second: nothing is made of one that nobody hears. */
	if (events_unheard(n->events))
		return;
	/* Its slot may have another call by now. */
	if (core_status(n->core, STATUS_CALL, event->id, &call) != 0 || call.id != event->incarnation)
		call = (struct call_status){ .id = event->incarnation };
	set_phase(&call, event->to, event->code);
	call_render(&text, &call, event->at);
	publish(n, "call", &text);
}

void news_publish(struct news *n, const struct status_event *event)
{
	switch (event->kind) {
	case KIND_REGISTRATION:
		publish_registration(n, event);
		break;
	case KIND_ROUTING_GATEWAY:
	case KIND_MAPPING_GATEWAY:
		publish_gateway(n, event);
		break;
	case STATUS_CALL:
		publish_call(n, event);
		break;
	}
}
