/*
 * OPTIONS probes of routing gateways.  Any final answer but 408 and 503 shows that somebody is there; silence, those two and a
 * broken transport take the gateway out of routing until it answers again.  One at a time for each gateway; it has as long as
 * the period, or the transaction's own time-out, whichever is shorter, shared by its addresses.
 */
#include "gateway_set.h"

#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MAX_US (32 * SECOND_US)		/* 64 T1 (RFC 3261 17.1.2.2) */
#define PATIENCE_LEAST_US (2 * SECOND_US)
#define STARTS_LEAST 5u				/* in one tick */

struct probe {
	struct routing_gateway *r;
	struct resolver_wait wait;
	struct resolver_result where;
	size_t current;
	struct sip_transaction *transaction;
	struct timer patience;
	uint16_t code;				/* of the last answer that does not count, 0 = none */
	char fault[160];			/* what became of the target before */
};

static uint64_t period_us(const struct gateways *g)
{
	return (uint64_t)g->parameters.SS_SIP_OPTIONS_CHECK_PERIOD * SECOND_US;
}

static void drop_transaction(struct probe *p)
{
	const struct gateway_world *w = &p->r->base.set->world;
	struct sip_transaction *transaction = p->transaction;

	timer_disarm(p->r->base.set->timers, &p->patience);
	p->transaction = NULL;
	if (transaction)
		w->release(w->arg, transaction);
}

static void end(struct routing_gateway *r)
{
	struct probe *p = r->probe;

	if (!p)
		return;
	r->probe = NULL;
	r->base.set->probes_out--;
	drop_transaction(p);
	resolver_forget(&p->wait);
	timer_destroy(r->base.set->timers, &p->patience);
	free(p);
}

/* ------------------------------------------------------------------ outcomes */

static void set_state(struct routing_gateway *r, enum probe_state state)
{
	if (r->probe_state != state)
		r->probe_since = gateways_wall(r->base.set);
	r->probe_state = (uint8_t)state;
	gateway_look(&r->base);
	gateway_touch(&r->base);
}

static void over(struct probe *p, enum probe_state state, uint16_t code, uint32_t rtt_us, const char *what)
{
	struct routing_gateway *r = p->r;

	if (r->probe_state != state)
		log_info("routing gateway %s: probe %s: %s", gateway_name(&r->base), state == PROBE_UP ? "up" : "down", what);
	r->probe_code = code;
	r->probe_rtt_us = rtt_us;
	r->probe_at = gateways_wall(r->base.set);
	end(r);
	set_state(r, state);
}

static void send_next(struct probe *p);

static void next_target(struct probe *p, uint16_t code, const char *fault)
{
	drop_transaction(p);
	p->code = code;
	snprintf(p->fault, sizeof p->fault, "%s", fault);
	p->current++;
	send_next(p);
}

static void answered(void *arg, const struct sip_answer *answer)
{
	struct probe *p = arg;
	char what[SIP_PHRASE_MAX + 16];

	if (answer->result != SIP_ANSWERED) {
		next_target(p, answer->result == SIP_SILENT ? 408 : 0, answer->detail);
		return;
	}
	snprintf(what, sizeof what, "%u %s", answer->code, answer->phrase);
	if (answer->code == 408 || answer->code == 503)
		next_target(p, answer->code, what);
	else
		over(p, PROBE_UP, answer->code, answer->rtt_us, what);
}

static void patience_over(struct timer *timer)
{
	next_target(TIMER_OWNER(timer, struct probe, patience), 408, "no answer");
}

/* ------------------------------------------------------------------ sending */

static uint64_t patience_us(const struct probe *p)
{
	uint64_t window = period_us(p->r->base.set);

	if (window > WINDOW_MAX_US)
		window = WINDOW_MAX_US;
	window /= p->where.count;
	return window < PATIENCE_LEAST_US ? PATIENCE_LEAST_US : window;
}

static void write_hex(char *text, struct gateways *g, size_t words)
{
	for (size_t i = 0; i < words; i++)
		snprintf(text + 8 * i, 9, "%08x", g->world.random(g->world.arg));
}

static int send_to(struct probe *p, const struct target *target)
{
	struct routing_gateway *r = p->r;
	struct gateways *g = r->base.set;
	const struct routing_gateway_record *s = r->base.settings->routing;
	char call_id[40], tag[17];
	struct sip_probe probe = {
		.way = { .target = *target, .tls_name = s->host, .tls_verify = s->tls_verify },
		.host = s->host, .port = (uint16_t)s->port, .cseq = ++r->probe_cseq, .call_id = call_id, .from_tag = tag,
	};

	probe.way.listener = g->world.listener(g->world.arg, s->listener, target->transport, target->address.family);
	if (!probe.way.listener)
		return EAFNOSUPPORT;
	snprintf(call_id, sizeof call_id, "g%08x-", r->base.id);
	write_hex(call_id + 10, g, 3);
	write_hex(tag, g, 2);
	return g->world.probe(g->world.arg, &p->transaction, &probe, answered, p);
}

static void send_next(struct probe *p)
{
	struct gateways *g = p->r->base.set;

	for (; p->current < p->where.count; p->current++) {
		int error = send_to(p, &p->where.targets[p->current]);
		if (error == 0) {
			timer_arm(g->timers, &p->patience, gateways_now(g) + patience_us(p));
			return;
		}
		p->code = 0;
		snprintf(p->fault, sizeof p->fault, "cannot send: %s", strerror(error));
	}
	over(p, PROBE_DOWN, p->code, 0, p->fault);
}

static void resolved(struct resolver_wait *wait, const struct resolver_result *result)
{
	struct probe *p = (struct probe *)(void *)((char *)wait - offsetof(struct probe, wait));

	p->where = *result;
	snprintf(p->fault, sizeof p->fault, "%s", result->fault);
	send_next(p);
}

static void begin(struct routing_gateway *r)
{
	struct gateways *g = r->base.set;
	const struct routing_gateway_record *s = r->base.settings->routing;
	struct probe *p = calloc(1, sizeof *p);
	int error;

	if (!p)
		return;		/* tried again when it is due the next time */
	if (timer_init(g->timers, &p->patience, patience_over) != 0) {
		free(p);
		return;
	}
	p->r = r;
	p->wait.done = resolved;
	r->probe = p;
	g->probes_out++;
	error = g->world.resolve(g->world.arg, &p->wait, &p->where, s->host, (uint16_t)s->port, s->transport);
	if (error == EINPROGRESS)
		return;
	if (error) {
		p->where.count = 0;
		snprintf(p->fault, sizeof p->fault, "%s", error == ENOENT ? p->where.fault : strerror(error));
	}
	send_next(p);
}

/* ------------------------------------------------------------------ when */

static bool wanted(const struct routing_gateway *r)
{
	const struct gateways *g = r->base.set;
	const struct routing_gateway_record *s = r->base.settings->routing;

	return s->enabled && s->options_check && period_us(g) > 0 && !g->stopping && !r->base.orphan;
}

static void forget_outcome(struct routing_gateway *r)
{
	end(r);
	r->probe_code = 0;
	r->probe_rtt_us = 0;
	r->probe_at = 0;
}

void routing_probe_drop(struct routing_gateway *r)
{
	if (r->probe_state != PROBE_OFF)
		r->base.set->probed--;
	forget_outcome(r);
	r->probe_state = PROBE_OFF;
}

void routing_probe_apply(struct routing_gateway *r, const struct gateway_settings *old)
{
	struct gateways *g = r->base.set;
	uint64_t now = gateways_now(g), random = g->world.random(g->world.arg);

	if (!wanted(r)) {
		if (r->probe_state == PROBE_OFF)
			return;
		g->probed--;
		forget_outcome(r);
		set_state(r, PROBE_OFF);
	} else if (!old || r->probe_state == PROBE_OFF || !routing_same_way(old, r->base.settings)) {
		g->probed += r->probe_state == PROBE_OFF;
		forget_outcome(r);
		r->probe_due = now;
		set_state(r, PROBE_UNKNOWN);
	} else if (r->probe_due > now + period_us(g)) {
		r->probe_due = now + (period_us(g) >> 16) * (random & 0xffff);
	}
}

/* Those that are new come at once; what comes after them is spread by lot, and stays so. */
static void plan_next(struct routing_gateway *r, uint64_t now)
{
	struct gateways *g = r->base.set;
	uint64_t period = period_us(g), random = g->world.random(g->world.arg) & 0xffff;

	if (r->probe_state == PROBE_UNKNOWN)
		r->probe_due = now + period / 2 + (period >> 17) * random;
	else
		r->probe_due = now > r->probe_due + period ? now + period : r->probe_due + period;
}

/* Twice as many as needed to probe all in one period. */
uint32_t gateways_probe_share(const struct gateways *g)
{
	uint64_t ticks = period_us(g) / GATEWAYS_TICK_US;
	uint64_t share = ticks ? 2 * (uint64_t)g->probed / ticks + STARTS_LEAST : 0;
	uint32_t room = GATEWAY_PROBES_MAX > g->probes_out ? GATEWAY_PROBES_MAX - g->probes_out : 0;

	return share < room ? (uint32_t)share : room;
}

uint32_t routing_probe_sweep(struct routing_gateway *r, uint64_t now, uint32_t allowed)
{
	if (r->probe_state == PROBE_OFF || now < r->probe_due || r->probe || allowed == 0)
		return 0;
	plan_next(r, now);
	begin(r);
	return 1;
}
