/* Who the headers of a traced message name, whatever way they are written. */
#include "mgmtd/compare.h"
#include "mgmtd/party.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void is(const char *value, const char *display, const char *user, const char *host)
{
	struct party p;
	if (!party_read(&p, value, strlen(value)))
		fail_msg("not read: %s", value);
	assert_string_equal(p.display, display);
	assert_string_equal(p.user, user);
	assert_string_equal(p.host, host);
}

static void names_and_addresses_are_read_as_rfc_3261_writes_them(void **state)
{
	(void)state;
	is("<sip:8801@gw.example>", "", "8801", "gw.example");
	is("\"Alice \\\"A\\\" Smith\" <sip:alice@192.0.2.1:5070;transport=tcp>;tag=1", "Alice \"A\" Smith", "alice", "192.0.2.1");
	is("Alice Smith  <sips:alice@example.org>", "Alice Smith", "alice", "example.org");
	is("sip:8801@gw.example;tag=abc", "", "8801", "gw.example");
	is("  <sip:+4930:secret@[2001:db8::1]:5060>", "", "+4930", "[2001:db8::1]");
	is("<sip:gw.example>", "", "", "gw.example");
	is("<tel:+49-30-1;phone-context=example.org>", "", "+49-30-1", "");
	is("<SIP:%38801%2b;x=y@h>", "", "8801+;x=y", "h");
	is("<sip:a?b@h>, <sip:other@h>", "", "a?b", "h");
	is("\"<sip:no@no>\" <sip:yes@h>", "<sip:no@no>", "yes", "h");
	is("<sip:a%00b@h>", "", "a?b", "h");
}

static void what_names_nobody_is_refused(void **state)
{
	static const char *const values[] = { "", " ", "*", "\"never ends", "<sip:a@h", "<http://h/>", "alice", "\"A\" sip:a@h", "<>" };
	struct party p;
	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		assert_false(party_read(&p, values[i], strlen(values[i])));
}

static void long_texts_are_cut_and_end(void **state)
{
	char value[2000];
	struct party p;
	(void)state;
	memset(value, 'a', sizeof value);
	memcpy(value, "<sip:", 5);
	value[1000] = '@';
	value[1999] = '>';
	assert_true(party_read(&p, value, sizeof value));
	assert_int_equal(strlen(p.user), PARTY_TEXT - 1);
	assert_int_equal(strlen(p.host), PARTY_TEXT - 1);
}

static void a_number_is_its_user_with_or_without_parameters(void **state)
{
	struct party p = { .user = "8801;npdi" };
	(void)state;
	assert_true(party_is(&p, "8801"));
	assert_true(party_is(&p, "8801;npdi"));
	assert_false(party_is(&p, "880"));
	assert_false(party_is(&p, "88011"));
	p.user[0] = '\0';
	assert_false(party_is(&p, "8801"));
}

/* ------------------------------------------------------------------ side by side */

#define INVITE(user, to, call_id, more) \
	"INVITE sip:" user "@gw.example SIP/2.0\r\nFrom: \"A\" <sip:100@us>;tag=1\r\nTo: " to "\r\nCall-ID: " call_id "\r\n" more "\r\n"

static bool matches(const char *message, const char *expected)
{
	return compare_matches(message, strlen(message), expected, strlen(expected));
}

static void only_a_new_call_to_that_number_through_that_gateway_matches(void **state)
{
	static const char expected[] = INVITE("8801", "<sip:8801@gw>", "g0000002a-preview", "");
	(void)state;
	assert_true(matches(INVITE("8801", "<sip:8801@gw>", "g0000002a-other", ""), expected));
	assert_true(matches(INVITE("8801", "<sip:8801;tag=x@gw>", "g0000002a-other", ""), expected));
	assert_false(matches(INVITE("8802", "<sip:8801@gw>", "g0000002a-other", ""), expected));
	assert_false(matches(INVITE("8801", "<sip:8801@gw>", "g0000002b-other", ""), expected));
	assert_false(matches(INVITE("8801", "<sip:8801@gw>", "0000002a-other", ""), expected));
	assert_false(matches(INVITE("8801", "<sip:8801@gw>;tag=x", "g0000002a-other", ""), expected));
	assert_false(matches("ACK sip:8801@gw.example SIP/2.0\r\nTo: <sip:8801@gw>\r\nCall-ID: g0000002a-x\r\n\r\n", expected));
	assert_false(matches("SIP/2.0 200 OK\r\n\r\n", expected));
	assert_false(matches("", expected));
}

static void every_field_is_compared_and_only_that_which_differs_does(void **state)
{
	static const char one[] = INVITE("8801", "<sip:8801@gw>", "g0000002a-1", "Privacy: id\r\nm: <sip:sw@us>\r\n");
	static const char other[] = INVITE("8801", "<sip:8801@gw>", "g0000002a-2", "Privacy: none\r\nContact: <sip:sw@us>\r\n");
	const struct compare_side expected = { one, strlen(one), "udp:192.0.2.1:5060" }, seen = { other, strlen(other), "udp:192.0.2.1:5060" };
	struct buffer b = { 0 };
	(void)state;
	compare_render(&b, &expected, &seen);
	assert_non_null(strstr(b.text, "{\"field\":\"privacy\",\"expected\":\"id\",\"seen\":\"none\",\"match\":false}"));
	assert_non_null(strstr(b.text, "{\"field\":\"contact_user\",\"expected\":\"sw\",\"seen\":\"sw\",\"match\":true}"));
	assert_non_null(strstr(b.text, "{\"field\":\"remote_party_id\",\"expected\":null,\"seen\":null,\"match\":true}"));
	assert_non_null(strstr(b.text, "{\"field\":\"from_display\",\"expected\":\"A\",\"seen\":\"A\",\"match\":true}"));
	assert_null(strstr(strstr(b.text, "\"match\":false") + 1, "\"match\":false"));
	buffer_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_addresses_are_read_as_rfc_3261_writes_them),
		cmocka_unit_test(what_names_nobody_is_refused),
		cmocka_unit_test(long_texts_are_cut_and_end),
		cmocka_unit_test(a_number_is_its_user_with_or_without_parameters),
		cmocka_unit_test(only_a_new_call_to_that_number_through_that_gateway_matches),
		cmocka_unit_test(every_field_is_compared_and_only_that_which_differs_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
