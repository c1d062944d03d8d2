/* Which number of an INVITE means what, and how numbers are read, written and rewritten. */
#include "switchcore/numbers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct numbers_in full = {
	.request_user = "7001", .to_user = "8801234567", .from_user = "100", .diversion_user = "7002",
	.remote_party_id_user = "200", .p_asserted_identity_user = "300", .p_preferred_identity_user = "400",
	.from_display = "+1 (555) 010-0001",
};

static const char *caller(int32_t source, const struct numbers_in *in)
{
	static char out[NUMBER_MAX + 1];

	memset(out, 'x', sizeof out);
	assert_int_equal(numbers_caller(out, sizeof out, source, in), 0);
	return out;
}

static void the_callee_is_read_from_the_place_that_is_configured(void **state)
{
	(void)state;
	assert_string_equal(numbers_callee(CALLEE_SOURCE_TO, &full), "8801234567");
	assert_string_equal(numbers_callee(CALLEE_SOURCE_REQUEST_LINE, &full), "7001");
	assert_string_equal(numbers_callee(CALLEE_SOURCE_DIVERSION, &full), "7002");
}

static void a_missing_callee_is_read_from_to_and_then_from_the_request_line(void **state)
{
	struct numbers_in in = full;

	(void)state;
	in.diversion_user = "";
	assert_string_equal(numbers_callee(CALLEE_SOURCE_DIVERSION, &in), "8801234567");
	in.diversion_user = NULL;
	in.to_user = "";
	assert_string_equal(numbers_callee(CALLEE_SOURCE_DIVERSION, &in), "7001");
	assert_string_equal(numbers_callee(CALLEE_SOURCE_TO, &in), "7001");
	in.to_user = "8801234567";
	in.request_user = NULL;
	assert_string_equal(numbers_callee(CALLEE_SOURCE_REQUEST_LINE, &in), "8801234567");
	in.to_user = NULL;
	for (int32_t source = 0; source < CALLEE_SOURCE_COUNT; source++)
		assert_string_equal(numbers_callee(source, &in), "");
}

static void the_original_is_the_user_of_to_whatever_the_callee_is_read_from(void **state)
{
	struct numbers_in in = full;

	(void)state;
	assert_string_equal(numbers_original(&in, "7001"), "8801234567");
	in.to_user = "";
	assert_string_equal(numbers_original(&in, "7001"), "7001");
	in.to_user = NULL;
	assert_string_equal(numbers_original(&in, ""), "");
}

static void the_caller_is_read_from_the_header_that_is_configured(void **state)
{
	(void)state;
	assert_string_equal(caller(CALLER_SOURCE_FROM, &full), "100");
	assert_string_equal(caller(CALLER_SOURCE_REMOTE_PARTY_ID, &full), "200");
	assert_string_equal(caller(CALLER_SOURCE_DISPLAY, &full), "+15550100001");
	assert_string_equal(caller(CALLER_SOURCE_P_ASSERTED_IDENTITY, &full), "300");
	assert_string_equal(caller(CALLER_SOURCE_P_PREFERRED_IDENTITY, &full), "400");
}

static void a_missing_header_gives_the_user_of_from(void **state)
{
	const struct numbers_in empty = { .from_user = "100", .remote_party_id_user = "", .from_display = "" };
	const struct numbers_in absent = { .from_user = "100" }, nothing = { 0 };

	(void)state;
	for (int32_t source = 0; source < CALLER_SOURCE_COUNT; source++) {
		assert_string_equal(caller(source, &empty), "100");
		assert_string_equal(caller(source, &absent), "100");
		assert_string_equal(caller(source, &nothing), "");
	}
}

static void a_display_name_that_is_no_number_gives_the_user_of_from(void **state)
{
	static const char *const names[] = { "Alice", "Room 12", "1+2", "++12", "()-. ", "+", "**", "12\n", "1555%30", "100 x", "\xd9\xa1" };
	static const char *const numbers[][2] = { { "*21*15550100#", "*21*15550100#" }, { " 555.01-00 ", "5550100" }, { "+1", "+1" },
	                                          { "(+44) 20", "+4420" } };
	struct numbers_in in = full;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		in.from_display = names[i];
		assert_string_equal(caller(CALLER_SOURCE_DISPLAY, &in), "100");
	}
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		in.from_display = numbers[i][0];
		assert_string_equal(caller(CALLER_SOURCE_DISPLAY, &in), numbers[i][1]);
	}
}

static void a_caller_that_does_not_fit_is_an_error_and_never_cut(void **state)
{
	char out[4] = "old";

	(void)state;
	assert_int_equal(numbers_caller(out, 3, CALLER_SOURCE_FROM, &full), EMSGSIZE);
	assert_int_equal(numbers_caller(out, sizeof out, CALLER_SOURCE_DISPLAY, &full), EMSGSIZE);
	assert_string_equal(out, "old");
	assert_int_equal(numbers_caller(out, sizeof out, CALLER_SOURCE_FROM, &full), 0);
	assert_string_equal(out, "100");
}

/* ------------------------------------------------------------------ rewriting */

static const char *rewrite(const struct rewrites *rules, const char *number)
{
	static char out[NUMBER_MAX + 1];

	memset(out, 'x', sizeof out);
	assert_int_equal(numbers_rewrite(out, sizeof out, rules, number), 0);
	return out;
}

static void the_longest_match_is_replaced_once(void **state)
{
	const struct rewrites rules = { 4, { { "880", "99880" }, { "8801", "1" }, { "88", "2" }, { "+", "00" } } };
	const struct rewrites prefix = { 1, { { "880", "99880" } } }, growing = { 1, { { "8", "88" } } };

	(void)state;
	assert_string_equal(rewrite(&prefix, "8801234567"), "998801234567");
	assert_string_equal(rewrite(&rules, "8801234567"), "1234567");
	assert_string_equal(rewrite(&rules, "8802"), "998802");
	assert_string_equal(rewrite(&rules, "8812"), "212");
	assert_string_equal(rewrite(&rules, "8"), "8");
	assert_string_equal(rewrite(&rules, "+4420"), "004420");
	assert_string_equal(rewrite(&rules, "4420"), "4420");
	assert_string_equal(rewrite(&growing, "81"), "881");
}

static void an_empty_match_takes_what_no_other_rule_takes(void **state)
{
	const struct rewrites rules = { 2, { { "", "9" }, { "00", "" } } }, none = { 0 };

	(void)state;
	assert_string_equal(rewrite(&rules, "123"), "9123");
	assert_string_equal(rewrite(&rules, ""), "9");
	assert_string_equal(rewrite(&rules, "0044"), "44");
	assert_string_equal(rewrite(&rules, "00"), "");
	assert_string_equal(rewrite(&none, "123"), "123");
	assert_string_equal(rewrite(&none, ""), "");
}

static void of_equal_matches_the_first_is_taken(void **state)
{
	const struct rewrites rules = { 2, { { "1", "a" }, { "1", "b" } } };

	(void)state;
	assert_string_equal(rewrite(&rules, "1"), "a");
}

static void a_result_that_does_not_fit_is_an_error_and_never_cut(void **state)
{
	const struct rewrites rules = { 1, { { "1", "99999" } } };
	char out[7] = "before";

	(void)state;
	assert_int_equal(numbers_rewrite(out, 6, &rules, "12"), EMSGSIZE);
	assert_int_equal(numbers_rewrite(out, 6, &rules, "234567"), EMSGSIZE);
	assert_string_equal(out, "before");
	assert_int_equal(numbers_rewrite(out, 7, &rules, "12"), 0);
	assert_string_equal(out, "999992");
}

/* ------------------------------------------------------------------ reading and writing users */

static void a_user_part_is_read_without_escapes_and_parameters(void **state)
{
	static const char *const users[][2] = {
		{ "+1555;npdi", "+1555" }, { "100", "100" }, { "%2B1555", "+1555" }, { "a%40b", "a@b" }, { "1%3b2;x", "1;2" },
		{ "100:secret", "100" }, { "", "" }, { ";x", "" }, { "%C3%A9", "\xc3\xa9" }, { "*21%23", "*21#" },
	};
	char out[NUMBER_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
		assert_int_equal(number_from_user(out, sizeof out, users[i][0]), 0);
		assert_string_equal(out, users[i][1]);
	}
	assert_int_equal(number_from_user(out, sizeof out, NULL), 0);
	assert_string_equal(out, "");
}

static void a_hostile_user_part_is_refused(void **state)
{
	static const char *const users[] = { "%00", "1%002", "1%0d%0aVia: x", "%7f", "%", "1%", "1%4", "%4;1", "%zz", "%2x", "%-1", "\x01",
	                                     "1\r\n2", "%ff", "%c3", "\xc0\xaf", "%ed%a0%80" };
	char out[NUMBER_MAX + 1], long_user[NUMBER_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
		memset(out, 'x', sizeof out);
		assert_int_equal(number_from_user(out, sizeof out, users[i]), EINVAL);
		assert_string_equal(out, "");
	}
	memset(long_user, '1', sizeof long_user);
	long_user[NUMBER_MAX + 1] = '\0';
	assert_int_equal(number_from_user(out, sizeof out, long_user), EMSGSIZE);
	assert_string_equal(out, "");
	assert_int_equal(number_from_user(out, sizeof out, long_user + 1), 0);
	assert_string_equal(out, long_user + 1);
}

static void a_number_is_written_so_that_it_ends_nothing(void **state)
{
	char out[NUMBER_ESCAPED_MAX + 1], longest[NUMBER_MAX + 1], back[NUMBER_MAX + 1];

	(void)state;
	assert_int_equal(number_to_user(out, sizeof out, "+1-555_0.1!~*'()&=$/"), 0);
	assert_string_equal(out, "+1-555_0.1!~*'()&=$/");
	assert_int_equal(number_to_user(out, sizeof out, "a@b<c>;d?e,f:g\"h\\i#j k%l\xc3\xa9\r\n"), 0);
	assert_string_equal(out, "a%40b%3Cc%3E%3Bd%3Fe%2Cf%3Ag%22h%5Ci%23j%20k%25l%C3%A9%0D%0A");
	memset(longest, '#', NUMBER_MAX);
	longest[NUMBER_MAX] = '\0';
	assert_int_equal(number_to_user(out, sizeof out, longest), 0);
	assert_int_equal(number_from_user(back, sizeof back, out), 0);
	assert_string_equal(back, longest);
	assert_int_equal(number_to_user(out, sizeof out - 1, longest), EMSGSIZE);
	assert_int_equal(number_to_user(out, 3, "123"), EMSGSIZE);
}

static void every_byte_comes_back_as_it_was_written(void **state)
{
	char number[2] = "", out[4], back[2];

	(void)state;
	for (int c = 1; c < 128; c++) {
		number[0] = (char)c;
		assert_int_equal(number_to_user(out, sizeof out, number), 0);
		for (const char *p = out; *p; p++)
			assert_null(strchr("@<>;:?,\"\\ \r\n", *p));
		assert_int_equal(number_from_user(back, sizeof back, out), c < 0x20 || c == 0x7f ? EINVAL : 0);
		if (c >= 0x20 && c != 0x7f)
			assert_string_equal(back, number);
	}
}

static void a_display_name_is_read_as_plain_text(void **state)
{
	static const char *const displays[][2] = {
		{ "\"Alice\"", "Alice" }, { "Alice Smith ", "Alice Smith" }, { "\"a \\\"b\\\" \\\\c\"", "a \"b\" \\c" }, { "\"", "\"" },
		{ "\"\"", "" }, { "\"a\\\"", "a\\" }, { "\"a\r\n b\tc\"", "a   b c" }, { "J\xe9r\xc3\xb4me", "J?r\xc3\xb4me" }, { "", "" },
		{ "\"\\\xc3\xa9\"", "\xc3\xa9" },
	};
	char out[DISPLAY_MAX + 1], small[4];

	(void)state;
	for (size_t i = 0; i < sizeof displays / sizeof *displays; i++) {
		display_from_header(out, sizeof out, displays[i][0]);
		assert_string_equal(out, displays[i][1]);
	}
	display_from_header(out, sizeof out, NULL);
	assert_string_equal(out, "");
	display_from_header(small, sizeof small, "ab\xc3\xa9");
	assert_string_equal(small, "ab");
	display_plain(small, sizeof small, "\"\\\n");
	assert_string_equal(small, "\"\\ ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_callee_is_read_from_the_place_that_is_configured),
		cmocka_unit_test(a_missing_callee_is_read_from_to_and_then_from_the_request_line),
		cmocka_unit_test(the_original_is_the_user_of_to_whatever_the_callee_is_read_from),
		cmocka_unit_test(the_caller_is_read_from_the_header_that_is_configured),
		cmocka_unit_test(a_missing_header_gives_the_user_of_from),
		cmocka_unit_test(a_display_name_that_is_no_number_gives_the_user_of_from),
		cmocka_unit_test(a_caller_that_does_not_fit_is_an_error_and_never_cut),
		cmocka_unit_test(the_longest_match_is_replaced_once),
		cmocka_unit_test(an_empty_match_takes_what_no_other_rule_takes),
		cmocka_unit_test(of_equal_matches_the_first_is_taken),
		cmocka_unit_test(a_result_that_does_not_fit_is_an_error_and_never_cut),
		cmocka_unit_test(a_user_part_is_read_without_escapes_and_parameters),
		cmocka_unit_test(a_hostile_user_part_is_refused),
		cmocka_unit_test(a_number_is_written_so_that_it_ends_nothing),
		cmocka_unit_test(every_byte_comes_back_as_it_was_written),
		cmocka_unit_test(a_display_name_is_read_as_plain_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
