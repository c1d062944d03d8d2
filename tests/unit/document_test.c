/* Every field of every kind, walked from the schema: a new field needs no new test here. */
#include "mgmtd/describe.h"
#include "mgmtd/document.h"
#include "mgmtd/value.h"
#include "mgmtd/problem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct secrets *keys;

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
	char slot[512];
	json_t *errors;

	if (check(field, value, slot, &errors) != 0)
		fail_msg("%s: %s", field->name, json_dumps(errors, 0));
	json_decref(errors);
}

/* Refused with this code at this field's pointer, and the slot untouched. */
static void assert_refused(const struct field *field, json_t *value, const char *code)
{
	char slot[512], untouched[512], pointer[128];
	json_t *errors, *got = json_incref(value);

	memset(slot, 0x5a, sizeof slot);
	memset(untouched, 0x5a, sizeof untouched);
	assert_int_equal(check(field, value, slot, &errors), EINVAL);
	assert_int_equal(json_array_size(errors), 1);
	json_t *violation = json_array_get(errors, 0);
	snprintf(pointer, sizeof pointer, "/%s", field->name);
	assert_string_equal(json_string_value(json_object_get(violation, "pointer")), pointer);
	assert_string_equal(json_string_value(json_object_get(violation, "code")), code);
	assert_non_null(json_object_get(violation, "detail"));
	assert_memory_equal(slot, untouched, sizeof slot);
	if (field->flags & SECRET)
		assert_null(json_object_get(violation, "got"));
	else if (strcmp(code, "too_long") != 0)
		assert_true(json_equal(json_object_get(violation, "got"), got));
	if (strcmp(code, "out_of_range") == 0 && (field->type == FT_INT || field->type == FT_INT_OR_KEYWORD)) {
		assert_int_equal(json_integer_value(json_object_get(violation, "min")), field->min);
		assert_int_equal(json_integer_value(json_object_get(violation, "max")), field->max);
	}
	json_decref(got);
	json_decref(errors);
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

static void guard_number(const struct field *field)
{
	assert_accepted(field, json_integer(field->min));
	assert_accepted(field, json_integer(field->max));
	assert_refused(field, json_integer(field->min - 1), field->min - 1 == 0 && (field->flags & ZERO_OFF) ? "" : "out_of_range");
	assert_refused(field, json_integer(field->max + 1), "out_of_range");
	assert_refused(field, json_integer(INT64_MAX), "out_of_range");
	assert_refused(field, json_integer(INT64_MIN), "out_of_range");
	assert_refused(field, json_real(field->min), "wrong_type");
	assert_refused(field, json_true(), "wrong_type");
	assert_refused(field, json_string("no such word"), field->type == FT_INT ? "wrong_type" : "not_an_option");
	if (field->flags & ZERO_OFF)
		assert_accepted(field, json_integer(0));
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
		guard_number(field);
		break;
	case FT_ENUM:
		assert_refused(field, json_string("no such word"), "not_an_option");
		assert_refused(field, json_integer(0), "wrong_type");
		break;
	default:
		guard_text(field);
	}
	for (const struct option_word *o = field->options; o && o->word && field->type != FT_BOOL; o++)
		assert_accepted(field, json_string(o->word));
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

/* effects.c and the switch rely on it. */
static void where_a_field_inherits_the_word_is_the_first_option_and_the_parameter_exists(void **state)
{
	(void)state;
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < schema_kinds[k].nfields; i++) {
			const struct field *field = &schema_kinds[k].fields[i];
			if (field->inherits) {
				assert_string_equal(field->options[0].word, "inherit");
				assert_non_null(schema_field(&schema_kinds[KIND_PARAMETERS], field->inherits));
			}
		}
}

static void no_two_fields_overlap_and_all_lie_inside_their_struct(void **state)
{
	(void)state;
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < schema_kinds[k].nfields; i++) {
			const struct field *a = &schema_kinds[k].fields[i];
			if (a->size == 0)
				continue;
			assert_true(a->offset + a->size <= schema_kinds[k].record_size);
			for (size_t j = i + 1; j < schema_kinds[k].nfields; j++) {
				const struct field *b = &schema_kinds[k].fields[j];
				assert_true(b->size == 0 || b->offset >= a->offset + a->size || a->offset >= b->offset + b->size);
			}
		}
}

static json_t *decode(const char *body, json_t *current, bool patch, struct registration_record *record, json_t *errors)
{
	json_t *given = json_loads(body, 0, NULL), *document = NULL;

	assert_non_null(given);
	document_decode(&schema_kinds[KIND_REGISTRATION], "carrier-a", given, current, patch, keys, "", errors, &record->head, &document);
	json_decref(given);
	return document;
}

static void all_faults_of_a_body_are_told_at_once(void **state)
{
	struct registration_record record = { 0 };
	json_t *errors = json_array();

	(void)state;
	assert_null(decode("{\"server\":\"-bad-\",\"port\":65536,\"transport\":\"sctp\",\"sever\":1,\"password\":7,"
	                   "\"name\":\"other\",\"keep_alive\":5}", NULL, false, &record, errors));
	char *told = json_dumps(errors, 0);
	const char *pointers[] = { "\"/server\"", "\"/port\"", "\"/transport\"", "\"/sever\"", "\"/password\"", "\"/name\"",
	                           "\"/keep_alive\"", "\"/username\"" };
	for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++)
		if (!strstr(told, pointers[i]))
			fail_msg("%s is not told of in %s", pointers[i], told);
	assert_int_equal(json_array_size(errors), 8);
	free(told);
	json_decref(errors);
}

static void a_secret_is_kept_when_left_out_and_cleared_by_null_and_never_shown(void **state)
{
	const struct field *password = schema_field(&schema_kinds[KIND_REGISTRATION], "password");
	struct registration_record record = { 0 };
	json_t *errors = json_array();

	(void)state;
	json_t *one = decode("{\"server\":\"h\",\"username\":\"u\",\"password\":\"s3cret\"}", NULL, false, &record, errors);
	assert_string_equal(record.password, "s3cret");
	char *text = json_dumps(one, 0);
	assert_null(strstr(text, "s3cret"));
	free(text);
	json_t *kept = decode("{\"server\":\"h\",\"username\":\"u\",\"port\":5070}", one, false, &record, errors);
	assert_string_equal(document_secret(kept, password), document_secret(one, password));
	json_t *same = decode("{\"server\":\"h\",\"username\":\"u\",\"password\":{\"set\":true}}", one, false, &record, errors);
	assert_string_equal(document_secret(same, password), document_secret(one, password));
	assert_string_equal(record.password, "s3cret");
	json_t *cleared = decode("{\"password\":null}", one, true, &record, errors);
	assert_null(document_secret(cleared, password));
	assert_string_equal(record.password, "");
	assert_int_equal(json_array_size(errors), 0);
	json_t *diff = document_diff(&schema_kinds[KIND_REGISTRATION], "carrier-a", one, cleared);
	text = json_dumps(diff, JSON_COMPACT);
	assert_string_equal(text, "[{\"pointer\":\"/password\",\"from\":{\"set\":true},\"to\":{\"set\":false}}]");
	free(text);
	assert_null(decode("{\"password\":{\"set\":true}}", cleared, true, &record, errors));
	assert_null(decode("{\"password\":{\"secret\":\"00\"}}", one, true, &record, errors));
	assert_int_equal(json_array_size(errors), 2);
	json_decref(diff);
	json_decref(one);
	json_decref(kept);
	json_decref(same);
	json_decref(cleared);
	json_decref(errors);
}

static void a_patch_keeps_what_it_leaves_out_and_null_goes_back_to_the_default(void **state)
{
	struct registration_record record = { 0 };
	json_t *errors = json_array();

	(void)state;
	json_t *one = decode("{\"server\":\"h\",\"username\":\"u\",\"port\":5070,\"note\":\"x\"}", NULL, false, &record, errors);
	json_t *two = decode("{\"port\":null,\"register_period\":\"auto\"}", one, true, &record, errors);
	assert_int_equal(json_array_size(errors), 0);
	assert_string_equal(json_string_value(json_object_get(two, "note")), "x");
	assert_int_equal(json_integer_value(json_object_get(two, "port")), 0);
	assert_int_equal(record.port, 0);
	assert_int_equal(record.register_period, KEYWORD(REGISTER_PERIOD_AUTO));
	assert_string_equal(record.server, "h");
	json_decref(one);
	json_decref(two);
	json_decref(errors);
}

#define AWKWARD "{\"server\":\"h\",\"username\":\"u\",\"password\":\"s3\\\"cret\",\"port\":5070," \
	"\"note\":\"a\\\"b\\\\{,}[\\\"port\\\":1\",\"display_name\":\"}\\\\\"}"

/* The whole document decoded, and the text patched: everything that comes of both. */
static void compare_ways_to_patch(json_t *one, const char *text, const struct registration_record *start, json_t *body)
{
	const struct kind *kind = &schema_kinds[KIND_REGISTRATION];
	struct registration_record whole = *start, part = *start;
	json_t *errors = json_array(), *part_errors = json_array(), *document = NULL;
	struct document_patch patch = { 0 };
	int error = document_decode(kind, "carrier-a", body, one, true, keys, "/x", errors, &whole.head, &document);

	assert_int_equal(document_patch(kind, "carrier-a", body, text, keys, "/x", part_errors, &part.head, &patch), error);
	assert_true(json_equal(errors, part_errors));
	assert_memory_equal(&whole, &part, sizeof whole);
	if (!error) {
		char *expected = json_dumps(document, JSON_COMPACT);
		json_t *diff = document_diff(kind, "carrier-a", one, document);
		json_t *part_diff = document_diff(kind, "carrier-a", patch.before, patch.after);
		assert_string_equal(patch.text, expected);
		assert_true(json_equal(diff, part_diff));
		json_decref(diff);
		json_decref(part_diff);
		json_decref(patch.before);
		json_decref(patch.after);
		json_decref(document);
		free(patch.text);
		free(expected);
	}
	json_decref(errors);
	json_decref(part_errors);
}

static void a_patch_of_the_text_gives_what_a_patch_of_the_parsed_document_gives(void **state)
{
	static const char *const values[] = { "null", "true", "0", "45", "5080", "-1", "1.5", "\"auto\"", "\"tcp\"", "\"id\"", "\"h.example\"",
	                                      "\"quo\\\"te\\\\\"", "\"\"", "\"\\u00fc,}\"", "{\"set\":true}", "{\"set\":false}", "[]" };
	const struct kind *kind = &schema_kinds[KIND_REGISTRATION];
	struct registration_record record = { 0 };
	json_t *errors = json_array();

	(void)state;
	json_t *one = decode(AWKWARD, NULL, false, &record, errors);
	char *text = json_dumps(one, JSON_COMPACT);
	for (size_t i = 0; i < kind->nfields; i++)
		for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
			json_t *body = json_pack("{s:o}", kind->fields[i].name, json_loads(values[v], JSON_DECODE_ANY, NULL));
			compare_ways_to_patch(one, text, &record, body);
			json_object_set_new(body, "note", json_string("and another, with a comma"));
			json_object_set_new(body, "no_such_field", json_null());
			compare_ways_to_patch(one, text, &record, body);
			json_object_del(body, "no_such_field");
			compare_ways_to_patch(one, text, &record, body);
			json_decref(body);
		}
	json_t *body = json_object();
	compare_ways_to_patch(one, text, &record, body);
	json_decref(body);
	free(text);
	json_decref(one);
	json_decref(errors);
}

static void a_text_that_lacks_a_field_is_not_patched_but_decoded(void **state)
{
	static const char *const texts[] = { "", "{}", "{\"enabled\":true}", "{\"enabled\":true,\"note\":\"", "[1]", "{\"enabled\":" };
	const struct kind *kind = &schema_kinds[KIND_REGISTRATION];
	struct registration_record record = { 0 };
	json_t *errors = json_array(), *body = json_pack("{s:i}", "port", 5080);
	struct document_patch patch;

	(void)state;
	json_t *one = decode(AWKWARD, NULL, false, &record, errors);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(document_patch(kind, "a", body, texts[i], keys, "", errors, &record.head, &patch), ENOTSUP);
	char *text = json_dumps(one, JSON_COMPACT);
	for (size_t len = strlen(text); len-- > 0;) {
		text[len] = '\0';
		assert_int_equal(document_patch(kind, "a", body, text, keys, "", errors, &record.head, &patch), ENOTSUP);
	}
	free(text);
	assert_int_equal(record.port, 5070);
	json_decref(one);
	json_decref(body);
	json_decref(errors);
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

static int make_keys(void **state)
{
	char dir[] = "/tmp/tandem-keys-XXXXXX", path[64];
	struct shm_why why;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	int error = secrets_open(&keys, dir, true, &why);
	snprintf(path, sizeof path, "%s/secret.key", dir);
	unlink(path);
	rmdir(dir);
	return error;
}

static int drop_keys(void **state)
{
	(void)state;
	secrets_close(keys);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_guards_its_range_and_a_refusal_changes_nothing),
		cmocka_unit_test(every_default_passes_the_check_of_a_users_value),
		cmocka_unit_test(where_a_field_inherits_the_word_is_the_first_option_and_the_parameter_exists),
		cmocka_unit_test(no_two_fields_overlap_and_all_lie_inside_their_struct),
		cmocka_unit_test(all_faults_of_a_body_are_told_at_once),
		cmocka_unit_test(a_secret_is_kept_when_left_out_and_cleared_by_null_and_never_shown),
		cmocka_unit_test(a_patch_keeps_what_it_leaves_out_and_null_goes_back_to_the_default),
		cmocka_unit_test(a_patch_of_the_text_gives_what_a_patch_of_the_parsed_document_gives),
		cmocka_unit_test(a_text_that_lacks_a_field_is_not_patched_but_decoded),
		cmocka_unit_test(hosts_and_proxies_are_checked_for_their_syntax),
	};
	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
