#include "mgmtd/route.h"

#include "mgmtd/query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct route *route;
static char argument[ROUTE_ARGUMENT_MAX], allow[ROUTE_ALLOW_MAX];

static int find(const char *method, const char *path)
{
	route = NULL;
	argument[0] = '\0';
	return route_find(&route, argument, allow, method, path);
}

static void a_path_finds_the_route_of_its_method(void **state)
{
	(void)state;
	assert_int_equal(find("GET", "/api/v1/registrations"), 0);
	assert_string_equal(route->operation, "listRegistrations");
	assert_int_equal(find("POST", "/api/v1/registrations"), 0);
	assert_string_equal(route->operation, "createRegistration");
	assert_int_equal(find("GET", "/api/v1/registrations/carrier-a"), 0);
	assert_string_equal(route->operation, "getRegistration");
	assert_string_equal(argument, "carrier-a");
	assert_int_equal(find("GET", "/api/v1/registrations/carrier-a/status"), 0);
	assert_string_equal(route->operation, "getRegistrationStatus");
	assert_string_equal(argument, "carrier-a");
}

static void head_is_answered_where_get_is_but_not_on_a_stream(void **state)
{
	(void)state;
	assert_int_equal(find("HEAD", "/api/v1/status"), 0);
	assert_string_equal(route->method, "GET");
	assert_int_equal(find("HEAD", "/api/v1/events"), EOPNOTSUPP);
	assert_string_equal(allow, "GET");
}

static void another_method_is_told_which_there_are(void **state)
{
	(void)state;
	assert_int_equal(find("PATCH", "/api/v1/session"), EOPNOTSUPP);
	assert_string_equal(allow, "POST, GET, HEAD, DELETE");
	assert_int_equal(find("get", "/api/v1/status"), EOPNOTSUPP);
}

static void what_is_no_path_is_not_found(void **state)
{
	static const char *const paths[] = { "/", "", "/api/v1", "/api/v1/", "/api/v1/registrations/", "/api/v1/registrations//status",
	                                     "/api/v1/registrations/a/b", "/api/v1/registrations/a/status/", "//api/v1/status",
	                                     "/api/v1/statusx", "/api/v1/statu", "/API/v1/status", "/api/v1/stat%75s" };
	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		assert_int_equal(find("GET", paths[i]), ENOENT);
}

static void an_escaped_slash_stays_in_its_segment(void **state)
{
	(void)state;
	assert_int_equal(find("GET", "/api/v1/registrations/a%2Fstatus"), 0);
	assert_string_equal(route->operation, "getRegistration");
	assert_string_equal(argument, "a/status");
}

static void a_broken_escape_or_a_nul_in_the_path_is_refused(void **state)
{
	char path[ROUTE_ARGUMENT_MAX + 64] = "/api/v1/registrations/";
	(void)state;
	assert_int_equal(find("GET", "/api/v1/registrations/a%00b"), EINVAL);
	assert_int_equal(find("GET", "/api/v1/registrations/a%2"), EINVAL);
	assert_int_equal(find("GET", "/api/v1/registrations/a%"), EINVAL);
	assert_int_equal(find("GET", "/api/v1/registrations/%zz"), EINVAL);
	memset(path + strlen(path), 'a', ROUTE_ARGUMENT_MAX);
	assert_int_equal(find("GET", path), ENAMETOOLONG);
}

/* What the table promises must hold for every line of it. */
static void every_route_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		const struct route *r = &routes[i];
		assert_non_null(r->handler);
		assert_true(r->operation[0] && r->summary[0] && r->success >= 200 && r->success < 300);
		assert_int_equal(r->body != BODY_NONE, r->takes != NULL);
		if (strcmp(r->method, "GET") == 0)
			assert_true(r->body == BODY_NONE && !(r->flags & ROUTE_WRITES));
		if (r->role == ROLE_PUBLIC)
			assert_true(r->flags == ROUTE_SECRET_BODY || strncmp(r->path, "/api", 4) != 0);
		if (r->role >= ROLE_OPERATOR && strcmp(r->method, "GET") != 0)
			assert_true(r->flags & ROUTE_WRITES);
		assert_int_equal(find(r->method, r->path), 0);
		assert_ptr_equal(route, r);
	}
}

static void take(struct query *query, json_t *errors, uint64_t allowed, const char *name, const char *value)
{
	query_init(query);
	json_array_clear(errors);
	query_take(query, allowed, name, value, errors);
}

static const char *code_of(json_t *errors)
{
	return json_string_value(json_object_get(json_array_get(errors, 0), "code"));
}

static void a_query_parameter_is_checked_against_its_line(void **state)
{
	const uint64_t all = QUERY_BIT(Q_LIMIT) | QUERY_BIT(Q_DRY_RUN) | QUERY_BIT(Q_COMMENT) | QUERY_BIT(Q_DIRECTION) | QUERY_BIT(Q_SINCE);
	static const struct { const char *name, *value, *code; } wrong[] = {
		{ "limit", "0", "out_of_range" }, { "limit", "1001", "out_of_range" }, { "limit", "x", "wrong_type" },
		{ "limit", "-1", "wrong_type" }, { "limit", "", "wrong_type" }, { "limit", "1e2", "wrong_type" },
		{ "limit", "99999999999999999999", "wrong_type" }, { "limit", NULL, "wrong_type" }, { "limti", "5", "unknown_field" },
		{ "effective", "true", "unknown_field" }, { "dry_run", "1", "wrong_type" }, { "dry_run", NULL, "wrong_type" },
		{ "comment", "a%0Ab", "bad_format" }, { "comment", "%ff", "bad_format" }, { "comment", "a%00b", "bad_format" },
		{ "direction", "up", "not_an_option" }, { "since", "yesterday", "bad_format" }, { "since", "2026-13-01T00:00:00Z", "bad_format" },
		{ "%66%", "x", "unknown_field" },
	};
	struct query query;
	json_t *errors = json_array();
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		take(&query, errors, all, wrong[i].name, wrong[i].value);
		assert_int_equal(json_array_size(errors), 1);
		assert_string_equal(code_of(errors), wrong[i].code);
		query_clear(&query);
	}
	json_decref(errors);
}

static void a_good_query_parameter_is_decoded(void **state)
{
	struct query query;
	json_t *errors = json_array();
	(void)state;
	take(&query, errors, QUERY_BIT(Q_LIMIT), "limit", "1000");
	assert_int_equal(query.values[Q_LIMIT].number, 1000);
	take(&query, errors, QUERY_BIT(Q_COMMENT), "comment", "caf%C3%A9 & co");
	assert_string_equal(query.values[Q_COMMENT].text, "caf\xc3\xa9 & co");
	query_clear(&query);
	take(&query, errors, QUERY_BIT(Q_SINCE), "since", "2026-01-02T03:04:05.678901Z");
	assert_int_equal(query.values[Q_SINCE].number, 1767323045678901);
	take(&query, errors, QUERY_BIT(Q_SINCE), "since", "2026-01-02T04:04:05+01:00");
	assert_int_equal(query.values[Q_SINCE].number, 1767323045000000);
	assert_int_equal(json_array_size(errors), 0);
	json_decref(errors);
}

static void a_parameter_given_twice_is_refused(void **state)
{
	struct query query;
	json_t *errors = json_array();
	(void)state;
	take(&query, errors, QUERY_BIT(Q_LIMIT), "limit", "5");
	query_take(&query, QUERY_BIT(Q_LIMIT), "limit", "6", errors);
	assert_string_equal(code_of(errors), "not_unique");
	json_decref(errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_finds_the_route_of_its_method),
		cmocka_unit_test(head_is_answered_where_get_is_but_not_on_a_stream),
		cmocka_unit_test(another_method_is_told_which_there_are),
		cmocka_unit_test(what_is_no_path_is_not_found),
		cmocka_unit_test(an_escaped_slash_stays_in_its_segment),
		cmocka_unit_test(a_broken_escape_or_a_nul_in_the_path_is_refused),
		cmocka_unit_test(every_route_is_whole),
		cmocka_unit_test(a_query_parameter_is_checked_against_its_line),
		cmocka_unit_test(a_good_query_parameter_is_decoded),
		cmocka_unit_test(a_parameter_given_twice_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
