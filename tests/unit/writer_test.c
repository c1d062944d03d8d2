/* The change pipeline whole: queue, database, model, segment; without HTTP and without a switch. */
#include "writer_bench.h"

#include "mgmtd/problem.h"
#include "mgmtd/store_history.h"

#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>

static void a_change_is_stored_published_and_announced_with_all_that_its_answer_says(void **state)
{
	struct bench *b = *state;
	struct config_reader *reader;
	const struct snapshot *snap;
	struct change *change = carry_out(b, build(VERB_CREATE, KIND_REGISTRATION, NULL,
		"{\"name\":\"carrier-a\",\"server\":\"h\",\"username\":\"u\",\"password\":\"s3cret\",\"note\":\"x\"}"));

	assert_int_equal(change->status, 201);
	assert_true(change->created);
	assert_int_equal(change->revision, 1);
	assert_int_equal(json_integer_value(json_object_get(change->body, "revision")), 1);
	assert_int_equal(json_integer_value(json_object_get(change->body, "published_generation")), change->generation);
	char *text = json_dumps(change->body, 0);
	assert_null(strstr(text, "s3cret"));
	free(text);
	json_t *resource = json_loads(change->resource, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(resource, "changed_by")), "admin");
	assert_true(json_is_true(json_object_get(json_object_get(resource, "password"), "set")));
	assert_null(strstr(change->resource, "secret"));
	json_decref(resource);
	change_free(change);

	const struct registration_record *record = published(b, &snap, &reader, "carrier-a");
	assert_non_null(record);
	assert_string_equal(record->password, "s3cret");
	assert_int_equal(strlen(record->line), SCHEMA_LINE_LEN);
	assert_int_equal(snapshot_revision(snap), 1);
	assert_int_equal(record->head.incarnation, 1);
	config_reader_close(reader);
	assert_int_equal(b->revisions, 1);
}

static void a_restart_finds_everything_and_publishes_nothing_anew(void **state)
{
	struct bench *b = *state;
	struct writer_state before, after;

	add(b, "a");
	add(b, "b");
	expect(b, 200, build(VERB_PUT, KIND_PARAMETERS, "SS_SIP_USER_AGENT_EXPIRE", "{\"value\":120}"));
	expect(b, 200, build(VERB_DELETE, KIND_REGISTRATION, "a", NULL));
	writer_state(b->writer, &before);
	restart(b);
	writer_state(b->writer, &after);
	assert_int_equal(after.stored_revision, 4);
	assert_int_equal(after.published_generation, before.published_generation);
	model_lock(writer_model(b->writer));
	assert_null(model_find(writer_model(b->writer), KIND_REGISTRATION, "a"));
	assert_non_null(model_find(writer_model(b->writer), KIND_REGISTRATION, "b"));
	model_unlock(writer_model(b->writer));
	add(b, "c");	/* takes the id that a left */
	assert_int_equal(model_find(writer_model(b->writer), KIND_REGISTRATION, "c")->id, 0);
}

static void a_missing_segment_is_filled_from_the_database_with_the_secrets(void **state)
{
	struct bench *b = *state;
	struct config_reader *reader;
	const struct snapshot *snap;
	char path[128], line[SCHEMA_LINE_LEN + 1];

	add(b, "a");
	expect(b, 200, build(VERB_PUT, KIND_PARAMETERS, "SS_SIP_USER_AGENT_RETRY_DELAY", "{\"value\":77}"));
	const struct registration_record *record = published(b, &snap, &reader, "a");
	memcpy(line, record->line, sizeof line);
	config_reader_close(reader);
	writer_close(b->writer);
	snprintf(path, sizeof path, "%s/config", b->run);
	assert_int_equal(unlink(path), 0);
	start(b);
	record = published(b, &snap, &reader, "a");
	assert_string_equal(record->password, "s3cret");
	assert_string_equal(record->line, line);
	assert_int_equal(snapshot_parameters(snap)->SS_SIP_USER_AGENT_RETRY_DELAY, 77);
	config_reader_close(reader);
}

static void a_change_set_is_all_or_nothing_and_tells_each_place(void **state)
{
	struct bench *b = *state;
	struct change *change = carry_out(b, build_set("{\"changes\":["
		"{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"a\",\"value\":{\"server\":\"h\",\"username\":\"u\"}},"
		"{\"op\":\"put\",\"kind\":\"sip-parameters\",\"name\":\"SS_SIP_USER_AGENT_EXPIRE\",\"value\":10},"
		"{\"op\":\"patch\",\"kind\":\"registrations\",\"name\":\"a\",\"value\":{\"port\":-1}},"
		"{\"op\":\"delete\",\"kind\":\"registrations\",\"name\":\"nobody\"}]}"));
	static const char *const pointers[] = { "/changes/1/value", "/changes/2/value/port", "/changes/3/name" };
	json_t *errors = json_object_get(change->body, "errors");

	assert_int_equal(change->status, 422);
	assert_int_equal(json_array_size(errors), 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(errors, i), "pointer")), pointers[i]);
	change_free(change);
	assert_int_equal(revision_of(b), 0);
	assert_null(model_find(writer_model(b->writer), KIND_REGISTRATION, "a"));

	change = carry_out(b, build_set("{\"comment\":\"why\",\"changes\":["
		"{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"a\",\"value\":{\"server\":\"h\",\"username\":\"u\"}},"
		"{\"op\":\"put\",\"kind\":\"sip-parameters\",\"name\":\"SS_SIP_USER_AGENT_EXPIRE\",\"value\":{\"value\":120}},"
		"{\"op\":\"patch\",\"kind\":\"registrations\",\"name\":\"a\",\"value\":{\"port\":5070}}]}"));
	assert_int_equal(change->status, 200);
	assert_int_equal(json_array_size(json_object_get(change->body, "diff")), 2);
	change_free(change);
	assert_int_equal(revision_of(b), 1);
}

static void faults_of_form_and_of_value_are_told_together(void **state)
{
	struct bench *b = *state;
	json_t *errors = json_array();
	json_t *body = json_loads("{\"SS_X\":1,\"SS_SIP_USER_AGENT_EXPIRE\":10,\"SS_SIP_USER_AGENT_PRIVACY\":7}", 0, NULL);
	struct change *change = carry_out(b, change_parameters(body, errors));

	assert_int_equal(change->status, 422);
	assert_int_equal(json_array_size(json_object_get(change->body, "errors")), 3);
	change_free(change);
	json_decref(body);
	json_array_clear(errors);
	body = json_loads("{\"changes\":[{\"op\":\"drop\",\"kind\":\"registrations\",\"name\":\"a\"},"
	                  "{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"a/b\",\"value\":{\"port\":-1}}]}", 0, NULL);
	change = carry_out(b, change_set(body, errors));
	assert_int_equal(change->status, 422);
	/* op, value's server, username and port, name */
	assert_int_equal(json_array_size(json_object_get(change->body, "errors")), 5);
	change_free(change);
	json_decref(body);
	json_decref(errors);
}

static void what_changes_nothing_makes_no_revision(void **state)
{
	struct bench *b = *state;

	add(b, "a");
	struct change *change = carry_out(b, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"port\":0,\"password\":\"s3cret\"}"));
	assert_int_equal(change->status, 200);
	assert_true(json_is_false(json_object_get(change->body, "changed")));
	assert_int_equal(change->revision, 1);
	change_free(change);
	assert_int_equal(revision_of(b), 1);
}

static void preconditions_are_compared_with_the_object_s_own_revision(void **state)
{
	struct bench *b = *state;

	add(b, "a");
	add(b, "b");
	struct change *change = build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"port\":1}");
	change->if_match = strdup("\"r1\"");
	expect(b, 200, change);
	change = build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"port\":2}");
	change->if_match = strdup("\"r1\"");
	carry_out(b, change);
	assert_int_equal(change->status, 412);
	assert_int_equal(change->revision, 3);
	change_free(change);
	change = build(VERB_PUT, KIND_REGISTRATION, "a", "{\"server\":\"h\",\"username\":\"u\"}");
	change->if_none_match = true;
	expect(b, 412, change);
	expect(b, 409, build(VERB_CREATE, KIND_REGISTRATION, NULL, "{\"name\":\"a\",\"server\":\"h\",\"username\":\"u\"}"));
	expect(b, 404, build(VERB_PATCH, KIND_REGISTRATION, "x", "{\"port\":2}"));
	expect(b, 404, build(VERB_DELETE, KIND_REGISTRATION, "x", NULL));
	assert_int_equal(revision_of(b), 3);
}

static void a_dry_run_tells_the_effects_and_stores_nothing(void **state)
{
	struct bench *b = *state;

	add(b, "a");
	add(b, "b");
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "b", "{\"register_period\":600}"));
	struct change *change = build(VERB_PUT, KIND_PARAMETERS, "SS_SIP_USER_AGENT_EXPIRE", "{\"value\":300}");
	change->dry_run = true;
	carry_out(b, change);
	assert_int_equal(change->status, 200);
	assert_true(json_is_null(json_object_get(change->body, "revision")));
	json_t *effect = json_object_get(json_object_get(change->body, "effects"), "reregister");
	assert_int_equal(json_integer_value(json_object_get(effect, "count")), 1);
	assert_string_equal(json_string_value(json_array_get(json_object_get(effect, "names"), 0)), "a");
	change_free(change);
	assert_int_equal(revision_of(b), 3);
}

static void an_unknown_listener_is_refused_while_the_switch_can_tell(void **state)
{
	struct bench *b = *state;
	const char *body = "{\"server\":\"h\",\"username\":\"u\",\"listener\":\"wan\"}";

	snprintf(b->listeners, sizeof b->listeners, "lan,lan2");
	expect(b, 422, build(VERB_PUT, KIND_REGISTRATION, "a", body));
	snprintf(b->listeners, sizeof b->listeners, "lan,wan");
	expect(b, 201, build(VERB_PUT, KIND_REGISTRATION, "a", body));
	b->listeners[0] = '\0';
	expect(b, 201, build(VERB_PUT, KIND_REGISTRATION, "b", body));
}

static void the_hash_chain_holds_from_the_first_revision_over_the_exact_text(void **state)
{
	struct bench *b = *state;
	char path[128];
	sqlite3 *db;
	sqlite3_stmt *rows;
	unsigned char prev[32] = { 0 }, hash[32];
	int count = 0;

	add(b, "a");
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"password\":\"other\"}"));
	expect(b, 200, build(VERB_DELETE, KIND_REGISTRATION, "a", NULL));
	snprintf(path, sizeof path, "%s/tandem.db", b->state);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_prepare_v2(db, "SELECT record, prev_hash, hash, actor FROM revisions JOIN history USING (revision) ORDER BY revision", -1, &rows, NULL);
	while (sqlite3_step(rows) == SQLITE_ROW) {
		crypto_hash_sha256_state sha;
		crypto_hash_sha256_init(&sha);
		crypto_hash_sha256_update(&sha, prev, 32);
		crypto_hash_sha256_update(&sha, sqlite3_column_text(rows, 0), (unsigned long long)sqlite3_column_bytes(rows, 0));
		crypto_hash_sha256_final(&sha, hash);
		assert_memory_equal(sqlite3_column_blob(rows, 1), prev, 32);
		assert_memory_equal(sqlite3_column_blob(rows, 2), hash, 32);
		assert_null(strstr((const char *)sqlite3_column_text(rows, 0), "s3cret"));
		assert_string_equal((const char *)sqlite3_column_text(rows, 3), "admin");
		memcpy(prev, hash, 32);
		count++;
	}
	assert_int_equal(count, 3);
	sqlite3_finalize(rows);
	sqlite3_close(db);

	json_t *detail;
	assert_int_equal(store_revision(writer_store(b->writer), 2, &detail), 0);
	json_t *fields = json_object_get(json_array_get(json_object_get(detail, "changes"), 0), "fields");
	assert_int_equal(json_array_size(fields), 1);	/* a changed password is told of, though both sides read the same */
	json_decref(detail);
}

#define CLIENTS 64
#define ROUNDS 20

struct client { struct bench *bench; int number; };

static void *hammer(void *arg)
{
	struct client *client = arg;
	char name[16], body[64];

	snprintf(name, sizeof name, "r%02d", client->number);
	for (int i = 1; i <= ROUNDS; i++) {
		snprintf(body, sizeof body, "{\"port\":%d}", i);
		struct change *change = carry_out(client->bench, build(VERB_PATCH, KIND_REGISTRATION, name, body));
		if (change->status != 200)
			abort();
		change_free(change);
	}
	return NULL;
}

static void many_clients_at_once_lose_nothing_and_each_gets_its_own_revision(void **state)
{
	struct bench *b = *state;
	struct client clients[CLIENTS];
	pthread_t threads[CLIENTS];
	char name[16];

	for (int i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof name, "r%02d", i);
		add(b, name);
	}
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){ b, i };
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &clients[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(revision_of(b), CLIENTS + CLIENTS * ROUNDS);
	restart(b);
	for (int i = 0; i < CLIENTS; i++) {
		struct config_reader *reader;
		const struct snapshot *snap;
		snprintf(name, sizeof name, "r%02d", i);
		assert_int_equal(published(b, &snap, &reader, name)->port, ROUNDS);
		config_reader_close(reader);
	}
}

static void a_change_set_may_delete_and_make_anew_what_is_then_another_incarnation(void **state)
{
	struct bench *b = *state;
	struct config_reader *reader;
	const struct snapshot *snap;

	add(b, "a");
	struct change *change = carry_out(b, build_set("{\"changes\":["
		"{\"op\":\"delete\",\"kind\":\"registrations\",\"name\":\"a\"},"
		"{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"a\",\"value\":{\"server\":\"h\",\"username\":\"u\"}},"
		"{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"b\",\"value\":{\"server\":\"h\",\"username\":\"u\"}},"
		"{\"op\":\"delete\",\"kind\":\"registrations\",\"name\":\"b\"}]}"));
	assert_int_equal(change->status, 200);
	change_free(change);
	const struct registration_record *record = published(b, &snap, &reader, "a");
	assert_int_equal(record->head.incarnation, 2);
	assert_string_equal(record->password, "");	/* the new one was given none */
	assert_null(snapshot_find(snap, KIND_REGISTRATION, "b"));
	config_reader_close(reader);
}

static void refused_and_undone_creations_give_their_ids_back(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 3; i++)
		expect(b, 422, build_set("{\"changes\":["
			"{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"x\",\"value\":{\"server\":\"h\",\"username\":\"u\"}},"
			"{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"y\",\"value\":{\"server\":\"h\"}}]}"));
	expect(b, 200, build_set("{\"changes\":["
		"{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"x\",\"value\":{\"server\":\"h\",\"username\":\"u\"}},"
		"{\"op\":\"delete\",\"kind\":\"registrations\",\"name\":\"x\"},"
		"{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"x\",\"value\":{\"server\":\"h\",\"username\":\"u\"}}]}"));
	expect(b, 200, build(VERB_DELETE, KIND_REGISTRATION, "x", NULL));
	add(b, "p");
	add(b, "q");
	assert_int_equal(model_find(writer_model(b->writer), KIND_REGISTRATION, "p")->id, 0);
	assert_int_equal(model_find(writer_model(b->writer), KIND_REGISTRATION, "q")->id, 1);
}

static void a_thousand_violations_are_told_and_then_that_there_are_more(void **state)
{
	struct bench *b = *state;
	json_t *errors = json_array(), *items = json_array();

	for (int i = 0; i < 2 * PROBLEM_VIOLATIONS; i++)
		json_array_append_new(items, json_integer(0));
	json_t *body = json_pack("{s:o}", "changes", items);
	struct change *change = carry_out(b, change_set(body, errors));
	assert_int_equal(change->status, 422);
	json_t *told = json_object_get(change->body, "errors");
	assert_int_equal(json_array_size(told), PROBLEM_VIOLATIONS + 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(told, PROBLEM_VIOLATIONS), "code")), "too_many");
	change_free(change);
	json_decref(body);
	json_decref(errors);
}

static void an_object_stored_before_a_field_existed_shows_and_takes_its_default(void **state)
{
	struct bench *b = *state;
	char path[128];
	sqlite3 *db;
	size_t len;

	add(b, "a");
	writer_close(b->writer);
	b->writer = NULL;
	snprintf(path, sizeof path, "%s/tandem.db", b->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE documents SET document = json_remove(document, '$.keep_alive', '$.inbound_mapping')", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	start(b);
	model_lock(writer_model(b->writer));
	const char *shown = model_render(writer_model(b->writer), model_find(writer_model(b->writer), KIND_REGISTRATION, "a"), &len);
	assert_non_null(strstr(shown, "\"keep_alive\":0"));
	assert_non_null(strstr(shown, "\"inbound_mapping\":null"));
	assert_non_null(strstr(shown, "\"password\":{\"set\":true}"));
	model_unlock(writer_model(b->writer));
	struct change *same = carry_out(b, build(VERB_PUT, KIND_REGISTRATION, "a", "{\"server\":\"h\",\"username\":\"u\"}"));
	assert_true(json_is_false(json_object_get(same->body, "changed")));
	change_free(same);
	struct change *change = carry_out(b, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"port\":7}"));
	assert_int_equal(change->status, 200);
	json_t *fields = json_object_get(json_array_get(json_object_get(change->body, "diff"), 0), "fields");
	assert_int_equal(json_array_size(fields), 1);
	change_free(change);
	assert_non_null(strstr(model_find(writer_model(b->writer), KIND_REGISTRATION, "a")->document, "\"keep_alive\":0"));
}

/* A database as the version before this one left it. */
static void a_database_from_before_the_gateways_is_copied_and_goes_on(void **state)
{
	struct bench *b = *state;
	struct config_reader *reader;
	const struct snapshot *snap;
	char path[128];
	sqlite3 *db;

	add(b, "a");
	writer_close(b->writer);
	b->writer = NULL;
	snprintf(path, sizeof path, "%s/config", b->run);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof path, "%s/tandem.db", b->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	/* What each later migration makes is not there yet. */
	assert_int_equal(sqlite3_exec(db, "DROP VIEW routing_gateways; DROP VIEW mapping_gateways;"
	                              "ALTER TABLE users DROP COLUMN version; ALTER TABLE users DROP COLUMN changed_at;"
	                              "ALTER TABLE users DROP COLUMN changed_by; DROP TABLE tokens; DROP TABLE account_changes;"
	                              "DROP TABLE spans; DROP TABLE confirmations; DROP TABLE answers;"
	                              "PRAGMA user_version = 1;"
	                              "UPDATE documents SET document = json_remove(document, '$.inbound_mapping', '$.capacity')",
	                              NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	start(b);
	const struct registration_record *record = published(b, &snap, &reader, "a");
	assert_string_equal(record->server, "h");
	assert_string_equal(record->password, "s3cret");
	assert_string_equal(record->inbound_mapping, "");
	assert_int_equal(record->capacity, 0);
	config_reader_close(reader);
	expect(b, 201, build(VERB_PUT, KIND_MAPPING_GATEWAY, "in", "{}"));
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"inbound_mapping\":\"in\"}"));
	expect(b, 409, build(VERB_DELETE, KIND_MAPPING_GATEWAY, "in", NULL));
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT registration FROM routing_gateways; SELECT sources FROM mapping_gateways", NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	strncat(path, ".before-2", sizeof path - strlen(path) - 1);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_second_writer_on_the_same_state_is_turned_away(void **state)
{
	struct bench *b = *state;
	struct writer *second;
	struct shm_why why = { "" };

	assert_int_equal(writer_open(&second, b->state, b->run, &b->hooks, &why), EBUSY);
	assert_non_null(strstr(why.text, b->state));
}

static void a_newer_database_is_refused_with_both_versions(void **state)
{
	struct bench *b = *state;
	struct writer *second;
	struct shm_why why = { "" };
	char path[128];
	sqlite3 *db;

	writer_close(b->writer);
	b->writer = NULL;
	snprintf(path, sizeof path, "%s/tandem.db", b->state);
	sqlite3_open(path, &db);
	sqlite3_exec(db, "PRAGMA user_version = 999", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(writer_open(&second, b->state, b->run, &b->hooks, &why), EPROTO);
	assert_non_null(strstr(why.text, "999"));
}

static void a_database_locked_by_another_program_is_told_and_nothing_is_lost(void **state)
{
	struct bench *b = *state;
	char path[128];
	sqlite3 *db;

	add(b, "a");
	snprintf(path, sizeof path, "%s/tandem.db", b->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	expect(b, 503, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"port\":5070}"));
	expect(b, 503, build(VERB_PUT, KIND_REGISTRATION, "b", "{\"server\":\"h\",\"username\":\"u\"}"));
	assert_null(model_find(writer_model(b->writer), KIND_REGISTRATION, "b"));
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"port\":5070}"));
	add(b, "b");
	assert_int_equal(revision_of(b), 3);
	assert_int_equal(model_find(writer_model(b->writer), KIND_REGISTRATION, "b")->id, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_stored_published_and_announced_with_all_that_its_answer_says),
		TEST(a_restart_finds_everything_and_publishes_nothing_anew),
		TEST(a_missing_segment_is_filled_from_the_database_with_the_secrets),
		TEST(a_change_set_is_all_or_nothing_and_tells_each_place),
		TEST(faults_of_form_and_of_value_are_told_together),
		TEST(what_changes_nothing_makes_no_revision),
		TEST(preconditions_are_compared_with_the_object_s_own_revision),
		TEST(a_dry_run_tells_the_effects_and_stores_nothing),
		TEST(an_unknown_listener_is_refused_while_the_switch_can_tell),
		TEST(the_hash_chain_holds_from_the_first_revision_over_the_exact_text),
		TEST(many_clients_at_once_lose_nothing_and_each_gets_its_own_revision),
		TEST(a_change_set_may_delete_and_make_anew_what_is_then_another_incarnation),
		TEST(refused_and_undone_creations_give_their_ids_back),
		TEST(a_thousand_violations_are_told_and_then_that_there_are_more),
		TEST(an_object_stored_before_a_field_existed_shows_and_takes_its_default),
		TEST(a_database_from_before_the_gateways_is_copied_and_goes_on),
		TEST(a_second_writer_on_the_same_state_is_turned_away),
		TEST(a_newer_database_is_refused_with_both_versions),
		TEST(a_database_locked_by_another_program_is_told_and_nothing_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
