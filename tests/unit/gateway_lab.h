/* Gateways and registrations with a clock, a transport and a resolver of the test's own. */
#ifndef TESTS_UNIT_GATEWAY_LAB_H
#define TESTS_UNIT_GATEWAY_LAB_H

#include "switchcore/gateway.h"
#include "switchcore/registration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LAB_WALL UINT64_C(1700000000000000)	/* 2023-11-14 22:13:20 UTC when the lab's clock is 0 */
#define LAB_PROBES_MAX 400

struct lab_sent {			/* an OPTIONS or a REGISTER */
	char call_id[64], host[64], listener[64];
	struct target target;
	uint64_t at;
	bool released;
	sip_answer_f *answer;
	void *arg;
};

static struct {
	uint64_t now, revision;
	uint32_t random;
	struct timers timers;
	struct pacing *pacing;
	struct registrations *registrations;
	struct gateways *gateways;
	struct sip_parameters parameters;
	struct listener listener, named;	/* "" and "lan", both UDP */
	struct resolver_result names;		/* what "name.example" resolves to */
	int resolve_error;
	struct resolver_wait *waiting;
	size_t lookups;
	int probe_error;
	struct lab_sent probes[LAB_PROBES_MAX];
	size_t probe_count;
	struct lab_sent registers[16];
	size_t register_count;
	struct gateway_status status[KIND_COUNT][64];	/* of the lowest ids */
	size_t reports;
	struct status_event events[64];
	size_t event_count;
} lab;

/* ------------------------------------------------------------------ the world */

static uint64_t lab_now(void *arg)
{
	(void)arg;
	return lab.now;
}

static uint64_t lab_wall(void *arg)
{
	(void)arg;
	return LAB_WALL + lab.now;
}

static uint32_t lab_random(void *arg)
{
	(void)arg;
	return lab.random += 0x9e3779b9;
}

static const struct listener *lab_listener(void *arg, const char *name, int32_t transport, sa_family_t family)
{
	(void)arg;
	if (transport != TRANSPORT_UDP || family == AF_INET6)
		return NULL;
	if (strcmp(name, "lan") == 0)
		return &lab.named;
	return name[0] ? NULL : &lab.listener;
}

static const char *lab_listeners(void *arg)
{
	(void)arg;
	return "udp:127.0.0.1:5060";
}

static int lab_resolve(void *arg, struct resolver_wait *wait, struct resolver_result *result, const char *host,
                       uint16_t port, int32_t transport)
{
	(void)arg;
	if (strcmp(host, "name.example") == 0) {
		lab.lookups++;
		*result = lab.names;
		if (lab.resolve_error == EINPROGRESS) {
			lab.waiting = wait;
			wait->lookup = &lab;	/* as the resolver marks one that waits; never forgotten in these tests */
		}
		return lab.resolve_error;
	}
	memset(result, 0, sizeof *result);
	result->count = 1;
	result->targets[0].transport = transport;
	assert_true(address_parse(&result->targets[0].address, host, port ? port : 5060));
	return 0;
}

static int lab_send(void *arg, struct sip_transaction **transaction, const struct sip_register *r, sip_answer_f *answer,
                    void *answer_arg)
{
	struct lab_sent *s = &lab.registers[lab.register_count++];

	(void)arg;
	assert_true(lab.register_count <= sizeof lab.registers / sizeof lab.registers[0]);
	*s = (struct lab_sent){ .target = r->target, .at = lab.now, .answer = answer, .arg = answer_arg };
	*transaction = (struct sip_transaction *)(void *)s;
	return 0;
}

static int lab_probe(void *arg, struct sip_transaction **transaction, const struct sip_probe *probe, sip_answer_f *answer,
                     void *answer_arg)
{
	struct lab_sent *s = &lab.probes[lab.probe_count];

	(void)arg;
	if (lab.probe_error)
		return lab.probe_error;
	assert_true(++lab.probe_count <= LAB_PROBES_MAX);
	*s = (struct lab_sent){ .target = probe->way.target, .at = lab.now, .answer = answer, .arg = answer_arg };
	snprintf(s->call_id, sizeof s->call_id, "%s", probe->call_id);
	snprintf(s->host, sizeof s->host, "%s", probe->host);
	snprintf(s->listener, sizeof s->listener, "%s", probe->way.listener->name);
	*transaction = (struct sip_transaction *)(void *)s;
	return 0;
}

static void lab_release(void *arg, struct sip_transaction *transaction)
{
	(void)arg;
	((struct lab_sent *)(void *)transaction)->released = true;
}

static void lab_join(void *arg, struct sip_flow_user *user, struct sip_transaction *transaction)
{
	(void)arg;
	(void)user;
	(void)transaction;
}

static void lab_keep_alive(void *arg, const struct listener *listener, const struct target *target, struct sip_flow *flow)
{
	(void)arg;
	(void)listener;
	(void)target;
	(void)flow;
}

static void lab_transition(void *arg, struct registration *r, enum registration_state from)
{
	(void)arg;
	(void)from;
	gateways_registration(lab.gateways, r);
}

static void lab_told(void *arg, const struct registration *r)
{
	(void)arg;
	(void)r;
}

static void lab_over(void *arg, const struct registration *r, const struct registration_outcome *outcome)
{
	(void)arg;
	(void)r;
	(void)outcome;
}

static void lab_changed(void *arg, struct registration *r)
{
	(void)arg;
	gateways_registration(lab.gateways, r);
}

static void lab_report(void *arg, enum kind_id kind, uint32_t id, const struct gateway_status *status)
{
	(void)arg;
	lab.reports++;
	if (id < 64)
		lab.status[kind][id] = *status;
}

static void lab_event(void *arg, const struct status_event *event)
{
	(void)arg;
	lab.events[lab.event_count++ % 64] = *event;
}

/* ------------------------------------------------------------------ acting */

static void lab_settle(void)
{
	for (int i = 0; i < 5; i++) {
		timers_run(&lab.timers, lab.now);
		pacing_run(lab.pacing, lab.now);
	}
	gateways_tick(lab.gateways);
}

/* In steps of a tenth of a second, as the daemon turns. */
static __attribute__((unused)) void lab_pass(uint64_t us)
{
	uint64_t end = lab.now + us;

	while (lab.now < end) {
		lab.now = end - lab.now < GATEWAYS_TICK_US ? end : lab.now + GATEWAYS_TICK_US;
		lab_settle();
	}
}

static void lab_head(struct record *head, uint32_t id, const char *name)
{
	lab.revision++;
	*head = (struct record){ .id = id, .present = 1, .incarnation = lab.revision, .revision = lab.revision };
	snprintf(head->name, sizeof head->name, "%s", name);
}

static __attribute__((unused)) struct routing_gateway_record lab_routing(uint32_t id, const char *name)
{
	struct routing_gateway_record r;

	memset(&r, 0, sizeof r);
	lab_head(&r.head, id, name);
	r.enabled = 1;
	r.priority = 100;
	snprintf(r.host, sizeof r.host, "192.0.2.%u", (unsigned)(id % 250 + 1));
	return r;
}

static __attribute__((unused)) struct mapping_gateway_record lab_mapping(uint32_t id, const char *name)
{
	struct mapping_gateway_record m;

	memset(&m, 0, sizeof m);
	lab_head(&m.head, id, name);
	m.enabled = 1;
	return m;
}

static __attribute__((unused)) void lab_prefix(struct prefixes *list, const char *prefix)
{
	snprintf(list->prefix[list->count++], sizeof list->prefix[0], "%s", prefix);
}

static __attribute__((unused)) void lab_source(struct mapping_gateway_record *m, const char *source)
{
	snprintf(m->sources.source[m->sources.count++], sizeof m->sources.source[0], "%s", source);
}

static __attribute__((unused)) struct routing_gateway *lab_put_routing(struct routing_gateway_record *r)
{
	r->head.revision = ++lab.revision;
	assert_int_equal(gateways_put_routing(lab.gateways, r), 0);
	return (struct routing_gateway *)(void *)gateways_at(lab.gateways, KIND_ROUTING_GATEWAY, r->head.id);
}

static __attribute__((unused)) struct mapping_gateway *lab_put_mapping(struct mapping_gateway_record *m)
{
	m->head.revision = ++lab.revision;
	assert_int_equal(gateways_put_mapping(lab.gateways, m), 0);
	return (struct mapping_gateway *)(void *)gateways_at(lab.gateways, KIND_MAPPING_GATEWAY, m->head.id);
}

static __attribute__((unused)) struct registration_record lab_registration(uint32_t id, const char *name)
{
	struct registration_record r;

	memset(&r, 0, sizeof r);
	lab_head(&r.head, id, name);
	snprintf(r.line, sizeof r.line, "line-of-%s", name);
	snprintf(r.server, sizeof r.server, "192.0.2.200");
	snprintf(r.username, sizeof r.username, "%s", name);
	r.enabled = 1;
	r.register_period = KEYWORD(REGISTER_PERIOD_INHERIT);
	r.retry_delay = KEYWORD(RETRY_DELAY_INHERIT);
	return r;
}

static __attribute__((unused)) void lab_put_registration(struct registration_record *r)
{
	r->head.revision = ++lab.revision;
	assert_int_equal(registrations_put(lab.registrations, r), 0);
	lab_settle();
}

static __attribute__((unused)) void lab_answer(struct lab_sent *sent, uint16_t code)
{
	struct sip_answer answer;

	memset(&answer, 0, sizeof answer);
	answer.code = code;
	answer.granted = answer.min_expires = answer.retry_after = -1;
	answer.rtt_us = 1500;
	assert_false(sent->released);
	sent->answer(sent->arg, &answer);
	lab_settle();
}

static __attribute__((unused)) void lab_break(struct lab_sent *sent, enum sip_result result)
{
	struct sip_answer answer;

	memset(&answer, 0, sizeof answer);
	answer.result = result;
	snprintf(answer.detail, sizeof answer.detail, "Connection refused");
	assert_false(sent->released);
	sent->answer(sent->arg, &answer);
	lab_settle();
}

static __attribute__((unused)) const char *lab_why(void *gateway)
{
	static char why[GATEWAY_WHY_MAX];

	gateway_why(gateway, why, sizeof why);
	return why;
}

static int lab_begin(void **state)
{
	const struct pacing_limits limits = { 0, 0, 1000, 50 };
	const struct registration_world world = {
		.now = lab_now, .wall = lab_wall, .random = lab_random, .listener = lab_listener, .listeners = lab_listeners,
		.resolve = lab_resolve, .send = lab_send, .release = lab_release, .join = lab_join,
		.keep_alive = lab_keep_alive, .transition = lab_transition, .begun = lab_told, .sent = lab_told,
		.over = lab_over, .changed = lab_changed, .filled = lab_changed,
	};
	const struct gateway_world gateway_world = {
		.now = lab_now, .wall = lab_wall, .random = lab_random, .listener = lab_listener, .resolve = lab_resolve,
		.probe = lab_probe, .release = lab_release, .report = lab_report, .event = lab_event,
	};

	(void)state;
	memset(&lab, 0, sizeof lab);
	lab.now = 5000 * SECOND_US;
	snprintf(lab.named.name, sizeof lab.named.name, "lan");
	lab.parameters.SS_SIP_USER_AGENT_EXPIRE = KEYWORD(EXPIRE_AUTO);
	lab.parameters.SS_SIP_USER_AGENT_RETRY_DELAY = 60;
	assert_int_equal(pacing_create(&lab.pacing, &limits), 0);
	assert_int_equal(registrations_create(&lab.registrations, &world, &lab.timers, lab.pacing), 0);
	assert_int_equal(gateways_create(&lab.gateways, &gateway_world, &lab.timers, lab.registrations), 0);
	registrations_parameters(lab.registrations, &lab.parameters);
	gateways_parameters(lab.gateways, &lab.parameters);
	return 0;
}

static int lab_end(void **state)
{
	(void)state;
	gateways_destroy(lab.gateways);
	registrations_destroy(lab.registrations);
	pacing_destroy(lab.pacing);
	assert_int_equal(lab.timers.reserved, 0);	/* nothing is left over */
	timers_free(&lab.timers);
	return 0;
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, lab_begin, lab_end)

#endif
