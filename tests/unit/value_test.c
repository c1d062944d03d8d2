/* Every field of every kind, walked from the schema: a new field needs no new test here, a new type a guard. */
#include "mgmtd/describe.h"
#include "mgmtd/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Room for a value of any type. */
union stored {
	char text[512];
	struct intervals intervals;
	struct codes codes;
	struct prefixes prefixes;
	struct rewrites rewrites;
	struct sources sources;
};

static int check(const struct field *field, json_t *value, void *slot, json_t **errors)
{
	json_t *canonical = NULL;

	*errors = json_array();
	int error = value_check(field, value, "", field->name, *errors, slot, &canonical);
	json_decref(canonical);
	json_decref(value);
	return error;
}

static void assert_accepted(const struct field *field, json_t *value)
{
	union stored slot;
	json_t *errors;

	if (check(field, value, &slot, &errors) != 0)
		fail_msg("%s: %s", field->name, json_dumps(errors, 0));
	json_decref(errors);
}

/* Refused with this code at this field's pointer, or at that of an item below it, and the slot untouched.  got: what the
 * violation repeats of the value, or NULL. */
static void assert_refused_at(const struct field *field, json_t *value, const char *below, const char *code, json_t *got)
{
	union stored slot, untouched;
	char pointer[128];
	json_t *errors;

	memset(&slot, 0x5a, sizeof slot);
	memset(&untouched, 0x5a, sizeof untouched);
	assert_int_equal(check(field, value, &slot, &errors), EINVAL);
	if (json_array_size(errors) != 1)
		fail_msg("%s: %s", field->name, json_dumps(errors, 0));
	json_t *violation = json_array_get(errors, 0);
	snprintf(pointer, sizeof pointer, "/%s%s", field->name, below);
	assert_string_equal(json_string_value(json_object_get(violation, "pointer")), pointer);
	assert_string_equal(json_string_value(json_object_get(violation, "code")), code);
	assert_non_null(json_object_get(violation, "detail"));
	assert_memory_equal(&slot, &untouched, sizeof slot);
	if (field->flags & SECRET)
		assert_null(json_object_get(violation, "got"));
	else if (got)
		assert_true(json_equal(json_object_get(violation, "got"), got));
	if (strcmp(code, "out_of_range") == 0 && (field->type == FT_INT || field->type == FT_INT_OR_KEYWORD)) {
		assert_int_equal(json_integer_value(json_object_get(violation, "min")), field->min);
		assert_int_equal(json_integer_value(json_object_get(violation, "max")), field->max);
	}
	json_decref(got);
	json_decref(errors);
}

static void assert_refused(const struct field *field, json_t *value, const char *code)
{
	assert_refused_at(field, value, "", code, strcmp(code, "too_long") == 0 ? NULL : json_incref(value));
}

static json_t *text_of(size_t len)
{
	char *text = malloc(len + 1);

	memset(text, 'a', len);
	for (size_t i = 50; i < len; i += 50)
		text[i] = '.';	/* so that a long one is also a host name */
	text[len] = '\0';
	json_t *value = json_string(text);
	free(text);
	return value;
}

static void guard_chosen_number(const struct field *field)
{
	for (const struct option_word *o = field->options; o->word; o++)
		assert_accepted(field, json_integer(strtol(o->word, NULL, 10)));
	assert_refused(field, json_integer(field->min - 1), "not_an_option");
	assert_refused(field, json_integer(field->min + 1), "not_an_option");
	assert_refused(field, json_integer(INT64_MAX), "not_an_option");
	assert_refused(field, json_real(field->min), "wrong_type");
	assert_refused(field, json_string(field->options[0].word), "wrong_type");
}

static void guard_number(const struct field *field)
{
	bool zero = (field->flags & (ZERO_OFF | ZERO_INHERITS)) != 0;

	assert_accepted(field, json_integer(field->min));
	assert_accepted(field, json_integer(field->max));
	assert_refused(field, json_integer(zero && field->min == 1 ? -1 : field->min - 1), "out_of_range");
	assert_refused(field, json_integer(field->max + 1), "out_of_range");
	assert_refused(field, json_integer(INT64_MAX), "out_of_range");
	assert_refused(field, json_integer(INT64_MIN), "out_of_range");
	assert_refused(field, json_real(field->min), "wrong_type");
	assert_refused(field, json_true(), "wrong_type");
	assert_refused(field, json_string("no such word"), field->type == FT_INT ? "wrong_type" : "not_an_option");
	if (zero)
		assert_accepted(field, json_integer(0));
	for (const struct option_word *o = field->options; o && o->word; o++)
		assert_accepted(field, json_string(o->word));
}

static void guard_text(const struct field *field)
{
	assert_accepted(field, text_of((size_t)field->max - (field->type == FT_HOST_PORT ? 8 : 0)));
	assert_refused(field, text_of((size_t)field->max + 1), "too_long");
	assert_refused(field, json_integer(7), "wrong_type");
	assert_refused(field, json_stringn_nocheck("a\x01" "b", 3), "bad_format");
	assert_refused(field, json_stringn_nocheck("a\xff", 2), "bad_format");
	assert_refused(field, json_stringn_nocheck("a\r\nVia: x", 9), "bad_format");
	if (field->min > 0)
		assert_int_equal(field->min, 1);
	else
		assert_accepted(field, json_string(""));
}

static void guard_reference(const struct field *field)
{
	assert_accepted(field, json_null());
	assert_accepted(field, json_string("carrier-a.1"));
	assert_accepted(field, text_of(SCHEMA_NAME_MAX));
	assert_refused(field, text_of(SCHEMA_NAME_MAX + 1), "bad_format");
	assert_refused(field, json_string(""), "bad_format");
	assert_refused(field, json_string("a/b"), "bad_format");
	assert_refused(field, json_integer(7), "wrong_type");
	assert_refused(field, json_false(), "wrong_type");
}

/* A good item, different from those of other numbers; of intervals all are the same, a list that doubles no more. */
static json_t *item_of(const struct field *field, size_t number)
{
	switch (field->type) {
	case FT_INTERVALS:	return json_real(0.1);
	case FT_CODES:		return json_integer(SCHEMA_CODE_MIN + (json_int_t)number);
	case FT_PREFIXES:	return json_sprintf("+%zu", number);
	case FT_REWRITES:	return json_pack("{s:o, s:s}", "match", json_sprintf("#%zu", number), "replace", "*");
	default:		return json_sprintf("192.0.2.%zu", number);
	}
}

static json_t *items_of(const struct field *field, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, item_of(field, i));
	return list;
}

/* The list with `item` in second place is refused there, or below. */
static void refuse_item(const struct field *field, json_t *item, const char *below, const char *code, bool repeats)
{
	json_t *list = items_of(field, 2), *got = repeats ? json_incref(item) : NULL;

	json_array_set_new(list, 1, item);
	assert_refused_at(field, list, below, code, got);
}

static void accept_item(const struct field *field, json_t *item)
{
	json_t *list = json_array();

	json_array_append(list, item);
	if (field->type == FT_INTERVALS)
		json_array_append(list, item);
	json_decref(item);
	assert_accepted(field, list);
}

static void guard_number_items(const struct field *field)
{
	struct list_limits limits = schema_list_limits(field);
	json_int_t beyond = field->type == FT_INTERVALS ? limits.max / 1000 + 1 : limits.max + 1;

	accept_item(field, describe_number(field, limits.min));
	accept_item(field, describe_number(field, limits.max));
	refuse_item(field, json_integer(beyond), "/1", "out_of_range", true);
	refuse_item(field, json_integer(INT64_MAX), "/1", "out_of_range", true);
	refuse_item(field, json_integer(0), "/1", "out_of_range", true);
	refuse_item(field, json_integer(-1), "/1", "out_of_range", true);
	refuse_item(field, json_string("300"), "/1", "wrong_type", true);
	refuse_item(field, json_null(), "/1", "wrong_type", true);
}

static void guard_text_items(const struct field *field)
{
	if (field->type == FT_PREFIXES) {
		accept_item(field, json_string("01234567890123456789"));
		accept_item(field, json_string("*#+"));
		accept_item(field, json_string(""));
		refuse_item(field, json_string("012345678901234567890"), "/1", "too_long", false);
	} else {
		refuse_item(field, json_string(""), "/1", "bad_format", true);
		refuse_item(field, text_of(SCHEMA_SOURCE_MAX + 1), "/1", "too_long", false);
	}
	refuse_item(field, json_string("1a"), "/1", "bad_format", true);
	refuse_item(field, json_stringn_nocheck("1\0", 2), "/1", "bad_format", true);
	refuse_item(field, json_integer(1), "/1", "wrong_type", true);
	refuse_item(field, item_of(field, 0), "/1", "not_unique", true);
}

static void guard_rules(const struct field *field)
{
	accept_item(field, json_pack("{s:s, s:s}", "match", "", "replace", "01234567890123456789"));
	accept_item(field, json_pack("{s:s, s:s}", "match", "*#+", "replace", ""));
	refuse_item(field, json_pack("{s:s, s:s}", "match", "a", "replace", ""), "/1/match", "bad_format", false);
	refuse_item(field, json_pack("{s:s, s:s}", "match", "1", "replace", "012345678901234567890"), "/1/replace", "too_long", false);
	refuse_item(field, json_pack("{s:s, s:i}", "match", "1", "replace", 1), "/1/replace", "wrong_type", false);
	refuse_item(field, json_pack("{s:s}", "match", "1"), "/1/replace", "required", false);
	refuse_item(field, json_pack("{s:s}", "replace", "1"), "/1/match", "required", false);
	refuse_item(field, json_pack("{s:s, s:s, s:s}", "match", "1", "replace", "", "x", ""), "/1/x", "unknown_field", false);
	refuse_item(field, json_pack("{s:s, s:s}", "match", "#0", "replace", "1"), "/1/match", "not_unique", false);
	refuse_item(field, json_string("1"), "/1", "wrong_type", true);
}

static void guard_list(const struct field *field)
{
	struct list_limits limits = schema_list_limits(field);
	size_t least = (size_t)limits.min_items, most = (size_t)limits.max_items;

	assert_accepted(field, items_of(field, least));
	assert_accepted(field, items_of(field, most));
	assert_refused_at(field, items_of(field, most + 1), "", "too_long", json_integer((json_int_t)most + 1));
	if (least > 0)
		assert_refused_at(field, items_of(field, least - 1), "", "out_of_range", json_integer((json_int_t)least - 1));
	assert_refused(field, json_object(), "wrong_type");
	assert_refused(field, json_string("x"), "wrong_type");
	if (field->type == FT_REWRITES)
		guard_rules(field);
	else if (field->type <= FT_CODES)
		guard_number_items(field);
	else
		guard_text_items(field);
}

static void guard(const struct field *field)
{
	switch (field->type) {
	case FT_BOOL:
		assert_accepted(field, json_true());
		assert_accepted(field, json_false());
		assert_refused(field, json_integer(1), "wrong_type");
		assert_refused(field, json_string("true"), "wrong_type");
		break;
	case FT_INT: case FT_INT_OR_KEYWORD:
		if (field->type == FT_INT && field->options)
			guard_chosen_number(field);
		else
			guard_number(field);
		break;
	case FT_ENUM:
		assert_refused(field, json_string("no such word"), "not_an_option");
		assert_refused(field, json_integer(0), "wrong_type");
		for (const struct option_word *o = field->options; o->word; o++)
			assert_accepted(field, json_string(o->word));
		break;
	case FT_REGISTRATION_REF: case FT_MAPPING_REF:
		guard_reference(field);
		break;
	case FT_INTERVALS: case FT_CODES: case FT_PREFIXES: case FT_REWRITES: case FT_SOURCES:
		guard_list(field);
		break;
	default:
		guard_text(field);
	}
}

static void every_field_guards_its_range_and_a_refusal_changes_nothing(void **state)
{
	(void)state;
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < schema_kinds[k].nfields; i++)
			guard(&schema_kinds[k].fields[i]);
}

static void every_default_passes_the_check_of_a_users_value(void **state)
{
	(void)state;
	for (size_t k = 0; k < KIND_COUNT; k++) {
		for (size_t i = 0; i < schema_kinds[k].nfields; i++) {
			const struct field *field = &schema_kinds[k].fields[i];
			json_t *fallback = describe_default(&schema_kinds[k], field);
			assert_non_null(fallback);
			if (field->flags & (SECRET | REQUIRED))
				json_decref(fallback);
			else
				assert_accepted(field, fallback);
		}
	}
}

static void hosts_and_proxies_are_checked_for_their_syntax(void **state)
{
	static const char *const good[] = { "sip.example.com", "10.0.0.1", "[2001:db8::1]", "a_b.example", "localhost" };
	static const char *const bad[] = { "10.0.0.256", "10.0.0", "a..b", ".a", "-a.b", "a-.b", "a b", "[::1", "[x]", "a/b", "a:5060" };
	const struct field *server = schema_field(&schema_kinds[KIND_REGISTRATION], "server");
	const struct field *proxy = schema_field(&schema_kinds[KIND_REGISTRATION], "outbound_proxy");

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_accepted(server, json_string(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused(server, json_string(bad[i]), "bad_format");
	assert_accepted(proxy, json_string("proxy.example:5070"));
	assert_accepted(proxy, json_string("[::1]:5070"));
	assert_refused(proxy, json_string("proxy:0"), "bad_format");
	assert_refused(proxy, json_string("proxy:65536"), "bad_format");
	assert_refused(proxy, json_string("proxy:"), "bad_format");
}

static const struct field *field_of(enum kind_id kind, const char *name)
{
	return schema_field(&schema_kinds[kind], name);
}

static json_t *list(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static void intervals_double_up_to_the_greatest_and_are_kept_in_milliseconds(void **state)
{
	static const char *const good[] = { "[0.5,1,2,4,4,4,4,4,4,4]", "[0.1,0.2]", "[1,1]", "[0.3,0.6,0.7,0.7]", "[32,32]", "[0.123,0.246]" };
	static const char *const bad[] = { "[4,2]", "[1,2,3,5]", "[0.5,1.5,2]", "[1,2,4,3]", "[1,3]", "[2,1,2]", "[0.5,0.5,1]" };
	const struct field *field = field_of(KIND_PARAMETERS, "SS_SIP_RESEND_INTERVAL");
	struct intervals stored;
	json_t *errors;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_accepted(field, list(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused(field, list(bad[i]), "not_a_doubling_list");
	assert_refused_at(field, list("[16,32,32]"), "", "out_of_range", json_integer(80));
	assert_refused_at(field, list("[0.1,0.2004]"), "/1", "bad_format", json_real(0.2004));
	assert_int_equal(check(field, list("[0.5,1,1.001]"), &stored, &errors), 0);
	assert_int_equal(stored.count, 3);
	assert_int_equal(stored.ms[0], 500);
	assert_int_equal(stored.ms[2], 1001);
	assert_int_equal(stored.ms[3], 0);
	json_decref(errors);
}

static void a_timeout_of_0_is_kept_as_inherit(void **state)
{
	const struct field *field = field_of(KIND_ROUTING_GATEWAY, "timeout_invite");
	json_t *errors = json_array(), *zero = json_integer(0), *canonical = NULL;
	int32_t stored = 7;

	(void)state;
	assert_int_equal(value_check(field, zero, "", field->name, errors, &stored, &canonical), 0);
	assert_int_equal(stored, KEYWORD(TIMEOUT_INVITE_INHERIT));
	assert_string_equal(json_string_value(canonical), "inherit");
	json_decref(canonical);
	json_decref(zero);
	json_decref(errors);
}

static void a_source_has_one_form_however_it_is_written(void **state)
{
	static const char *const forms[][2] = {
		{ "10.0.0.1", "10.0.0.1" }, { "10.0.0.1/32", "10.0.0.1" }, { "10.0.0.0/8", "10.0.0.0/8" }, { "0.0.0.0/0", "0.0.0.0/0" },
		{ "10.0.0.128/25", "10.0.0.128/25" }, { "10.0.0.1:5060", "10.0.0.1:5060" }, { "10.0.0.1:05060", "10.0.0.1:5060" },
		{ "2001:DB8::1", "2001:db8::1" }, { "2001:db8:0:0::1/128", "2001:db8::1" }, { "2001:db8::/32", "2001:db8::/32" }, { "::/0", "::/0" },
		{ "[2001:db8::1]:5060", "[2001:db8::1]:5060" }, { "[2001:db8:0::1]:65535", "[2001:db8::1]:65535" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	};
	static const char *const bad[] = {
		"10.0.0.1/31", "10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/24", "10.0.0.1:", "10.0.0.1:0",
		"10.0.0.1:65536", "10.0.0.1:5060:1", "10.0.0.1:50 60", "10.0.0.1:5060/24", "[10.0.0.1]:5060", "[2001:db8::1]", "[2001:db8::1]:",
		"[2001:db8::1]:0", "[2001:db8::1]/64", "[2001:db8::1:5060", "2001:db8::1/127", "2001:db8::/129", "fe80::1%eth0", "::ffff:10.0.0.1",
		"::ffff:0:0/96", "localhost", "010.0.0.1", " 10.0.0.1", "10.0.0.1 ", ":5060", "/24", "[]:5060", "]:5060", "*",
	};
	const struct field *field = field_of(KIND_MAPPING_GATEWAY, "sources");
	char canonical[SCHEMA_SOURCE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		assert_null(schema_source(canonical, forms[i][0], strlen(forms[i][0])));
		assert_string_equal(canonical, forms[i][1]);
		assert_refused_at(field, json_pack("[s,s]", forms[i][1], forms[i][0]), "/1", "not_unique", json_string(forms[i][0]));
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused_at(field, json_pack("[s]", bad[i]), "/0", "bad_format", json_string(bad[i]));
}

static void every_fault_of_a_list_is_told_at_once(void **state)
{
	const struct field *field = field_of(KIND_ROUTING_GATEWAY, "callee_rewrite");
	json_t *errors;
	union stored slot;

	(void)state;
	assert_int_equal(check(field, list("[{\"match\":\"x\",\"replace\":\"y\"},{\"match\":\"1\"},7,{\"match\":\"1\",\"replace\":\"2\"}]"),
	                       &slot, &errors), EINVAL);
	static const char *const pointers[] = { "/0/match", "/0/replace", "/1/replace", "/2" };
	assert_int_equal(json_array_size(errors), sizeof pointers / sizeof pointers[0]);
	for (size_t i = 0; i < json_array_size(errors); i++) {
		char pointer[64];
		snprintf(pointer, sizeof pointer, "/callee_rewrite%s", pointers[i]);
		assert_string_equal(json_string_value(json_object_get(json_array_get(errors, i), "pointer")), pointer);
	}
	json_decref(errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_guards_its_range_and_a_refusal_changes_nothing),
		cmocka_unit_test(every_default_passes_the_check_of_a_users_value),
		cmocka_unit_test(hosts_and_proxies_are_checked_for_their_syntax),
		cmocka_unit_test(intervals_double_up_to_the_greatest_and_are_kept_in_milliseconds),
		cmocka_unit_test(a_timeout_of_0_is_kept_as_inherit),
		cmocka_unit_test(a_source_has_one_form_however_it_is_written),
		cmocka_unit_test(every_fault_of_a_list_is_told_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
