/* What stands in the INVITE to a routing gateway, for every setting, and whatever came in. */
#include "switchcore/identity.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAI "\"Alice\" <sip:300@carrier.example>, <tel:+300>"
#define PPI "<sip:400@carrier.example>"

/* A call and its settings, as a test changes them. */
struct scene {
	struct routing_gateway_record gateway;
	struct mapping_gateway_record mapping;
	struct sip_parameters parameters;
	struct numbers_in in;
	struct identity_source source;
	char callee[NUMBER_MAX + 1], routed[NUMBER_MAX + 1], caller[NUMBER_MAX + 1];
	struct invite_identity out;
};

static void begin(struct scene *s)
{
	memset(s, 0, sizeof *s);
	s->in = (struct numbers_in){
		.request_user = "8801234567", .to_user = "8801234567", .from_user = "100", .from_display = "Alice",
		.p_asserted_identity_user = "300", .p_asserted_identity = PAI, .p_preferred_identity = PPI, .privacy = "id;critical",
	};
	s->source.registration_privacy = -1;
	s->source.our_host = "192.0.2.1:5060";
}

/* As the engine does: read, rewritten by the mapping gateway, then by the routing gateway, written. */
static const struct invite_identity *go(struct scene *s)
{
	char number[NUMBER_MAX + 1];

	snprintf(s->callee, sizeof s->callee, "%s", numbers_callee(s->mapping.callee, &s->in));
	assert_int_equal(numbers_rewrite(number, sizeof number, &s->mapping.callee_rewrite, s->callee), 0);
	assert_int_equal(numbers_rewrite(s->routed, sizeof s->routed, &s->gateway.callee_rewrite, number), 0);
	assert_int_equal(numbers_caller(s->caller, sizeof s->caller, s->mapping.caller, &s->in), 0);
	assert_int_equal(numbers_rewrite(number, sizeof number, &s->mapping.caller_rewrite, s->caller), 0);
	assert_int_equal(numbers_rewrite(s->caller, sizeof s->caller, &s->gateway.caller_rewrite, number), 0);
	s->source.gateway = &s->gateway;
	s->source.parameters = &s->parameters;
	s->source.trusted = s->mapping.trusted;
	s->source.in = &s->in;
	s->source.original = numbers_original(&s->in, s->callee);
	s->source.routed = s->routed;
	s->source.caller = s->caller;
	assert_int_equal(identity_outbound(&s->out, &s->source), 0);
	return &s->out;
}

static void rewrite_880(struct rewrites *rules)
{
	*rules = (struct rewrites){ 1, { { "880", "99880" } } };
}

/* ------------------------------------------------------------------ Request-URI and To */

static void off_writes_the_routed_number_twice_and_on_the_dialled_one_into_to(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	rewrite_880(&s.gateway.callee_rewrite);
	go(&s);
	assert_false(s.out.use_contact);
	assert_string_equal(s.out.request_user, "998801234567");
	assert_string_equal(s.out.to_user, "998801234567");
	assert_string_equal(s.out.to_number, "998801234567");
	assert_string_equal(s.source.original, "8801234567");
	s.parameters.SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT = 1;
	go(&s);
	assert_true(s.out.use_contact);
	assert_string_equal(s.out.request_user, "998801234567");
	assert_string_equal(s.out.to_user, "8801234567");
	assert_string_equal(s.out.to_number, "8801234567");
}

static void a_callee_of_the_request_line_leaves_the_dialled_number_in_to_only_when_on(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.mapping.callee = CALLEE_SOURCE_REQUEST_LINE;
	s.in.request_user = "7001";
	go(&s);
	assert_string_equal(s.out.request_user, "7001");
	assert_string_equal(s.out.to_user, "7001");
	s.parameters.SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT = 1;
	go(&s);
	assert_string_equal(s.out.request_user, "7001");
	assert_string_equal(s.out.to_user, "8801234567");
	s.in.to_user = "";
	go(&s);
	assert_string_equal(s.out.to_user, "7001");
}

static void a_gateway_overrides_the_global_mode(void **state)
{
	static const struct { int32_t gateway; uint8_t global; bool on; } cases[] = {
		{ INVITE_MODE_INHERIT, 0, false }, { INVITE_MODE_INHERIT, 1, true }, { INVITE_MODE_ON, 0, true },
		{ INVITE_MODE_ON, 1, true }, { INVITE_MODE_OFF, 0, false }, { INVITE_MODE_OFF, 1, false },
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&s);
		rewrite_880(&s.mapping.callee_rewrite);
		s.gateway.invite_use_contact = cases[i].gateway;
		s.parameters.SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT = cases[i].global;
		go(&s);
		assert_int_equal(s.out.use_contact, cases[i].on);
		assert_string_equal(s.out.request_user, "998801234567");
		assert_string_equal(s.out.to_user, cases[i].on ? "8801234567" : "998801234567");
	}
}

/* The recommended settings for each type of gateway, with a call whose request line and To differ. */
static void every_type_of_gateway_gets_what_it_reads(void **state)
{
	static const struct {
		const char *type;
		int32_t mode, callee;
		struct rewrites rewrite;
		const char *request_user, *to_user;
	} types[] = {
		{ "standard SIP carrier", INVITE_MODE_OFF, CALLEE_SOURCE_TO, { 0 }, "8801234567", "8801234567" },
		{ "legacy, routes on the request line", INVITE_MODE_ON, CALLEE_SOURCE_REQUEST_LINE, { 0 }, "7001", "8801234567" },
		{ "PSTN gateway with prefix conversion", INVITE_MODE_ON, CALLEE_SOURCE_REQUEST_LINE, { 1, { { "7", "997" } } }, "997001",
		  "8801234567" },
		{ "behind NAT", INVITE_MODE_OFF, CALLEE_SOURCE_TO, { 0 }, "8801234567", "8801234567" },
		{ "wholesale carrier, several prefixes", INVITE_MODE_ON, CALLEE_SOURCE_REQUEST_LINE,
		  { 2, { { "700", "1700" }, { "", "2" } } }, "17001", "8801234567" },
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		begin(&s);
		s.in.request_user = "7001";
		s.gateway.invite_use_contact = types[i].mode;
		s.gateway.callee_rewrite = types[i].rewrite;
		s.mapping.callee = types[i].callee;
		go(&s);
		if (strcmp(s.out.request_user, types[i].request_user) != 0 || strcmp(s.out.to_user, types[i].to_user) != 0)
			fail_msg("%s: %s, %s", types[i].type, s.out.request_user, s.out.to_user);
	}
}

/* ------------------------------------------------------------------ From */

static void from_carries_the_caller_after_both_rewritings(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.mapping.caller = CALLER_SOURCE_P_ASSERTED_IDENTITY;
	s.mapping.caller_rewrite = (struct rewrites){ 1, { { "3", "43" } } };
	s.gateway.caller_rewrite = (struct rewrites){ 1, { { "4", "+4" } } };
	go(&s);
	assert_string_equal(s.out.from_user, "+4300");
	assert_string_equal(s.out.from_display, "");
}

static void the_display_name_follows_the_gateway_and_else_the_parameter(void **state)
{
	static const struct { int32_t gateway, global; const char *display; } cases[] = {
		{ GATEWAY_DISPLAY_INHERIT, DISPLAY_FROM_IGNORE, "" }, { GATEWAY_DISPLAY_INHERIT, DISPLAY_FROM_CALLER, "\"100\"" },
		{ GATEWAY_DISPLAY_INHERIT, DISPLAY_FROM_PASSTHROUGH, "\"Alice\"" }, { GATEWAY_DISPLAY_IGNORE, DISPLAY_FROM_CALLER, "" },
		{ GATEWAY_DISPLAY_CALLER, DISPLAY_FROM_IGNORE, "\"100\"" },
		{ GATEWAY_DISPLAY_PASSTHROUGH, DISPLAY_FROM_IGNORE, "\"Alice\"" },
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&s);
		s.gateway.display = cases[i].gateway;
		s.parameters.SS_SIP_E164_DISPLAY_FROM = cases[i].global;
		assert_string_equal(go(&s)->from_display, cases[i].display);
	}
	s.in.from_display = NULL;
	assert_string_equal(go(&s)->from_display, "");
}

static void an_unknown_caller_is_anonymous_and_asserted_nowhere(void **state)
{
	struct scene s;

	(void)state;
	begin(&s);
	s.in.from_user = "";
	s.mapping.trusted = 1;
	s.gateway.display = GATEWAY_DISPLAY_CALLER;
	s.gateway.p_asserted_identity = s.gateway.p_preferred_identity = IDENTITY_CALLER;
	s.gateway.remote_party_id = 1;
	go(&s);
	assert_string_equal(s.out.from_user, "anonymous");
	assert_string_equal(s.out.from_display, "");
	assert_string_equal(s.out.p_asserted_identity, "");
	assert_string_equal(s.out.p_preferred_identity, "");
	assert_string_equal(s.out.remote_party_id, "");
	s.gateway.display = GATEWAY_DISPLAY_PASSTHROUGH;
	assert_string_equal(go(&s)->from_display, "");
}

/* ------------------------------------------------------------------ identity headers */

static void privacy_follows_the_gateway_and_else_its_registration(void **state)
{
	static const struct { int32_t gateway, registration; const char *privacy; } cases[] = {
		{ GATEWAY_PRIVACY_INHERIT, -1, "" }, { GATEWAY_PRIVACY_INHERIT, PRIVACY_IGNORE, "" },
		{ GATEWAY_PRIVACY_INHERIT, PRIVACY_ID, "id" }, { GATEWAY_PRIVACY_INHERIT, PRIVACY_NONE, "none" },
		{ GATEWAY_PRIVACY_IGNORE, PRIVACY_ID, "" }, { GATEWAY_PRIVACY_PASSTHROUGH, PRIVACY_NONE, "id;critical" },
		{ GATEWAY_PRIVACY_ID, PRIVACY_NONE, "id" }, { GATEWAY_PRIVACY_NONE, PRIVACY_ID, "none" },
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&s);
		s.gateway.privacy = cases[i].gateway;
		s.source.registration_privacy = cases[i].registration;
		assert_string_equal(go(&s)->privacy, cases[i].privacy);
	}
}

static void a_privacy_header_passes_and_a_broken_one_hides(void **state)
{
	static const char *const values[][2] = {
		{ "none", "none" }, { "header ; user,id", "header;user;id" }, { "", "" }, { "id\r\nX: y", "id" }, { "none;", "id" },
		{ "\"none\"", "id" }, { ",", "id" },
	};
	char longest[IDENTITY_PRIVACY_MAX + 2];
	struct scene s;

	(void)state;
	begin(&s);
	s.gateway.privacy = GATEWAY_PRIVACY_PASSTHROUGH;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		s.in.privacy = values[i][0];
		assert_string_equal(go(&s)->privacy, values[i][1]);
		if (i >= 3)
			assert_string_equal(s.out.dropped, "Privacy");
		else
			assert_null(s.out.dropped);
	}
	s.in.privacy = NULL;
	assert_string_equal(go(&s)->privacy, "");
	memset(longest, 'a', sizeof longest);
	longest[IDENTITY_PRIVACY_MAX + 1] = '\0';
	s.in.privacy = longest;
	assert_string_equal(go(&s)->privacy, "id");
	s.in.privacy = longest + 1;
	assert_string_equal(go(&s)->privacy, longest + 1);
}

static void asserted_and_preferred_identity_follow_setting_and_trust(void **state)
{
	static const struct { int32_t setting; uint8_t trusted; const char *asserted, *preferred; } cases[] = {
		{ IDENTITY_ABSENT, 1, "", "" }, { IDENTITY_ABSENT, 0, "", "" },
		{ IDENTITY_PASSTHROUGH, 1, PAI, PPI }, { IDENTITY_PASSTHROUGH, 0, "", "" },
		{ IDENTITY_CALLER, 1, "<sip:100@192.0.2.1:5060>", "<sip:100@192.0.2.1:5060>" },
		{ IDENTITY_CALLER, 0, "<sip:100@192.0.2.1:5060>", "<sip:100@192.0.2.1:5060>" },
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		begin(&s);
		s.mapping.trusted = cases[i].trusted;
		s.gateway.p_asserted_identity = cases[i].setting;
		go(&s);
		assert_string_equal(s.out.p_asserted_identity, cases[i].asserted);
		assert_string_equal(s.out.p_preferred_identity, "");
		s.gateway.p_asserted_identity = IDENTITY_ABSENT;
		s.gateway.p_preferred_identity = cases[i].setting;
		go(&s);
		assert_string_equal(s.out.p_asserted_identity, "");
		assert_string_equal(s.out.p_preferred_identity, cases[i].preferred);
		assert_null(s.out.dropped);
	}
	s.mapping.trusted = 1;
	s.in.p_preferred_identity = NULL;
	s.gateway.p_preferred_identity = IDENTITY_PASSTHROUGH;
	assert_string_equal(go(&s)->p_preferred_identity, "");
}

static void remote_party_id_tells_privacy_and_trust(void **state)
{
	static const struct { int32_t privacy; const char *came_in; uint8_t trusted; const char *value; } cases[] = {
		{ GATEWAY_PRIVACY_IGNORE, "id", 0, "<sip:100@192.0.2.1:5060>;party=calling;privacy=off;screen=no" },
		{ GATEWAY_PRIVACY_IGNORE, "id", 1, "<sip:100@192.0.2.1:5060>;party=calling;privacy=off;screen=yes" },
		{ GATEWAY_PRIVACY_ID, "", 1, "<sip:100@192.0.2.1:5060>;party=calling;privacy=full;screen=yes" },
		{ GATEWAY_PRIVACY_NONE, "", 1, "<sip:100@192.0.2.1:5060>;party=calling;privacy=off;screen=yes" },
		{ GATEWAY_PRIVACY_PASSTHROUGH, "header;ID", 0, "<sip:100@192.0.2.1:5060>;party=calling;privacy=full;screen=no" },
		{ GATEWAY_PRIVACY_PASSTHROUGH, "user", 0, "<sip:100@192.0.2.1:5060>;party=calling;privacy=full;screen=no" },
		{ GATEWAY_PRIVACY_PASSTHROUGH, "session;identity", 0,
		  "<sip:100@192.0.2.1:5060>;party=calling;privacy=off;screen=no" },
	};
	struct scene s;

	(void)state;
	begin(&s);
	assert_string_equal(go(&s)->remote_party_id, "");
	s.gateway.remote_party_id = 1;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		s.gateway.privacy = cases[i].privacy;
		s.in.privacy = cases[i].came_in;
		s.mapping.trusted = cases[i].trusted;
		assert_string_equal(go(&s)->remote_party_id, cases[i].value);
	}
}

/* ------------------------------------------------------------------ hostile callers */

static void assert_one_line(const char *text)
{
	for (; *text; text++)
		assert_true((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void nothing_that_came_in_breaks_out_of_a_header(void **state)
{
	static const char *const attacks[] = {
		"1\r\nX-Evil: yes", "1>;x=<y", "1@evil.example", "1;transport=tls", "1?Replaces=x", "\"", "\\", "a\\\"b", "1%0d%0a", "\x01\x7f",
		"\xc0\xaf", "1,<sip:2@x>", "<sip:x@y>",
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
		begin(&s);
		s.mapping.trusted = 1;
		s.gateway.display = GATEWAY_DISPLAY_PASSTHROUGH;
		s.gateway.privacy = GATEWAY_PRIVACY_PASSTHROUGH;
		s.gateway.remote_party_id = 1;
		s.gateway.p_asserted_identity = IDENTITY_CALLER;
		s.gateway.invite_use_contact = INVITE_MODE_ON;
		s.in.from_user = s.in.to_user = s.in.request_user = s.in.from_display = s.in.privacy = attacks[i];
		go(&s);
		assert_null(strpbrk(s.out.request_user, "@<>;:?,\"\\ \r\n"));
		assert_null(strpbrk(s.out.to_user, "@<>;:?,\"\\ \r\n"));
		assert_null(strpbrk(s.out.from_user, "@<>;:?,\"\\ \r\n"));
		assert_one_line(s.out.from_display);
		assert_one_line(s.out.p_asserted_identity);
		assert_one_line(s.out.remote_party_id);
		assert_one_line(s.out.privacy);
		/* a quoted-string: from the first quote to the last, every quote inside behind a backslash */
		for (size_t at = 1; s.out.from_display[at + 1]; at++) {
			if (s.out.from_display[at] == '\\')
				at++;
			else
				assert_int_not_equal(s.out.from_display[at], '"');
			assert_int_not_equal(s.out.from_display[at], '\0');
		}
	}
}

static void a_display_name_is_quoted_and_cut_at_the_end_of_a_character(void **state)
{
	char name[DISPLAY_MAX + 10];
	struct scene s;

	(void)state;
	begin(&s);
	s.gateway.display = GATEWAY_DISPLAY_PASSTHROUGH;
	s.in.from_display = "a \"b\" \\ c";
	assert_string_equal(go(&s)->from_display, "\"a \\\"b\\\" \\\\ c\"");
	memset(name, '"', sizeof name);
	name[sizeof name - 1] = '\0';
	s.in.from_display = name;
	assert_int_equal(strlen(go(&s)->from_display), 2 * DISPLAY_MAX + 2);
	memset(name, 'a', sizeof name);
	memcpy(name + DISPLAY_MAX - 1, "\xc3\xa9", 3);
	assert_int_equal(strlen(go(&s)->from_display), DISPLAY_MAX - 1 + 2);
}

static void an_identity_that_is_malformed_is_dropped_and_said(void **state)
{
	static const char *const bad[] = { "<sip:1@x>\x01", "\"a <sip:1@x>", "<sip:1@x", "sip:1@x>", "<<sip:1@x>>", "\"a\\", "\"a\\\n\"", "\x7f",
	                                     "<>", ",", "a", "\"sip:1@x\"", "<sip:1@x>,", "<sip:1@x>, b" };
	static const char *const good[][2] = {
		{ "\"a,<b\" <sip:1@x>", "\"a,<b\" <sip:1@x>" }, { "\"a\\\"\" <sip:1@x>", "\"a\\\"\" <sip:1@x>" }, { "sip:1@x", "sip:1@x" },
		{ "<sip:1@x>,\r\n\t <tel:1>", "<sip:1@x>, <tel:1>" }, { "<sip:1@x>\t", "<sip:1@x> " },
	};
	char longest[IDENTITY_VALUE_MAX + 2];
	struct scene s;

	(void)state;
	begin(&s);
	s.mapping.trusted = 1;
	s.gateway.p_asserted_identity = IDENTITY_PASSTHROUGH;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		s.in.p_asserted_identity = bad[i];
		assert_string_equal(go(&s)->p_asserted_identity, "");
		assert_string_equal(s.out.dropped, "P-Asserted-Identity");
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		s.in.p_asserted_identity = good[i][0];
		assert_string_equal(go(&s)->p_asserted_identity, good[i][1]);
		assert_null(s.out.dropped);
	}
	memset(longest, 'a', sizeof longest);
	longest[IDENTITY_VALUE_MAX + 1] = '\0';
	memcpy(longest + 1, "sip:", 4);
	s.in.p_asserted_identity = longest;
	assert_string_equal(go(&s)->p_asserted_identity, "");
	s.in.p_asserted_identity = longest + 1;
	assert_string_equal(go(&s)->p_asserted_identity, longest + 1);
}

static void a_number_too_long_is_an_error_and_changes_nothing(void **state)
{
	char number[NUMBER_MAX + 2], host[IDENTITY_HOST_MAX + 1];
	struct scene s;

	(void)state;
	begin(&s);
	go(&s);
	memset(number, '#', sizeof number);
	number[NUMBER_MAX + 1] = '\0';
	s.source.routed = number;
	assert_int_equal(identity_outbound(&s.out, &s.source), EMSGSIZE);
	assert_string_equal(s.out.request_user, "8801234567");
	s.source.routed = number + 1;
	assert_int_equal(identity_outbound(&s.out, &s.source), 0);
	s.source.caller = number;
	assert_int_equal(identity_outbound(&s.out, &s.source), EMSGSIZE);
	memset(host, 'a', sizeof host);
	host[IDENTITY_HOST_MAX] = '\0';
	s.source.caller = number + 1;
	s.source.our_host = host;
	assert_int_equal(identity_outbound(&s.out, &s.source), EMSGSIZE);
	s.source.our_host = host + 1;
	s.gateway.remote_party_id = 1;
	assert_int_equal(identity_outbound(&s.out, &s.source), 0);
	assert_non_null(strstr(s.out.remote_party_id, ";screen=no"));
	s.gateway.p_asserted_identity = IDENTITY_CALLER;
	assert_int_equal(identity_outbound(&s.out, &s.source), 0);
	assert_non_null(strchr(s.out.p_asserted_identity, '>'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_writes_the_routed_number_twice_and_on_the_dialled_one_into_to),
		cmocka_unit_test(a_callee_of_the_request_line_leaves_the_dialled_number_in_to_only_when_on),
		cmocka_unit_test(a_gateway_overrides_the_global_mode),
		cmocka_unit_test(every_type_of_gateway_gets_what_it_reads),
		cmocka_unit_test(from_carries_the_caller_after_both_rewritings),
		cmocka_unit_test(the_display_name_follows_the_gateway_and_else_the_parameter),
		cmocka_unit_test(an_unknown_caller_is_anonymous_and_asserted_nowhere),
		cmocka_unit_test(privacy_follows_the_gateway_and_else_its_registration),
		cmocka_unit_test(a_privacy_header_passes_and_a_broken_one_hides),
		cmocka_unit_test(asserted_and_preferred_identity_follow_setting_and_trust),
		cmocka_unit_test(remote_party_id_tells_privacy_and_trust),
		cmocka_unit_test(nothing_that_came_in_breaks_out_of_a_header),
		cmocka_unit_test(a_display_name_is_quoted_and_cut_at_the_end_of_a_character),
		cmocka_unit_test(an_identity_that_is_malformed_is_dropped_and_said),
		cmocka_unit_test(a_number_too_long_is_an_error_and_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
