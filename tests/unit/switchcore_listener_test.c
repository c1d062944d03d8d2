/* What --sip takes, and what a listener says of itself. */
#include "switchcore/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void every_part_of_a_listener_is_taken(void **state)
{
	struct listener l;
	char text[300];
	union address to;

	(void)state;
	assert_null(listener_parse(&l, "outside=tls:[2001:db8::1]:5071,advertise=sip.example.net:443"));
	assert_string_equal(l.name, "outside");
	assert_int_equal(l.bound.transport, TRANSPORT_TLS);
	target_text(&l.bound, text, sizeof text);
	assert_string_equal(text, "tls:[2001:db8::1]:5071");
	assert_true(address_parse(&to, "::1", 5060));
	listener_host_port(&l, &to, text, sizeof text);
	assert_string_equal(text, "sip.example.net:443");
}

static void what_may_be_left_out_has_its_default(void **state)
{
	struct listener l;
	char text[300];
	union address to;

	(void)state;
	assert_null(listener_parse(&l, "192.0.2.1:0"));
	assert_string_equal(l.name, "");
	assert_int_equal(l.bound.transport, TRANSPORT_UDP);
	assert_null(listener_parse(&l, "tcp:192.0.2.1:5080,advertise=203.0.113.9"));
	assert_true(address_parse(&to, "192.0.2.9", 5060));
	listener_host_port(&l, &to, text, sizeof text);
	assert_string_equal(text, "203.0.113.9:5080");
}

static void a_listener_on_any_address_names_the_one_that_packets_leave_from(void **state)
{
	struct listener l;
	char text[300];
	union address to;

	(void)state;
	assert_null(listener_parse(&l, "0.0.0.0:5060"));
	assert_true(address_parse(&to, "127.0.0.1", 5060));
	listener_host_port(&l, &to, text, sizeof text);
	assert_string_equal(text, "127.0.0.1:5060");
}

static void anything_else_is_refused_with_a_reason(void **state)
{
	static const char *const wrong[] = {
		"", "127.0.0.1", "127.0.0.1:", ":5060", "sctp:127.0.0.1:5060", "udp:127.0.0.1:65536", "udp:127.0.0.1:-1",
		"udp:host:5060", "::1:5060", "[::1]", "a b=udp:127.0.0.1:1", "=udp:127.0.0.1:1", "127.0.0.1:1,advertise=",
		"127.0.0.1:1,advertise=a b", "127.0.0.1:1,advertise=h:0", "127.0.0.1:1,other=1", "127.0.0.1:1x", "127.0.0.1:+1",
	};
	struct listener l;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!listener_parse(&l, wrong[i]))
			fail_msg("taken: %s", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part_of_a_listener_is_taken),
		cmocka_unit_test(what_may_be_left_out_has_its_default),
		cmocka_unit_test(a_listener_on_any_address_names_the_one_that_packets_leave_from),
		cmocka_unit_test(anything_else_is_refused_with_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
