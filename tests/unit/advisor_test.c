/* What the advisor makes of addresses and of counted calls. */
#include "mgmtd/advisor_private.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static bool lost(const char *contact, const char *source)
{
	struct in6_addr address;

	assert_int_equal(inet_pton(AF_INET6, source, &address), 1);
	return contact_lost(contact, &address);
}

static void a_private_contact_is_lost_unless_its_sender_is_in_the_same_network(void **state)
{
	(void)state;
	static const char *const private[] = { "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "169.254.1.1", "127.0.0.1",
	                                       "[fd00::1]", "[fe80::1]", "[::1]" };
	for (size_t i = 0; i < sizeof private / sizeof private[0]; i++) {
		if (!lost(private[i], "::ffff:203.0.114.1") || !lost(private[i], "2001:db9::1"))
			fail_msg("%s should be lost", private[i]);
	}
	assert_false(lost("10.9.9.9", "::ffff:10.1.1.1"));
	assert_false(lost("[fd00::1]", "fd77::1"));
	assert_true(lost("10.9.9.9", "::ffff:192.168.1.1"));
}

static void an_address_of_nobody_is_lost_whoever_sends_it(void **state)
{
	(void)state;
	static const char *const nowhere[] = { "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "[::]",
	                                       "[ff02::1]", "[2001:db8::1]" };
	for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
		if (!lost(nowhere[i], "::ffff:10.1.1.1"))
			fail_msg("%s should be lost", nowhere[i]);
}

static void what_can_be_reached_or_is_not_known_is_not_lost(void **state)
{
	(void)state;
	static const char *const fine[] = { "172.15.0.1", "172.32.0.1", "100.128.0.1", "9.255.255.255", "[2001:db9::1]", "gw.example.com", "",
	                                    "[", "[]", "10.0.0", "10.0.0.1:5060", "[fd00::1" };
	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
		if (lost(fine[i], "::ffff:203.0.114.1"))
			fail_msg("%s should not be lost", fine[i]);
	assert_false(lost("192.0.2.1", "::ffff:192.0.2.1"));
}

static void calls_are_counted_for_an_hour(void **state)
{
	(void)state;
	struct calls calls = { 0 };
	const uint64_t now = 1000 * CALL_STRETCH_US;

	for (unsigned i = 0; i < CALL_STRETCHES; i++) {
		calls.stretch[(1000 - i) % CALL_STRETCHES] = 1000 - i;
		calls.count[(1000 - i) % CALL_STRETCHES][CALLS_OTHER_NUMBER] = 1;
	}
	assert_int_equal(calls_in_hour(&calls, CALLS_OTHER_NUMBER, now), 12);
	assert_int_equal(calls_in_hour(&calls, CALLS_READ_TO, now), 0);
	assert_int_equal(calls_in_hour(&calls, CALLS_OTHER_NUMBER, now + 5 * CALL_STRETCH_US), 7);
	assert_int_equal(calls_in_hour(&calls, CALLS_OTHER_NUMBER, now + 12 * CALL_STRETCH_US), 0);
	/* The clock was set back: what is yet to come is not of the last hour. */
	assert_int_equal(calls_in_hour(&calls, CALLS_OTHER_NUMBER, now - 2 * CALL_STRETCH_US), 10);
}

static void the_order_of_troubles_is_that_of_their_severity(void **state)
{
	(void)state;
	for (unsigned t = 1; t < TROUBLE_COUNT; t++)
		assert_true(troubles[t - 1].severity <= troubles[t].severity);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_private_contact_is_lost_unless_its_sender_is_in_the_same_network),
		cmocka_unit_test(an_address_of_nobody_is_lost_whoever_sends_it),
		cmocka_unit_test(what_can_be_reached_or_is_not_known_is_not_lost),
		cmocka_unit_test(calls_are_counted_for_an_hour),
		cmocka_unit_test(the_order_of_troubles_is_that_of_their_severity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
