/* Bodies to documents and records, and back to what people see. */
#include "mgmtd/describe.h"
#include "mgmtd/document.h"
#include "mgmtd/json_text.h"
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

/* Bodies that are awkward to take apart as text. */
static const char *const awkward[KIND_COUNT] = {
	[KIND_REGISTRATION] = "{\"server\":\"h\",\"username\":\"u\",\"password\":\"s3\\\"cret\",\"port\":5070,"
		"\"note\":\"a\\\"b\\\\{,}[\\\"port\\\":1\",\"display_name\":\"}\\\\\",\"inbound_mapping\":\"in\"}",
	[KIND_ROUTING_GATEWAY] = "{\"host\":\"h\",\"note\":\"\\\"sip\\\":{\",\"prefixes\":[\"\",\"49\"],\"password\":\"s3cret\","
		"\"callee_rewrite\":[{\"match\":\"1\",\"replace\":\"2\"},{\"match\":\"\",\"replace\":\"\"}],\"registration\":\"r\","
		"\"sip\":{\"privacy\":\"id\",\"timeout_invite\":5,\"remote_party_id\":true}}",
	[KIND_MAPPING_GATEWAY] = "{\"note\":\"],}\",\"sources\":[\"10.0.0.0/8\",\"[2001:db8::1]:5060\"],\"denied_prefixes\":[\"0\"],"
		"\"username\":\"\\\"},\",\"sip\":{\"caller\":\"display\"}}",
};

static json_t *decode_kind(enum kind_id kind, json_t *given, json_t *current, bool patch, union any_record *record, json_t *errors)
{
	json_t *document = NULL;

	assert_non_null(given);
	document_decode(&schema_kinds[kind], "carrier-a", given, current, patch, keys, "", errors, &record->head, &document);
	json_decref(given);
	return document;
}

/* The whole document decoded, and the text patched: everything that comes of both. */
static void compare_ways_to_patch(const struct kind *kind, json_t *one, const char *text, const union any_record *start, json_t *body)
{
	union any_record whole = *start, part = *start;
	json_t *errors = json_array(), *part_errors = json_array(), *document = NULL;
	struct document_patch patch = { 0 };
	int error = document_decode(kind, "carrier-a", body, one, true, keys, "/x", errors, &whole.head, &document);

	assert_int_equal(document_patch(kind, "carrier-a", body, text, keys, "/x", part_errors, &part.head, &patch), error);
	assert_true(json_equal(errors, part_errors));
	assert_memory_equal(&whole, &part, sizeof whole);
	if (!error) {
		char *expected = json_dumps(document, JSON_TEXT);
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

static json_t *body_with(const struct field *field, json_t *value)
{
	return field->flags & SIP ? json_pack("{s:{s:o}}", "sip", field->name, value) : json_pack("{s:o}", field->name, value);
}

static void compare_for_every_field(const struct kind *kind, json_t *one, const char *text, const union any_record *record)
{
	static const char *const values[] = { "null", "true", "0", "45", "5080", "-1", "1.5", "\"auto\"", "\"tcp\"", "\"id\"", "\"h.example\"",
	                                      "\"quo\\\"te\\\\\"", "\"\"", "\"\\u00fc,}\"", "{\"set\":true}", "{\"set\":false}", "[]",
	                                      "[404,\"1\"]", "[\"1\",\"10.0.0.1/32\"]", "[404]", "[\"10.0.0.1/32\"]", "[\"1\"]",
	                                      "[{\"match\":\"1\",\"replace\":\"\"}]" };

	for (size_t i = 0; i < kind->nfields; i++)
		for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
			json_t *body = body_with(&kind->fields[i], json_loads(values[v], JSON_DECODE_ANY, NULL));
			compare_ways_to_patch(kind, one, text, record, body);
			json_object_set_new(body, "note", json_string("and another, with a comma"));
			json_object_set_new(body, "no_such_field", json_null());
			compare_ways_to_patch(kind, one, text, record, body);
			json_object_del(body, "no_such_field");
			compare_ways_to_patch(kind, one, text, record, body);
			json_decref(body);
		}
}

static void a_patch_of_the_text_gives_what_a_patch_of_the_parsed_document_gives(void **state)
{
	static const char *const bodies[] = { "{}", "{\"sip\":null}", "{\"sip\":{}}", "{\"sip\":7}", "{\"sip\":{\"nothing\":1}}", "{\"privacy\":\"id\"}" };
	json_t *errors = json_array();

	(void)state;
	for (enum kind_id k = KIND_REGISTRATION; k < KIND_COUNT; k++) {
		union any_record record;
		memset(&record, 0, sizeof record);
		json_t *one = decode_kind(k, json_loads(awkward[k], 0, NULL), NULL, false, &record, errors);
		assert_non_null(one);
		char *text = json_dumps(one, JSON_TEXT);
		compare_for_every_field(&schema_kinds[k], one, text, &record);
		for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
			json_t *body = json_loads(bodies[i], 0, NULL);
			compare_ways_to_patch(&schema_kinds[k], one, text, &record, body);
			json_decref(body);
		}
		free(text);
		json_decref(one);
	}
	json_decref(errors);
}

static void what_is_shown_is_taken_back_and_rendering_shows_the_same(void **state)
{
	json_t *errors = json_array();

	(void)state;
	for (enum kind_id k = KIND_REGISTRATION; k < KIND_COUNT; k++) {
		union any_record record, again;
		size_t size;
		memset(&record, 0, sizeof record);
		json_t *one = decode_kind(k, json_loads(awkward[k], 0, NULL), NULL, false, &record, errors);
		json_t *shown = document_present(&schema_kinds[k], "carrier-a", one);
		char *text = json_dumps(one, JSON_TEXT);
		char *rendered = document_render(&schema_kinds[k], "carrier-a", text, "\"revision\":1", &size);
		json_t *parsed = json_loads(rendered, 0, NULL);
		assert_int_equal(json_object_size(parsed), json_object_size(shown) + 2);
		json_object_del(parsed, "name");
		json_object_del(parsed, "revision");
		assert_true(json_equal(parsed, shown));
		again = record;
		json_t *two = decode_kind(k, json_incref(shown), one, false, &again, errors);
		assert_int_equal(json_array_size(errors), 0);
		assert_true(json_equal(one, two));
		assert_memory_equal(&record, &again, sizeof record);
		free(text);
		free(rendered);
		json_decref(parsed);
		json_decref(shown);
		json_decref(two);
		json_decref(one);
	}
	json_decref(errors);
}

static void sip_null_puts_all_its_members_back_and_put_takes_defaults_for_what_is_left_out(void **state)
{
	static const char *const bodies[] = { "{\"sip\":null}", "{\"sip\":{\"privacy\":null,\"timeout_invite\":null,\"remote_party_id\":null}}" };
	union any_record record;
	json_t *errors = json_array();

	(void)state;
	memset(&record, 0, sizeof record);
	json_t *one = decode_kind(KIND_ROUTING_GATEWAY, json_loads(awkward[KIND_ROUTING_GATEWAY], 0, NULL), NULL, false, &record, errors);
	assert_int_equal(record.routing_gateway.timeout_invite, 5);
	assert_int_equal(record.routing_gateway.privacy, GATEWAY_PRIVACY_ID);
	for (size_t i = 0; i < 2; i++) {
		union any_record changed = record;
		json_t *two = decode_kind(KIND_ROUTING_GATEWAY, json_loads(bodies[i], 0, NULL), one, true, &changed, errors);
		assert_int_equal(changed.routing_gateway.timeout_invite, KEYWORD(TIMEOUT_INVITE_INHERIT));
		assert_int_equal(changed.routing_gateway.remote_party_id, 0);
		assert_int_equal(changed.routing_gateway.prefixes.count, 2);
		json_decref(two);
	}
	union any_record replaced = record;
	json_t *three = decode_kind(KIND_ROUTING_GATEWAY, json_loads("{\"host\":\"h\",\"sip\":{\"timeout_invite\":6}}", 0, NULL), one, false,
	                            &replaced, errors);
	assert_int_equal(replaced.routing_gateway.privacy, GATEWAY_PRIVACY_INHERIT);
	assert_int_equal(replaced.routing_gateway.timeout_invite, 6);
	assert_int_equal(replaced.routing_gateway.prefixes.count, 0);
	assert_int_equal(json_array_size(errors), 0);
	json_decref(three);
	json_decref(one);
	json_decref(errors);
}

static void a_document_older_than_a_field_is_completed_with_its_default(void **state)
{
	const struct kind *kind = &schema_kinds[KIND_REGISTRATION];
	union any_record record;
	json_t *errors = json_array();

	(void)state;
	memset(&record, 0, sizeof record);
	json_t *one = decode_kind(KIND_REGISTRATION, json_loads(awkward[KIND_REGISTRATION], 0, NULL), NULL, false, &record, errors);
	char *whole = json_dumps(one, JSON_TEXT), *same = document_complete(kind, whole);
	assert_string_equal(same, whole);
	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		json_t *older = json_copy(one), *newer = json_copy(one);
		json_object_del(older, field->name);
		json_object_set_new(older, "no_longer_known", json_true());
		json_object_set_new(newer, field->name, describe_default(kind, field));
		char *text = json_dumps(older, JSON_TEXT), *expected = json_dumps(newer, JSON_TEXT), *complete = document_complete(kind, text);
		assert_string_equal(complete, expected);
		free(text);
		free(expected);
		free(complete);
		json_decref(older);
		json_decref(newer);
	}
	free(same);
	free(whole);
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
	json_t *one = decode(awkward[KIND_REGISTRATION], NULL, false, &record, errors);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(document_patch(kind, "a", body, texts[i], keys, "", errors, &record.head, &patch), ENOTSUP);
	char *text = json_dumps(one, JSON_TEXT);
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
		cmocka_unit_test(where_a_field_inherits_the_word_is_the_first_option_and_the_parameter_exists),
		cmocka_unit_test(no_two_fields_overlap_and_all_lie_inside_their_struct),
		cmocka_unit_test(all_faults_of_a_body_are_told_at_once),
		cmocka_unit_test(a_secret_is_kept_when_left_out_and_cleared_by_null_and_never_shown),
		cmocka_unit_test(a_patch_keeps_what_it_leaves_out_and_null_goes_back_to_the_default),
		cmocka_unit_test(a_patch_of_the_text_gives_what_a_patch_of_the_parsed_document_gives),
		cmocka_unit_test(what_is_shown_is_taken_back_and_rendering_shows_the_same),
		cmocka_unit_test(sip_null_puts_all_its_members_back_and_put_takes_defaults_for_what_is_left_out),
		cmocka_unit_test(a_document_older_than_a_field_is_completed_with_its_default),
		cmocka_unit_test(a_text_that_lacks_a_field_is_not_patched_but_decoded),
	};
	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
