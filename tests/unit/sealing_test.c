/* Sealed secrets, and the splitting of a document too large to be parsed at once. */
#include "mgmtd/json_split.h"
#include "mgmtd/sealing.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void a_sealed_secret_opens_with_its_passphrase_at_its_place_only(void **state)
{
	struct sealing *one, *again, *other;
	char text[SEALING_TEXT], plain[SECRET_PLAIN_MAX + 1], longest[SECRET_PLAIN_MAX + 1];
	struct buffer header = { 0 };
	json_t *errors = json_array();

	(void)state;
	memset(longest, 'x', SECRET_PLAIN_MAX);
	longest[SECRET_PLAIN_MAX] = '\0';
	assert_int_equal(sealing_new(&one, "correct horse battery"), 0);
	sealing_header(one, &header);
	json_t *parsed = json_loads(header.text, 0, NULL);
	assert_int_equal(sealing_open(&again, parsed, "/secrets", "correct horse battery", errors), 0);
	assert_int_equal(sealing_open(&other, parsed, "/secrets", "correct horse batterz", errors), EINVAL);
	assert_int_equal(json_array_size(errors), 1);
	sealing_seal(one, text, "registrations", "a", "password", longest);
	assert_int_equal(strlen(text), SEALING_TEXT - 1);
	assert_int_equal(sealing_unseal(again, plain, "registrations", "a", "password", text), 0);
	assert_string_equal(plain, longest);
	assert_int_equal(sealing_unseal(again, plain, "registrations", "b", "password", text), EBADMSG);
	assert_int_equal(sealing_unseal(again, plain, "registrationsa", "", "password", text), EBADMSG);
	for (size_t i = 0; i < strlen(text); i += 7) {
		char kept = text[i];
		text[i] = kept == 'A' ? 'B' : 'A';
		assert_int_equal(sealing_unseal(again, plain, "registrations", "a", "password", text), EBADMSG);
		text[i] = kept;
	}
	json_decref(parsed);
	json_decref(errors);
	buffer_free(&header);
	sealing_free(one);
	sealing_free(again);
}

/* "key=value;…" of a member list, or what is wrong. */
static void split(char *out, size_t size, const char *text, char bracket)
{
	struct json_split s;
	const char *key, *value;
	size_t key_len = 0, len, n = 0;

	out[0] = '\0';
	if (!json_split_open(&s, text, strlen(text), text, bracket)) {
		snprintf(out, size, "none");
		return;
	}
	while (json_split_next(&s, bracket == '{' ? &key : NULL, &key_len, &value, &len))
		n += (size_t)snprintf(out + n, size - n, "%.*s=%.*s;", (int)key_len, bracket == '{' ? key : "", (int)len, value);
	if (s.fault || !json_split_ended(&s))
		snprintf(out, size, "%s at %td", s.fault, s.at - text);
}

static void a_document_is_split_where_its_members_end(void **state)
{
	static const struct { const char *text, *parts; char bracket; } cases[] = {
		{ " {\"a\" : 1 , \"b\":[1,{\"x\":\"]}\\\"\"}]}\n", "\"a\"=1;\"b\"=[1,{\"x\":\"]}\\\"\"}];", '{' },
		{ "{}", "", '{' }, { "[]", "", '[' }, { "[1, \"a,b\" ,null]", "=1;=\"a,b\";=null;", '[' },
		{ "[1", "the text ends too early at 2", '[' }, { "[1,]", "a value is missing at 3", '[' },
		{ "[1 2]", "a comma is missing at 3", '[' }, { "{\"a\" 1}", "a colon is missing at 5", '{' },
		{ "{1:2}", "the name of a member is missing at 1", '{' }, { "{\"a\":1,}", "the name of a member is missing at 7", '{' },
		{ "{} x", "something follows the document at 3", '{' }, { "[[1]", "the text ends too early at 4", '[' },
		{ "[\"a\\\"]", "the text ends too early at 1", '[' }, { "1", "none", '[' }, { "", "none", '{' },
	};
	char found[200];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		split(found, sizeof found, cases[i].text, cases[i].bracket);
		assert_string_equal(found, cases[i].parts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sealed_secret_opens_with_its_passphrase_at_its_place_only),
		cmocka_unit_test(a_document_is_split_where_its_members_end),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
