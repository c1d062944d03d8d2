/* Which messages are a gateway's, a number's. */
#include "mgmtd/trace_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct sockaddr_in6 address(const char *text, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	char mapped[64];
	snprintf(mapped, sizeof mapped, "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	assert_int_equal(inet_pton(AF_INET6, mapped, &a.sin6_addr), 1);
	return a;
}

static bool holds(const char *source, const char *host, uint16_t port)
{
	struct sockaddr_in6 a = address(host, port);
	struct trace_place place;
	assert_int_equal(trace_place_read(&place, source), 0);
	return trace_place_holds(&place, &a);
}

static void a_source_holds_its_addresses(void **state)
{
	(void)state;
	assert_true(holds("192.0.2.1", "192.0.2.1", 5060));
	assert_false(holds("192.0.2.1", "192.0.2.2", 5060));
	assert_true(holds("192.0.2.1:5060", "192.0.2.1", 5060));
	assert_false(holds("192.0.2.1:5060", "192.0.2.1", 5061));
	assert_true(holds("192.0.2.128/25", "192.0.2.255", 1));
	assert_false(holds("192.0.2.128/25", "192.0.2.127", 1));
	assert_true(holds("0.0.0.0/0", "192.0.2.127", 1));
	assert_false(holds("0.0.0.0/0", "2001:db8::1", 1));
	assert_true(holds("2001:db8::/33", "2001:db8:7fff::1", 1));
	assert_false(holds("2001:db8::/33", "2001:db8:8000::1", 1));
	assert_true(holds("[2001:db8::1]:5060", "2001:db8::1", 5060));
	assert_false(holds("[2001:db8::1]:5060", "2001:db8::1", 5061));
	assert_true(holds("2001:db8::1", "2001:db8::1", 5061));
	assert_true(holds("::/0", "2001:db8::1", 1));
	assert_false(holds("::/0", "192.0.2.1", 1));
}

static void what_is_no_source_is_refused(void **state)
{
	static const char *const texts[] = { "", "gw.example", "192.0.2", "192.0.2.1/33", "192.0.2.1/", "192.0.2.1/x", "192.0.2.1:", "192.0.2.1:65536",
	                                     "[2001:db8::1", "[2001:db8::1]x", "2001:db8::/129", "192.0.2.1:5060/24",
	                                     "11111111111111111111111111111111111111111111111111111" };
	struct trace_place place;
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(trace_place_read(&place, texts[i]), EINVAL);
}

static const char *of_a_registration = "00000001-aaa";

static bool is_registration(void *arg, const char *call_id)
{
	(void)arg;
	return strcmp(call_id, of_a_registration) == 0;
}

static struct trace_header header;

static bool passes(struct trace_filter *f, const char *remote, uint64_t at, const char *call_id, const char *message)
{
	const struct trace_seen seen = { &header, message, strlen(message), call_id };
	header = (struct trace_header){ .at = at, .remote = address(remote, 5060) };
	return trace_filter_passes(f, &seen, is_registration, NULL);
}

static struct trace_filter of_gateway(bool routing, const char *place)
{
	struct trace_filter f = { .gateway = "gw", .routing = routing, .mapping = !routing, .routing_subject = { .id = 42 }, .created_at = 1000 };
	if (place)
		assert_int_equal(trace_place_read(&f.places[f.place_count++], place), 0);
	return f;
}

static void a_routing_gateway_has_the_call_ids_made_for_it(void **state)
{
	struct trace_filter f = of_gateway(true, NULL);
	(void)state;
	assert_true(passes(&f, "192.0.2.1", 2000, "g0000002a-xyz", ""));
	assert_false(passes(&f, "192.0.2.1", 2000, "g0000002b-xyz", ""));
	assert_false(passes(&f, "192.0.2.1", 2000, "0000002a-xyz", ""));
	/* Of another gateway that had this id before. */
	assert_false(passes(&f, "192.0.2.1", 999, "g0000002a-xyz", ""));
}

static void what_comes_from_its_address_is_its_too_but_for_the_business_of_others(void **state)
{
	struct trace_filter f = of_gateway(true, "192.0.2.1");
	(void)state;
	assert_true(passes(&f, "192.0.2.1", 2000, "caller's own", ""));
	assert_true(passes(&f, "192.0.2.1", 2000, "550e8400-e29b-41d4-a716-446655440000", ""));
	assert_false(passes(&f, "192.0.2.2", 2000, "caller's own", ""));
	assert_false(passes(&f, "192.0.2.1", 2000, "g0000002b-xyz", ""));
	assert_false(passes(&f, "192.0.2.1", 2000, of_a_registration, ""));
}

static void addresses_of_a_named_host_are_learned_from_its_calls(void **state)
{
	struct trace_filter f = of_gateway(true, NULL);
	const struct trace_seen seen = { &header, "", 0, "g0000002a-xyz" };
	(void)state;
	assert_false(passes(&f, "192.0.2.7", 2000, "caller's own", ""));
	header = (struct trace_header){ .at = 2000, .remote = address("192.0.2.7", 5060) };
	for (int i = 0; i < 1000; i++)
		trace_filter_learn(&f, &seen);
	assert_int_equal(f.place_count, 1);
	assert_true(passes(&f, "192.0.2.7", 2000, "caller's own", ""));
}

static void a_longer_source_of_another_gateway_takes_its_messages(void **state)
{
	struct trace_filter f = of_gateway(false, "192.0.2.0/24");
	(void)state;
	assert_true(passes(&f, "192.0.2.9", 2000, "x", ""));
	assert_int_equal(trace_place_read(&f.others[f.other_count++], "192.0.2.9"), 0);
	assert_false(passes(&f, "192.0.2.9", 2000, "x", ""));
	assert_true(passes(&f, "192.0.2.8", 2000, "x", ""));
}

static void known_calls_are_a_mapping_gateways_wherever_they_come_from(void **state)
{
	static char calls[][128] = { "a", "b" };
	struct trace_filter f = of_gateway(false, NULL);
	(void)state;
	f.calls = calls;
	f.call_count = 2;
	assert_true(passes(&f, "203.0.113.1", 2000, "b", ""));
	assert_false(passes(&f, "203.0.113.1", 2000, "c", ""));
}

static void a_number_is_looked_for_in_three_places(void **state)
{
	struct trace_filter f = { .number = "8801" };
	(void)state;
	assert_true(passes(&f, "192.0.2.1", 1, "", "INVITE sip:8801@h SIP/2.0\r\nFrom: <sip:1@h>\r\nTo: <sip:2@h>\r\n\r\n"));
	assert_true(passes(&f, "192.0.2.1", 1, "", "INVITE sip:3@h SIP/2.0\r\nf: <sip:8801@h>\r\nTo: <sip:2@h>\r\n\r\n"));
	assert_true(passes(&f, "192.0.2.1", 1, "", "SIP/2.0 200 OK\r\nFrom: <sip:1@h>\r\nt: \"8801\" <sip:8801;x=y@h>\r\n\r\n"));
	assert_false(passes(&f, "192.0.2.1", 1, "", "INVITE sip:88012@h SIP/2.0\r\nFrom: <sip:1@8801>\r\nTo: \"8801\" <sip:2@h>\r\n\r\n"));
	assert_false(passes(&f, "192.0.2.1", 1, "", "\r\n\r\n"));
}

static bool asked_for(const char *list, const char *call_id)
{
	struct trace_filter f = { 0 };
	snprintf(f.call_id, sizeof f.call_id, "%s", list);
	return trace_filter_has_call_id(&f, call_id);
}

static void call_ids_are_asked_for_one_by_one_or_several(void **state)
{
	(void)state;
	assert_true(asked_for("", "x"));
	assert_true(asked_for("abc", "abc"));
	assert_true(asked_for("abc,g1-xyz", "abc"));
	assert_true(asked_for("abc,g1-xyz", "g1-xyz"));
	assert_true(asked_for("abc,g1-xyz,", "g1-xyz"));
	assert_false(asked_for("abc,g1-xyz", "g1"));
	assert_false(asked_for("abc,g1", "g1-xyz"));
	assert_false(asked_for("abc,g1-xyz", "xyz"));
	assert_false(asked_for("abc,,g1-xyz", ""));
	assert_false(asked_for(",", "abc"));
	/* As a device made it that does not keep to the grammar. */
	assert_true(asked_for("ab,c", "ab,c"));
}

static void filters_add_up(void **state)
{
	struct trace_filter f = of_gateway(true, NULL);
	(void)state;
	snprintf(f.number, sizeof f.number, "8801");
	f.since = 1500;
	assert_true(passes(&f, "192.0.2.1", 1500, "g0000002a-x", "INVITE sip:8801@h SIP/2.0\r\n\r\n"));
	assert_false(passes(&f, "192.0.2.1", 1499, "g0000002a-x", "INVITE sip:8801@h SIP/2.0\r\n\r\n"));
	assert_false(passes(&f, "192.0.2.1", 1500, "g0000002a-x", "INVITE sip:8802@h SIP/2.0\r\n\r\n"));
	assert_false(passes(&f, "192.0.2.1", 1500, "x", "INVITE sip:8801@h SIP/2.0\r\n\r\n"));
	snprintf(f.call_id, sizeof f.call_id, "g0000002a-y");
	assert_false(passes(&f, "192.0.2.1", 1500, "g0000002a-x", "INVITE sip:8801@h SIP/2.0\r\n\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_holds_its_addresses),
		cmocka_unit_test(what_is_no_source_is_refused),
		cmocka_unit_test(a_routing_gateway_has_the_call_ids_made_for_it),
		cmocka_unit_test(what_comes_from_its_address_is_its_too_but_for_the_business_of_others),
		cmocka_unit_test(addresses_of_a_named_host_are_learned_from_its_calls),
		cmocka_unit_test(a_longer_source_of_another_gateway_takes_its_messages),
		cmocka_unit_test(known_calls_are_a_mapping_gateways_wherever_they_come_from),
		cmocka_unit_test(a_number_is_looked_for_in_three_places),
		cmocka_unit_test(call_ids_are_asked_for_one_by_one_or_several),
		cmocka_unit_test(filters_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
