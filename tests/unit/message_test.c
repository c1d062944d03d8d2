#include "mgmtd/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const char request[] =
	"REGISTER sip:example.org SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
	"i: 0000002a-abc\r\n"
	"CSeq: 2 REGISTER\r\n"
	"Authorization: Digest username=\"bob\", response=\"5ec4e7\"\r\n"
	"Content-Length: 0\r\n\r\n";

static char *masked(const char *text, size_t len)
{
	static char copy[4096];
	struct buffer b = { 0 };
	message_masked(&b, text, len);
	assert_false(b.failed);
	assert_true(b.len < sizeof copy);
	memcpy(copy, b.text ? b.text : "", b.len);
	copy[b.len] = '\0';
	buffer_free(&b);
	return copy;
}

static void credentials_are_masked_and_nothing_else_is_touched(void **state)
{
	(void)state;
	const char *shown = masked(request, sizeof request - 1);
	assert_null(strstr(shown, "5ec4e7"));
	assert_null(strstr(shown, "bob"));
	assert_non_null(strstr(shown, "\r\nAuthorization: Digest ***\r\nContent-Length: 0\r\n\r\n"));
	assert_memory_equal(shown, request, (size_t)(strstr(request, "Authorization") - request));
}

static void every_way_to_write_the_header_is_masked(void **state)
{
	static const char *const ways[] = {
		"AUTHORIZATION:secret\r\n", "authorization : secret\r\n", "Authorization\t:\tsecret\r\n", "Proxy-Authorization: secret\r\n",
		"proxy-authorization:secret\n", "Authorization: Digest a=1,\r\n  b=\"secret\",\r\n\tc=secret\r\n", "Authorization: secret",
		"Authorization:\r\n secret\r\nCSeq: 1 REGISTER\r\n", "A: 1\r\n\r\nAuthorization: secret\r\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		assert_null(strstr(masked(ways[i], strlen(ways[i])), "secret"));
}

static void the_challenge_stays_to_be_read(void **state)
{
	static const char reply[] = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest nonce=\"n1\"\r\nProxy-Authenticate: Digest nonce=\"n2\"\r\n"
				    "X-Authorization: shown\r\nAuthorization-Info: shown\r\n\r\n";
	(void)state;
	assert_string_equal(masked(reply, sizeof reply - 1), reply);
}

static void masked_is(const char *message, const char *masked)
{
	struct buffer b = { 0 };
	message_masked(&b, message, strlen(message));
	assert_string_equal(b.text, masked);
	buffer_free(&b);
}

static void what_answers_to_credentials_is_masked_too(void **state)
{
	(void)state;
	masked_is("SIP/2.0 200 OK\r\nAuthentication-Info: nextnonce=\"abc\",\r\n rspauth=\"def\"\r\nCSeq: 1 INVITE\r\n\r\n",
	          "SIP/2.0 200 OK\r\nAuthentication-Info: ***\r\nCSeq: 1 INVITE\r\n\r\n");
	masked_is("INVITE sip:h SIP/2.0\r\nproxy-AUTHORIZATION : Digest x\r\nProxy-Authentication-Info:x\r\n\r\n",
	          "INVITE sip:h SIP/2.0\r\nproxy-AUTHORIZATION : Digest ***\r\nProxy-Authentication-Info: ***\r\n\r\n");
}

/* The length stays: Content-Length still tells the truth. */
static void media_keys_are_masked_byte_for_byte(void **state)
{
	(void)state;
	masked_is("INVITE sip:h SIP/2.0\r\n\r\nv=0\r\nk=base64:abc\r\na=crypto:1 AES inline:KEY|2^20 X=1;inline:Z\r\na=inline:no\r\n",
	          "INVITE sip:h SIP/2.0\r\n\r\nv=0\r\nk=**********\r\na=crypto:1 AES inline:******** X=1;inline:*\r\na=inline:no\r\n");
	masked_is("A: 1\r\nk=no body yet\r\n\r\n", "A: 1\r\nk=no body yet\r\n\r\n");
}

static void credentials_behind_the_end_of_a_message_are_masked(void **state)
{
	(void)state;
	masked_is("SIP/2.0 100 Trying\r\n\r\nREGISTER sip:h SIP/2.0\r\nAuthorization: Digest x\r\n\r\n",
	          "SIP/2.0 100 Trying\r\n\r\nREGISTER sip:h SIP/2.0\r\nAuthorization: Digest ***\r\n\r\n");
}

static void a_request_is_told_by_its_first_line(void **state)
{
	static const char invite[] = "INVITE sip:8801@h;user=phone SIP/2.0\r\n\r\n";
	size_t len;
	(void)state;
	assert_true(message_is(invite, sizeof invite - 1, "INVITE"));
	assert_false(message_is(invite, sizeof invite - 1, "INV"));
	assert_false(message_is("INVITE", 6, "INVITE"));
	const char *uri = message_request_uri(invite, sizeof invite - 1, &len);
	assert_non_null(uri);
	assert_int_equal(len, strlen("sip:8801@h;user=phone"));
	assert_memory_equal(uri, "sip:8801@h;user=phone", len);
	assert_null(message_request_uri("SIP/2.0 200 OK\r\n", 16, &len));
	assert_null(message_request_uri("x SIP/2.0", 9, &len));
	assert_null(message_request_uri("", 0, &len));
	assert_null(message_request_uri(" SIP/2.0\r\n", 10, &len));
}

static void bytes_that_are_no_message_pass_through(void **state)
{
	static const char bytes[] = "\0\r\n\r\n\xff\xfe:\n\n";
	struct buffer b = { 0 };
	(void)state;
	message_masked(&b, bytes, sizeof bytes);
	assert_int_equal(b.len, sizeof bytes);
	assert_memory_equal(b.text, bytes, sizeof bytes);
	buffer_free(&b);
}

static void a_header_is_found_by_both_its_names(void **state)
{
	size_t len;
	(void)state;
	const char *value = message_header(request, sizeof request - 1, "Call-ID", "i", &len);
	assert_int_equal(len, 12);
	assert_memory_equal(value, "0000002a-abc", len);
	assert_null(message_header(request, sizeof request - 1, "Call-ID", NULL, &len));
	static const char body[] = "A: 1\r\n\r\nCall-ID: in the body\r\n";
	assert_null(message_header(body, sizeof body - 1, "Call-ID", "i", &len));
}

static void the_summary_is_the_first_line_for_people(void **state)
{
	static const char reply[] = "SIP/2.0 401 Unauthorized\r\nCSeq: 2 REGISTER\r\n\r\n";
	char summary[64];
	(void)state;
	message_summary(summary, sizeof summary, request, sizeof request - 1);
	assert_string_equal(summary, "REGISTER sip:example.org");
	message_summary(summary, sizeof summary, reply, sizeof reply - 1);
	assert_string_equal(summary, "401 Unauthorized (REGISTER)");
	message_summary(summary, sizeof summary, "\r\n\r\n", 4);
	assert_string_equal(summary, "");
	message_summary(summary, sizeof summary, "SIP/2.0 ", 8);
	assert_string_equal(summary, "");
}

static void only_our_call_ids_name_a_record(void **state)
{
	uint32_t id = 0;
	(void)state;
	assert_int_equal(message_record_id(&id, "0000002a-abc"), 0);
	assert_int_equal(id, 42);
	assert_int_equal(message_record_id(&id, "ffffffff-"), 0);
	assert_int_equal(message_record_id(&id, "0000002A-abc"), EINVAL);
	assert_int_equal(message_record_id(&id, "0000002a"), EINVAL);
	assert_int_equal(message_record_id(&id, ""), EINVAL);
	assert_int_equal(message_record_id(&id, "2a-abc"), EINVAL);
	assert_int_equal(message_gateway_id(&id, "g0000002b-abc"), 0);
	assert_int_equal(id, 43);
	assert_int_equal(message_gateway_id(&id, "0000002b-abc"), EINVAL);
	assert_int_equal(message_gateway_id(&id, "g"), EINVAL);
	assert_int_equal(message_gateway_id(&id, ""), EINVAL);
}

static void json_text_is_utf8_whatever_came(void **state)
{
	struct buffer b = { 0 };
	(void)state;
	static const char bytes[] = "a\"\\\n\x01\x7f\xc3\xa9\xff\xc0\xaf\xed\xa0\x80\xf0\x9f\x98\x80\xe2\x82";
	buffer_json(&b, bytes, sizeof bytes - 1);
	assert_string_equal(b.text, "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	                            "\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\"");
	buffer_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_are_masked_and_nothing_else_is_touched),
		cmocka_unit_test(every_way_to_write_the_header_is_masked),
		cmocka_unit_test(the_challenge_stays_to_be_read),
		cmocka_unit_test(what_answers_to_credentials_is_masked_too),
		cmocka_unit_test(media_keys_are_masked_byte_for_byte),
		cmocka_unit_test(credentials_behind_the_end_of_a_message_are_masked),
		cmocka_unit_test(a_request_is_told_by_its_first_line),
		cmocka_unit_test(bytes_that_are_no_message_pass_through),
		cmocka_unit_test(a_header_is_found_by_both_its_names),
		cmocka_unit_test(the_summary_is_the_first_line_for_people),
		cmocka_unit_test(only_our_call_ids_name_a_record),
		cmocka_unit_test(json_text_is_utf8_whatever_came),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
