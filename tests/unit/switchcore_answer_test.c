/* What a registrar's 200 OK says about our Contact. */
#include "switchcore/sip_stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LINE "0123456789abcdef0123456789abcdef"

static struct sip_answer read_answer(const char *contacts)
{
	static const struct sip_contact ours = { "alice", "192.0.2.7", "5062", LINE };
	su_home_t home[1] = { SU_HOME_INIT(home) };
	struct sip_answer answer;
	char text[2000];
	msg_t *message;
	int n = snprintf(text, sizeof text,
	                 "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK1\r\nFrom: <sip:alice@example.net>;tag=1\r\n"
	                 "To: <sip:alice@example.net>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n%sContent-Length: 0\r\n\r\n", contacts);

	su_home_init(home);
	message = msg_make(sip_default_mclass(), 0, text, n);
	assert_non_null(message);
	sip_answer_read(&answer, home, sip_object(message), &ours);
	msg_destroy(message);
	su_home_deinit(home);
	return answer;
}

static void an_older_contact_of_ours_does_not_stand_for_the_one_that_is_listed_too(void **state)
{
	static const char *const lists[] = {
		"Contact: <sip:alice@192.0.2.7:5060;line=" LINE ">;expires=7, <sip:alice@192.0.2.7:5062;line=" LINE ">;expires=300\r\n",
		"Contact: <sip:alice@192.0.2.7:5062;line=" LINE ">;expires=300, <sip:alice@192.0.2.7:5060;line=" LINE ">;expires=7\r\n",
		"Contact: <sip:old@192.0.2.7:5062;line=" LINE ">;expires=7\r\nContact: <sip:alice@192.0.2.7:5062;line=" LINE ">;expires=300\r\n",
		"Contact: <sip:old@192.0.2.7:5062;line=" LINE ">;expires=7\r\nContact: <sip:alice@192.0.2.7:5062>;expires=300\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct sip_answer answer = read_answer(lists[i]);
		assert_int_equal(answer.binding, SIP_BINDING_OURS);
		assert_int_equal(answer.granted, 300);
	}
}

static void a_contact_with_our_line_is_ours_when_the_registrar_rewrote_its_address(void **state)
{
	struct sip_answer answer = read_answer("Contact: <sip:alice@198.51.100.1:1024;line=" LINE ">;expires=60\r\n");

	(void)state;
	assert_int_equal(answer.binding, SIP_BINDING_OURS);
	assert_int_equal(answer.granted, 60);
}

static void another_line_at_our_address_is_not_ours(void **state)
{
	struct sip_answer answer = read_answer("Contact: <sip:alice@192.0.2.7:5062;line=ffffffffffffffffffffffffffffffff>;expires=60\r\n");

	(void)state;
	assert_int_equal(answer.binding, SIP_BINDING_OTHERS);
}

static void a_grant_beyond_all_bounds_is_bounded(void **state)
{
	static const char *const lists[] = {
		"Contact: <sip:alice@192.0.2.7:5062;line=" LINE ">;expires=4294967295\r\n",
		"Contact: <sip:alice@192.0.2.7:5062;line=" LINE ">;expires=99999999999999999999999\r\n",
		"Contact: <sip:alice@192.0.2.7:5062;line=" LINE ">\r\nExpires: 4294967295\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		assert_int_equal(read_answer(lists[i]).granted, INT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_older_contact_of_ours_does_not_stand_for_the_one_that_is_listed_too),
		cmocka_unit_test(a_contact_with_our_line_is_ours_when_the_registrar_rewrote_its_address),
		cmocka_unit_test(another_line_at_our_address_is_not_ours),
		cmocka_unit_test(a_grant_beyond_all_bounds_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
