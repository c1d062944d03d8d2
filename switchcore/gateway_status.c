/* What is told of a gateway: its status record, events, and when. */
#include "gateway_set.h"

#include <string.h>

#define TELL_MAX 1000u		/* told in one tick: about a millisecond */

struct hour_sum { uint32_t calls, answered, ended; uint64_t talked_ms; };

static struct hour_sum hour_of(const struct gateway *gateway)
{
	const struct gateway_hour *hour = &gateway->hour;
	uint32_t slot = gateway_slot(gateway);
	struct hour_sum sum = { 0 };

	for (uint32_t age = slot - hour->slot; age < GATEWAY_HOUR_SLOTS && age <= slot; age++) {
		uint32_t place = (slot - age) % GATEWAY_HOUR_SLOTS;
		sum.calls += hour->five[place].calls;
		sum.answered += hour->five[place].answered;
		sum.ended += hour->five[place].ended;
		sum.talked_ms += hour->five[place].talked_ms;
	}
	return sum;
}

static uint32_t hour_mark(const struct gateway *gateway)
{
	struct hour_sum sum = hour_of(gateway);

	return sum.calls * 31 + sum.answered * 17 + sum.ended;
}

static uint32_t cps_of(const struct gateway *gateway)
{
	uint64_t second = gateway_second(gateway);

	if (second == gateway->second)
		return gateway->started_before;
	return second == gateway->second + 1 ? gateway->started : 0;
}

bool gateway_told_is_old(const struct gateway *gateway)
{
	return gateway->told_cps != cps_of(gateway) || gateway->told_hour != hour_mark(gateway);
}

void gateway_touch(struct gateway *gateway)
{
	struct gateways *g = gateway->set;

	if (gateway->orphan || gateway->dirty)
		return;
	gateway->dirty = true;
	gateway->next_dirty = NULL;
	*g->dirty_end = gateway_ref(gateway);
	g->dirty_end = &gateway->next_dirty;
}

static void fill_probe(struct gateway_status *s, const struct routing_gateway *r)
{
	s->probe = r->probe_state;
	s->probe_code = r->probe_code;
	s->probe_rtt_us = r->probe_rtt_us;
	s->probe_at = r->probe_at;
	s->probe_since = r->probe_since;
	if (r->held_until > gateways_now(r->base.set))
		s->held_until = gateways_wall(r->base.set) + (r->held_until - gateways_now(r->base.set));
}

static void fill(struct gateway_status *s, const struct gateway *gateway)
{
	struct hour_sum sum = hour_of(gateway);

	memset(s, 0, sizeof *s);
	s->incarnation = gateway->incarnation;
	s->routable = gateway->obstacle == OBSTACLE_NONE;
	s->calls = gateway->calls;
	s->capacity = gateway->capacity;
	s->max_cps = gateway->max_cps;
	s->cps = cps_of(gateway);
	s->calls_total = gateway->calls_total;
	s->answered_total = gateway->answered_total;
	s->calls_last_hour = sum.calls;
	s->answered_last_hour = sum.answered;
	s->ended_last_hour = sum.ended;
	s->seconds_last_hour = sum.talked_ms / 1000;
	memcpy(s->failures, gateway->failures, sizeof s->failures);
	s->code_count = gateway->code_count < STATUS_CODES ? gateway->code_count : STATUS_CODES;
	for (uint32_t i = 0; i < s->code_count; i++) {
		uint32_t place = (gateway->code_count - 1 - i) % STATUS_CODES;
		s->codes[i].at = gateway->codes[place].at;
		s->codes[i].code = gateway->codes[place].code;
	}
	if (gateway->kind == KIND_ROUTING_GATEWAY)
		fill_probe(s, (const struct routing_gateway *)(const void *)gateway);
	gateway_say(gateway, (enum gateway_obstacle)gateway->obstacle, s->why, sizeof s->why);
}

void gateway_tell(struct gateway *gateway)
{
	const struct gateway_world *w = &gateway->set->world;
	struct gateway_status status;
	struct status_event event = { .at = gateways_wall(gateway->set), .incarnation = gateway->incarnation, .id = gateway->id,
	                              .kind = gateway->kind, .from = gateway->told_event };

	gateway_look(gateway);
	fill(&status, gateway);
	event.to = GATEWAY_EVENT(status.probe, status.routable, status.held_until != 0);
	event.code = status.probe_code;
	/* The record first: who is told of the event finds the state there. */
	w->report(w->arg, (enum kind_id)gateway->kind, gateway->id, &status);
	if (gateway->told_at && event.to != event.from)
		w->event(w->arg, &event);
	gateway->told_event = event.to;
	gateway->told_cps = status.cps;
	gateway->told_hour = hour_mark(gateway);
	gateway->told_at = gateways_now(gateway->set) + 1;
}

void gateways_flush(struct gateways *g)
{
	struct gateway **at = &g->dirty, *gateway;
	uint64_t now = gateways_now(g);

	for (uint32_t told = 0; told < TELL_MAX && (gateway = *at);) {
		if (!gateway->orphan && gateway->told_at && now < gateway->told_at + GATEWAY_TELL_US - 1) {
			at = &gateway->next_dirty;
			continue;
		}
		*at = gateway->next_dirty;
		if (!*at)
			g->dirty_end = at;
		gateway->dirty = false;
		if (!gateway->orphan) {
			gateway_tell(gateway);
			told++;
		}
		gateway_unref(gateway);
	}
}
