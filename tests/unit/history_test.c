/* The statements of the history, and the spans that they search by. */
#include "writer_bench.h"

#include "mgmtd/past.h"
#include "mgmtd/revision.h"
#include "mgmtd/store_history.h"
#include "mgmtd/store_span.h"

#include <sqlite3.h>

static sqlite3 *database_of(struct bench *b)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/tandem.db", b->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void no_search_of_the_history_reads_or_sorts_a_whole_table(void **state)
{
	sqlite3 *db = database_of(*state);
	unsigned searches = 0;
	const char *text;

	for (unsigned i = 0; (text = store_history_sql(i)); i++) {
		char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", text);
		sqlite3_stmt *statement;
		bool newest = strstr(text, "ORDER BY revision DESC LIMIT 1") && !strstr(text, "WHERE");	/* one row, whatever is there */
		assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &statement, NULL), SQLITE_OK);
		while (sqlite3_step(statement) == SQLITE_ROW) {
			const char *detail = (const char *)sqlite3_column_text(statement, 3);
			bool table = strncmp(detail, "SCAN", 4) == 0 && strcmp(detail, "SCAN CONSTANT ROW") != 0;
			if ((table && !newest) || strstr(detail, "TEMP B-TREE"))
				fail_msg("%s: %s", text, detail);
			searches += strncmp(detail, "SEARCH", 6) == 0;
		}
		sqlite3_finalize(statement);
		sqlite3_free(explain);
	}
	assert_true(searches >= 8);
	sqlite3_close(db);
}

/* "facet value since until;" of all, as the database has them. */
static char *spans_of(struct bench *b)
{
	sqlite3 *db = database_of(b);
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT group_concat(facet || ' ' || value || ' ' || since || ' ' ||"
	                                        " CASE until WHEN 9223372036854775807 THEN '-' ELSE until END, '; ') FROM"
	                                        " (SELECT * FROM spans ORDER BY facet, value, since)", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	char *text = strdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return text;
}

static void expect_spans(struct bench *b, const char *expected)
{
	char *spans = spans_of(b);

	assert_string_equal(spans, expected);
	free(spans);
}

/* The store alone, as the writer thread has it. */
static struct store *open_store(struct bench *b)
{
	struct shm_why why;
	struct store *store;
	bool fresh;

	writer_close(b->writer);
	b->writer = NULL;
	assert_int_equal(store_open(&store, b->state, &fresh, &why), 0);
	return store;
}

static void set_expiry(struct bench *b, int seconds)
{
	char body[32];

	snprintf(body, sizeof body, "{\"value\":%d}", seconds);
	expect(b, 200, build(VERB_PUT, KIND_PARAMETERS, "SS_SIP_USER_AGENT_EXPIRE", body));
}

static void a_span_bears_a_few_others_and_is_written_only_where_it_begins_or_ends(void **state)
{
	struct bench *b = *state;

	add(b, "a");
	add(b, "b");
	expect_spans(b, "actor admin 1 -; kind registrations 1 -");
	set_expiry(b, 60);
	expect_spans(b, "actor admin 1 -; kind registrations 1 -; kind sip-parameters 3 -");
	restart(b);
	for (int i = 1; i < 16; i++)
		set_expiry(b, 60 + i);
	restart(b);
	expect_spans(b, "actor admin 1 -; kind registrations 1 -; kind sip-parameters 3 -");
	set_expiry(b, 100);
	expect_spans(b, "actor admin 1 -; kind registrations 1 2; kind sip-parameters 3 -");
	expect(b, 200, build_set("{\"changes\":[{\"op\":\"put\",\"kind\":\"sip-parameters\",\"name\":\"SS_SIP_USER_AGENT_EXPIRE\",\"value\":60},"
	                         "{\"op\":\"delete\",\"kind\":\"registrations\",\"name\":\"b\"}]}"));
	expect_spans(b, "actor admin 1 -; kind registrations 1 2; kind registrations 20 -; kind sip-parameters 3 -");
}

/* As many as can be within the gap, and again. */
static void many_users_who_take_turns_keep_their_spans(void **state)
{
	struct bench *b = *state;
	const bool registrations[KIND_COUNT] = { [KIND_REGISTRATION] = true };
	struct store *store = open_store(b);
	char actor[16];

	assert_int_equal(store_begin(store), 0);
	for (uint64_t revision = 1; revision <= 40; revision++) {
		snprintf(actor, sizeof actor, "u%02d", (int)(revision <= 32 ? revision % 16 : revision));
		assert_int_equal(store_put_spans(store, revision, actor, registrations), 0);
	}
	assert_int_equal(store_commit(store), 0);
	store_close(store);
	char *spans = spans_of(b);
	assert_non_null(strstr(spans, "actor u01 1 17; "));
	assert_non_null(strstr(spans, "actor u08 8 -; "));
	assert_non_null(strstr(spans, "actor u40 40 -; "));
	free(spans);
}

static void what_is_rolled_back_begins_no_run(void **state)
{
	struct bench *b = *state;
	const bool registrations[KIND_COUNT] = { [KIND_REGISTRATION] = true }, gateways[KIND_COUNT] = { [KIND_MAPPING_GATEWAY] = true };
	struct store *store = open_store(b);

	assert_int_equal(store_begin(store), 0);
	assert_int_equal(store_put_spans(store, 1, "alice", gateways), 0);
	store_rollback(store);
	assert_int_equal(store_begin(store), 0);
	assert_int_equal(store_put_spans(store, 1, "alice", registrations), 0);
	assert_int_equal(store_put_spans(store, 2, "bob", registrations), 0);
	assert_int_equal(store_commit(store), 0);
	store_close(store);
	expect_spans(b, "actor alice 1 -; actor bob 2 -; kind registrations 1 -");
}

/* ------------------------------------------------------------------ the past */

/* Every object at either end, for comparison. */
static char *told(const struct past *past)
{
	struct buffer b = { 0 };
	size_t len;

	buffer_text(&b, "-");
	for (size_t k = 0; k < KIND_COUNT; k++) {
		assert_int_equal(past->before[k].count, past->after[k].count);
		for (size_t i = 0; i < past->before[k].count; i++) {
			const struct object *before = past->before[k].v[i], *after = past->after[k].v[i];
			buffer_format(&b, "%s: %s > %s\n", before->name, before->deleted ? "none" : before->document, after->deleted ? "none" : after->document);
		}
	}
	return buffer_take(&b, &len);
}

static void the_past_read_by_object_is_the_past_read_record_by_record(void **state)
{
	struct bench *b = *state;

	add(b, "a");
	add(b, "b");
	set_expiry(b, 60);
	expect(b, 200, build_set("{\"changes\":[{\"op\":\"put\",\"kind\":\"registrations\",\"name\":\"c\",\"value\":{\"server\":\"x\",\"username\":\"u\"}},"
	                         "{\"op\":\"patch\",\"kind\":\"registrations\",\"name\":\"a\",\"value\":{\"port\":5}}]}"));
	expect(b, 200, build(VERB_DELETE, KIND_REGISTRATION, "b", NULL));
	expect(b, 200, build(VERB_PATCH, KIND_REGISTRATION, "a", "{\"port\":6}"));
	add(b, "b");
	set_expiry(b, 70);
	expect(b, 200, build(VERB_DELETE, KIND_REGISTRATION, "c", NULL));
	struct store *store = open_store(b);
	for (uint64_t from = 0; from <= 9; from++)
		for (uint64_t to = from; to <= 9; to++) {
			struct past records, objects;
			assert_int_equal(past_read_records(&records, store, from, to), 0);
			assert_int_equal(past_read_objects(&objects, store, from, to), 0);
			char *one = told(&records), *other = told(&objects);
			assert_string_equal(one, other);
			assert_true((to > from) == (strlen(one) > 1));
			free(one);
			free(other);
			past_free(&records);
			past_free(&objects);
		}
	store_close(store);
}

/* ------------------------------------------------------------------ records */

static int collect(void *arg, const struct revision_change *change)
{
	char *text = arg;

	snprintf(text + strlen(text), 512 - strlen(text), "%s%s/%s %.*s %.*s > %.*s;", change->kind ? "" : "?", change->path, change->name,
	         (int)change->op.len, change->op.value, (int)change->before.len, change->before.value, (int)change->after.len, change->after.value);
	return 0;
}

#define HEAD "{\"revision\":7,\"at\":\"2026-01-02T03:04:05.678Z\",\"actor\":\"a\",\"comment\":\"x\\\\\\\",\\\"changes\\\":[{\""

static void a_record_is_read_without_parsing_it(void **state)
{
	char text[512] = "", at[TIME_TEXT];
	uint64_t number;
	(void)state;

	assert_int_equal(revision_each_change(HEAD ",\"changes\":[{\"kind\":\"registrations\",\"name\":\"a\",\"op\":\"update\",\"before\":{\"n\":\"}\\\",]\"},"
	                                      "\"after\":{\"l\":[1,[2]]}},{\"kind\":\"other\",\"name\":\"b\",\"op\":\"delete\",\"before\":null,\"after\":null}]}",
	                                      collect, text), 0);
	assert_string_equal(text, "registrations/a update {\"n\":\"}\\\",]\"} > {\"l\":[1,[2]]};?other/b delete null > null;");
	assert_int_equal(revision_at(at, &number, HEAD), 0);
	assert_int_equal(number, 7);
	assert_string_equal(at, "2026-01-02T03:04:05.678Z");
}

/* Every text that is cut, and some that were never right: refused, and nothing beyond their ends is read (under AddressSanitizer). */
static void what_is_no_record_is_refused(void **state)
{
	static const char whole[] = HEAD ",\"changes\":[{\"kind\":\"registrations\",\"name\":\"a\",\"op\":\"update\",\"before\":{\"n\":\"\\\"\"},\"after\":null}]}";
	static const char *const odd[] = { "", "{}", ",\"changes\":[", ",\"changes\":[]", ",\"changes\":[{}]}", ",\"changes\":[{\"kind\":7,\"name\":\"a\"}]}",
		",\"changes\":[{\"kind\":\"x\",\"name\":\"a\",\"op\":\"u\",\"before\":{,\"after\":null}]}", ",\"changes\":[[[[[]]]]]}" };
	char text[512] = "", at[TIME_TEXT];
	uint64_t number;
	(void)state;

	for (size_t len = 0; len < sizeof whole - 1; len++) {
		char *cut = strndup(whole, len);
		assert_int_equal(revision_each_change(cut, collect, text), EINVAL);
		revision_at(at, &number, cut);
		free(cut);
		text[0] = '\0';
	}
	assert_int_equal(revision_each_change(whole, collect, text), 0);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_int_equal(revision_each_change(odd[i], collect, text), EINVAL);
	assert_int_equal(revision_at(at, &number, "{\"revision\":99999999999999999999,\"at\":\"2026-01-02T03:04:05.678Z\"}"), EINVAL);
	assert_int_equal(revision_at(at, &number, "{\"revision\":1,\"at\":\"2026\"}"), EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_search_of_the_history_reads_or_sorts_a_whole_table),
		TEST(a_span_bears_a_few_others_and_is_written_only_where_it_begins_or_ends),
		TEST(many_users_who_take_turns_keep_their_spans),
		TEST(what_is_rolled_back_begins_no_run),
		TEST(the_past_read_by_object_is_the_past_read_record_by_record),
		cmocka_unit_test(a_record_is_read_without_parsing_it),
		cmocka_unit_test(what_is_no_record_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
