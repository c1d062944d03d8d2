#include "mgmtd/json_body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct json_fault fault;

static int parse_bytes(const char *text, size_t len)
{
	json_t *value = NULL;
	fault = (struct json_fault){ 0 };
	int e = json_body_parse(&value, text, len, &fault);
	assert_true((e == 0) == (value != NULL));
	json_decref(value);
	return e;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void any_json_value_is_a_body(void **state)
{
	static const char *const good[] = { "{}", "[]", "5", "\"a\"", "null", "true", " { \"a\" : [ 1 , 2.5 ] } \n" };
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_int_equal(parse(good[i]), 0);
}

static void a_refusal_names_line_and_column(void **state)
{
	static const struct { const char *text; int line; } bad[] = {
		{ "", 1 }, { "{", 1 }, { "{\"a\":1,}", 1 }, { "{\n\"a\": 1\n\"b\": 2}", 3 }, { "{}x", 1 }, { "{'a':1}", 1 }, { "[1,\n2,\n,3]", 3 },
		{ "NaN", 1 }, { "01", 1 }, { "\"a", 1 }, { "\xef\xbb\xbf{}", 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(parse(bad[i].text), EINVAL);
		assert_int_equal(fault.line, bad[i].line);
		assert_true(fault.column >= 1 && fault.text[0]);
	}
}

static void a_duplicate_key_is_refused_at_any_depth(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"a\":1,\"a\":2}"), EINVAL);
	assert_string_equal(fault.text, "duplicate object key");
	assert_int_equal(parse("[{\"x\":{\"a\":1,\n\"a\":2}}]"), EINVAL);
	assert_int_equal(fault.line, 2);
}

static void numbers_that_overflow_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("99999999999999999999999"), EINVAL);
	assert_int_equal(parse("1e999"), EINVAL);
	assert_int_equal(parse("9223372036854775807"), 0);
}

static void nul_and_bad_utf8_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("\"a\\u0000b\""), EINVAL);
	assert_string_equal(fault.text, "\\u0000 is not allowed");
	assert_int_equal(parse_bytes("{\"a\":\0 1}", 9), EINVAL);
	assert_int_equal(parse("\"\xff\""), EINVAL);
	assert_string_equal(fault.text, "invalid UTF-8");
	assert_int_equal(parse("\"\xc0\xaf\""), EINVAL);
	assert_int_equal(parse("\"\xed\xa0\x80\""), EINVAL);
	assert_int_equal(parse("\"\\ud800\""), EINVAL);
}

static void what_is_refused_is_not_quoted(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"password\":\"hunter2\" x}"), EINVAL);
	assert_null(strstr(fault.text, "hunter2"));
	assert_null(strstr(fault.text, "near"));
}

static void nest(char *text, int depth)
{
	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	text[2 * depth] = '\0';
}

static void thirty_two_levels_are_deep_enough(void **state)
{
	char text[200100];
	(void)state;
	nest(text, JSON_BODY_DEPTH);
	assert_int_equal(parse(text), 0);
	nest(text, JSON_BODY_DEPTH + 1);
	assert_int_equal(parse(text), EINVAL);
	assert_int_equal(fault.column, JSON_BODY_DEPTH + 1);
	nest(text, 100000);
	assert_int_equal(parse(text), EINVAL);
}

static void brackets_in_texts_do_not_count_as_depth(void **state)
{
	char text[128] = "[\"\\\"";
	(void)state;
	memset(text + 4, '[', 64);
	memcpy(text + 68, "\", \"\xc3\xa9\"]", 9);
	assert_int_equal(parse(text), 0);
}

static void the_column_counts_characters(void **state)
{
	char text[128] = "[\"\xc3\xa9\xc3\xa9\",";
	(void)state;
	size_t len = strlen(text);
	memset(text + len, '[', 40);
	assert_int_equal(parse(text), EINVAL);
	assert_int_equal(fault.line, 1);
	assert_int_equal(fault.column, 6 + JSON_BODY_DEPTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_json_value_is_a_body),
		cmocka_unit_test(a_refusal_names_line_and_column),
		cmocka_unit_test(a_duplicate_key_is_refused_at_any_depth),
		cmocka_unit_test(numbers_that_overflow_are_refused),
		cmocka_unit_test(nul_and_bad_utf8_are_refused),
		cmocka_unit_test(what_is_refused_is_not_quoted),
		cmocka_unit_test(thirty_two_levels_are_deep_enough),
		cmocka_unit_test(brackets_in_texts_do_not_count_as_depth),
		cmocka_unit_test(the_column_counts_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
