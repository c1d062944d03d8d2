/* The CDRs in their database: put once, found by index, told as JSON. */
#include "mgmtd/cdr.h"
#include "mgmtd/store_advice.h"
#include "mgmtd/store_cdr.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <cmocka.h>

#define T0 1767322800000000u	/* 2026-01-02T03:00:00Z */
#define MINUTE 60000000ul

struct fixture {
	char *dir, path[300];
	struct store_cdrs *store;
	struct shm_why why;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = scratch_dir();
	scratch_path(f->path, sizeof f->path, f->dir, "cdr.db");
	if (store_cdrs_open(&f->store, f->dir, &f->why) != 0)
		fail_msg("%s", f->why.text);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_cdrs_close(f->store);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

static struct cdr blank(uint64_t id)
{
	struct cdr cdr = {
		.id = id,
#define CDR_TIME(name)
#define CDR_NUMBER(name)
#define CDR_TEXT(name) .name = "",
#define CDR_LIST(name, member) .name = "",
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	};

	cdr.ended_at = T0 + id * MINUTE;
	cdr.setup_at = cdr.ended_at - id % 5 * MINUTE;
	return cdr;
}

static void put(struct fixture *f, const struct cdr *cdr)
{
	bool known;

	assert_int_equal(store_cdrs_put(f->store, cdr, &known), 0);
	assert_false(known);
}

static void begin(struct fixture *f)
{
	assert_int_equal(store_cdrs_begin(f->store), 0);
}

static void commit(struct fixture *f)
{
	struct cdr_place place = { .file = "f", .offset = 1 };

	assert_int_equal(store_cdrs_commit(f->store, &place), 0);
}

static void collect(void *arg, const struct cdr *cdr)
{
	char *ids = arg;

	snprintf(ids + strlen(ids), 200 - strlen(ids), "%s%llu", ids[0] ? " " : "", (unsigned long long)cdr->id);
}

/* The ids that the filter finds, page after page. */
static const char *found(struct fixture *f, struct cdr_filter filter)
{
	static char ids[200];
	struct cdr_cursor next;

	ids[0] = '\0';
	if (!filter.limit)
		filter.limit = 100;
	do {
		assert_int_equal(store_cdrs_list(f->store, &filter, collect, ids, &next), 0);
		filter.after = next;
	} while (next.seq);
	return ids;
}

static sqlite3_int64 count(struct fixture *f, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	sqlite3_int64 n;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	n = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return n;
}

/* ------------------------------------------------------------------ statements */

/* How many searches by index the statement makes; anything else fails.  text is freed. */
static unsigned searches(sqlite3 *db, char *text, const char *may_scan)
{
	char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", text);
	sqlite3_stmt *statement;
	unsigned count = 0;

	assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &statement, NULL), SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const char *detail = (const char *)sqlite3_column_text(statement, 3);
		bool scans = strncmp(detail, "SCAN", 4) == 0 && !(may_scan && strcmp(text, may_scan) == 0);
		if (scans || strstr(detail, "TEMP B-TREE"))
			fail_msg("%s: %s", text, detail);
		count += strncmp(detail, "SEARCH", 6) == 0;
	}
	sqlite3_finalize(statement);
	sqlite3_free(explain);
	sqlite3_free(text);
	return count;
}

static void every_statement_searches_an_index_and_none_sorts(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;
	unsigned count = 0, advice = 0;
	char *text;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	for (unsigned i = 0; (text = store_cdrs_sql(i)); i++)
		count += searches(db, text, NULL);
	/* The newest record is the first of a scan backwards. */
	for (unsigned i = 0; (text = store_advice_sql(i)); i++)
		advice += searches(db, text, "SELECT seq FROM cdrs ORDER BY seq DESC LIMIT 1");
	assert_true(count >= 9 && advice == 3);
	sqlite3_close(db);
}

static void count_advice(void *arg, const struct advice_record *record)
{
	char *ids = arg;

	snprintf(ids + strlen(ids), 200 - strlen(ids), "%s%llu", ids[0] ? " " : "", (unsigned long long)record->id);
}

static void advice_reads_each_record_once_from_the_last_hour_on(void **state)
{
	struct fixture *f = *state;
	struct store_advice *advice;
	struct advice_numbers numbers;
	uint64_t seq;
	char ids[200] = "";

	assert_int_equal(store_advice_open(&advice, f->dir), 0);
	assert_int_equal(store_advice_begin(advice, T0, 100, &seq), 0);
	assert_int_equal(seq, 0);
	begin(f);
	for (uint64_t id = 1; id <= 9; id++) {
		struct cdr cdr = blank(id);
		cdr.routed = "99880";
		put(f, &cdr);
	}
	commit(f);
	assert_int_equal(store_advice_begin(advice, T0 + 4 * MINUTE, 100, &seq), 0);
	assert_int_equal(store_advice_read(advice, &seq, 3, count_advice, ids), 0);
	assert_string_equal(ids, "4 5 6");
	assert_int_equal(store_advice_read(advice, &seq, 30, count_advice, ids), 0);
	assert_int_equal(store_advice_read(advice, &seq, 30, count_advice, ids), 0);
	assert_string_equal(ids, "4 5 6 7 8 9");
	assert_int_equal(store_advice_begin(advice, T0, 2, &seq), 0);
	assert_int_equal(seq, 7);
	assert_int_equal(store_advice_begin(advice, T0 + 99 * MINUTE, 100, &seq), 0);
	assert_int_equal(seq, 9);
	assert_int_equal(store_advice_numbers(advice, 3, &numbers), 0);
	assert_string_equal(numbers.routed, "99880");
	assert_int_equal(store_advice_numbers(advice, 77, &numbers), ENOENT);
	store_advice_close(advice);
}

static void the_place_is_stored_with_the_records_and_not_without(void **state)
{
	struct fixture *f = *state;
	struct cdr_place place, there = { .file = "a.cdr", .offset = 77 };
	struct cdr cdr = blank(1);

	assert_int_equal(store_cdrs_place(f->store, &place), 0);
	assert_string_equal(place.file, "");
	assert_int_equal(place.offset, 0);
	begin(f);
	put(f, &cdr);
	store_cdrs_rollback(f->store);
	assert_string_equal(found(f, (struct cdr_filter){ 0 }), "");
	begin(f);
	put(f, &cdr);
	assert_int_equal(store_cdrs_commit(f->store, &there), 0);
	store_cdrs_close(f->store);
	f->store = NULL;
	assert_int_equal(store_cdrs_open(&f->store, f->dir, &f->why), 0);
	assert_int_equal(store_cdrs_place(f->store, &place), 0);
	assert_string_equal(place.file, "a.cdr");
	assert_int_equal(place.offset, 77);
	assert_string_equal(found(f, (struct cdr_filter){ 0 }), "1");
}

static void a_record_that_is_there_is_told_and_left_out_but_not_another_call_of_its_id(void **state)
{
	struct fixture *f = *state;
	struct cdr first = blank(UINT64_MAX - 5), second = first;
	char ids[200] = "";
	bool known;

	second.to_out = "2";
	begin(f);
	put(f, &first);
	assert_int_equal(store_cdrs_put(f->store, &second, &known), 0);
	assert_true(known);
	commit(f);
	assert_int_equal(count(f, "SELECT count(*) FROM cdrs"), 1);
	assert_int_equal(count(f, "SELECT count(*) FROM cdr_numbers"), 0);
	second.ended_at++;
	begin(f);
	put(f, &second);
	commit(f);
	assert_int_equal(count(f, "SELECT count(*) FROM cdrs"), 2);
	assert_int_equal(store_cdrs_get(f->store, first.id, collect, ids), 0);
	assert_string_equal(ids, "18446744073709551610");
}

static void a_newer_database_is_refused(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;

	store_cdrs_close(f->store);
	f->store = NULL;
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_cdrs_open(&f->store, f->dir, &f->why), EPROTO);
	assert_non_null(strstr(f->why.text, "newer"));
}

static void what_is_forgotten_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	unsigned gone;

	begin(f);
	for (uint64_t id = 1; id <= 10; id++) {
		struct cdr cdr = blank(id);
		cdr.to_in = cdr.to_out = "49301";
		cdr.caller_in = "4930200";
		cdr.mapping_gateway = "m";
		cdr.routing_gateway = id % 2 ? "m" : "r";
		put(f, &cdr);
	}
	commit(f);
	assert_int_equal(count(f, "SELECT count(*) FROM cdr_numbers"), 20);
	assert_int_equal(count(f, "SELECT count(*) FROM cdr_gateways"), 15);
	assert_int_equal(store_cdrs_forget(f->store, T0 + 8 * MINUTE, 4, &gone), 0);
	assert_int_equal(gone, 4);
	assert_int_equal(store_cdrs_forget(f->store, T0 + 8 * MINUTE, 4, &gone), 0);
	assert_int_equal(gone, 3);
	assert_int_equal(store_cdrs_forget(f->store, T0 + 8 * MINUTE, 4, &gone), 0);
	assert_int_equal(gone, 0);
	assert_string_equal(found(f, (struct cdr_filter){ 0 }), "10 9 8");
	assert_int_equal(count(f, "SELECT count(*) FROM cdr_numbers"), 6);
	assert_int_equal(count(f, "SELECT count(*) FROM cdr_gateways"), 5);
}

/* ------------------------------------------------------------------ searching */

static void records_are_found_newest_first_by_time(void **state)
{
	struct fixture *f = *state;

	begin(f);
	for (uint64_t id = 9; id >= 1; id--) {	/* a clock that was set back */
		struct cdr cdr = blank(id);
		put(f, &cdr);
	}
	commit(f);
	assert_string_equal(found(f, (struct cdr_filter){ 0 }), "9 8 7 6 5 4 3 2 1");
	assert_string_equal(found(f, (struct cdr_filter){ .limit = 2 }), "9 8 7 6 5 4 3 2 1");
	assert_string_equal(found(f, (struct cdr_filter){ .since = T0 + 7 * MINUTE }), "9 8 7");
	assert_string_equal(found(f, (struct cdr_filter){ .since = T0 + 7 * MINUTE + 1 }), "9 8");
	assert_string_equal(found(f, (struct cdr_filter){ .until = T0 + 3 * MINUTE }), "2 1");
	assert_string_equal(found(f, (struct cdr_filter){ .until = T0 + 3 * MINUTE + 1, .limit = 1 }), "3 2 1");
	assert_string_equal(found(f, (struct cdr_filter){ .since = T0 + 3 * MINUTE, .until = T0 + 6 * MINUTE, .limit = 1 }), "5 4 3");
	assert_string_equal(found(f, (struct cdr_filter){ .since = INT64_MAX }), "");
	assert_string_equal(found(f, (struct cdr_filter){ .until = 1 }), "");
}

static void a_page_ends_and_goes_on_within_one_microsecond(void **state)
{
	struct fixture *f = *state;
	struct cdr_cursor next;
	char ids[200] = "";

	begin(f);
	for (uint64_t id = 1; id <= 7; id++) {
		struct cdr cdr = blank(id);
		cdr.ended_at = T0;
		cdr.to_in = "1";
		put(f, &cdr);
	}
	commit(f);
	assert_string_equal(found(f, (struct cdr_filter){ .limit = 3 }), "7 6 5 4 3 2 1");
	assert_string_equal(found(f, (struct cdr_filter){ .number = "1", .limit = 2 }), "7 6 5 4 3 2 1");
	/* A page that holds all is the last. */
	assert_int_equal(store_cdrs_list(f->store, &(struct cdr_filter){ .limit = 7 }, collect, ids, &next), 0);
	assert_int_equal(next.seq, 0);
}

static void a_call_is_found_by_each_of_its_numbers_and_no_part_of_one(void **state)
{
	struct fixture *f = *state;
	static const char *const numbers[] = { "1000", "1001", "1002", "1003", "1004", "1005", "1006", "1007" };
	struct cdr cdr = blank(1), other = blank(2);

	cdr.request_uri_in = numbers[0], cdr.to_in = numbers[1], cdr.callee_in = numbers[2], cdr.original = numbers[3];
	cdr.routed = numbers[4], cdr.to_out = numbers[5], cdr.caller_in = numbers[6], cdr.caller_out = numbers[7];
	cdr.call_id_in = "1008";
	other.to_in = "10001";
	other.code = 486;
	begin(f);
	put(f, &cdr);
	put(f, &other);
	commit(f);
	for (size_t i = 0; i < 8; i++) {
		assert_string_equal(found(f, (struct cdr_filter){ .number = numbers[i] }), "1");
		assert_string_equal(found(f, (struct cdr_filter){ .number = numbers[i], .code = 486 }), "");
	}
	assert_string_equal(found(f, (struct cdr_filter){ .number = "1008" }), "");
	assert_string_equal(found(f, (struct cdr_filter){ .number = "100" }), "");
	assert_string_equal(found(f, (struct cdr_filter){ .number = "10001" }), "2");
}

static void filters_combine(void **state)
{
	struct fixture *f = *state;

	begin(f);
	for (uint64_t id = 1; id <= 8; id++) {
		struct cdr cdr = blank(id);
		cdr.mapping_gateway = id & 1 ? "odd" : "even";
		cdr.routing_gateway = id > 4 ? "high" : "even";
		cdr.code = id % 3 ? 200 : 503;
		cdr.caller_in = id > 2 ? "4711" : "0815";
		put(f, &cdr);
	}
	commit(f);
	assert_string_equal(found(f, (struct cdr_filter){ .gateway = "odd" }), "7 5 3 1");
	assert_string_equal(found(f, (struct cdr_filter){ .gateway = "even" }), "8 6 4 3 2 1");
	assert_string_equal(found(f, (struct cdr_filter){ .gateway = "eve" }), "");
	assert_string_equal(found(f, (struct cdr_filter){ .code = 503 }), "6 3");
	assert_string_equal(found(f, (struct cdr_filter){ .code = 200, .limit = 1 }), "8 7 5 4 2 1");
	assert_string_equal(found(f, (struct cdr_filter){ .code = 200, .gateway = "high", .limit = 1 }), "8 7 5");
	assert_string_equal(found(f, (struct cdr_filter){ .number = "4711", .gateway = "odd", .code = 200, .limit = 1 }), "7 5");
	assert_string_equal(found(f, (struct cdr_filter){ .number = "4711", .since = T0 + 4 * MINUTE, .until = T0 + 8 * MINUTE }),
	                    "7 6 5 4");
	assert_string_equal(found(f, (struct cdr_filter){ .gateway = "high", .since = T0 + 6 * MINUTE, .until = T0 + 8 * MINUTE }), "7 6");
	assert_string_equal(found(f, (struct cdr_filter){ .code = 503, .until = T0 + 6 * MINUTE }), "3");
}

/* 30000 calls through one gateway, of which the oldest failed. */
static void a_long_search_ends_for_now_and_goes_on(void **state)
{
	struct fixture *f = *state;
	struct cdr_filter filter = { .gateway = "g", .code = 503, .limit = 10 };
	struct cdr_cursor next;
	char ids[200] = "";

	begin(f);
	for (uint64_t id = 1; id <= 30000; id++) {
		struct cdr cdr = blank(id);
		cdr.routing_gateway = "g";
		cdr.code = id == 1 ? 503 : 200;
		put(f, &cdr);
	}
	commit(f);
	assert_int_equal(store_cdrs_list(f->store, &filter, collect, ids, &next), 0);
	assert_string_equal(ids, "");
	assert_int_not_equal(next.seq, 0);
	filter.after = next;
	assert_int_equal(store_cdrs_list(f->store, &filter, collect, ids, &next), 0);
	assert_string_equal(ids, "1");
	assert_int_equal(next.seq, 0);
}

static void count_up(void *arg, const struct cdr *cdr)
{
	uint64_t *last = arg;

	assert_true(cdr->id < last[0]);
	last[0] = cdr->id;
	last[1]++;
}

/* The table of numbers has several slices then; a late record falls into an old one. */
static void a_number_is_found_through_all_slices_in_order(void **state)
{
	struct fixture *f = *state;
	struct cdr_filter filter = { .number = "47", .limit = 1000 };
	struct cdr_cursor next;
	uint64_t seen[2] = { UINT64_MAX, 0 };
	unsigned gone;

	begin(f);
	for (uint64_t id = 1; id <= 50000; id++) {
		struct cdr cdr = blank(id);
		cdr.to_in = id % 10 ? "48" : "47";
		if (id != 20)
			put(f, &cdr);
	}
	struct cdr late = blank(20);
	late.to_in = "47";
	put(f, &late);
	commit(f);
	assert_in_range(count(f, "SELECT count(*) FROM cdr_slices"), 3, 5);
	assert_int_equal(count(f, "SELECT count(*) FROM cdr_numbers WHERE slice = 0 AND at <= 1767322800000000 + 20 * 60000000"), 20);
	do {
		assert_int_equal(store_cdrs_list(f->store, &filter, count_up, seen, &next), 0);
		filter.after = next;
	} while (next.seq);
	assert_int_equal(seen[1], 5000);
	assert_string_equal(found(f, (struct cdr_filter){ .number = "47", .until = T0 + 41 * MINUTE }), "40 30 20 10");
	assert_string_equal(found(f, (struct cdr_filter){ .number = "47", .since = T0 + 39980 * MINUTE, .until = T0 + 40001 * MINUTE }),
	                    "40000 39990 39980");
	assert_string_equal(found(f, (struct cdr_filter){ .number = "47", .since = T0 + 49990 * MINUTE }), "50000 49990");
	assert_int_equal(store_cdrs_forget(f->store, INT64_MAX, 100000, &gone), 0);
	assert_int_equal(gone, 50000);
	assert_int_equal(count(f, "SELECT count(*) FROM cdr_numbers"), 0);
}

/* ------------------------------------------------------------------ JSON */

static void render(void *arg, const struct cdr *cdr)
{
	cdr_render(arg, cdr);
}

static void a_call_is_told_with_every_field(void **state)
{
	struct fixture *f = *state;
	struct buffer b = { 0 };
	struct cdr cdr = {
		.id = 0xfedcba9876543210, .setup_at = T0 + 1, .ringing_at = T0 + 1500999, .answered_at = T0 + 4000000, .ended_at = T0 + 64123456,
		.mapping_gateway = "in", .routing_gateway = "carrier-b", .registration = "trunk", .request_uri_in = "8801234567",
		.to_in = "8801234567", .callee_in = "8801234567", .original = "8801234567", .routed = "998801234567", .to_out = "8801234567",
		.invite_use_contact = "on", .caller_in = "4930", .caller_out = "+4930", .call_id_in = "a@b", .call_id_out = "c", .code = 200,
		.phrase = "OK \"fine\"", .hung_up_by = "caller", .tried = "carrier-a 503\ncarrier-b 200\n",
		.skipped = "carrier-c no capacity\ncarrier-d registration x waiting: 403\n",
	};

	begin(f);
	put(f, &cdr);
	commit(f);
	assert_int_equal(store_cdrs_get(f->store, cdr.id, render, &b), 0);
	assert_string_equal(b.text,
		"{\"id\":\"fedcba9876543210\",\"setup_at\":\"2026-01-02T03:00:00.000Z\",\"ringing_at\":\"2026-01-02T03:00:01.500Z\","
		"\"answered_at\":\"2026-01-02T03:00:04.000Z\",\"ended_at\":\"2026-01-02T03:01:04.123Z\",\"mapping_gateway\":\"in\","
		"\"routing_gateway\":\"carrier-b\",\"registration\":\"trunk\",\"request_uri_in\":\"8801234567\",\"to_in\":\"8801234567\","
		"\"callee_in\":\"8801234567\",\"original\":\"8801234567\",\"routed\":\"998801234567\",\"to_out\":\"8801234567\","
		"\"invite_use_contact\":\"on\",\"caller_in\":\"4930\",\"caller_out\":\"+4930\",\"call_id_in\":\"a@b\",\"call_id_out\":\"c\","
		"\"code\":200,\"phrase\":\"OK \\\"fine\\\"\",\"hung_up_by\":\"caller\","
		"\"tried\":[{\"gateway\":\"carrier-a\",\"code\":503},{\"gateway\":\"carrier-b\",\"code\":200}],"
		"\"skipped\":[{\"gateway\":\"carrier-c\",\"why\":\"no capacity\"},{\"gateway\":\"carrier-d\",\"why\":\"registration x waiting: 403\"}],"
		"\"billing_callee\":\"8801234567\",\"pdd_ms\":1500,\"duration_ms\":60123}");
	buffer_free(&b);
	assert_int_equal(store_cdrs_get(f->store, 1, render, &b), ENOENT);
}

static void what_is_unknown_is_null_and_a_failed_call_lasted_no_time(void **state)
{
	struct buffer b = { 0 };
	struct cdr cdr = blank(1);
	json_t *json;
	const char *key;
	json_t *value;
	size_t nulls = 0;

	(void)state;
	cdr.ended_at = 0;
	cdr_render(&b, &cdr);
	json = json_loads(b.text, 0, NULL);
	assert_non_null(json);
	json_object_foreach(json, key, value)
		nulls += json_is_null(value);
	assert_int_equal(nulls, json_object_size(json) - 5);	/* id, setup_at, duration_ms and two empty lists */
	assert_int_equal(json_integer_value(json_object_get(json, "duration_ms")), 0);
	json_decref(json);
	buffer_free(&b);
	cdr.code = 486;
	cdr.ended_at = cdr.setup_at + 2000000;
	cdr_render(&b, &cdr);
	assert_non_null(strstr(b.text, "\"pdd_ms\":2000,\"duration_ms\":0"));
	buffer_free(&b);
	/* The clock was set back during the call. */
	cdr.answered_at = cdr.setup_at - 5;
	cdr.ended_at = cdr.setup_at - 10;
	cdr_render(&b, &cdr);
	assert_non_null(strstr(b.text, "\"pdd_ms\":0,\"duration_ms\":0"));
	buffer_free(&b);
}

static void any_bytes_are_told_as_legal_json(void **state)
{
	struct buffer b = { 0 };
	struct cdr cdr = blank(1);
	static const char *const lists[] = { "\n", "\n\n\n", " ", " x", "a", "a b c", "a 1234\n", "a 04x\n", "\xff \xfe\n", "a 099\nb 200" };

	(void)state;
	cdr.to_in = "\xff\xc0\x80\x01\"\\";
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		cdr.tried = cdr.skipped = lists[i];
		cdr.setup_at = cdr.ended_at = i % 2 ? UINT64_MAX : INT64_MAX;
		cdr_render(&b, &cdr);
		json_t *json = json_loads(b.text, 0, NULL);
		assert_non_null(json);
		json_decref(json);
		buffer_free(&b);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_statement_searches_an_index_and_none_sorts), T(advice_reads_each_record_once_from_the_last_hour_on),
		T(the_place_is_stored_with_the_records_and_not_without),
		T(a_record_that_is_there_is_told_and_left_out_but_not_another_call_of_its_id),
		T(a_newer_database_is_refused),
		T(what_is_forgotten_leaves_nothing_behind),
		T(records_are_found_newest_first_by_time),
		T(a_page_ends_and_goes_on_within_one_microsecond),
		T(a_call_is_found_by_each_of_its_numbers_and_no_part_of_one),
		T(filters_combine),
		T(a_long_search_ends_for_now_and_goes_on),
		T(a_number_is_found_through_all_slices_in_order),
		T(a_call_is_told_with_every_field),
		cmocka_unit_test(what_is_unknown_is_null_and_a_failed_call_lasted_no_time),
		cmocka_unit_test(any_bytes_are_told_as_legal_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
