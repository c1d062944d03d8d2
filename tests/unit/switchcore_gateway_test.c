/* Gateways: who a request comes from, what is let in, what is counted and told, probes, and life after deletion. */
#include "switchcore/source.h"
#include "tests/unit/gateway_lab.h"

static const char *by_source(const char *text, uint16_t port, const char *listener)
{
	union address remote;
	struct mapping_gateway *m;

	assert_true(address_parse(&remote, text, port));
	m = gateways_by_source(lab.gateways, &remote, listener);
	return m ? gateway_name(gateway_of_mapping(m)) : "none";
}

static struct mapping_gateway *put_source(uint32_t id, const char *name, const char *source)
{
	struct mapping_gateway_record m = lab_mapping(id, name);

	lab_source(&m, source);
	return lab_put_mapping(&m);
}

/* ------------------------------------------------------------------ sources */

static void the_longest_source_wins_and_one_with_a_port_before_all(void **state)
{
	(void)state;
	put_source(0, "world", "0.0.0.0/0");
	put_source(1, "net", "192.0.2.0/24");
	put_source(2, "half", "192.0.2.128/25");
	put_source(3, "host", "192.0.2.129");
	put_source(4, "port", "192.0.2.129:5070");
	assert_string_equal(by_source("192.0.2.129", 5070, ""), "port");
	assert_string_equal(by_source("192.0.2.129", 5060, ""), "host");
	assert_string_equal(by_source("192.0.2.130", 5070, ""), "half");
	assert_string_equal(by_source("192.0.2.127", 5060, ""), "net");
	assert_string_equal(by_source("198.51.100.1", 5060, ""), "world");
	assert_string_equal(by_source("2001:db8::1", 5060, ""), "none");
}

static void ipv6_sources_are_matched_like_ipv4_ones(void **state)
{
	(void)state;
	put_source(0, "site", "2001:db8::/32");
	put_source(1, "odd", "2001:db8:8000::/35");
	put_source(2, "host", "2001:db8::1");
	put_source(3, "port", "[2001:db8::1]:5070");
	assert_string_equal(by_source("2001:db8::1", 5070, ""), "port");
	assert_string_equal(by_source("2001:db8::1", 5060, ""), "host");
	assert_string_equal(by_source("2001:db8:9fff::1", 5060, ""), "odd");
	assert_string_equal(by_source("2001:db8:a000::1", 5060, ""), "site");
	assert_string_equal(by_source("2001:db9::1", 5060, ""), "none");
	assert_string_equal(by_source("192.0.2.1", 5060, ""), "none");
}

static void every_length_of_a_network_is_told_apart(void **state)
{
	char source[32];

	(void)state;
	for (unsigned length = 0; length <= 32; length++) {
		struct mapping_gateway_record m = lab_mapping(length, "m");
		/* 170.170.170.170 = 10101010…: the bit behind the length differs in the next longer one only. */
		snprintf(source, sizeof source, "170.170.170.170/%u", length);
		snprintf(m.head.name, sizeof m.head.name, "m%u", length);
		lab_source(&m, source);
		lab_put_mapping(&m);
	}
	for (unsigned length = 0; length <= 32; length++) {
		uint32_t host = length == 32 ? 0xaaaaaaaau : 0xaaaaaaaau ^ 0x80000000u >> length;
		char text[16], name[8];
		snprintf(text, sizeof text, "%u.%u.%u.%u", host >> 24, host >> 16 & 255, host >> 8 & 255, host & 255);
		snprintf(name, sizeof name, "m%u", length);
		assert_string_equal(by_source(text, 5060, ""), name);
	}
}

static void a_listener_must_be_the_one_that_is_named(void **state)
{
	struct mapping_gateway_record lan = lab_mapping(0, "lan-only"), any = lab_mapping(1, "any");

	(void)state;
	lab_source(&any, "192.0.2.0/24");
	lab_put_mapping(&any);
	lab_source(&lan, "192.0.2.7");
	snprintf(lan.listener, sizeof lan.listener, "lan");
	lab_put_mapping(&lan);
	assert_string_equal(by_source("192.0.2.7", 5060, "lan"), "lan-only");
	assert_string_equal(by_source("192.0.2.7", 5060, ""), "any");
	assert_string_equal(by_source("192.0.2.7", 5060, "wan"), "any");
}

static void of_the_same_source_the_one_that_names_the_listener_is_taken(void **state)
{
	struct mapping_gateway_record lan = lab_mapping(9, "lan-only"), any = lab_mapping(1, "any");

	(void)state;
	lab_source(&any, "192.0.2.7");
	lab_source(&lan, "192.0.2.7");
	snprintf(lan.listener, sizeof lan.listener, "lan");
	lab_put_mapping(&lan);
	lab_put_mapping(&any);
	assert_string_equal(by_source("192.0.2.7", 5060, "lan"), "lan-only");
	assert_string_equal(by_source("192.0.2.7", 5060, ""), "any");
}

static void a_disabled_gateway_does_not_count_and_changed_sources_do_at_once(void **state)
{
	struct mapping_gateway_record m = lab_mapping(0, "exact");

	(void)state;
	put_source(1, "net", "192.0.2.0/24");
	lab_source(&m, "192.0.2.7");
	lab_put_mapping(&m);
	assert_string_equal(by_source("192.0.2.7", 5060, ""), "exact");
	m.enabled = 0;
	lab_put_mapping(&m);
	assert_string_equal(by_source("192.0.2.7", 5060, ""), "net");
	m.enabled = 1;
	m.sources.count = 0;
	lab_source(&m, "192.0.2.8");
	lab_source(&m, "198.51.100.0/24");
	lab_put_mapping(&m);
	assert_string_equal(by_source("192.0.2.7", 5060, ""), "net");
	assert_string_equal(by_source("198.51.100.77", 5060, ""), "exact");
	gateways_delete(lab.gateways, KIND_MAPPING_GATEWAY, 0);
	assert_string_equal(by_source("198.51.100.77", 5060, ""), "none");
}

static void what_is_no_source_is_refused(void **state)
{
	static const char *const wrong[] = { "", "name", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/a", "1.2.3.4:", "1.2.3.4:0",
	                                     "1.2.3.4:65536", "::1/129", "[::1", "[::1]:x", "::ffff:1.2.3.4/96", "1.2.3.4/8/9" };
	struct source source;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(source_parse(&source, wrong[i]), EINVAL);
}

static void a_digest_gateway_without_sources_is_found_by_its_user_name(void **state)
{
	struct mapping_gateway_record a = lab_mapping(0, "alice"), b = lab_mapping(1, "bob"), c = lab_mapping(2, "carol");

	(void)state;
	assert_false(gateways_ask_anyone(lab.gateways));
	a.authentication = b.authentication = c.authentication = AUTHENTICATION_DIGEST;
	snprintf(b.username, sizeof b.username, "robert");
	lab_source(&c, "192.0.2.1");
	lab_put_mapping(&c);
	assert_false(gateways_ask_anyone(lab.gateways));
	lab_put_mapping(&a);
	lab_put_mapping(&b);
	assert_true(gateways_ask_anyone(lab.gateways));
	assert_ptr_equal(gateways_by_username(lab.gateways, "alice"), gateways_mapping(lab.gateways, "alice"));
	assert_ptr_equal(gateways_by_username(lab.gateways, "robert"), gateways_mapping(lab.gateways, "bob"));
	assert_null(gateways_by_username(lab.gateways, "bob"));
	assert_null(gateways_by_username(lab.gateways, "carol"));
	a.enabled = 0;
	lab_put_mapping(&a);
	assert_null(gateways_by_username(lab.gateways, "alice"));
	assert_non_null(gateways_mapping(lab.gateways, "alice"));
	b.authentication = AUTHENTICATION_IP;
	lab_put_mapping(&b);
	assert_false(gateways_ask_anyone(lab.gateways));
}

/* ------------------------------------------------------------------ a routing gateway's own address */

static int by_host(const char *text, uint16_t port, const char **name)
{
	struct routing_gateway *r = NULL;
	union address remote;
	int error;

	assert_true(address_parse(&remote, text, port));
	error = gateways_by_host(lab.gateways, &r, &remote);
	*name = r ? gateway_name(gateway_of_routing(r)) : "none";
	return error;
}

static void put_host(uint32_t id, const char *name, const char *host, int32_t port, const char *mapping)
{
	struct routing_gateway_record r = lab_routing(id, name);

	snprintf(r.host, sizeof r.host, "%s", host);
	snprintf(r.inbound_mapping, sizeof r.inbound_mapping, "%s", mapping);
	r.port = port;
	lab_put_routing(&r);
}

static void a_call_from_a_gateways_own_address_is_known_by_address_and_port(void **state)
{
	const char *name;

	(void)state;
	put_host(0, "a", "192.0.2.1", 5060, "in-a");
	put_host(1, "b", "192.0.2.1", 5070, "in-b");
	put_host(2, "plain", "192.0.2.2", 0, "");
	put_host(3, "v6", "[2001:db8::1]", 0, "in-a");
	assert_int_equal(by_host("192.0.2.1", 5060, &name), 0);
	assert_string_equal(name, "a");
	assert_int_equal(by_host("192.0.2.1", 5070, &name), 0);
	assert_string_equal(name, "b");
	assert_int_equal(by_host("192.0.2.1", 6000, &name), ENOTUNIQ);
	assert_int_equal(by_host("192.0.2.2", 6000, &name), 0);
	assert_string_equal(name, "plain");
	assert_int_equal(by_host("2001:db8::1", 5060, &name), 0);
	assert_int_equal(by_host("192.0.2.3", 5060, &name), ENOENT);
	gateways_delete(lab.gateways, KIND_ROUTING_GATEWAY, 1);
	assert_int_equal(by_host("192.0.2.1", 6000, &name), 0);
	assert_string_equal(name, "a");
}

static void gateways_that_share_an_address_and_its_mapping_are_one(void **state)
{
	const char *name;

	(void)state;
	put_host(0, "without", "192.0.2.1", 5060, "");
	put_host(1, "with", "192.0.2.1", 5070, "in");
	put_host(2, "with-too", "192.0.2.1", 5080, "in");
	assert_int_equal(by_host("192.0.2.1", 6000, &name), 0);
	assert_string_equal(name, "with");
}

static void a_name_is_looked_up_ahead_and_again_and_kept_through_an_outage(void **state)
{
	const char *name;

	(void)state;
	lab.names.count = 2;
	address_parse(&lab.names.targets[0].address, "203.0.113.1", 5060);
	address_parse(&lab.names.targets[1].address, "203.0.113.2", 5060);
	put_host(0, "named", "name.example", 0, "in");
	put_host(1, "outward", "name.example", 0, "");		/* nobody may call from it: nothing to look up */
	assert_int_equal(lab.lookups, 1);
	assert_int_equal(by_host("203.0.113.2", 5060, &name), 0);
	assert_string_equal(name, "named");
	address_parse(&lab.names.targets[1].address, "203.0.113.3", 5060);
	lab_pass(62 * SECOND_US);
	assert_int_equal(lab.lookups, 2);
	assert_int_equal(by_host("203.0.113.2", 5060, &name), ENOENT);
	assert_int_equal(by_host("203.0.113.3", 5060, &name), 0);
	lab.resolve_error = ENOENT;
	lab.names.count = 0;
	lab_pass(62 * SECOND_US);
	assert_int_equal(lab.lookups, 3);
	assert_int_equal(by_host("203.0.113.3", 5060, &name), 0);
	put_host(0, "named", "192.0.2.9", 0, "in");
	assert_int_equal(by_host("203.0.113.3", 5060, &name), ENOENT);
}

static void a_slow_answer_of_the_dns_is_taken_when_it_comes(void **state)
{
	struct resolver_result result = { .count = 1 };
	const char *name;

	(void)state;
	lab.resolve_error = EINPROGRESS;
	put_host(0, "named", "name.example", 0, "in");
	lab_pass(120 * SECOND_US);
	assert_int_equal(lab.lookups, 1);		/* it is still out */
	address_parse(&result.targets[0].address, "203.0.113.1", 5060);
	lab.waiting->lookup = NULL;
	lab.waiting->done(lab.waiting, &result);
	assert_int_equal(by_host("203.0.113.1", 5060, &name), 0);
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.lookups, 2);
	result.count = 0;
	lab.waiting->lookup = NULL;
	lab.waiting->done(lab.waiting, &result);
	assert_int_equal(by_host("203.0.113.1", 5060, &name), 0);	/* an outage */
}

/* ------------------------------------------------------------------ letting in */

static void calls_are_let_in_up_to_capacity_and_rate_and_not_by_a_locked_gateway(void **state)
{
	struct mapping_gateway_record record = lab_mapping(0, "m");
	struct mapping_gateway *m;

	(void)state;
	record.capacity = 2;
	m = lab_put_mapping(&record);
	assert_int_equal(mapping_admit(m), 0);
	assert_int_equal(mapping_admit(m), 0);
	assert_int_equal(mapping_admit(m), EBUSY);
	assert_string_equal(lab_why(m), "no capacity");
	mapping_release(m);
	assert_string_equal(lab_why(m), "");
	record.capacity = 0;
	record.max_cps = 3;
	lab_put_mapping(&record);
	lab.now += SECOND_US;
	for (int i = 0; i < 3; i++)
		assert_int_equal(mapping_admit(m), 0);
	assert_int_equal(mapping_admit(m), EAGAIN);
	lab.now += SECOND_US;
	record.locked = 1;
	lab_put_mapping(&record);
	assert_int_equal(mapping_admit(m), EPERM);
	assert_string_equal(lab_why(m), "locked");
	record.locked = 0;
	record.enabled = 0;
	lab_put_mapping(&record);
	assert_int_equal(mapping_admit(m), EPERM);
	assert_string_equal(lab_why(m), "disabled");
	for (int i = 0; i < 4; i++)
		mapping_release(m);
	assert_int_equal(gateway_of_mapping(m)->calls, 0);
}

static void the_longer_of_allowed_and_denied_prefixes_wins_of_equals_denied(void **state)
{
	struct mapping_gateway_record record = lab_mapping(0, "m");
	struct gateway_settings *s;

	(void)state;
	s = gateway_settings_create(KIND_MAPPING_GATEWAY, &record.head);
	assert_true(mapping_allows(s, "1"));
	assert_true(mapping_allows(s, ""));
	gateway_settings_unref(s);
	lab_prefix(&record.denied_prefixes, "49190");
	lab_prefix(&record.denied_prefixes, "1");
	s = gateway_settings_create(KIND_MAPPING_GATEWAY, &record.head);
	assert_false(mapping_allows(s, "491900"));
	assert_true(mapping_allows(s, "4919"));
	gateway_settings_unref(s);
	lab_prefix(&record.allowed_prefixes, "49");
	lab_prefix(&record.allowed_prefixes, "491901");
	lab_prefix(&record.allowed_prefixes, "1");
	s = gateway_settings_create(KIND_MAPPING_GATEWAY, &record.head);
	assert_true(mapping_allows(s, "4930"));
	assert_false(mapping_allows(s, "491902"));
	assert_true(mapping_allows(s, "4919015"));
	assert_false(mapping_allows(s, "1"));
	assert_false(mapping_allows(s, "880"));
	gateway_settings_unref(s);
}

static void stop_codes_and_every_6xx_stop(void **state)
{
	struct routing_gateway_record record = lab_routing(0, "r");
	struct gateway_settings *s;

	(void)state;
	record.stop_codes.count = 2;
	record.stop_codes.code[0] = 486;
	record.stop_codes.code[1] = 487;
	s = gateway_settings_create(KIND_ROUTING_GATEWAY, &record.head);
	assert_true(routing_stops(s, 486) && routing_stops(s, 487) && routing_stops(s, 600) && routing_stops(s, 699));
	assert_false(routing_stops(s, 503) || routing_stops(s, 404));
	gateway_settings_unref(s);
}

/* ------------------------------------------------------------------ life */

static void a_deleted_gateway_lives_until_its_last_call_ends(void **state)
{
	struct routing_gateway_record record = lab_routing(0, "r");
	struct routing_gateway *r = lab_put_routing(&record), *again;
	struct gateway_settings *settings = gateway_settings_ref(gateway_of_routing(r)->settings);

	(void)state;
	assert_int_equal(routing_claim(r), 0);
	record.locked = 1;
	lab_put_routing(&record);
	assert_int_equal(settings->routing->locked, 0);	/* what the call began with */
	assert_int_equal(gateway_of_routing(r)->settings->routing->locked, 1);
	gateways_delete(lab.gateways, KIND_ROUTING_GATEWAY, 0);
	assert_null(gateways_routing(lab.gateways, "r"));
	record.head.incarnation = 99;
	record.locked = 0;
	again = lab_put_routing(&record);
	assert_ptr_not_equal(again, r);
	assert_int_equal(gateway_of_routing(again)->calls, 0);
	assert_int_equal(routing_claim(r), EPERM);
	gateway_tried(gateway_of_routing(r), 200);
	gateway_answered(gateway_of_routing(r));
	routing_hold(r, 10);
	lab_pass(SECOND_US);
	assert_int_equal(lab.status[KIND_ROUTING_GATEWAY][0].calls_total, 0);	/* the new one's record is its own */
	gateway_ended(gateway_of_routing(r), 1000);
	assert_string_equal(gateway_name(gateway_of_routing(r)), "r");
	routing_release(r);
	gateway_settings_unref(settings);
}

static void a_registrations_claims_outlive_it(void **state)
{
	struct registration_record record = lab_registration(0, "trunk");
	struct registration_claims *one, *two;
	struct registration *r;

	(void)state;
	record.capacity = 2;
	lab_put_registration(&record);
	r = registrations_find(lab.registrations, "trunk");
	assert_int_equal(registration_claim(r, &one), 0);
	assert_int_equal(registration_claim(r, &two), 0);
	assert_int_equal(registration_claim(r, &two), EBUSY);
	assert_true(registration_full(r));
	registration_release(one);
	assert_int_equal(registration_calls(r), 1);
	assert_int_equal(registration_claim(r, &one), 0);
	registrations_delete(lab.registrations, 0);
	assert_null(registrations_find(lab.registrations, "trunk"));
	registration_release(one);
	registration_release(two);
	registration_release(NULL);
}

static void a_trunk_is_found_by_its_token_and_by_contact_and_source(void **state)
{
	struct registration_record a = lab_registration(0, "a"), b = lab_registration(1, "b");
	union address server, stranger;
	struct registration *r;

	(void)state;
	address_parse(&server, "192.0.2.200", 5999);
	address_parse(&stranger, "192.0.2.201", 5060);
	lab_put_registration(&a);
	assert_ptr_equal(registrations_by_line(lab.registrations, "line-of-a"), registrations_find(lab.registrations, "a"));
	assert_null(registrations_by_line(lab.registrations, "line-of-b"));
	assert_null(registrations_by_line(lab.registrations, ""));
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "a", &server), 0);
	assert_ptr_equal(r, registrations_find(lab.registrations, "a"));
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "a", &stranger), ENOENT);
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "b", &server), ENOENT);
	snprintf(b.contact_user, sizeof b.contact_user, "a");
	lab_put_registration(&b);
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "a", &server), ENOTUNIQ);
	snprintf(b.contact_user, sizeof b.contact_user, "c");
	lab_put_registration(&b);
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "a", &server), 0);
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "c", &server), 0);
	registrations_delete(lab.registrations, 0);
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "a", &server), ENOENT);
	assert_null(registrations_by_line(lab.registrations, "line-of-a"));
}

static void every_address_of_the_servers_name_is_the_servers(void **state)
{
	struct registration_record record = lab_registration(0, "a");
	union address other;
	struct registration *r;

	(void)state;
	lab.names.count = 2;
	address_parse(&lab.names.targets[0].address, "203.0.113.1", 5060);
	address_parse(&lab.names.targets[1].address, "203.0.113.2", 5060);
	address_parse(&other, "203.0.113.2", 40000);
	snprintf(record.server, sizeof record.server, "name.example");
	lab_put_registration(&record);
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "a", &other), 0);
	lab.names.count = 1;
	lab_answer(&lab.registers[0], 200);
	lab_pass(1800 * SECOND_US);
	assert_int_equal(lab.register_count, 2);
	assert_int_equal(registrations_by_contact(lab.registrations, &r, "a", &other), ENOENT);
}

/* ------------------------------------------------------------------ what is told */

static void status_tells_calls_codes_and_the_last_hour(void **state)
{
	struct routing_gateway_record record = lab_routing(3, "r");
	const struct gateway_status *s = &lab.status[KIND_ROUTING_GATEWAY][3];
	struct routing_gateway *r;

	(void)state;
	record.capacity = 30;
	record.max_cps = 50;
	r = lab_put_routing(&record);
	assert_true(s->routable);
	assert_int_equal(s->incarnation, record.head.incarnation);
	lab.now = 7000 * SECOND_US;
	for (int i = 0; i < 10; i++)
		assert_int_equal(routing_claim(r), 0);
	for (unsigned i = 0; i < 9; i++)
		gateway_tried(gateway_of_routing(r), 480 + i);
	gateway_answered(gateway_of_routing(r));
	gateway_ended(gateway_of_routing(r), 12500);
	routing_release(r);
	lab_pass(1500000);
	assert_int_equal(s->calls, 9);
	assert_int_equal(s->capacity, 30);
	assert_int_equal(s->max_cps, 50);
	assert_int_equal(s->cps, 10);
	assert_int_equal(s->calls_total, 10);
	assert_int_equal(s->answered_total, 1);
	assert_int_equal(s->calls_last_hour, 10);
	assert_int_equal(s->answered_last_hour, 1);
	assert_int_equal(s->ended_last_hour, 1);
	assert_int_equal(s->seconds_last_hour, 12);
	assert_int_equal(s->code_count, STATUS_CODES);
	for (unsigned i = 0; i < STATUS_CODES; i++)
		assert_int_equal(s->codes[i].code, 488 - i);
	lab_pass(2 * SECOND_US);
	assert_int_equal(s->cps, 0);		/* though nothing happened */
	lab_pass(3400 * SECOND_US);
	assert_int_equal(s->calls_last_hour, 10);
	lab_pass(400 * SECOND_US);
	assert_int_equal(s->calls_last_hour, 0);
	assert_int_equal(s->seconds_last_hour, 0);
	assert_int_equal(s->calls_total, 10);
	for (int i = 0; i < 9; i++)
		routing_release(r);
}

static void the_first_hour_after_boot_counts_right(void **state)
{
	struct routing_gateway_record record = lab_routing(3, "r");
	const struct gateway_status *s = &lab.status[KIND_ROUTING_GATEWAY][3];
	struct routing_gateway *r;

	(void)state;
	lab.now = 650 * SECOND_US;
	r = lab_put_routing(&record);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(routing_claim(r), 0);
		routing_release(r);
		lab_pass(SECOND_US);
		assert_int_equal(s->calls_last_hour, i + 1);
		lab_pass(299 * SECOND_US);
	}
}

static void a_busy_gateway_is_told_a_few_times_a_second(void **state)
{
	struct routing_gateway_record record = lab_routing(0, "r");
	struct routing_gateway *r = lab_put_routing(&record);
	size_t before = lab.reports;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(routing_claim(r), 0);
		routing_release(r);
		lab_pass(SECOND_US / 500);
	}
	assert_in_range(lab.reports - before, 6, 10);
	lab_pass(SECOND_US);
	assert_int_equal(lab.status[KIND_ROUTING_GATEWAY][0].calls_total, 1000);
	assert_int_equal(lab.status[KIND_ROUTING_GATEWAY][0].calls, 0);
}

static void an_idle_gateway_is_not_told_again(void **state)
{
	struct routing_gateway_record record = lab_routing(0, "r");
	struct mapping_gateway_record other = lab_mapping(0, "m");
	size_t before;

	(void)state;
	lab_put_routing(&record);
	lab_put_mapping(&other);
	lab_pass(SECOND_US);
	before = lab.reports;
	lab_pass(100 * SECOND_US);
	assert_int_equal(lab.reports, before);
	assert_int_equal(gateways_put_routing(lab.gateways, &record), 0);	/* the same revision */
	assert_int_equal(lab.reports, before);
}

static void events_tell_that_it_became_routable_or_not(void **state)
{
	struct routing_gateway_record record = lab_routing(7, "r");
	struct routing_gateway *r = lab_put_routing(&record);

	(void)state;
	assert_int_equal(lab.event_count, 0);
	record.locked = 1;
	lab_put_routing(&record);
	assert_int_equal(lab.event_count, 1);
	assert_int_equal(lab.events[0].kind, KIND_ROUTING_GATEWAY);
	assert_int_equal(lab.events[0].id, 7);
	assert_int_equal(lab.events[0].incarnation, record.head.incarnation);
	assert_int_equal(lab.events[0].from, GATEWAY_EVENT(PROBE_OFF, 1, 0));
	assert_int_equal(lab.events[0].to, GATEWAY_EVENT(PROBE_OFF, 0, 0));
	record.locked = 0;
	lab_put_routing(&record);
	lab_pass(SECOND_US);
	routing_hold(r, 5);
	lab_pass(SECOND_US);
	assert_int_equal(lab.event_count, 3);
	assert_int_equal(lab.events[2].to, GATEWAY_EVENT(PROBE_OFF, 0, 1));
	assert_int_equal(lab.status[KIND_ROUTING_GATEWAY][7].held_until, LAB_WALL + lab.now + 4 * SECOND_US);
	lab_pass(5 * SECOND_US);
	assert_int_equal(lab.event_count, 4);
	assert_int_equal(lab.events[3].to, GATEWAY_EVENT(PROBE_OFF, 1, 0));
	assert_string_equal(lab.status[KIND_ROUTING_GATEWAY][7].why, "");
}

static void another_address_ends_a_hold(void **state)
{
	struct routing_gateway_record record = lab_routing(0, "r");
	struct routing_gateway *r = lab_put_routing(&record);

	(void)state;
	routing_hold(r, 500);
	record.priority = 7;
	lab_put_routing(&record);
	assert_string_not_equal(lab_why(r), "");
	snprintf(record.host, sizeof record.host, "192.0.2.77");
	lab_put_routing(&record);
	assert_string_equal(lab_why(r), "");
}

static void why_follows_the_registration(void **state)
{
	struct registration_record trunk = lab_registration(0, "carrier-a");
	struct routing_gateway_record record = lab_routing(0, "r");
	const struct gateway_status *s = &lab.status[KIND_ROUTING_GATEWAY][0];

	(void)state;
	snprintf(record.registration, sizeof record.registration, "carrier-a");
	lab_put_routing(&record);
	assert_string_equal(s->why, "registration carrier-a does not exist");
	lab_put_registration(&trunk);
	lab_pass(SECOND_US);
	assert_string_equal(s->why, "registration carrier-a registering");
	lab_answer(&lab.registers[0], 503);
	lab_pass(SECOND_US);
	assert_string_equal(s->why, "registration carrier-a waiting: 503, next attempt 23:37:41");
	assert_false(s->routable);
	lab_pass(60 * SECOND_US);
	lab_break(&lab.registers[1], SIP_SILENT);
	lab_pass(SECOND_US);
	assert_string_equal(s->why, "registration carrier-a waiting: timeout, next attempt 23:38:42");
	trunk.enabled = 0;
	lab_put_registration(&trunk);
	lab_pass(SECOND_US);
	assert_string_equal(s->why, "registration carrier-a disabled");
	trunk.enabled = 1;
	lab_put_registration(&trunk);
	lab_answer(&lab.registers[2], 200);
	lab_pass(SECOND_US);
	assert_string_equal(s->why, "");
	assert_true(s->routable);
	trunk.enabled = 0;
	lab_put_registration(&trunk);
	lab_pass(SECOND_US);
	registrations_delete(lab.registrations, 0);
	lab_pass(SECOND_US);
	assert_string_equal(s->why, "registration carrier-a does not exist");
}

/* ------------------------------------------------------------------ probes */

static void set_period(int32_t seconds)
{
	lab.parameters.SS_SIP_OPTIONS_CHECK_PERIOD = seconds;
	gateways_parameters(lab.gateways, &lab.parameters);
}

static struct routing_gateway_record probed(uint32_t id, const char *name)
{
	struct routing_gateway_record record = lab_routing(id, name);

	record.options_check = 1;
	lab_put_routing(&record);
	return record;
}

static void a_probe_goes_out_once_a_period_and_never_two_at_once(void **state)
{
	const struct gateway_status *s = &lab.status[KIND_ROUTING_GATEWAY][5];
	uint64_t last;

	(void)state;
	set_period(60);
	probed(5, "r");
	assert_int_equal(s->probe, PROBE_UNKNOWN);
	assert_true(s->routable);
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.probe_count, 1);
	assert_memory_equal(lab.probes[0].call_id, "g00000005-", 10);
	assert_string_equal(lab.probes[0].host, "192.0.2.6");
	lab_answer(&lab.probes[0], 404);
	lab_pass(SECOND_US);
	assert_true(lab.probes[0].released);
	assert_int_equal(s->probe, PROBE_UP);
	assert_int_equal(s->probe_code, 404);
	assert_int_equal(s->probe_rtt_us, 1500);
	lab_pass(63 * SECOND_US);
	assert_int_equal(lab.probe_count, 2);
	for (size_t n = 2; n < 6; n++) {
		lab_answer(&lab.probes[n - 1], 200);
		last = lab.probes[n - 1].at;
		lab_pass(62 * SECOND_US);
		assert_int_equal(lab.probe_count, n + 1);
		assert_in_range(lab.probes[n].at - last, 58 * SECOND_US, 62 * SECOND_US);
	}
}

static void silence_503_408_and_a_broken_transport_take_it_out_until_it_answers(void **state)
{
	const struct gateway_status *s = &lab.status[KIND_ROUTING_GATEWAY][0];

	(void)state;
	set_period(10);
	probed(0, "r");
	lab_pass(2 * SECOND_US);
	lab_pass(11 * SECOND_US);		/* no answer within the period */
	assert_int_equal(s->probe, PROBE_DOWN);
	assert_int_equal(s->probe_code, 408);
	assert_string_equal(s->why, "probe failed");
	assert_false(s->routable);
	assert_int_equal(lab.event_count, 1);
	assert_int_equal(lab.events[0].to, GATEWAY_EVENT(PROBE_DOWN, 0, 0));
	assert_true(lab.probes[0].released);
	for (int i = 0; i < 3; i++) {
		size_t count = lab.probe_count;
		if (lab.probes[count - 1].released)
			lab_pass(12 * SECOND_US);
		lab_answer(&lab.probes[lab.probe_count - 1], 200);
		lab_pass(SECOND_US);
		assert_int_equal(s->probe, PROBE_UP);
		assert_true(s->routable);
		while (lab.probes[lab.probe_count - 1].released)
			lab_pass(SECOND_US);
		if (i == 2)
			lab_break(&lab.probes[lab.probe_count - 1], SIP_BROKEN);
		else
			lab_answer(&lab.probes[lab.probe_count - 1], i ? 408 : 503);
		lab_pass(SECOND_US);
		assert_int_equal(s->probe, PROBE_DOWN);
		assert_int_equal(s->probe_code, i == 2 ? 0 : i ? 408 : 503);
	}
}

static void a_probe_tries_every_address_of_the_name(void **state)
{
	struct routing_gateway_record record = lab_routing(0, "r");

	(void)state;
	set_period(60);
	lab.names.count = 3;
	for (unsigned i = 0; i < 3; i++) {
		char text[20];
		snprintf(text, sizeof text, "203.0.113.%u", i + 1);
		address_parse(&lab.names.targets[i].address, text, 5060);
	}
	record.options_check = 1;
	snprintf(record.host, sizeof record.host, "name.example");
	lab_put_routing(&record);
	lab_pass(2 * SECOND_US);
	lab_break(&lab.probes[0], SIP_BROKEN);
	assert_int_equal(lab.probe_count, 2);
	lab_pass(11 * SECOND_US);		/* a third of the 32 s */
	assert_int_equal(lab.probe_count, 3);
	assert_true(lab.probes[1].released);
	lab_answer(&lab.probes[2], 200);
	lab_pass(SECOND_US);
	assert_int_equal(lab.status[KIND_ROUTING_GATEWAY][0].probe, PROBE_UP);
}

static void while_a_name_is_looked_up_no_second_probe_begins(void **state)
{
	struct routing_gateway_record record = lab_routing(0, "r");
	struct resolver_result result = { .count = 1 };

	(void)state;
	set_period(10);
	lab.resolve_error = EINPROGRESS;
	record.options_check = 1;
	snprintf(record.host, sizeof record.host, "name.example");
	lab_put_routing(&record);
	lab_pass(35 * SECOND_US);
	assert_int_equal(lab.lookups, 1);
	assert_int_equal(lab.probe_count, 0);
	address_parse(&result.targets[0].address, "203.0.113.1", 5060);
	lab.waiting->lookup = NULL;
	lab.waiting->done(lab.waiting, &result);
	assert_int_equal(lab.probe_count, 1);
}

static void what_cannot_be_sent_or_has_no_address_is_down(void **state)
{
	struct routing_gateway_record record = lab_routing(1, "named");

	(void)state;
	set_period(30);
	lab.probe_error = EINVAL;
	lab.resolve_error = ENOENT;
	record.options_check = 1;
	snprintf(record.host, sizeof record.host, "name.example");
	lab_put_routing(&record);
	probed(0, "r");
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.status[KIND_ROUTING_GATEWAY][0].probe, PROBE_DOWN);
	assert_int_equal(lab.status[KIND_ROUTING_GATEWAY][1].probe, PROBE_DOWN);
}

static void settings_of_the_probe_apply_at_once(void **state)
{
	struct routing_gateway_record record = probed(0, "r");
	const struct gateway_status *s = &lab.status[KIND_ROUTING_GATEWAY][0];

	(void)state;
	lab_pass(20 * SECOND_US);
	assert_int_equal(lab.probe_count, 0);	/* the period is 0: off */
	assert_int_equal(s->probe, PROBE_OFF);
	set_period(3600);
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.probe_count, 1);
	lab_break(&lab.probes[0], SIP_BROKEN);
	lab_pass(SECOND_US);
	assert_false(s->routable);
	set_period(10);
	lab_pass(12 * SECOND_US);
	assert_int_equal(lab.probe_count, 2);
	/* Another address: nothing is known of it, and one that is out is of no use. */
	snprintf(record.host, sizeof record.host, "192.0.2.99");
	lab_put_routing(&record);
	assert_true(lab.probes[1].released);
	assert_int_equal(s->probe, PROBE_UNKNOWN);
	assert_true(s->routable);
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.probe_count, 3);
	assert_string_equal(lab.probes[2].host, "192.0.2.99");
	/* A note or priority leaves it alone. */
	record.priority = 1;
	lab_put_routing(&record);
	assert_false(lab.probes[2].released);
	record.options_check = 0;
	lab_put_routing(&record);
	assert_true(lab.probes[2].released);
	assert_int_equal(s->probe, PROBE_OFF);
	record.options_check = 1;
	lab_put_routing(&record);
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.probe_count, 4);
	set_period(0);
	assert_true(lab.probes[3].released);
	lab_pass(SECOND_US);
	assert_int_equal(s->probe, PROBE_OFF);
	set_period(10);
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.probe_count, 5);
	gateways_delete(lab.gateways, KIND_ROUTING_GATEWAY, 0);
	assert_true(lab.probes[4].released);
}

static void many_probes_are_spread_and_capped(void **state)
{
	size_t most = 0;

	(void)state;
	set_period(30);
	for (uint32_t id = 0; id < 300; id++) {
		char name[16];
		snprintf(name, sizeof name, "r%u", id);
		probed(id, name);
	}
	for (int i = 0; i < 300; i++) {
		size_t before = lab.probe_count, out = 0;
		lab_pass(GATEWAYS_TICK_US);
		assert_true(lab.probe_count - before <= 7);
		for (size_t n = 0; n < lab.probe_count; n++)
			out += !lab.probes[n].released;
		most = out > most ? out : most;
		if (lab.probe_count >= 256)
			break;
	}
	assert_int_equal(most, 256);
	lab_pass(SECOND_US);
	assert_int_equal(lab.probe_count, 256);		/* nobody answers: the rest waits */
	for (size_t n = 0; n < 44; n++)
		lab_answer(&lab.probes[n], 200);
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.probe_count, 300);
	gateways_stop(lab.gateways);
	for (size_t n = 0; n < 300; n++)
		assert_true(lab.probes[n].released);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(the_longest_source_wins_and_one_with_a_port_before_all),
		LAB_TEST(ipv6_sources_are_matched_like_ipv4_ones),
		LAB_TEST(every_length_of_a_network_is_told_apart),
		LAB_TEST(a_listener_must_be_the_one_that_is_named),
		LAB_TEST(of_the_same_source_the_one_that_names_the_listener_is_taken),
		LAB_TEST(a_disabled_gateway_does_not_count_and_changed_sources_do_at_once),
		LAB_TEST(what_is_no_source_is_refused),
		LAB_TEST(a_digest_gateway_without_sources_is_found_by_its_user_name),
		LAB_TEST(a_call_from_a_gateways_own_address_is_known_by_address_and_port),
		LAB_TEST(gateways_that_share_an_address_and_its_mapping_are_one),
		LAB_TEST(a_name_is_looked_up_ahead_and_again_and_kept_through_an_outage),
		LAB_TEST(a_slow_answer_of_the_dns_is_taken_when_it_comes),
		LAB_TEST(calls_are_let_in_up_to_capacity_and_rate_and_not_by_a_locked_gateway),
		LAB_TEST(the_longer_of_allowed_and_denied_prefixes_wins_of_equals_denied),
		LAB_TEST(stop_codes_and_every_6xx_stop),
		LAB_TEST(a_deleted_gateway_lives_until_its_last_call_ends),
		LAB_TEST(a_registrations_claims_outlive_it),
		LAB_TEST(a_trunk_is_found_by_its_token_and_by_contact_and_source),
		LAB_TEST(every_address_of_the_servers_name_is_the_servers),
		LAB_TEST(status_tells_calls_codes_and_the_last_hour),
		LAB_TEST(the_first_hour_after_boot_counts_right),
		LAB_TEST(a_busy_gateway_is_told_a_few_times_a_second),
		LAB_TEST(an_idle_gateway_is_not_told_again),
		LAB_TEST(events_tell_that_it_became_routable_or_not),
		LAB_TEST(another_address_ends_a_hold),
		LAB_TEST(why_follows_the_registration),
		LAB_TEST(a_probe_goes_out_once_a_period_and_never_two_at_once),
		LAB_TEST(silence_503_408_and_a_broken_transport_take_it_out_until_it_answers),
		LAB_TEST(a_probe_tries_every_address_of_the_name),
		LAB_TEST(while_a_name_is_looked_up_no_second_probe_begins),
		LAB_TEST(what_cannot_be_sent_or_has_no_address_is_down),
		LAB_TEST(settings_of_the_probe_apply_at_once),
		LAB_TEST(many_probes_are_spread_and_capped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
