/* Calls and gateways as the API tells them, and the pages of a list of calls. */
#include "mgmtd/calls.h"
#include "mgmtd/gateway.h"
#include "mgmtd/status.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json_t *parsed(struct buffer *b)
{
	json_t *json = json_loadb(b->text, b->len, JSON_REJECT_DUPLICATES, NULL);
	if (!json)
		fail_msg("no JSON: %.*s", (int)b->len, b->text);
	buffer_free(b);
	return json;
}

static const char *text(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* ------------------------------------------------------------------ pages */

#define CALLS 20000u

/* Calls in the order of their slots: no order at all, several begun in the same moment. */
static struct call_status call(uint32_t i)
{
	return (struct call_status){ .id = (UINT64_C(0xabc) + i * UINT64_C(7919) % CALLS) << CALL_SLOT_BITS | i,
	                             .setup_at = 1000 + (uint64_t)i * 31337 % (CALLS / 4) };
}

static void pages_hold_every_call_once_the_newest_last(void **state)
{
	struct call_key last = { 0, 0 };
	size_t total = 0;
	bool more = true;
	(void)state;
	while (more) {
		struct call_page page;
		assert_int_equal(call_page_begin(&page, 1000, last), 0);
		for (uint32_t i = 0; i < CALLS; i++) {
			struct call_status c = call(i);
			call_page_take(&page, &c);
		}
		more = call_page_end(&page);
		for (size_t i = 0; i < page.count; i++) {
			assert_true(page.keys[i].setup_at > last.setup_at ||
			            (page.keys[i].setup_at == last.setup_at && page.keys[i].id > last.id));
			last = page.keys[i];
		}
		total += page.count;
		assert_true(page.count == 1000 || !more);
		call_page_free(&page);
	}
	assert_int_equal(total, CALLS);
}

static void a_page_that_is_just_full_says_whether_there_is_more(void **state)
{
	struct call_page page;
	(void)state;
	for (uint32_t n = 0; n < 5; n++) {
		assert_int_equal(call_page_begin(&page, 3, (struct call_key){ 0, 0 }), 0);
		for (uint32_t i = 0; i < n; i++) {
			struct call_status c = call(i);
			call_page_take(&page, &c);
		}
		assert_int_equal(call_page_end(&page), n > 3);
		assert_int_equal(page.count, n < 3 ? n : 3);
		call_page_free(&page);
	}
}

static void an_id_is_sixteen_hex_digits(void **state)
{
	static const char *const others[] = { "", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", " 123456789abcdef", "0x23456789abcdef" };
	uint64_t id = 0;
	(void)state;
	assert_int_equal(call_id_read(&id, "0123456789abcdef"), 0);
	assert_int_equal(id, UINT64_C(0x0123456789abcdef));
	assert_int_equal(call_id_read(&id, "0123456789ABCDEF"), 0);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_int_equal(call_id_read(&id, others[i]), EINVAL);
}

/* ------------------------------------------------------------------ one call */

static void a_call_is_told_with_what_is_known(void **state)
{
	struct call_status c = { .id = 0x2a, .setup_at = UINT64_C(1700000000000000), .phase = CALL_RINGING, .ringing_at = UINT64_C(1700000001000000),
	                         .mapping_gateway = "pbx", .callee_in = "8801" };
	struct buffer b = { 0 };
	(void)state;
	call_render(&b, &c, UINT64_C(1700000005000000));
	json_t *json = parsed(&b);
	assert_string_equal(text(json, "id"), "000000000000002a");
	assert_string_equal(text(json, "phase"), "ringing");
	assert_string_equal(text(json, "ringing_at"), "2023-11-14T22:13:21.000Z");
	assert_true(json_is_null(json_object_get(json, "routing_gateway")));
	assert_true(json_is_null(json_object_get(json, "answered_at")));
	assert_true(json_is_null(json_object_get(json, "duration_ms")));
	assert_true(json_is_null(json_object_get(json, "code")));
	assert_int_equal(json_object_size(json), 16 + 0);
	json_decref(json);
}

static void the_duration_runs_from_the_answer_to_now_or_to_the_end(void **state)
{
	struct call_status c = { .id = 1, .setup_at = 1000000, .answered_at = 5000000, .phase = CALL_ANSWERED };
	struct buffer b = { 0 };
	(void)state;
	call_render(&b, &c, 7500000);
	json_t *json = parsed(&b);
	assert_int_equal(json_integer_value(json_object_get(json, "duration_ms")), 2500);
	json_decref(json);
	c.ended_at = 6000000;
	call_render(&b, &c, 7500000);
	json = parsed(&b);
	assert_int_equal(json_integer_value(json_object_get(json, "duration_ms")), 1000);
	json_decref(json);
	/* The clock was set back. */
	c.ended_at = 0;
	call_render(&b, &c, 1000);
	json = parsed(&b);
	assert_int_equal(json_integer_value(json_object_get(json, "duration_ms")), 0);
	json_decref(json);
}

/* ------------------------------------------------------------------ gateways */

static void a_gateway_of_which_nothing_is_known_has_every_member(void **state)
{
	struct gateway_status s = { .incarnation = 3 };
	struct buffer b = { 0 };
	const char *name;
	json_t *value;
	(void)state;
	gateway_render(&b, NULL, "gw", 3, NULL, true);
	json_t *nothing = parsed(&b);
	gateway_render(&b, NULL, "gw", 3, &s, false);
	json_t *something = parsed(&b);
	assert_int_equal(json_object_size(nothing), json_object_size(something));
	json_object_foreach(something, name, value) {
		assert_non_null(json_object_get(nothing, name));
		assert_int_equal(json_object_size(value), json_object_size(json_object_get(nothing, name)));
	}
	assert_true(json_is_null(json_object_get(nothing, "routable")));
	assert_true(json_is_true(json_object_get(nothing, "stale")));
	json_decref(nothing);
	json_decref(something);
}

static double number(const json_t *json, const char *name)
{
	return json_number_value(json_object_get(json, name));
}

static void the_last_hour_is_told_in_rates(void **state)
{
	struct gateway_status s = { .routable = 1, .calls_last_hour = 3, .answered_last_hour = 2, .ended_last_hour = 2, .seconds_last_hour = 125 };
	struct buffer b = { 0 };
	(void)state;
	gateway_render(&b, "routing-gateways", "gw", 3, &s, false);
	json_t *json = parsed(&b), *hour = json_object_get(json, "last_hour");
	assert_string_equal(text(json, "kind"), "routing-gateways");
	assert_true(number(hour, "asr") == 66.7);
	assert_true(number(hour, "acd_s") == 62.5);
	json_decref(json);
	/* One was answered that began before the hour did. */
	s.calls_last_hour = 1;
	s.ended_last_hour = 0;
	gateway_render(&b, NULL, "gw", 3, &s, false);
	json = parsed(&b);
	hour = json_object_get(json, "last_hour");
	assert_true(number(hour, "asr") == 100.0);
	assert_true(json_is_null(json_object_get(hour, "acd_s")));
	json_decref(json);
	s.calls_last_hour = 0;
	gateway_render(&b, NULL, "gw", 3, &s, false);
	json = parsed(&b);
	assert_true(json_is_null(json_object_get(json_object_get(json, "last_hour"), "asr")));
	json_decref(json);
}

/* ------------------------------------------------------------------ hostile bytes */

static void whatever_stands_in_the_records_they_are_told(void **state)
{
	struct gateway_status gateway;
	struct call_status c;
	struct buffer b = { 0 };
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		srand(seed);
		for (size_t i = 0; i < sizeof gateway; i++)
			((uint8_t *)&gateway)[i] = seed ? (uint8_t)rand() : 0xff;
		for (size_t i = 0; i < sizeof c; i++)
			((uint8_t *)&c)[i] = seed ? (uint8_t)rand() : 0xff;
		status_tame(KIND_ROUTING_GATEWAY, &gateway);
		status_tame(STATUS_CALL, &c);
		gateway_render(&b, NULL, "gw", 1, &gateway, false);
		json_decref(parsed(&b));
		call_render(&b, &c, UINT64_MAX);
		json_decref(parsed(&b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_hold_every_call_once_the_newest_last),
		cmocka_unit_test(a_page_that_is_just_full_says_whether_there_is_more),
		cmocka_unit_test(an_id_is_sixteen_hex_digits),
		cmocka_unit_test(a_call_is_told_with_what_is_known),
		cmocka_unit_test(the_duration_runs_from_the_answer_to_now_or_to_the_end),
		cmocka_unit_test(a_gateway_of_which_nothing_is_known_has_every_member),
		cmocka_unit_test(the_last_hour_is_told_in_rates),
		cmocka_unit_test(whatever_stands_in_the_records_they_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
