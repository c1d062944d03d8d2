/* Turns: rates, caps, and that no server uses up the turns of another. */
#include "switchcore/pacing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES 3000

struct subject {
	struct pacing_entry entry;
	int turns;
	uint64_t at;
};

static struct pacing *pacing;
static struct subject subjects[ENTRIES];
static uint64_t now;

static void took_turn(struct pacing_entry *entry)
{
	struct subject *subject = (struct subject *)(void *)entry;

	subject->turns++;
	subject->at = now;
}

static void make(uint32_t rate, uint32_t per_server, uint32_t cap, uint32_t server_cap)
{
	const struct pacing_limits limits = { rate, per_server, cap, server_cap };

	now = 1000 * SECOND_US;
	memset(subjects, 0, sizeof subjects);
	assert_int_equal(pacing_create(&pacing, &limits), 0);
}

static void want(size_t i, const char *server, bool urgent)
{
	subjects[i].entry.server = pacing_server_get(pacing, server);
	subjects[i].entry.turn = took_turn;
	pacing_want(pacing, &subjects[i].entry, urgent, now);
}

static void done(size_t i, enum pacing_outcome outcome)
{
	pacing_done(pacing, &subjects[i].entry, outcome, now);
}

/* Turns the clock to where something may happen, for as long as asked; answers everything at once when told. */
static void pass(uint64_t us, bool answer)
{
	uint64_t end = now + us;

	for (;;) {
		uint64_t next;
		pacing_run(pacing, now);
		for (size_t i = 0; answer && i < ENTRIES; i++)
			if (subjects[i].entry.server && subjects[i].entry.place == PACING_IN_FLIGHT)
				done(i, PACING_ANSWERED);
		next = pacing_next(pacing);
		if (next <= now)
			next = now + 1000;
		if (next > end)
			break;
		now = next;
	}
	now = end;
}

static size_t taken(size_t from, size_t to)
{
	size_t count = 0;

	for (size_t i = from; i < to; i++)
		count += subjects[i].turns > 0;
	return count;
}

static int end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENTRIES; i++)
		if (subjects[i].entry.server) {
			done(i, PACING_DROPPED);
			pacing_server_put(pacing, subjects[i].entry.server);
		}
	pacing_destroy(pacing);
	pacing = NULL;
	return 0;
}

static void a_server_gets_no_more_than_its_rate(void **state)
{
	(void)state;
	make(0, 20, 1000, 1000);
	for (size_t i = 0; i < 200; i++)
		want(i, "a", false);
	pass(SECOND_US, true);
	assert_in_range(taken(0, 200), 20, 30);
	pass(4 * SECOND_US, true);
	assert_in_range(taken(0, 200), 100, 110);
}

static void all_servers_together_get_no_more_than_the_rate(void **state)
{
	static const char *const servers[] = { "a", "b", "c", "d", "e" };

	(void)state;
	make(100, 0, 1000, 1000);
	for (size_t i = 0; i < 1000; i++)
		want(i, servers[i % 5], false);
	pass(5 * SECOND_US, true);
	assert_in_range(taken(0, 1000), 500, 535);
}

static void an_even_share_goes_to_every_server(void **state)
{
	(void)state;
	make(100, 0, 1000, 1000);
	for (size_t i = 0; i < 1000; i++)
		want(i, "crowded", false);
	for (size_t i = 1000; i < 1050; i++)
		want(i, "small", false);
	pass(SECOND_US, true);
	assert_in_range(taken(1000, 1050), 45, 50);
}

static void without_a_limit_everything_goes_at_once(void **state)
{
	(void)state;
	make(0, 0, ENTRIES, ENTRIES);
	for (size_t i = 0; i < ENTRIES; i++)
		want(i, "a", false);
	pacing_run(pacing, now);
	assert_int_equal(taken(0, ENTRIES), ENTRIES);
}

static void a_refresh_is_not_held_back_by_rates(void **state)
{
	(void)state;
	make(5, 5, 1000, 1000);
	for (size_t i = 0; i < 100; i++)
		want(i, "a", false);
	pass(SECOND_US, false);
	want(100, "a", true);
	pacing_run(pacing, now);
	assert_int_equal(subjects[100].turns, 1);
	assert_in_range(taken(0, 100), 1, 8);
}

static void unanswered_requests_keep_to_both_caps(void **state)
{
	(void)state;
	make(0, 0, 60, 50);
	for (size_t i = 0; i < 100; i++)
		want(i, "a", false);
	pacing_run(pacing, now);
	assert_int_equal(taken(0, 100), 50);
	for (size_t i = 100; i < 200; i++)
		want(i, "b", true);
	pacing_run(pacing, now);
	assert_int_equal(taken(100, 200), 10);
	assert_int_equal(pacing_in_flight(pacing), 60);
}

static void five_are_tried_at_a_server_whose_last_answer_was_a_timeout(void **state)
{
	(void)state;
	make(0, 0, 1000, 50);
	want(0, "a", false);
	pacing_run(pacing, now);
	now += 32 * SECOND_US;
	done(0, PACING_SILENT);
	for (size_t i = 1; i < 40; i++)
		want(i, "a", i % 2 == 0);
	pass(SECOND_US, false);
	assert_int_equal(taken(1, 40), PACING_SILENT_CAP);
	for (size_t i = 1; i < 40; i++)		/* one answer, and it is a server like any other */
		if (subjects[i].entry.place == PACING_IN_FLIGHT) {
			done(i, PACING_ANSWERED);
			break;
		}
	pacing_run(pacing, now);
	assert_int_equal(taken(1, 40), 39);
}

static void a_server_silent_for_a_second_gets_no_more_than_five(void **state)
{
	(void)state;
	make(0, 20, 1000, 50);
	for (size_t i = 0; i < 200; i++)
		want(i, "a", false);
	pass(30 * SECOND_US, false);
	assert_in_range(taken(0, 200), PACING_SILENT_CAP, 30);
}

static void dead_carriers_never_delay_a_good_one(void **state)
{
	char name[16];

	(void)state;
	make(0, 0, 100, 50);
	for (size_t i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "dead%zu", i % 100);
		want(i, name, i % 3 == 0);
	}
	/* They all time out once, then are tried again by five and five: 100 servers, 500 that would fit. */
	for (int round = 0; round < 40; round++) {
		pacing_run(pacing, now);
		now += 32 * SECOND_US;
		for (size_t i = 0; i < 2000; i++)
			if (subjects[i].entry.place == PACING_IN_FLIGHT)
				done(i, PACING_SILENT);
	}
	for (size_t i = 0; i < 2000; i++)
		if (subjects[i].entry.place == PACING_OUT)
			pacing_want(pacing, &subjects[i].entry, false, now);
	pacing_run(pacing, now);
	assert_in_range(pacing_in_flight(pacing), 1, 50);
	for (size_t i = 2000; i < 2050; i++)
		want(i, "good", false);
	pacing_run(pacing, now);
	assert_int_equal(taken(2000, 2050), 50);
}

static void what_is_dropped_from_the_queue_gets_no_turn(void **state)
{
	(void)state;
	make(0, 0, 1, 1);
	for (size_t i = 0; i < 3; i++)
		want(i, "a", false);
	pacing_run(pacing, now);
	done(1, PACING_DROPPED);
	done(0, PACING_ANSWERED);
	pacing_run(pacing, now);
	assert_int_equal(subjects[1].turns, 0);
	assert_int_equal(subjects[2].turns, 1);
}

static void while_stopping_only_the_caps_hold(void **state)
{
	(void)state;
	make(1, 1, 40, 30);
	for (size_t i = 0; i < 100; i++)
		want(i, "a", false);
	pacing_run(pacing, now);
	assert_in_range(taken(0, 100), 1, 2);
	pacing_ignore_rates(pacing);
	pacing_run(pacing, now);
	assert_int_equal(taken(0, 100), 30);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_server_gets_no_more_than_its_rate),
		TEST(all_servers_together_get_no_more_than_the_rate),
		TEST(an_even_share_goes_to_every_server),
		TEST(without_a_limit_everything_goes_at_once),
		TEST(a_refresh_is_not_held_back_by_rates),
		TEST(unanswered_requests_keep_to_both_caps),
		TEST(five_are_tried_at_a_server_whose_last_answer_was_a_timeout),
		TEST(a_server_silent_for_a_second_gets_no_more_than_five),
		TEST(dead_carriers_never_delay_a_good_one),
		TEST(what_is_dropped_from_the_queue_gets_no_turn),
		TEST(while_stopping_only_the_caps_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
