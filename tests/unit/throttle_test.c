#include "mgmtd/throttle.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct throttle *throttle;
static int64_t now;
static bool known;

static int open_all(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	now = 1000000;
	return throttle_open(&throttle);
}

static int close_all(void **state)
{
	(void)state;
	throttle_close(throttle);
	return 0;
}

static int64_t try(const char *account, const char *address)
{
	return throttle_try(throttle, account, address, now, &known);
}

static void end(const char *account, const char *address, enum throttle_outcome outcome)
{
	throttle_end(throttle, account, address, outcome, true, now);
}

static void each_failure_doubles_the_delay_up_to_a_quarter_of_an_hour(void **state)
{
	int64_t delay = 0;
	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(try("anna", "192.0.2.1"), 0);
		end("anna", "192.0.2.1", THROTTLE_FAILED);
		int64_t next = try("anna", "192.0.2.1");
		if (i < THROTTLE_FREE) {
			assert_int_equal(next, 0);
			end("anna", "192.0.2.1", THROTTLE_UNDECIDED);
			continue;
		}
		int64_t wanted = i == THROTTLE_FREE ? THROTTLE_FIRST_MS : 2 * delay;
		delay = wanted < THROTTLE_MOST_MS ? wanted : THROTTLE_MOST_MS;
		assert_int_equal(next, delay);
		now += delay - 1;
		assert_int_equal(try("anna", "192.0.2.1"), 1);
		now++;
	}
	assert_int_equal(delay, THROTTLE_MOST_MS);
}

static void a_success_clears_the_pair_and_a_delay_that_is_long_over_is_forgotten(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i <= THROTTLE_FREE; i++) {
			assert_int_equal(try("anna", "192.0.2.1"), 0);
			end("anna", "192.0.2.1", THROTTLE_FAILED);
		}
		assert_int_equal(try("anna", "192.0.2.1"), THROTTLE_FIRST_MS);
		if (round == 0) {
			now += THROTTLE_FIRST_MS;
			assert_int_equal(try("anna", "192.0.2.1"), 0);
			end("anna", "192.0.2.1", THROTTLE_PASSED);
		} else {
			now += THROTTLE_FIRST_MS + THROTTLE_FORGET_MS;
		}
		assert_int_equal(try("anna", "192.0.2.1"), 0);
		end("anna", "192.0.2.1", THROTTLE_PASSED);
	}
}

static void only_the_pair_of_account_and_address_is_delayed(void **state)
{
	(void)state;
	for (int i = 0; i <= THROTTLE_FREE; i++) {
		try("anna", "192.0.2.1");
		end("anna", "192.0.2.1", THROTTLE_FAILED);
	}
	assert_true(try("anna", "192.0.2.1") > 0);
	assert_true(known);
	assert_int_equal(try("bert", "192.0.2.1"), 0);
	assert_false(known);
	assert_int_equal(try("anna", "192.0.2.2"), 0);
	assert_int_equal(try("anna", "2001:db8::1"), 0);
}

static void tries_at_once_are_no_way_around(void **state)
{
	unsigned allowed = 0;
	(void)state;
	for (int i = 0; i < 100; i++)
		allowed += try("anna", "192.0.2.1") == 0;
	assert_int_equal(allowed, THROTTLE_FREE + 1);
}

static void an_address_has_twenty_tries_in_any_minute_over_all_accounts(void **state)
{
	char account[32];
	(void)state;
	for (int i = 0; i < THROTTLE_TRIES; i++, now += 100) {
		snprintf(account, sizeof account, "account-%d", i);
		assert_int_equal(try(account, "192.0.2.1"), 0);
		end(account, "192.0.2.1", THROTTLE_FAILED);
	}
	assert_int_equal(try("one-more", "192.0.2.1"), THROTTLE_WINDOW_MS - 100 * THROTTLE_TRIES);
	assert_int_equal(try("one-more", "192.0.2.2"), 0);
	now += THROTTLE_WINDOW_MS - 100 * THROTTLE_TRIES;
	assert_int_equal(try("one-more", "192.0.2.1"), 0);
	assert_int_equal(try("two-more", "192.0.2.1"), 100);
}

static void a_log_in_that_succeeds_is_no_try_of_its_address(void **state)
{
	(void)state;
	for (int i = 0; i < 5 * THROTTLE_TRIES; i++, now++) {
		assert_int_equal(try("anna", "192.0.2.1"), 0);
		end("anna", "192.0.2.1", THROTTLE_PASSED);
	}
}

static void a_network_of_ipv6_is_one_address(void **state)
{
	char address[64];
	(void)state;
	for (int i = 0; i < THROTTLE_TRIES; i++) {
		snprintf(address, sizeof address, "2001:db8:1:2::%x", i);
		assert_int_equal(throttle_try(throttle, address, address, now, &known), 0);
	}
	assert_true(try("x", "2001:db8:1:2:ffff::1") > 0);
	assert_int_equal(try("x", "2001:db8:1:3::1"), 0);
}

static void any_number_of_strangers_takes_no_more_memory_and_keeps_the_newest(void **state)
{
	char account[32], address[32];
	(void)state;
	for (int i = 0; i < 200000; i++, now++) {
		snprintf(account, sizeof account, "account-%d", i);
		snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		assert_int_equal(try(account, address), 0);
		end(account, address, THROTTLE_FAILED);
	}
	for (int i = 0; i <= THROTTLE_FREE; i++) {
		try("anna", "192.0.2.1");
		end("anna", "192.0.2.1", THROTTLE_FAILED);
	}
	assert_int_equal(try("anna", "192.0.2.1"), THROTTLE_FIRST_MS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
	const struct CMUnitTest tests[] = {
		TEST(each_failure_doubles_the_delay_up_to_a_quarter_of_an_hour),
		TEST(a_success_clears_the_pair_and_a_delay_that_is_long_over_is_forgotten),
		TEST(only_the_pair_of_account_and_address_is_delayed),
		TEST(tries_at_once_are_no_way_around),
		TEST(an_address_has_twenty_tries_in_any_minute_over_all_accounts),
		TEST(a_log_in_that_succeeds_is_no_try_of_its_address),
		TEST(a_network_of_ipv6_is_one_address),
		TEST(any_number_of_strangers_takes_no_more_memory_and_keeps_the_newest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
