/* What must hold between objects, on the result of every change-set; and that a refused or failed one leaves no trace. */
#include "writer_bench.h"

#include "mgmtd/link.h"

#include <sqlite3.h>

static struct change *put(enum kind_id kind, const char *name, const char *body)
{
	return build(VERB_PUT, kind, name, body);
}

static void expect_code(struct bench *b, unsigned status, const char *code, const char *pointer, struct change *change)
{
	carry_out(b, change);
	json_t *violation = json_array_get(json_object_get(change->body, "errors"), 0);
	const char *type = json_string_value(json_object_get(change->body, "type"));

	if (change->status != status || !violation)
		fail_msg("%u instead of %u: %s", change->status, status, json_dumps(change->body, 0));
	assert_string_equal(json_string_value(json_object_get(violation, "code")), code);
	assert_string_equal(json_string_value(json_object_get(violation, "pointer")), pointer);
	assert_string_equal(type + strlen("/problems/"), status == 409 ? code : "invalid");
	change_free(change);
}

static sqlite3 *lock_database(struct bench *b)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/tandem.db", b->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void unlock_database(sqlite3 *db)
{
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
}

/* ------------------------------------------------------------------ tests */

static void a_reference_must_have_its_object_and_the_object_its_referrers_leave(void **state)
{
	struct bench *b = *state;

	expect_code(b, 422, "unknown_reference", "/inbound_mapping",
	            put(KIND_REGISTRATION, "r", "{\"server\":\"h\",\"username\":\"u\",\"inbound_mapping\":\"m\"}"));
	expect(b, 201, put(KIND_MAPPING_GATEWAY, "m", "{}"));
	expect(b, 201, put(KIND_REGISTRATION, "r", "{\"server\":\"h\",\"username\":\"u\",\"inbound_mapping\":\"m\"}"));
	expect_code(b, 409, "in_use", "", build(VERB_DELETE, KIND_MAPPING_GATEWAY, "m", NULL));
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "r", "{\"port\":1}"));	/* which does not name it */
	expect_code(b, 409, "in_use", "", build(VERB_DELETE, KIND_MAPPING_GATEWAY, "m", NULL));
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "r", "{\"inbound_mapping\":null}"));
	expect(b, 200, build(VERB_DELETE, KIND_MAPPING_GATEWAY, "m", NULL));
}

static void a_refused_or_tried_change_leaves_the_links_as_they_were(void **state)
{
	struct bench *b = *state;

	expect(b, 201, put(KIND_MAPPING_GATEWAY, "m", "{\"sources\":[\"10.0.0.1\"]}"));
	expect(b, 201, put(KIND_ROUTING_GATEWAY, "g", "{\"host\":\"h\",\"inbound_mapping\":\"m\"}"));
	struct change *tried = build(VERB_PATCH, KIND_MAPPING_GATEWAY, "m", "{\"sources\":[\"10.0.0.2\"]}");
	tried->dry_run = true;
	expect(b, 200, tried);
	tried = build(VERB_PATCH, KIND_ROUTING_GATEWAY, "g", "{\"inbound_mapping\":null}");
	tried->dry_run = true;
	expect(b, 200, tried);
	expect(b, 422, build(VERB_PATCH, KIND_MAPPING_GATEWAY, "m", "{\"sources\":[\"10.0.0.2\"],\"capacity\":-1}"));
	expect(b, 200, build(VERB_PATCH, KIND_MAPPING_GATEWAY, "m", "{\"sources\":[\"10.0.0.1/32\"]}"));	/* changes nothing */
	expect_code(b, 409, "in_use", "", build(VERB_DELETE, KIND_MAPPING_GATEWAY, "m", NULL));
	expect_code(b, 409, "not_unique", "/sources/0", put(KIND_MAPPING_GATEWAY, "n", "{\"sources\":[\"10.0.0.1\"]}"));
	expect(b, 201, put(KIND_MAPPING_GATEWAY, "n", "{\"sources\":[\"10.0.0.2\"]}"));
}

static void a_batch_that_is_not_stored_leaves_the_links_as_they_were(void **state)
{
	struct bench *b = *state;

	expect(b, 201, put(KIND_MAPPING_GATEWAY, "m", "{\"sources\":[\"10.0.0.1\"]}"));
	expect(b, 201, put(KIND_ROUTING_GATEWAY, "g", "{\"host\":\"h\",\"inbound_mapping\":\"m\"}"));
	sqlite3 *db = lock_database(b);
	expect(b, 503, build(VERB_PATCH, KIND_MAPPING_GATEWAY, "m", "{\"sources\":[\"10.0.0.2\"]}"));
	expect(b, 503, build(VERB_DELETE, KIND_ROUTING_GATEWAY, "g", NULL));
	expect(b, 503, put(KIND_MAPPING_GATEWAY, "x", "{\"sources\":[\"10.0.0.3\"]}"));
	unlock_database(db);
	expect_code(b, 409, "in_use", "", build(VERB_DELETE, KIND_MAPPING_GATEWAY, "m", NULL));
	expect_code(b, 409, "not_unique", "/sources/0", put(KIND_MAPPING_GATEWAY, "n", "{\"sources\":[\"10.0.0.1\"]}"));
	expect(b, 201, put(KIND_MAPPING_GATEWAY, "n", "{\"sources\":[\"10.0.0.2\",\"10.0.0.3\"]}"));
}

static void a_restart_knows_the_links_again_also_of_documents_older_than_a_field(void **state)
{
	struct bench *b = *state;
	char path[128];
	sqlite3 *db;

	expect(b, 201, put(KIND_MAPPING_GATEWAY, "m", "{\"sources\":[\"10.0.0.1\"],\"authentication\":\"digest\",\"username\":\"u\"}"));
	expect(b, 201, put(KIND_REGISTRATION, "r", "{\"server\":\"h\",\"username\":\"u\",\"inbound_mapping\":\"m\"}"));
	expect(b, 201, put(KIND_ROUTING_GATEWAY, "g", "{\"host\":\"h\",\"registration\":\"r\"}"));
	writer_close(b->writer);
	b->writer = NULL;
	snprintf(path, sizeof path, "%s/tandem.db", b->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE documents SET document = json_remove(document, '$.capacity')", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	start(b);
	expect_code(b, 409, "in_use", "", build(VERB_DELETE, KIND_MAPPING_GATEWAY, "m", NULL));
	expect_code(b, 409, "in_use", "", build(VERB_DELETE, KIND_REGISTRATION, "r", NULL));
	expect_code(b, 409, "not_unique", "/sources/0", put(KIND_MAPPING_GATEWAY, "n", "{\"sources\":[\"10.0.0.1/32\"]}"));
	expect_code(b, 409, "not_unique", "/username", put(KIND_MAPPING_GATEWAY, "u", "{\"authentication\":\"digest\"}"));
}

static void two_in_one_batch_do_not_get_the_same_source(void **state)
{
	struct bench *b = *state;
	sem_t answered;

	sem_init(&answered, 0, 0);
	for (int round = 0; round < 20; round++) {
		struct change *one = put(KIND_MAPPING_GATEWAY, "one", "{\"sources\":[\"10.0.0.1\"]}");
		struct change *other = put(KIND_MAPPING_GATEWAY, "other", "{\"sources\":[\"10.0.0.1\"]}");
		submit(b, one, &answered);
		submit(b, other, &answered);
		sem_wait(&answered);
		sem_wait(&answered);
		assert_int_equal(one->status, 201);
		assert_int_equal(other->status, 409);
		change_free(one);
		change_free(other);
		expect(b, 200, build(VERB_DELETE, KIND_MAPPING_GATEWAY, "one", NULL));
	}
	sem_destroy(&answered);
}

static void what_is_left_of_a_faulty_object_is_judged_and_not_told_twice(void **state)
{
	struct bench *b = *state;
	struct change *change = carry_out(b, build_set("{\"changes\":["
		"{\"op\":\"put\",\"kind\":\"routing-gateways\",\"name\":\"g\",\"value\":{\"host\":\"h\",\"port\":-1,\"registration\":\"r\",\"inbound_mapping\":\"m\"}},"
		"{\"op\":\"put\",\"kind\":\"mapping-gateways\",\"name\":\"m\",\"value\":{\"capacity\":-1}}]}"));
	static const char *const pointers[] = { "/changes/0/value/port", "/changes/1/value/capacity", "/changes/0/value/registration" };
	json_t *errors = json_object_get(change->body, "errors");

	assert_int_equal(change->status, 422);	/* that m does not exist yet is its own fault's fault */
	assert_int_equal(json_array_size(errors), 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(errors, i), "pointer")), pointers[i]);
	change_free(change);
	expect(b, 201, put(KIND_MAPPING_GATEWAY, "m", "{}"));
	assert_int_equal(model_find(writer_model(b->writer), KIND_MAPPING_GATEWAY, "m")->id, 0);
}

/* ------------------------------------------------------------------ a small world, and everything that may be done in it */

#define NAMES 3
#define STEPS 2000

struct thing { bool exists; int mapping, registration; unsigned sources; };	/* -1 = none; a bit for each source */
struct world { struct thing thing[KIND_COUNT][NAMES]; };

static unsigned seed = 20261;

static int roll(int sides)
{
	seed = seed * 1103515245u + 12345u;
	return (int)((seed >> 16) % (unsigned)sides);
}

static bool whole(const struct world *w)
{
	for (enum kind_id k = KIND_REGISTRATION; k < KIND_COUNT; k++)
		for (int i = 0; i < NAMES; i++) {
			const struct thing *t = &w->thing[k][i];
			if (!t->exists)
				continue;
			if (t->mapping >= 0 && !w->thing[KIND_MAPPING_GATEWAY][t->mapping].exists)
				return false;
			if (t->registration >= 0 && !w->thing[KIND_REGISTRATION][t->registration].exists)
				return false;
			for (int j = 0; j < i; j++)
				if (w->thing[k][j].exists && (w->thing[k][j].sources & t->sources))
					return false;
		}
	return true;
}

static json_t *name_or_null(const char *letter, int number)
{
	return number < 0 ? json_null() : json_sprintf("%s%d", letter, number);
}

/* One thing done to the world, and the operation that asks for it. */
static json_t *step(struct world *w)
{
	static const char *const letters[] = { "", "r", "g", "m" };
	enum kind_id k = KIND_REGISTRATION + (enum kind_id)roll(3);
	int i = roll(NAMES);
	struct thing *t = &w->thing[k][i];
	json_t *op = json_pack("{s:s, s:o}", "kind", schema_kinds[k].path, "name", json_sprintf("%s%d", letters[k], i)), *value = json_object();

	if (t->exists && roll(3) == 0) {
		t->exists = false;
		json_decref(value);
		json_object_set_new(op, "op", json_string("delete"));
		return op;
	}
	bool patch = t->exists && roll(2) == 0;
	if (!patch)
		*t = (struct thing){ true, -1, -1, 0 };
	json_object_set_new(op, "op", json_string(patch ? "patch" : "put"));
	if (!patch && k == KIND_REGISTRATION)
		json_object_update_new(value, json_pack("{s:s, s:s}", "server", "h", "username", "u"));
	if (!patch && k == KIND_ROUTING_GATEWAY)
		json_object_set_new(value, "host", json_string("h"));
	if (k != KIND_MAPPING_GATEWAY && roll(2))
		json_object_set_new(value, "inbound_mapping", name_or_null("m", t->mapping = roll(NAMES + 1) - 1));
	if (k == KIND_ROUTING_GATEWAY && roll(2))
		json_object_set_new(value, "registration", name_or_null("r", t->registration = roll(NAMES + 1) - 1));
	if (k == KIND_MAPPING_GATEWAY && roll(2)) {
		json_t *sources = json_array();
		t->sources = (unsigned)roll(1 << NAMES);
		for (int s = 0; s < NAMES; s++)
			if (t->sources & (1u << s))
				json_array_append_new(sources, json_sprintf(roll(2) ? "10.0.0.%d" : "10.0.0.%d/32", s));
		json_object_set_new(value, "sources", sources);
	}
	json_object_set_new(op, "value", value);
	return op;
}

/* Change-sets at random against the rules written down a second time, above; some are only tried, some find the database
 * locked, and now and then everything starts anew. */
static void every_change_set_is_taken_if_and_only_if_its_result_is_whole(void **state)
{
	struct bench *b = *state;
	struct world now;
	int taken = 0, refused = 0;

	memset(&now, 0, sizeof now);
	for (int n = 0; n < STEPS; n++) {
		struct world next = now;
		json_t *changes = json_array(), *errors = json_array();
		for (int i = 1 + roll(4); i > 0; i--)
			json_array_append_new(changes, step(&next));
		json_t *body = json_pack("{s:o}", "changes", changes);
		struct change *change = change_set(body, errors);
		change->dry_run = roll(10) == 0;
		sqlite3 *db = roll(500) == 0 ? lock_database(b) : NULL;
		bool tried = change->dry_run;
		carry_out(b, change);
		bool good = change->status == 200, locked = change->status == 503;
		if (db)
			unlock_database(db);
		if (!locked && good != whole(&next))
			fail_msg("step %d: %u for %s: %s", n, change->status, json_dumps(body, 0), json_dumps(change->body, 0));
		if (good && !tried)
			now = next;
		taken += good;
		refused += !good && !locked;
		change_free(change);
		json_decref(body);
		json_decref(errors);
		if (roll(500) == 0)
			restart(b);
	}
	assert_true(taken > STEPS / 10 && refused > STEPS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reference_must_have_its_object_and_the_object_its_referrers_leave),
		TEST(a_refused_or_tried_change_leaves_the_links_as_they_were),
		TEST(a_batch_that_is_not_stored_leaves_the_links_as_they_were),
		TEST(a_restart_knows_the_links_again_also_of_documents_older_than_a_field),
		TEST(two_in_one_batch_do_not_get_the_same_source),
		TEST(what_is_left_of_a_faulty_object_is_judged_and_not_told_twice),
		TEST(every_change_set_is_taken_if_and_only_if_its_result_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
