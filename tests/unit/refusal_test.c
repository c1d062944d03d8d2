#include "mgmtd/refusal.h"

#include "mgmtd/problem.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[64], path[2][128];
static struct refusals *refusals;
static struct request request;

static void reopen(void)
{
	struct shm_why why;
	refusals_close(refusals);
	assert_int_equal(refusals_open(&refusals, directory, &why), 0);
}

static void ask(const char *method, const char *of)
{
	char allow[ROUTE_ALLOW_MAX];
	request = (struct request){ .method = method, .path = of, .address = "192.0.2.1" };
	assert_int_equal(route_find(&request.route, request.argument, allow, method, of), 0);
	snprintf(request.identity.username, sizeof request.identity.username, "anna");
}

static int open_all(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	snprintf(directory, sizeof directory, "/tmp/refusal-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path[0], sizeof path[0], "%s/refusals.log", directory);
	snprintf(path[1], sizeof path[1], "%s/refusals.log.1", directory);
	refusals = NULL;
	reopen();
	ask("PUT", "/api/v1/registrations/carrier-a");
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	refusals_close(refusals);
	unlink(path[0]);
	unlink(path[1]);
	rmdir(directory);
	return 0;
}

static void refuse(unsigned status, json_t *errors)
{
	json_t *problem = problem_document(status, NULL, "id", errors, "no");
	refusals_note(refusals, &request, status, problem);
	json_decref(problem);
	json_decref(errors);
}

static json_t *items(uint64_t before, unsigned limit, bool *more)
{
	json_t *list = json_array();
	assert_int_equal(refusals_read(refusals, before, limit, list, more), 0);
	return list;
}

static int64_t number(json_t *list, size_t i, const char *member)
{
	return json_integer_value(json_object_get(json_array_get(list, i), member));
}

static void refused_changes_are_read_back_newest_first_page_by_page(void **state)
{
	bool more;
	(void)state;
	for (int i = 0; i < 5; i++)
		refuse(422, NULL);
	json_t *page = items(0, 3, &more);
	assert_int_equal(json_array_size(page), 3);
	assert_true(more);
	assert_int_equal(number(page, 0, "seq"), 5);
	json_decref(page);
	page = items(3, 3, &more);
	assert_int_equal(json_array_size(page), 2);
	assert_false(more);
	assert_int_equal(number(page, 1, "seq"), 1);
	json_decref(page);
	reopen();
	refuse(403, NULL);
	page = items(0, 1, &more);
	assert_int_equal(number(page, 0, "seq"), 6);
	json_decref(page);
}

static void what_is_no_refused_change_is_not_noted(void **state)
{
	bool more;
	(void)state;
	refuse(404, NULL);
	refuse(400, NULL);
	refuse(503, NULL);
	ask("GET", "/api/v1/registrations/carrier-a");
	refuse(401, NULL);
	request.route = NULL;
	refuse(401, NULL);
	json_t *none = items(0, 10, &more);
	assert_int_equal(json_array_size(none), 0);
	json_decref(none);
}

static void fields_are_named_but_not_those_that_may_be_a_password(void **state)
{
	static const char *const paths[] = { "/api/v1/session", "/api/v1/users", "/api/v1/changes" };
	bool more;
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		ask("POST", paths[i]);
		json_t *errors = json_array();
		problem_violation(errors, "", "password", "bad_format", "hunter2");
		problem_violation(errors, "", "hunter3", "unknown_field", "hunter2");
		refuse(422, errors);
	}
	json_t *list = items(0, 10, &more);
	char *text = json_dumps(list, 0);
	assert_null(strstr(text, "hunter2"));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(json_array_size(json_object_get(json_array_get(list, i), "pointers")), i == 0 ? 2 : 1);
	free(text);
	json_decref(list);
}

static void a_flood_is_counted_not_written(void **state)
{
	bool more;
	(void)state;
	for (int i = 0; i < 100000; i++)
		refuse(401, NULL);
	usleep(1100000 / REFUSALS_PER_S);	/* one more may be written then */
	refuse(401, NULL);
	json_t *list = items(0, 1000, &more);
	assert_in_range(json_array_size(list), REFUSALS_BURST, REFUSALS_BURST + 100);
	uint64_t told = json_array_size(list);
	for (size_t i = 0; i < json_array_size(list); i++)
		told += (uint64_t)number(list, i, "left_out");
	assert_int_equal(told, 100001);
	json_decref(list);
}

/* A line that fills the rest of a file, so that the next one needs another. */
static void fill_file(void)
{
	static char line[REFUSALS_FILE_MAX - 100];
	int fd = open(path[0], O_WRONLY | O_APPEND);
	memset(line, ' ', sizeof line);
	line[sizeof line - 1] = '\n';
	assert_int_equal(write(fd, line, sizeof line), sizeof line);
	close(fd);
}

static void the_files_never_grow_beyond_their_size_and_pages_go_across_them(void **state)
{
	struct stat st;
	bool more;
	(void)state;
	for (int i = 0; i < 4; i++) {
		refuse(409, NULL);
		json_decref(items(0, 1, &more));	/* written */
		fill_file();
		reopen();
	}
	refuse(409, NULL);
	json_t *list = items(0, 10, &more);
	assert_in_range(json_array_size(list), 2, 3);
	assert_int_equal(number(list, 0, "seq"), 5);
	assert_int_equal(number(list, 1, "seq"), 4);
	json_decref(list);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stat(path[i], &st), 0);
		assert_true(st.st_size <= REFUSALS_FILE_MAX + 1000);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void a_line_cut_by_a_crash_spoils_no_other(void **state)
{
	bool more;
	(void)state;
	refuse(409, NULL);
	json_decref(items(0, 1, &more));
	struct stat st;
	assert_int_equal(stat(path[0], &st), 0);
	assert_int_equal(truncate(path[0], st.st_size - 30), 0);
	reopen();
	refuse(412, NULL);
	json_t *list = items(0, 10, &more);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(number(list, 0, "status"), 412);
	json_decref(list);
}

/* The job that writes is queued once, also when a reader was quicker than it. */
static void reading_beside_the_writer_does_not_queue_it_twice(void **state)
{
	bool more;
	(void)state;
	for (int i = 0; i < REFUSALS_BURST; i++) {
		refuse(422, NULL);
		json_t *list = items(0, 1, &more);
		assert_int_equal(number(list, 0, "seq"), i + 1);
		json_decref(list);
	}
	alarm(20);	/* closing waits for the queue, which would have no end */
	reopen();
	alarm(0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
	const struct CMUnitTest tests[] = {
		TEST(refused_changes_are_read_back_newest_first_page_by_page),
		TEST(what_is_no_refused_change_is_not_noted),
		TEST(fields_are_named_but_not_those_that_may_be_a_password),
		TEST(a_flood_is_counted_not_written),
		TEST(the_files_never_grow_beyond_their_size_and_pages_go_across_them),
		TEST(reading_beside_the_writer_does_not_queue_it_twice),
		TEST(a_line_cut_by_a_crash_spoils_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
