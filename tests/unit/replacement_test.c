/* A whole configuration that was read against objects which changed before it came to the writer. */
#include "writer_bench.h"

#include "mgmtd/replacement.h"

#include <sodium.h>

static struct change *read_whole(struct bench *b, const char *body)
{
	json_t *errors = json_array();
	struct json_fault fault;
	struct change *change = NULL;

	assert_int_equal(replacement_read(&change, writer_model(b->writer), writer_secrets(b->writer), strdup(body), strlen(body), NULL,
	                                  errors, &fault), 0);
	assert_int_equal(json_array_size(errors), 0);
	json_decref(errors);
	return change;
}

#define WHOLE "{\"sip-parameters\":{},\"routing-gateways\":[],\"mapping-gateways\":[],\"registrations\":[" \
	"{\"name\":\"a\",\"server\":\"h\",\"username\":\"u\",\"password\":{\"set\":true}}," \
	"{\"name\":\"b\",\"server\":\"h\",\"username\":\"u\",\"note\":\"new\",\"password\":{\"set\":true}}]}"

static void what_changed_meanwhile_is_judged_as_it_is_then(void **state)
{
	struct bench *b = *state;
	struct config_reader *reader;
	const struct snapshot *snap;

	add(b, "a");
	add(b, "b");
	struct change *whole = read_whole(b, WHOLE);
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"server\":\"other\",\"password\":\"second\"}"));
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "b", "{\"password\":\"third\"}"));
	add(b, "c");
	expect(b, 200, whole);
	const struct registration_record *record = published(b, &snap, &reader, "a");
	assert_string_equal(record->server, "h");
	assert_string_equal(record->password, "second");
	record = (const struct registration_record *)snapshot_find(snap, KIND_REGISTRATION, "b");
	assert_string_equal(record->password, "third");
	assert_null(snapshot_find(snap, KIND_REGISTRATION, "c"));
	config_reader_close(reader);
	assert_int_equal(revision_of(b), 6);
}

static void a_secret_that_went_meanwhile_is_missed(void **state)
{
	struct bench *b = *state;

	add(b, "a");
	add(b, "b");
	struct change *whole = read_whole(b, WHOLE);
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"password\":null}"));
	expect(b, 422, whole);
	assert_int_equal(revision_of(b), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_changed_meanwhile_is_judged_as_it_is_then),
		TEST(a_secret_that_went_meanwhile_is_missed),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
