/* The text for Prometheus, and what is counted for it. */
#include "mgmtd/exposition.h"
#include "mgmtd/route.h"
#include "mgmtd/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void a_value_lies_in_the_first_bucket_whose_bound_it_does_not_exceed(void **state)
{
	static struct histogram h;

	(void)state;
	histogram_add(&h, 0);
	histogram_add(&h, 500);
	histogram_add(&h, 501);
	histogram_add(&h, 10000000);
	histogram_add(&h, 10000001);
	assert_int_equal(h.count[0], 2);
	assert_int_equal(h.count[1], 1);
	assert_int_equal(h.count[HISTOGRAM_BUCKETS - 2], 1);
	assert_int_equal(h.count[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(h.sum_us, 20001002);
}

static void a_histogram_is_told_cumulatively_in_seconds(void **state)
{
	static const uint32_t bounds[] = { 500, 1000000 };
	static const uint64_t counts[] = { 1, 2, 3 };
	struct buffer b = { 0 };

	(void)state;
	exposition_histogram(&b, "t_seconds", "a=\"x\"", bounds, counts, 3, 12345678);
	assert_string_equal(b.text, "t_seconds_bucket{a=\"x\",le=\"0.0005\"} 1\nt_seconds_bucket{a=\"x\",le=\"1\"} 3\n"
	                            "t_seconds_bucket{a=\"x\",le=\"+Inf\"} 6\nt_seconds_sum{a=\"x\"} 12.345678\nt_seconds_count{a=\"x\"} 6\n");
	buffer_free(&b);
}

static void a_label_from_outside_cannot_end_its_quotes_or_its_line(void **state)
{
	struct buffer b = { 0 };

	(void)state;
	exposition_escape(&b, "a\"b\\c\nd");
	assert_string_equal(b.text, "a\\\"b\\\\c\\nd");
	buffer_free(&b);
}

static uint64_t changed(struct tally *t, enum tally_result result)
{
	return atomic_load(&t->changes[result]);
}

static void each_change_counts_by_what_became_of_it(void **state)
{
	struct tally *t;
	struct change stored = { .status = 200, .taken = true }, same = { .status = 200 }, dry = { .status = 200, .dry_run = true },
	              refused = { .status = 422 }, lost = { .status = 503 };

	(void)state;
	assert_int_equal(tally_open(&t), 0);
	tally_change(t, &stored, 0, 1000);
	tally_change(t, &same, 0, 1000);
	tally_change(t, &dry, 0, 1000);
	tally_change(t, &refused, 0, 1000);
	tally_change(t, &lost, 0, 1000);
	tally_change(t, &stored, 28, 1000);
	assert_int_equal(changed(t, TALLY_CHANGED), 1);
	assert_int_equal(changed(t, TALLY_UNCHANGED), 1);
	assert_int_equal(changed(t, TALLY_DRY_RUN), 1);
	assert_int_equal(changed(t, TALLY_REFUSED), 1);
	assert_int_equal(changed(t, TALLY_NOT_STORED), 2);
	assert_int_equal(t->change_times.sum_us, 1000);
	tally_change(NULL, &stored, 0, 1000);
	tally_close(t);
}

static void a_stream_is_counted_but_not_timed(void **state)
{
	struct tally *t;
	const struct route *stream = routes;

	(void)state;
	while (!(stream->flags & ROUTE_STREAM))
		stream++;
	assert_int_equal(tally_open(&t), 0);
	tally_answer(t, stream, 200, 1000);
	tally_answer(t, NULL, 404, 1000);
	assert_int_equal(t->routes[stream - routes].answers[2], 1);
	assert_int_equal(t->routes[stream - routes].times.sum_us, 0);
	assert_int_equal(t->routes[TALLY_NO_ROUTE].answers[4], 1);
	assert_int_equal(t->routes[TALLY_NO_ROUTE].times.sum_us, 1000);
	tally_close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_lies_in_the_first_bucket_whose_bound_it_does_not_exceed),
		cmocka_unit_test(a_histogram_is_told_cumulatively_in_seconds),
		cmocka_unit_test(a_label_from_outside_cannot_end_its_quotes_or_its_line),
		cmocka_unit_test(each_change_counts_by_what_became_of_it),
		cmocka_unit_test(a_stream_is_counted_but_not_timed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
