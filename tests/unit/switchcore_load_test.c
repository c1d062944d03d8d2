/* When new calls are refused: by how long datagrams wait. */
#include "switchcore/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS 1000u
#define START (1000000u * 1000u)

/* Datagrams a millisecond apart from `from` on, each of which waited so long; the time of the last. */
static uint64_t pass(struct load *load, uint64_t from, uint64_t lasting_ms, int64_t waited_us)
{
	for (uint64_t ms = 0; ms <= lasting_ms; ms++)
		load_waited(load, from + ms * MS, waited_us);
	return from + lasting_ms * MS;
}

static void a_burst_is_no_overload(void **state)
{
	struct load load = { 0 };
	uint64_t now = pass(&load, START, LOAD_INTERVAL_US / MS - 1, 500 * MS);

	(void)state;
	assert_false(load_is_too_high(&load, now));
	load_waited(&load, now + MS, 0);
	now = pass(&load, now + 2 * MS, LOAD_INTERVAL_US / MS - 1, 500 * MS);
	assert_false(load_is_too_high(&load, now));
}

static void a_queue_that_stands_is_one_until_a_datagram_comes_through_at_once(void **state)
{
	struct load load = { 0 };
	uint64_t now = pass(&load, START, LOAD_INTERVAL_US / MS, LOAD_TARGET_US);

	(void)state;
	assert_true(load_is_too_high(&load, now));
	load_waited(&load, now + MS, LOAD_TARGET_US - 1);
	assert_false(load_is_too_high(&load, now + MS));
}

static void what_was_seen_long_ago_says_nothing(void **state)
{
	struct load load = { 0 };
	uint64_t now = pass(&load, START, LOAD_INTERVAL_US / MS, LOAD_TARGET_US);

	(void)state;
	assert_true(load_is_too_high(&load, now + LOAD_INTERVAL_US));
	assert_false(load_is_too_high(&load, now + LOAD_INTERVAL_US + 1));
	/* Two that waited, with nothing between them, are no queue. */
	load_waited(&load, now + 10 * LOAD_INTERVAL_US, LOAD_TARGET_US);
	assert_false(load_is_too_high(&load, now + 10 * LOAD_INTERVAL_US));
}

static void a_clock_that_was_set_back_is_no_wait(void **state)
{
	struct load load = { 0 };
	uint64_t now = pass(&load, START, 2 * LOAD_INTERVAL_US / MS, -3600 * 1000 * (int64_t)MS);

	(void)state;
	assert_false(load_is_too_high(&load, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_no_overload),
		cmocka_unit_test(a_queue_that_stands_is_one_until_a_datagram_comes_through_at_once),
		cmocka_unit_test(what_was_seen_long_ago_says_nothing),
		cmocka_unit_test(a_clock_that_was_set_back_is_no_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
