/* From a snapshot of the configuration to registrations and gateways: order, and a second try when memory was short. */
#include "switchcore/follow.h"

#include "switchcore/account.h"

#include "shm/config.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct sent {
	int32_t expires;
	char user[64];
	sip_answer_f *answer;
	void *arg;
};

static struct {
	char *dir;
	uint64_t now;
	struct timers timers;
	struct pacing *pacing;
	struct registrations *set;
	struct gateways *gateways;
	size_t reports;
	struct status_writer *status;
	struct report *report;
	struct config_writer *config;
	struct follow *follow;
	struct listener listener;
	struct sent sent[16];
	size_t count;
	const char *no_memory_for;		/* the name of a registration, or NULL */
	size_t refusals;
	uint64_t revision;
	uint64_t clock, clock_step;		/* of the loop: each look at it takes that long */
} lab;

/* The linker puts them between follow.c and the loop. */
void __wrap_loop_refresh_clock(void);
void __wrap_loop_refresh_clock(void)
{
	lab.clock += lab.clock_step;
}

uint64_t __wrap_loop_now(void);
uint64_t __wrap_loop_now(void)
{
	return lab.clock;
}

/* The linker puts it between follow.c and the registrations. */
int __real_registrations_put(struct registrations *set, const struct registration_record *record);
int __wrap_registrations_put(struct registrations *set, const struct registration_record *record);
int __wrap_registrations_put(struct registrations *set, const struct registration_record *record)
{
	if (lab.no_memory_for && strcmp(record->head.name, lab.no_memory_for) == 0) {
		lab.refusals++;
		return ENOMEM;
	}
	return __real_registrations_put(set, record);
}

/* ------------------------------------------------------------------ the world */

static uint64_t w_now(void *arg)
{
	(void)arg;
	return lab.now;
}

static uint32_t w_random(void *arg)
{
	(void)arg;
	return 7;
}

static const struct listener *w_listener(void *arg, const char *name, int32_t transport, sa_family_t family)
{
	(void)arg;
	(void)name;
	(void)transport;
	(void)family;
	return &lab.listener;
}

static const char *w_listeners(void *arg)
{
	(void)arg;
	return "udp:127.0.0.1:5060";
}

static int w_resolve(void *arg, struct resolver_wait *wait, struct resolver_result *result, const char *host, uint16_t port,
                     int32_t transport)
{
	(void)arg;
	(void)wait;
	(void)port;
	memset(result, 0, sizeof *result);
	result->count = 1;
	result->targets[0].transport = transport;
	assert_true(address_parse(&result->targets[0].address, host, 5060));
	return 0;
}

static int w_send(void *arg, struct sip_transaction **transaction, const struct sip_register *r, sip_answer_f *answer,
                  void *answer_arg)
{
	struct sent *s = &lab.sent[lab.count++];

	(void)arg;
	assert_true(lab.count <= sizeof lab.sent / sizeof lab.sent[0]);
	s->expires = r->expires;
	snprintf(s->user, sizeof s->user, "%s", account_text(r->account, ACCOUNT_USERNAME));
	s->answer = answer;
	s->arg = answer_arg;
	*transaction = (struct sip_transaction *)(void *)s;
	return 0;
}

static void w_release(void *arg, struct sip_transaction *transaction)
{
	(void)arg;
	(void)transaction;
}

static void w_join(void *arg, struct sip_flow_user *user, struct sip_transaction *transaction)
{
	(void)arg;
	(void)user;
	(void)transaction;
}

static void w_keep_alive(void *arg, const struct listener *listener, const struct target *target, struct sip_flow *flow)
{
	(void)arg;
	(void)listener;
	(void)target;
	(void)flow;
}

static void w_transition(void *arg, struct registration *r, enum registration_state from)
{
	(void)arg;
	(void)r;
	(void)from;
}

static void w_told(void *arg, const struct registration *r)
{
	(void)arg;
	(void)r;
}

static void w_over(void *arg, const struct registration *r, const struct registration_outcome *outcome)
{
	(void)arg;
	(void)r;
	(void)outcome;
}

static void w_changed(void *arg, struct registration *r)
{
	(void)arg;
	(void)r;
}

static void w_report(void *arg, enum kind_id kind, uint32_t id, const struct gateway_status *status)
{
	(void)arg;
	lab.reports++;
	report_gateway(lab.report, kind, id, status);
}

static void w_event(void *arg, const struct status_event *event)
{
	(void)arg;
	(void)event;
}

/* ------------------------------------------------------------------ acting */

static void settle(void)
{
	for (int i = 0; i < 5; i++) {
		timers_run(&lab.timers, lab.now);
		pacing_run(lab.pacing, lab.now);
	}
}

static void reply(uint16_t code)
{
	struct sip_answer answer;
	struct sent *s = &lab.sent[lab.count - 1];

	memset(&answer, 0, sizeof answer);
	answer.code = code;
	answer.granted = answer.min_expires = answer.retry_after = -1;
	s->answer(s->arg, &answer);
	settle();
}

static void put(uint32_t id, uint64_t incarnation, const char *name)
{
	struct registration_record record;

	memset(&record, 0, sizeof record);
	record.head = (struct record){ .id = id, .present = 1, .incarnation = incarnation, .revision = lab.revision + 1 };
	snprintf(record.head.name, sizeof record.head.name, "%s", name);
	snprintf(record.line, sizeof record.line, "line-of-%s", name);
	snprintf(record.server, sizeof record.server, "192.0.2.1");
	snprintf(record.username, sizeof record.username, "%s", name);
	record.enabled = 1;
	record.register_period = KEYWORD(REGISTER_PERIOD_INHERIT);
	record.retry_delay = KEYWORD(RETRY_DELAY_INHERIT);
	record.privacy = TRUNK_PRIVACY_INHERIT;
	assert_int_equal(config_put(lab.config, KIND_REGISTRATION, &record.head), 0);
}

/* Disabled ones, which send nothing. */
static void put_many(uint32_t count, int32_t retry_delay)
{
	struct registration_record record;

	memset(&record, 0, sizeof record);
	record.register_period = KEYWORD(REGISTER_PERIOD_INHERIT);
	record.retry_delay = retry_delay;
	record.privacy = TRUNK_PRIVACY_INHERIT;
	snprintf(record.server, sizeof record.server, "192.0.2.1");
	for (uint32_t id = 0; id < count; id++) {
		record.head = (struct record){ .id = id, .present = 1, .incarnation = 1, .revision = lab.revision + 1 };
		snprintf(record.head.name, sizeof record.head.name, "trunk-%u", id);
		snprintf(record.line, sizeof record.line, "line-%u", id);
		assert_int_equal(config_put(lab.config, KIND_REGISTRATION, &record.head), 0);
	}
}

static void put_routing(uint32_t id, uint64_t incarnation, const char *name, const char *registration)
{
	struct routing_gateway_record record;

	memset(&record, 0, sizeof record);
	record.head = (struct record){ .id = id, .present = 1, .incarnation = incarnation, .revision = lab.revision + 1 };
	snprintf(record.head.name, sizeof record.head.name, "%s", name);
	snprintf(record.host, sizeof record.host, "192.0.2.7");
	snprintf(record.registration, sizeof record.registration, "%s", registration);
	record.enabled = 1;
	assert_int_equal(config_put(lab.config, KIND_ROUTING_GATEWAY, &record.head), 0);
}

static void put_mapping(uint32_t id, uint64_t incarnation, const char *name, const char *source)
{
	struct mapping_gateway_record record;

	memset(&record, 0, sizeof record);
	record.head = (struct record){ .id = id, .present = 1, .incarnation = incarnation, .revision = lab.revision + 1 };
	snprintf(record.head.name, sizeof record.head.name, "%s", name);
	record.sources.count = 1;
	snprintf(record.sources.source[0], sizeof record.sources.source[0], "%s", source);
	record.enabled = 1;
	assert_int_equal(config_put(lab.config, KIND_MAPPING_GATEWAY, &record.head), 0);
}

static void publish(void)
{
	uint64_t generation;

	assert_int_equal(config_publish(lab.config, ++lab.revision, &generation), 0);
}

static int begin(void **state)
{
	const struct pacing_limits limits = { 0, 0, 1000, 50 };
	const struct registration_world world = {
		NULL, w_now, w_now, w_random, w_listener, w_listeners, w_resolve, w_send, w_release, w_join, w_keep_alive,
		w_transition, w_told, w_told, w_over, w_changed,
	};
	const struct gateway_world gateway_world = {
		.now = w_now, .wall = w_now, .random = w_random, .listener = w_listener, .resolve = w_resolve,
		.report = w_report, .event = w_event,
	};
	const struct status_options options = { .version = "1", .listeners = "", .trace_bytes = 65536 };
	const struct sip_parameters parameters = { .SS_SIP_USER_AGENT_EXPIRE = KEYWORD(EXPIRE_AUTO),
	                                           .SS_SIP_USER_AGENT_RETRY_DELAY = 60,
	                                           .SS_SIP_USER_AGENT_SEND_UNREGISTER = 1 };
	struct shm_why why = { "" };

	(void)state;
	memset(&lab, 0, sizeof lab);
	lab.dir = scratch_dir();
	lab.now = 5000 * SECOND_US;
	assert_int_equal(status_writer_open(&lab.status, lab.dir, &options, &why), 0);
	assert_int_equal(report_create(&lab.report, lab.status), 0);
	assert_int_equal(pacing_create(&lab.pacing, &limits), 0);
	assert_int_equal(registrations_create(&lab.set, &world, &lab.timers, lab.pacing), 0);
	assert_int_equal(config_writer_open(&lab.config, lab.dir, NULL, &why), 0);
	assert_int_equal(config_begin(lab.config), 0);
	assert_int_equal(config_set_parameters(lab.config, &parameters), 0);
	publish();
	assert_int_equal(gateways_create(&lab.gateways, &gateway_world, &lab.timers, lab.set), 0);
	assert_int_equal(follow_create(&lab.follow, lab.dir, lab.set, lab.gateways, lab.report), 0);
	follow_tick(lab.follow);
	return 0;
}

static int end(void **state)
{
	(void)state;
	gateways_destroy(lab.gateways);
	registrations_destroy(lab.set);
	follow_destroy(lab.follow);
	config_writer_close(lab.config);
	pacing_destroy(lab.pacing);
	report_destroy(lab.report);
	status_writer_close(lab.status);
	timers_free(&lab.timers);
	scratch_remove(lab.dir);
	return 0;
}

/* The new object would find no predecessor to wait for, and its binding be taken away with the old one's. */
static void one_made_again_under_a_lower_id_in_one_snapshot_waits_for_the_old_binding_to_go(void **state)
{
	(void)state;
	assert_int_equal(config_begin(lab.config), 0);
	put(5, 1, "carrier");
	publish();
	follow_tick(lab.follow);
	settle();
	assert_int_equal(lab.count, 1);
	reply(200);
	assert_int_equal(registrations_at(lab.set, 5)->state, STATE_REGISTERED);
	assert_int_equal(config_begin(lab.config), 0);
	assert_int_equal(config_delete(lab.config, KIND_REGISTRATION, 5), 0);
	put(2, 2, "carrier");
	publish();
	follow_tick(lab.follow);
	settle();
	assert_int_equal(lab.count, 2);
	assert_int_equal(lab.sent[1].expires, 0);
	reply(200);
	assert_int_equal(lab.count, 3);
	assert_int_equal(lab.sent[2].expires, 3600);
}

static void what_memory_was_short_for_is_taken_at_the_next_tick(void **state)
{
	(void)state;
	lab.no_memory_for = "second";
	assert_int_equal(config_begin(lab.config), 0);
	put(0, 1, "first");
	put(1, 2, "second");
	publish();
	follow_look(lab.follow);
	settle();
	assert_int_equal(lab.count, 1);
	assert_string_equal(lab.sent[0].user, "first");
	follow_look(lab.follow);
	assert_int_equal(lab.refusals, 1);	/* not before every message */
	follow_idle(lab.follow);
	follow_tick(lab.follow);
	assert_int_equal(lab.refusals, 2);
	lab.no_memory_for = NULL;
	follow_tick(lab.follow);
	settle();
	assert_int_equal(lab.count, 2);		/* the first is left alone */
	assert_string_equal(lab.sent[1].user, "second");
	assert_int_equal(registrations_at(lab.set, 0)->attempts, 1);
}

static void gateways_come_change_and_go_and_what_did_not_change_sees_nothing(void **state)
{
	struct mapping_gateway *customer;
	struct routing_gateway *carrier;
	union address from;
	size_t reports;

	(void)state;
	address_parse(&from, "192.0.2.50", 5060);
	assert_int_equal(config_begin(lab.config), 0);
	put_mapping(3, 1, "customer", "192.0.2.50");
	put_routing(4, 1, "carrier", "");
	put_routing(5, 1, "other", "");
	publish();
	follow_look(lab.follow);
	customer = gateways_by_source(lab.gateways, &from, "");
	carrier = gateways_routing(lab.gateways, "carrier");
	assert_ptr_equal(customer, gateways_mapping(lab.gateways, "customer"));
	assert_non_null(customer);
	assert_non_null(carrier);
	reports = lab.reports;
	assert_int_equal(config_begin(lab.config), 0);
	put_mapping(3, 1, "customer", "192.0.2.51");
	assert_int_equal(config_delete(lab.config, KIND_ROUTING_GATEWAY, 5), 0);
	publish();
	follow_look(lab.follow);
	assert_int_equal(lab.reports, reports + 1);	/* of the customer alone */
	assert_null(gateways_by_source(lab.gateways, &from, ""));
	assert_ptr_equal(gateways_mapping(lab.gateways, "customer"), customer);
	assert_ptr_equal(gateways_routing(lab.gateways, "carrier"), carrier);
	assert_null(gateways_routing(lab.gateways, "other"));
	/* Made again under the same id: somebody else. */
	assert_int_equal(config_begin(lab.config), 0);
	assert_int_equal(config_delete(lab.config, KIND_ROUTING_GATEWAY, 4), 0);
	put_routing(4, 3, "carrier", "");
	publish();
	follow_look(lab.follow);
	assert_int_equal(gateway_of_routing(gateways_routing(lab.gateways, "carrier"))->incarnation, 3);
}

static void a_gateway_finds_the_registration_that_comes_after_it(void **state)
{
	char why[GATEWAY_WHY_MAX];
	struct gateway *carrier;

	(void)state;
	assert_int_equal(config_begin(lab.config), 0);
	put_routing(0, 1, "carrier", "trunk");
	publish();
	follow_look(lab.follow);
	carrier = gateways_at(lab.gateways, KIND_ROUTING_GATEWAY, 0);
	gateway_why(carrier, why, sizeof why);
	assert_string_equal(why, "registration trunk does not exist");
	assert_int_equal(config_begin(lab.config), 0);
	put(7, 2, "trunk");
	publish();
	follow_look(lab.follow);
	settle();
	gateway_why(carrier, why, sizeof why);
	assert_string_equal(why, "registration trunk registering");
	reply(200);
	gateway_why(carrier, why, sizeof why);
	assert_string_equal(why, "");
}

static uint32_t present(void)
{
	uint32_t count = 0;

	for (uint32_t id = 0; id < registrations_limit(lab.set); id++)
		count += registrations_at(lab.set, id) != NULL;
	return count;
}

static void take_the_rest(void)
{
	for (int turn = 0; follow_turn(lab.follow) != TIMER_NEVER; turn++) {
		assert_true(turn < 1000);
		follow_idle(lab.follow);
		lab.clock += SECOND_US;
		follow_look(lab.follow);
	}
}

static void much_at_once_is_taken_in_parts_of_one_revision(void **state)
{
	enum { MANY = 200 };

	(void)state;
	assert_true(follow_take_news(lab.follow));
	lab.clock_step = SECOND_US;	/* so that each page is too much for one part */
	assert_int_equal(config_begin(lab.config), 0);
	put_many(MANY, 60);
	publish();
	follow_look(lab.follow);
	assert_in_range(present(), 0, MANY - 1);
	assert_false(follow_take_news(lab.follow));
	/* What is published meanwhile waits for its turn, and does not take the pages. */
	follow_idle(lab.follow);
	for (int32_t delay = 61; delay < 90; delay++) {
		assert_int_equal(config_begin(lab.config), 0);
		put_many(MANY, delay);
		publish();
	}
	assert_int_equal(config_begin(lab.config), 0);
	put_many(MANY, 90);
	assert_int_equal(config_delete(lab.config, KIND_REGISTRATION, MANY - 1), 0);
	publish();
	take_the_rest();
	assert_int_equal(present(), MANY);
	assert_int_equal(account_retry_delay(registrations_at(lab.set, MANY - 2)->account, &(struct sip_parameters){ 0 }), 60);
	assert_true(follow_take_news(lab.follow));
	follow_look(lab.follow);
	take_the_rest();
	assert_int_equal(present(), MANY - 1);
	assert_int_equal(account_retry_delay(registrations_at(lab.set, 0)->account, &(struct sip_parameters){ 0 }), 90);
	assert_int_equal(account_retry_delay(registrations_at(lab.set, MANY - 2)->account, &(struct sip_parameters){ 0 }), 90);
	/* All gone: nothing of it is left over from part to part. */
	assert_int_equal(config_begin(lab.config), 0);
	assert_int_equal(config_clear(lab.config), 0);
	publish();
	follow_look(lab.follow);
	take_the_rest();
	assert_int_equal(present(), 0);
	assert_true(follow_take_news(lab.follow));
}

/* Between two parts the loop has time for what came meanwhile. */
static void a_part_waits_until_the_loop_has_had_its_time(void **state)
{
	uint64_t due;
	uint32_t before;

	(void)state;
	lab.clock_step = SECOND_US;
	assert_int_equal(config_begin(lab.config), 0);
	put_many(200, 60);
	publish();
	follow_look(lab.follow);
	due = follow_turn(lab.follow);
	assert_true(due > lab.clock && due != TIMER_NEVER);
	before = present();
	lab.clock = due - 1;
	assert_int_equal(follow_turn(lab.follow), due);
	follow_look(lab.follow);
	assert_int_equal(present(), before);
	lab.clock = due;
	assert_true(follow_turn(lab.follow) > due);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_made_again_under_a_lower_id_in_one_snapshot_waits_for_the_old_binding_to_go, begin, end),
		cmocka_unit_test_setup_teardown(gateways_come_change_and_go_and_what_did_not_change_sees_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_gateway_finds_the_registration_that_comes_after_it, begin, end),
		cmocka_unit_test_setup_teardown(much_at_once_is_taken_in_parts_of_one_revision, begin, end),
		cmocka_unit_test_setup_teardown(a_part_waits_until_the_loop_has_had_its_time, begin, end),
		cmocka_unit_test_setup_teardown(what_memory_was_short_for_is_taken_at_the_next_tick, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
