/* Where a call may go: order, what is skipped and why, and that a route survives what happens around it. */
#include "tests/unit/gateway_lab.h"

/* The linker puts them between the switch and the C library. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

static size_t failing;			/* this allocation from now on finds no memory; 0 = none does */

static bool fails(void)
{
	return failing > 0 && --failing == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
	return fails() ? NULL : __real_realloc(at, size);
}

static struct {
	char who[64][64], why[64][GATEWAY_WHY_MAX];
	size_t count;
} skips;

static void skipped(void *arg, const struct routing_gateway *r, const char *why)
{
	const struct gateway *g = (const struct gateway *)(const void *)r;

	(void)arg;
	assert_true(skips.count < 64);
	snprintf(skips.who[skips.count], sizeof skips.who[0], "%s", gateway_name(g));
	snprintf(skips.why[skips.count++], sizeof skips.why[0], "%s", why);
}

static const char *next(struct route *route)
{
	struct routing_gateway *r = route_next(route, skipped, NULL);

	return r ? gateway_name(gateway_of_routing(r)) : "none";
}

static const char *first(const char *callee)
{
	static struct route route;

	memset(&skips, 0, sizeof skips);
	route_begin(&route, lab.gateways, callee);
	return next(&route);
}

/* Nobody asks why others are skipped, so only what events say of them counts. */
static const char *first_told_nothing(const char *callee)
{
	struct routing_gateway *r;
	struct route route;

	route_begin(&route, lab.gateways, callee);
	r = route_next(&route, NULL, NULL);
	return r ? gateway_name(gateway_of_routing(r)) : "none";
}

static struct routing_gateway *put(uint32_t id, const char *name, const char *prefix, int32_t priority, int32_t capacity)
{
	struct routing_gateway_record r = lab_routing(id, name);

	if (prefix[0])
		lab_prefix(&r.prefixes, prefix);
	r.priority = priority;
	r.capacity = capacity;
	return lab_put_routing(&r);
}

static void assert_skip(size_t i, const char *who, const char *why)
{
	assert_true(i < skips.count);
	assert_string_equal(skips.who[i], who);
	assert_string_equal(skips.why[i], why);
}

/* ------------------------------------------------------------------ order */

static void the_longest_prefix_comes_first_and_the_shorter_ones_after_it(void **state)
{
	struct route route;

	(void)state;
	put(0, "world", "", 1, 0);
	put(1, "bangladesh", "880", 100, 0);
	put(2, "dhaka", "8802", 100, 0);
	put(3, "chile", "56", 1, 0);
	route_begin(&route, lab.gateways, "880212345");
	assert_string_equal(next(&route), "dhaka");
	assert_int_equal(route_prefix(&route), 4);
	assert_string_equal(next(&route), "bangladesh");
	assert_int_equal(route_prefix(&route), 3);
	assert_string_equal(next(&route), "world");
	assert_int_equal(route_prefix(&route), 0);
	assert_string_equal(next(&route), "none");
	assert_string_equal(next(&route), "none");
	assert_true(route_any(&route));
}

static void a_prefix_is_of_digits_star_hash_and_plus_and_up_to_twenty_long(void **state)
{
	(void)state;
	put(0, "star", "*21#", 100, 0);
	put(1, "plus", "+49", 100, 0);
	put(2, "long", "01234567890123456789", 100, 0);
	put(3, "sixteen", "0123456789012345", 100, 0);
	assert_string_equal(first("*21#"), "star");
	assert_string_equal(first("*21"), "none");
	assert_string_equal(first("+4930"), "plus");
	assert_string_equal(first("4930"), "none");
	assert_string_equal(first("01234567890123456789012345"), "long");
	assert_string_equal(first("0123456789012345678"), "sixteen");
	assert_string_equal(first("alice"), "none");
	assert_string_equal(first(""), "none");
}

static void among_equal_prefixes_the_lowest_priority_comes_first(void **state)
{
	struct route route;

	(void)state;
	put(0, "third", "49", 300, 0);
	put(1, "first", "49", 100, 1);
	put(2, "second", "49", 200, 0);
	route_begin(&route, lab.gateways, "4930");
	assert_string_equal(next(&route), "first");
	assert_string_equal(next(&route), "second");
	assert_string_equal(next(&route), "third");
}

static void among_equals_the_one_with_most_free_capacity_comes_first(void **state)
{
	struct routing_gateway *ten = put(0, "ten", "49", 100, 10), *eight = put(1, "eight", "49", 100, 8);

	(void)state;
	assert_string_equal(first("49"), "ten");
	for (int i = 0; i < 3; i++)
		assert_int_equal(routing_claim(ten), 0);
	assert_string_equal(first("49"), "eight");
	put(2, "endless", "49", 100, 0);
	assert_string_equal(first("49"), "endless");
	routing_release(ten);
	routing_release(ten);
	routing_release(ten);
	assert_int_equal(gateway_of_routing(ten)->calls, 0);
	(void)eight;
}

static void of_gateways_without_limit_the_one_with_fewest_calls_comes_first(void **state)
{
	struct routing_gateway *a = put(0, "a", "", 100, 0), *b = put(1, "b", "", 100, 0);

	(void)state;
	assert_string_equal(first("1"), "a");
	assert_int_equal(routing_claim(a), 0);
	assert_string_equal(first("1"), "b");
	assert_int_equal(routing_claim(b), 0);
	assert_string_equal(first("1"), "a");
	routing_release(a);
	routing_release(b);
}

static void no_gateway_comes_twice_though_several_of_its_prefixes_match(void **state)
{
	struct routing_gateway_record r = lab_routing(0, "both");
	struct route route;

	(void)state;
	lab_prefix(&r.prefixes, "4");
	lab_prefix(&r.prefixes, "49");
	lab_prefix(&r.prefixes, "4930");
	lab_put_routing(&r);
	put(1, "other", "49", 500, 0);
	route_begin(&route, lab.gateways, "49301");
	assert_string_equal(next(&route), "both");
	assert_string_equal(next(&route), "other");
	assert_string_equal(next(&route), "none");
}

static void where_no_prefix_matches_the_route_says_so(void **state)
{
	struct routing_gateway_record r = lab_routing(0, "off");
	struct route route;

	(void)state;
	put(1, "chile", "56", 100, 0);
	r.enabled = 0;
	lab_put_routing(&r);		/* a disabled one has no prefix */
	route_begin(&route, lab.gateways, "49");
	assert_string_equal(next(&route), "none");
	assert_false(route_any(&route));
	route_begin(&route, lab.gateways, "56");
	assert_string_equal(next(&route), "chile");
	assert_true(route_any(&route));
}

static void a_call_is_given_so_many_gateways_at_most(void **state)
{
	struct route route;
	char name[16];
	int count = 0;

	(void)state;
	for (uint32_t id = 0; id < 50; id++) {
		snprintf(name, sizeof name, "g%u", id);
		put(id, name, "49", 100, 0);
	}
	route_begin(&route, lab.gateways, "49");
	while (route_next(&route, skipped, NULL))
		count++;
	assert_int_equal(count, ROUTE_GIVEN_MAX);
}

/* ------------------------------------------------------------------ what is skipped */

static void a_locked_gateway_is_skipped(void **state)
{
	struct routing_gateway_record r = lab_routing(0, "a");

	(void)state;
	r.locked = 1;
	lab_put_routing(&r);
	put(1, "b", "", 200, 0);
	assert_string_equal(first("49"), "b");
	assert_int_equal(skips.count, 1);
	assert_skip(0, "a", "locked");
	assert_int_equal(routing_claim(gateways_routing(lab.gateways, "a")), EPERM);
}

static void a_full_gateway_is_skipped_until_a_call_goes(void **state)
{
	struct routing_gateway *a = put(0, "a", "", 100, 1);

	(void)state;
	put(1, "b", "", 200, 0);
	assert_string_equal(first("49"), "a");
	assert_int_equal(routing_claim(a), 0);
	assert_int_equal(routing_claim(a), EBUSY);
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "no capacity");
	routing_release(a);
	assert_string_equal(first_told_nothing("49"), "a");
}

static void max_cps_counts_new_calls_of_a_whole_second(void **state)
{
	struct routing_gateway_record r = lab_routing(0, "a");
	struct routing_gateway *a;

	(void)state;
	r.max_cps = 2;
	a = lab_put_routing(&r);
	put(1, "b", "", 200, 0);
	lab.now = 6000 * SECOND_US + SECOND_US / 2;
	for (int i = 0; i < 2; i++) {
		assert_string_equal(first("49"), "a");
		assert_int_equal(routing_claim(a), 0);
		routing_release(a);		/* over at once: the rate stays used */
	}
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "cps limit");
	assert_int_equal(routing_claim(a), EAGAIN);
	lab.now = 6001 * SECOND_US - 1;
	assert_string_equal(first("49"), "b");
	lab.now = 6001 * SECOND_US;
	assert_string_equal(first_told_nothing("49"), "a");
}

static void a_held_gateway_is_skipped_until_the_moment_that_it_asked_for(void **state)
{
	struct routing_gateway *a = put(0, "a", "", 100, 0);
	uint64_t begun = lab.now;

	(void)state;
	put(1, "b", "", 200, 0);
	routing_hold(a, 30);
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "held until 23:37:10 (Retry-After)");	/* 22:13:20 + 5000 s + 30 s */
	lab.now = begun + 30 * SECOND_US - 1;
	assert_string_equal(first("49"), "b");
	lab.now = begun + 30 * SECOND_US;
	assert_string_equal(first("49"), "a");		/* to the microsecond, whether or not the timer ran */
	lab_settle();
	routing_hold(a, 1000000);
	lab.now += 7200 * SECOND_US - 1;
	assert_string_equal(first("49"), "b");
	lab.now += 1;
	assert_string_equal(first("49"), "a");
}

static void a_gateway_whose_probe_failed_is_skipped_and_an_unknown_one_is_not(void **state)
{
	struct routing_gateway_record r = lab_routing(0, "a");

	(void)state;
	lab.parameters.SS_SIP_OPTIONS_CHECK_PERIOD = 60;
	gateways_parameters(lab.gateways, &lab.parameters);
	r.options_check = 1;
	lab_put_routing(&r);
	put(1, "b", "", 200, 0);
	assert_string_equal(first("49"), "a");
	lab_pass(2 * SECOND_US);
	assert_int_equal(lab.probe_count, 1);
	assert_string_equal(first("49"), "a");
	lab_break(&lab.probes[0], SIP_BROKEN);
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "probe failed");
}

static void a_gateway_whose_registration_is_not_usable_is_skipped(void **state)
{
	struct registration_record trunk = lab_registration(0, "carrier-a");
	struct routing_gateway_record r = lab_routing(0, "a");

	(void)state;
	snprintf(r.registration, sizeof r.registration, "carrier-a");
	lab_put_routing(&r);
	put(1, "b", "", 200, 0);
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "registration carrier-a does not exist");
	lab_put_registration(&trunk);
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "registration carrier-a registering");
	lab_answer(&lab.registers[0], 403);
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "registration carrier-a waiting: 403, next attempt 23:37:40");
	lab_pass(61 * SECOND_US);
	lab_answer(&lab.registers[1], 200);
	assert_string_equal(first_told_nothing("49"), "a");
	assert_string_equal(first("49"), "a");
	assert_int_equal(skips.count, 0);
	/* A refresh that fails leaves the binding. */
	lab_pass(1800 * SECOND_US);
	assert_int_equal(lab.register_count, 3);
	assert_string_equal(first("49"), "a");
	lab_answer(&lab.registers[2], 500);
	assert_string_equal(first("49"), "a");
	registrations_delete(lab.registrations, 0);
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "registration carrier-a does not exist");
}

static void a_binding_that_ends_takes_its_gateway_out(void **state)
{
	struct registration_record trunk = lab_registration(0, "carrier-a");
	struct routing_gateway_record r = lab_routing(0, "a");
	uint64_t granted;

	(void)state;
	snprintf(r.registration, sizeof r.registration, "carrier-a");
	lab_put_routing(&r);
	lab_put_registration(&trunk);
	granted = lab.now;
	lab_answer(&lab.registers[0], 200);
	lab_pass(1800 * SECOND_US);
	lab_break(&lab.registers[1], SIP_SILENT);
	lab.now = granted + 3600 * SECOND_US - 1;
	assert_string_equal(first("49"), "a");
	lab.now = granted + 3600 * SECOND_US;
	assert_string_equal(first("49"), "none");
	assert_int_equal(skips.count, 1);
}

static void a_full_registration_takes_its_gateways_out(void **state)
{
	struct registration_record trunk = lab_registration(0, "carrier-a");
	struct routing_gateway_record r = lab_routing(0, "a");
	struct registration_claims *claim;
	struct registration *registration;

	(void)state;
	trunk.capacity = 1;
	snprintf(r.registration, sizeof r.registration, "carrier-a");
	lab_put_routing(&r);
	put(1, "b", "", 200, 0);
	lab_put_registration(&trunk);
	lab_answer(&lab.registers[0], 200);
	registration = routing_registration(gateways_routing(lab.gateways, "a"), NULL);
	assert_string_equal(first("49"), "a");
	assert_int_equal(registration_claim(registration, &claim), 0);
	assert_string_equal(first("49"), "b");
	assert_skip(0, "a", "registration carrier-a no capacity");
	lab_pass(SECOND_US);
	assert_string_equal(lab.status[KIND_ROUTING_GATEWAY][0].why, "registration carrier-a no capacity");
	registration_release(claim);
	assert_string_equal(first_told_nothing("49"), "a");
}

static void a_gateway_without_its_listener_is_skipped(void **state)
{
	struct routing_gateway_record r = lab_routing(0, "a"), s = lab_routing(1, "b"), t = lab_routing(2, "c");

	(void)state;
	snprintf(r.listener, sizeof r.listener, "wan");
	s.transport = TRANSPORT_TLS;
	t.priority = 200;
	lab_put_routing(&r);
	lab_put_routing(&s);
	lab_put_routing(&t);
	assert_string_equal(first("49"), "c");
	assert_skip(0, "a", "no udp listener wan");
	assert_skip(1, "b", "no tls listener");
}

/* ------------------------------------------------------------------ time passes in a route */

static void each_look_decides_anew_and_tells_each_skipped_gateway_once(void **state)
{
	struct routing_gateway *a = put(0, "a", "49", 100, 1), *b = put(1, "b", "49", 200, 1);
	struct route route;

	(void)state;
	put(2, "c", "", 100, 0);
	memset(&skips, 0, sizeof skips);
	assert_int_equal(routing_claim(a), 0);
	assert_int_equal(routing_claim(b), 0);
	route_begin(&route, lab.gateways, "4930");
	assert_string_equal(next(&route), "c");
	assert_int_equal(skips.count, 2);
	routing_release(b);
	assert_string_equal(next(&route), "b");		/* it came free meanwhile */
	assert_string_equal(next(&route), "none");
	assert_int_equal(skips.count, 2);
	routing_release(a);
}

static void a_route_survives_that_gateways_go_change_and_come(void **state)
{
	struct routing_gateway_record moved = lab_routing(1, "b");
	struct route route;

	(void)state;
	put(0, "a", "49", 100, 0);
	lab_prefix(&moved.prefixes, "49");
	moved.priority = 200;
	lab_put_routing(&moved);
	route_begin(&route, lab.gateways, "4930");
	assert_string_equal(next(&route), "a");
	gateways_delete(lab.gateways, KIND_ROUTING_GATEWAY, 0);
	moved.priority = 50;
	lab_put_routing(&moved);
	put(0, "a-again", "49", 100, 0);	/* the same id, but somebody else */
	assert_string_equal(next(&route), "b");
	moved.priority = 70;
	lab_put_routing(&moved);
	assert_string_equal(next(&route), "a-again");
	gateways_delete(lab.gateways, KIND_ROUTING_GATEWAY, 0);
	gateways_delete(lab.gateways, KIND_ROUTING_GATEWAY, 1);
	assert_string_equal(next(&route), "none");
}

/* Against a plain search among the same records, through many changes. */
static void the_dial_plan_agrees_with_a_plain_search(void **state)
{
	static struct routing_gateway_record records[60];
	static bool present[60];
	uint32_t seed = 1;

	(void)state;
	for (int step = 0; step < 4000; step++) {
		uint32_t id = (seed = seed * 1103515245 + 12345) >> 16 & 0x7fff, best = UINT32_MAX;
		struct route route;
		struct routing_gateway *r;
		char callee[12];
		size_t best_length = 0;
		id %= 60;
		if ((seed >> 8) % 4 == 0 && present[id]) {
			gateways_delete(lab.gateways, KIND_ROUTING_GATEWAY, id);
			present[id] = false;
		} else {
			if (!present[id])
				records[id] = lab_routing(id, "g");
			snprintf(records[id].head.name, sizeof records[id].head.name, "g%u", id);
			records[id].prefixes.count = 0;
			records[id].priority = (int32_t)((seed >> 5) % 3);
			for (uint32_t n = (seed >> 9) % 4; n > 0; n--) {
				char prefix[8];
				seed = seed * 1103515245 + 12345;
				snprintf(prefix, sizeof prefix, "%u", (seed >> 16) % (n % 2 ? 10 : 300));
				lab_prefix(&records[id].prefixes, prefix);
			}
			records[id].enabled = (seed >> 20) % 8 != 0;
			lab_put_routing(&records[id]);
			present[id] = true;
		}
		seed = seed * 1103515245 + 12345;
		snprintf(callee, sizeof callee, "%u", (seed >> 16) % 1000);
		for (uint32_t i = 0; i < 60; i++) {
			int32_t count = records[i].prefixes.count;
			if (!present[i] || !records[i].enabled)
				continue;
			for (int32_t p = 0; p < (count ? count : 1); p++) {
				const char *prefix = count ? records[i].prefixes.prefix[p] : "";
				size_t length = strlen(prefix);
				if (strncmp(callee, prefix, length) != 0)
					continue;
				if (best == UINT32_MAX || length > best_length ||
				    (length == best_length && (records[i].priority < records[best].priority ||
				                               (records[i].priority == records[best].priority && i < best)))) {
					best = i;
					best_length = length;
				}
			}
		}
		route_begin(&route, lab.gateways, callee);
		r = route_next(&route, NULL, NULL);
		assert_int_equal(r ? gateway_of_routing(r)->id : UINT32_MAX, best);
	}
}

/* The old one goes on whole, and what could not be taken is taken the next time. */
static void without_memory_a_gateway_stays_what_it_was(void **state)
{
	(void)state;
	for (size_t n = 1;; n++) {
		struct routing_gateway_record r = lab_routing(0, "r");
		struct mapping_gateway_record m = lab_mapping(0, "m");
		union address from;
		int error;
		for (unsigned i = 0; i < 40; i++) {
			char prefix[8];
			snprintf(prefix, sizeof prefix, "1%02u", i);
			lab_prefix(&r.prefixes, prefix);
		}
		lab_source(&m, "192.0.2.1");
		failing = n;
		error = gateways_put_routing(lab.gateways, &r);
		if (error) {
			assert_int_equal(error, ENOMEM);
			assert_string_equal(first("100"), "none");
			assert_int_equal(gateways_put_routing(lab.gateways, &r), 0);
		}
		assert_string_equal(first("139"), "r");
		for (unsigned i = 0; i < 40; i++)
			r.prefixes.prefix[i][0] = '2';
		r.priority = 5;
		r.head.revision = ++lab.revision;
		error = gateways_put_routing(lab.gateways, &r);
		if (error) {
			assert_int_equal(error, ENOMEM);
			for (unsigned i = 0; i < 40; i++) {
				char callee[8];
				snprintf(callee, sizeof callee, "1%02u", i);
				assert_string_equal(first(callee), "r");
				callee[0] = '2';
				assert_string_equal(first(callee), "none");
			}
			assert_int_equal(gateways_put_routing(lab.gateways, &r), 0);
		}
		assert_string_equal(first("239"), "r");
		assert_string_equal(first("139"), "none");
		error = gateways_put_mapping(lab.gateways, &m);
		if (error)
			assert_int_equal(gateways_put_mapping(lab.gateways, &m), 0);
		m.sources.count = 0;
		lab_source(&m, "192.0.2.2");
		m.head.revision = ++lab.revision;
		address_parse(&from, "192.0.2.1", 5060);
		error = gateways_put_mapping(lab.gateways, &m);
		if (error) {
			assert_non_null(gateways_by_source(lab.gateways, &from, ""));
			assert_int_equal(gateways_put_mapping(lab.gateways, &m), 0);
		}
		assert_null(gateways_by_source(lab.gateways, &from, ""));
		gateways_delete(lab.gateways, KIND_ROUTING_GATEWAY, 0);
		gateways_delete(lab.gateways, KIND_MAPPING_GATEWAY, 0);
		assert_string_equal(first("239"), "none");
		if (failing > 0)
			break;		/* all of it took fewer allocations */
	}
	failing = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(the_longest_prefix_comes_first_and_the_shorter_ones_after_it),
		LAB_TEST(a_prefix_is_of_digits_star_hash_and_plus_and_up_to_twenty_long),
		LAB_TEST(among_equal_prefixes_the_lowest_priority_comes_first),
		LAB_TEST(among_equals_the_one_with_most_free_capacity_comes_first),
		LAB_TEST(of_gateways_without_limit_the_one_with_fewest_calls_comes_first),
		LAB_TEST(no_gateway_comes_twice_though_several_of_its_prefixes_match),
		LAB_TEST(where_no_prefix_matches_the_route_says_so),
		LAB_TEST(a_call_is_given_so_many_gateways_at_most),
		LAB_TEST(a_locked_gateway_is_skipped),
		LAB_TEST(a_full_gateway_is_skipped_until_a_call_goes),
		LAB_TEST(max_cps_counts_new_calls_of_a_whole_second),
		LAB_TEST(a_held_gateway_is_skipped_until_the_moment_that_it_asked_for),
		LAB_TEST(a_gateway_whose_probe_failed_is_skipped_and_an_unknown_one_is_not),
		LAB_TEST(a_gateway_whose_registration_is_not_usable_is_skipped),
		LAB_TEST(a_binding_that_ends_takes_its_gateway_out),
		LAB_TEST(a_full_registration_takes_its_gateways_out),
		LAB_TEST(a_gateway_without_its_listener_is_skipped),
		LAB_TEST(each_look_decides_anew_and_tells_each_skipped_gateway_once),
		LAB_TEST(a_route_survives_that_gateways_go_change_and_come),
		LAB_TEST(without_memory_a_gateway_stays_what_it_was),
		LAB_TEST(the_dial_plan_agrees_with_a_plain_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
