#include "mgmtd/event_type.h"
#include "mgmtd/events.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define BOOT "0badcafe"

static const char *reason;

/* Held: events 100 to 199; 200 is the next. */
static uint64_t resume(const char *last_id)
{
	return events_resume(&reason, last_id, BOOT, 100, 200);
}

static void a_new_client_begins_with_the_next_event(void **state)
{
	(void)state;
	assert_int_equal(resume(NULL), 200);
	assert_null(reason);
	assert_int_equal(resume(""), 200);
	assert_null(reason);
}

static void a_client_goes_on_after_the_event_it_saw_last(void **state)
{
	(void)state;
	assert_int_equal(resume(BOOT "-150"), 151);
	assert_null(reason);
	assert_int_equal(resume(BOOT "-199"), 200);
	assert_null(reason);
	assert_int_equal(resume(BOOT "-99"), 100);
	assert_null(reason);
}

static void a_client_that_stayed_away_too_long_is_told_that_it_was_slow(void **state)
{
	(void)state;
	assert_int_equal(resume(BOOT "-98"), 200);
	assert_string_equal(reason, "slow");
	assert_int_equal(resume(BOOT "-0"), 200);
	assert_string_equal(reason, "slow");
}

static void a_client_of_another_life_is_told_of_the_restart(void **state)
{
	(void)state;
	assert_int_equal(resume("0badcaff-150"), 200);
	assert_string_equal(reason, "restart");
	assert_int_equal(resume("150"), 200);
	assert_string_equal(reason, "restart");
	assert_int_equal(resume(BOOT), 200);
	assert_string_equal(reason, "restart");
}

static void an_id_that_never_was_does_not_resume(void **state)
{
	static const char *const ids[] = { BOOT "-200", BOOT "-18446744073709551615", BOOT "-18446744073709551616", BOOT "-", BOOT "--1",
	                                   BOOT "-150x", BOOT "- 150", BOOT "-+150" };
	(void)state;
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		assert_int_equal(resume(ids[i]), 200);
		assert_string_equal(reason, "lost");
	}
}

static void nothing_is_lost_before_the_first_event(void **state)
{
	(void)state;
	assert_int_equal(events_resume(&reason, BOOT "-0", BOOT, 1, 1), 1);
	assert_null(reason);
}

/* With nobody there, what is left out takes one number, however much it is. */
static void what_nobody_hears_is_left_out_and_costs_one_number(void **state)
{
	struct events *e;
	(void)state;
	assert_int_equal(events_open(&e), 0);
	for (int i = 0; i < 100000; i++)
		assert_true(events_unheard(e));
	events_publish(e, "call", "{}", 2);
	for (int i = 0; i < 3; i++)
		assert_true(events_unheard(e));
	events_publish(e, "call", "{}", 2);
	assert_int_equal(events_next(e), 5);	/* gap 1, event 2, gap 3, event 4 */
	events_free(e);
}

static void types_are_chosen_by_their_words_and_reset_always_comes(void **state)
{
	static const char *const bad[] = { "", ",", "call,", ",call", "calls", "call,registration,x", "call ", "CALL" };
	unsigned types;
	const char *wrong;
	(void)state;
	assert_int_equal(event_types_parse(&types, "call", &wrong), 0);
	assert_int_equal(types, event_type("call", 4) | EVENT_RESET);
	assert_int_equal(event_types_parse(&types, "registration,gateway,call,revision,switchcore", &wrong), 0);
	assert_int_equal(types, EVENT_ANY);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(event_types_parse(&types, bad[i], &wrong), EINVAL);
	assert_int_equal(event_types_parse(&types, "call,nothing,x", &wrong), EINVAL);
	assert_string_equal(wrong, "nothing,x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_client_begins_with_the_next_event),
		cmocka_unit_test(a_client_goes_on_after_the_event_it_saw_last),
		cmocka_unit_test(a_client_that_stayed_away_too_long_is_told_that_it_was_slow),
		cmocka_unit_test(types_are_chosen_by_their_words_and_reset_always_comes),
		cmocka_unit_test(a_client_of_another_life_is_told_of_the_restart),
		cmocka_unit_test(an_id_that_never_was_does_not_resume),
		cmocka_unit_test(nothing_is_lost_before_the_first_event),
		cmocka_unit_test(what_nobody_hears_is_left_out_and_costs_one_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
