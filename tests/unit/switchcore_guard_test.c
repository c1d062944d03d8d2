/* What reaches the SIP stack: whole messages of a sane size, whatever the pieces they come in. */
#include "switchcore/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char text[200000];

/* Appends to `text` and returns its new length. */
static size_t add(size_t n, const char *format, ...) __attribute__((format(printf, 2, 3)));
static size_t add(size_t n, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	n += (size_t)vsnprintf(text + n, sizeof text - n, format, arguments);
	va_end(arguments);
	assert_true(n < sizeof text);
	return n;
}

/* A message of so many header lines, of which one is Content-Length, each with so many commas; then the body. */
static size_t message(unsigned lines, unsigned commas, const char *length, const char *body)
{
	size_t n = add(0, "INVITE sip:1@x SIP/2.0\r\n");

	for (unsigned i = 1; i < lines; i++) {
		n = add(n, "a: b");
		for (unsigned c = 0; c < commas; c++)
			text[n++] = ',';
		n = add(n, "\r\n");
	}
	return add(n, "%s\r\n\r\n%s", length, body);
}

static void a_sane_datagram_passes_whole(void **state)
{
	size_t len = message(500, 0, "Content-Length: 0", "");

	(void)state;
	assert_true(guard_datagram(text, len));
	len = message(5, 100, "l: 0", "");
	assert_true(guard_datagram(text, len));
	assert_true(guard_datagram("\r\n\r\n", 4));
	assert_true(guard_datagram("", 0));
	assert_true(guard_datagram("x", 1));
}

static void a_body_does_not_count(void **state)
{
	char body[3000];
	size_t len;

	(void)state;
	memset(body, '\n', sizeof body);
	body[sizeof body - 1] = '\0';
	len = message(3, 0, "l: 2999", body);
	assert_true(guard_datagram(text, len));
	memset(body, ',', sizeof body - 1);
	len = message(3, 0, "l: 2999", body);
	assert_true(guard_datagram(text, len));
}

static void a_head_without_measure_is_dropped(void **state)
{
	(void)state;
	/* the request line, Content-Length and the rest */
	assert_true(guard_datagram(text, message(GUARD_ITEMS_MAX - 1, 0, "l: 0", "")));
	assert_false(guard_datagram(text, message(GUARD_ITEMS_MAX + 1, 0, "l: 0", "")));
	assert_false(guard_datagram(text, message(2, GUARD_ITEMS_MAX, "l: 0", "")));
	assert_false(guard_datagram(text, message(GUARD_ITEMS_MAX / 2 + 1, 1, "l: 0", "")));
	assert_false(guard_datagram(text, message(10000, 0, "", "") - 4));	/* no end */
}

static void empty_lines_before_the_message_do_not_hide_it(void **state)
{
	char *all;
	size_t len = message(10000, 0, "l: 0", "");

	(void)state;
	all = malloc(len + 4);
	assert_non_null(all);
	memcpy(all, "\r\n\r\n", 4);
	memcpy(all + 4, text, len);
	assert_false(guard_datagram(all, len + 4));
	free(all);
}

static void what_begins_like_no_message_is_dropped(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char bytes[3] = { (char)c, 'x', 'y' };
		bool text_like = (c > ' ' && c < 0x7f) || c == '\r' || c == '\n';
		assert_int_equal(guard_datagram(bytes, sizeof bytes), text_like);
	}
}

/* ------------------------------------------------------------------ floods */

static const char request[] = "INVITE sip:1@x SIP/2.0\r\n", answer[] = "SIP/2.0 200 OK\r\n";

#define SHARE (GUARD_STRANGERS_PER_S / 10)	/* of a tenth of a second */

static bool stranger_has_turn(struct guard_rush *rush, const char *bytes, uint64_t moment)
{
	return !guard_rush(rush, bytes, strlen(bytes), moment) || guard_stranger(rush, bytes, strlen(bytes));
}

static void strangers_get_so_many_requests_in_a_moment_and_then_none(void **state)
{
	struct guard_rush rush = { 0 };
	unsigned taken = 0;

	(void)state;
	for (uint64_t moment = 1; moment <= 3; moment++, taken = 0) {
		for (int i = 0; i < 5000; i++)
			taken += stranger_has_turn(&rush, request, moment);
		/* while few came nobody was asked who it is: so twice the number */
		assert_int_equal(taken, 2 * SHARE);
	}
	assert_int_equal(rush.dropped, 3 * (5000 - 2 * SHARE));
}

static void answers_count_a_tenth(void **state)
{
	struct guard_rush rush = { 0 };
	unsigned taken = 0;

	(void)state;
	for (int i = 0; i < 50000; i++)
		taken += stranger_has_turn(&rush, answer, 1);
	assert_int_equal(taken, 20 * SHARE);
}

static void known_sources_take_nothing_from_the_strangers(void **state)
{
	struct guard_rush rush = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++)
		guard_rush(&rush, request, strlen(request), 1);		/* and pass, since they are known */
	for (int i = 0; i < SHARE; i++) {
		assert_true(guard_rush(&rush, request, strlen(request), 1));
		assert_true(guard_stranger(&rush, request, strlen(request)));
	}
	assert_int_equal(rush.dropped, 0);
	assert_false(guard_stranger(&rush, request, strlen(request)));
}

/* ------------------------------------------------------------------ streams */

/* All of text, in pieces of that size. */
static bool pass(struct guard_stream *s, size_t len, size_t piece)
{
	for (size_t at = 0; at < len; at += piece)
		if (!guard_stream(s, text + at, len - at < piece ? len - at : piece))
			return false;
	return true;
}

static void a_stream_of_sane_messages_passes_in_any_pieces(void **state)
{
	static const char *const lengths[] = { "Content-Length: 1300", "content-length:1300", "l : 1300", "L:\t 1300 ", "CONTENT-LENGTH  :   1300" };
	static const size_t pieces[] = { 1, 2, 7, 1000, 100000 };
	char body[1301];

	(void)state;
	memset(body, '\n', 1000);
	memset(body + 1000, ',', 300);
	body[1300] = '\0';
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
			struct guard_stream s = { 0 };
			for (int turn = 0; turn < 20; turn++)
				assert_true(pass(&s, message(200, 1, lengths[i], body), pieces[p]));
		}
}

static void a_head_without_measure_ends_the_stream(void **state)
{
	static const size_t pieces[] = { 1, 3, 100000 };

	(void)state;
	for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
		struct guard_stream s = { 0 };
		assert_true(pass(&s, message(5, 5, "l: 5", "12345"), pieces[p]));
		assert_false(pass(&s, message(600, 0, "l: 5", "12345"), pieces[p]));
		s = (struct guard_stream){ 0 };
		assert_false(pass(&s, message(3, 600, "l: 5", "12345"), pieces[p]));
	}
}

/* Every end of a line that the stack takes for one (CR LF, CR, LF) is counted. */
static void lines_end_in_three_ways(void **state)
{
	static const char *const ends[] = { "\r\n", "\r", "\n" };

	(void)state;
	for (size_t e = 0; e < 3; e++) {
		struct guard_stream s = { 0 };
		char body[700];
		size_t n = add(0, "INVITE sip:1@x SIP/2.0%s", ends[e]);
		for (int i = 0; i < 2000; i++)
			n = add(n, "a:b%s", ends[e]);
		assert_false(guard_datagram(text, n));
		assert_false(pass(&s, n, 13));
		s = (struct guard_stream){ 0 };
		memset(body, ',', sizeof body);
		body[sizeof body - 1] = '\0';
		for (int turn = 0; turn < 3; turn++) {
			n = add(0, "INVITE sip:1@x SIP/2.0%sl:699%s%s%s", ends[e], ends[e], ends[e], body);
			assert_true(guard_datagram(text, n));
			assert_true(pass(&s, n, 1));
		}
		assert_false(pass(&s, add(0, "INVITE sip:1@x SIP/2.0%sl:0%s%s%s", ends[e], ends[e], ends[e], body), 3));
	}
}

/* A length that the stack might read differently: then what follows is counted like a head. */
static void a_doubtful_length_hides_nothing(void **state)
{
	static const char *const lengths[] = { "l: 2000x", "l: -2000", "Content-Length: 1\r\nl: 2000", "l: 2000\r\nl: 2000", "l: 99999999999999999999",
	                                       "l:\r\n 2000", "xl: 2000", "Content-Lengths: 2000", "l x: 2000", "m: 2000", "l: 2 000:" };
	char body[2001];

	(void)state;
	memset(body, ',', sizeof body - 1);
	body[2000] = '\0';
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct guard_stream s = { 0 };
		if (pass(&s, message(3, 0, lengths[i], body), 11))
			fail_msg("passes: %s", lengths[i]);
	}
}

static void after_a_body_the_next_head_is_counted(void **state)
{
	struct guard_stream s = { 0 };

	(void)state;
	assert_true(pass(&s, message(300, 0, "l: 10", "\r\n\r\n\r\n\r\n\r\n"), 5));
	assert_true(pass(&s, message(300, 0, "l: 0", ""), 5));
	assert_false(pass(&s, message(600, 0, "l: 0", ""), 5));
}

static void keep_alives_on_a_stream_count_for_nothing(void **state)
{
	struct guard_stream s = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++)
		assert_true(guard_stream(&s, "\r\n\r\n", 4));
	assert_true(pass(&s, message(300, 0, "l: 0", ""), 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sane_datagram_passes_whole),
		cmocka_unit_test(a_body_does_not_count),
		cmocka_unit_test(a_head_without_measure_is_dropped),
		cmocka_unit_test(empty_lines_before_the_message_do_not_hide_it),
		cmocka_unit_test(what_begins_like_no_message_is_dropped),
		cmocka_unit_test(strangers_get_so_many_requests_in_a_moment_and_then_none),
		cmocka_unit_test(answers_count_a_tenth),
		cmocka_unit_test(known_sources_take_nothing_from_the_strangers),
		cmocka_unit_test(a_stream_of_sane_messages_passes_in_any_pieces),
		cmocka_unit_test(a_head_without_measure_ends_the_stream),
		cmocka_unit_test(lines_end_in_three_ways),
		cmocka_unit_test(a_doubtful_length_hides_nothing),
		cmocka_unit_test(after_a_body_the_next_head_is_counted),
		cmocka_unit_test(keep_alives_on_a_stream_count_for_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
