/* The access log: whole lines in order, reopened on demand, and never anybody who waits for it. */
#include "mgmtd/access_log.h"
#include "mgmtd/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define WITHIN_MS 10000

struct fixture { char dir[64], path[96], text[4 << 20]; size_t len; };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	snprintf(f->dir, sizeof f->dir, "/tmp/tandem-access-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/log", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof command, "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static struct access_log *open_log(const struct fixture *f)
{
	struct access_log *log;
	struct shm_why why = { "" };

	assert_int_equal(access_log_open(&log, f->path, &why), 0);
	return log;
}

static void slurp(struct fixture *f, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, f->text, sizeof f->text - 1);

	assert_true(n >= 0);
	f->text[n] = '\0';
	f->len = (size_t)n;
	if (fd >= 0)
		close(fd);
}

static void wait_for(struct fixture *f, const char *path, const char *text)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int64_t end = time_monotonic_ms() + WITHIN_MS; slurp(f, path), strcmp(f->text, text) != 0;) {
		if (time_monotonic_ms() > end)
			fail_msg("%s holds \"%s\", not \"%s\"", path, f->text, text);
		nanosleep(&moment, NULL);
	}
}

static void lines_are_appended_in_order(void **state)
{
	struct fixture *f = *state;
	struct access_log *log = open_log(f);
	struct stat st;

	access_log_write(log, "{1}", 3);
	access_log_write(log, "{22}", 4);
	access_log_close(log);
	wait_for(f, f->path, "{1}\n{22}\n");
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	log = open_log(f);
	access_log_write(log, "{3}", 3);
	access_log_close(log);
	wait_for(f, f->path, "{1}\n{22}\n{3}\n");
}

static void a_log_that_was_moved_away_is_begun_anew_when_reopened(void **state)
{
	struct fixture *f = *state;
	struct access_log *log = open_log(f);
	char old[128];

	snprintf(old, sizeof old, "%s.1", f->path);
	access_log_write(log, "{1}", 3);
	wait_for(f, f->path, "{1}\n");
	assert_int_equal(rename(f->path, old), 0);
	access_log_write(log, "{2}", 3);
	wait_for(f, old, "{1}\n{2}\n");
	access_log_reopen(log);
	for (int64_t end = time_monotonic_ms() + WITHIN_MS; access(f->path, F_OK) != 0;)
		assert_true(time_monotonic_ms() < end);
	access_log_write(log, "{3}", 3);
	wait_for(f, f->path, "{3}\n");
	wait_for(f, old, "{1}\n{2}\n");
	access_log_close(log);
}

static void a_path_that_cannot_be_reopened_leaves_the_old_file_open(void **state)
{
	struct fixture *f = *state;
	struct access_log *log = open_log(f);
	char old[128];

	snprintf(old, sizeof old, "%s.1", f->path);
	assert_int_equal(rename(f->path, old), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	access_log_reopen(log);
	access_log_write(log, "{1}", 3);
	wait_for(f, old, "{1}\n");
	assert_int_equal(access_log_dropped(log), 0);
	access_log_close(log);
}

static void a_line_that_no_pipe_takes_whole_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct access_log *log = open_log(f);
	static char line[ACCESS_LINE_MAX];

	memset(line, 'x', sizeof line);
	access_log_write(log, line, ACCESS_LINE_MAX);
	assert_int_equal(access_log_dropped(log), 1);
	access_log_write(log, line, ACCESS_LINE_MAX - 1);
	assert_int_equal(access_log_dropped(log), 1);
	access_log_close(log);
	slurp(f, f->path);
	assert_memory_equal(f->text, line, ACCESS_LINE_MAX - 1);
	assert_non_null(strstr(f->text, "\"dropped\":1}\n"));
}

static size_t count_lines(const struct fixture *f, uint64_t *dropped)
{
	size_t count = 0;
	const char *at = f->text;

	*dropped = 0;
	while (*at) {
		const char *end = strchr(at, '\n'), *said;
		assert_non_null(end);
		said = memmem(at, (size_t)(end - at), "\"dropped\":", strlen("\"dropped\":"));
		if (said)
			*dropped += strtoull(said + strlen("\"dropped\":"), NULL, 10);
		else
			count++;
		at = end + 1;
	}
	return count;
}

/* A reader that does not read: whoever logs goes on; what was dropped is told when it reads again. */
static void a_stuck_pipe_holds_up_nobody_and_what_was_dropped_is_told(void **state)
{
	struct fixture *f = *state;
	struct access_log *log;
	static char line[1000];
	const size_t sent = 3000;	/* three times what fits */
	uint64_t told = 0, dropped;
	size_t got = 0;
	int fd;

	memset(line, 'x', sizeof line);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	fd = open(f->path, O_RDONLY | O_NONBLOCK);
	log = open_log(f);
	for (size_t i = 0; i < sent; i++)
		access_log_write(log, line, sizeof line);
	assert_true(access_log_dropped(log) > 0);
	for (int64_t end = time_monotonic_ms() + WITHIN_MS; got + told < sent;) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		poll(&readable, 1, 100);
		ssize_t n = read(fd, f->text + f->len, sizeof f->text - f->len - 1);
		f->len += n > 0 ? (size_t)n : 0;
		f->text[f->len] = '\0';
		if (f->len && f->text[f->len - 1] == '\n')
			got = count_lines(f, &told);
		assert_true(time_monotonic_ms() < end);
	}
	dropped = access_log_dropped(log);
	assert_int_equal(told, dropped);
	assert_int_equal(got, sent - dropped);
	access_log_close(log);
	close(fd);
}

static void a_stuck_pipe_does_not_hold_up_the_end(void **state)
{
	struct fixture *f = *state;
	static char line[1000];
	struct access_log *log;
	int fd;

	memset(line, 'x', sizeof line);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	fd = open(f->path, O_RDONLY | O_NONBLOCK);
	log = open_log(f);
	for (size_t i = 0; i < 500; i++)
		access_log_write(log, line, sizeof line);
	access_log_close(log);	/* or the test hangs */
	close(fd);
}

static void a_full_disk_drops_lines_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct access_log *log;

	snprintf(f->path, sizeof f->path, "/dev/full");
	log = open_log(f);
	for (int i = 0; i < 10; i++)
		access_log_write(log, "{1}", 3);
	for (int64_t end = time_monotonic_ms() + WITHIN_MS; access_log_dropped(log) < 10;)
		assert_true(time_monotonic_ms() < end);
	access_log_close(log);
}

static void what_cannot_be_opened_is_refused_with_its_reason(void **state)
{
	struct fixture *f = *state;
	struct access_log *log;
	struct shm_why why = { "" };

	assert_int_equal(mkfifo(f->path, 0600), 0);
	assert_int_equal(access_log_open(&log, f->path, &why), ENXIO);
	assert_non_null(strstr(why.text, "nobody reads that pipe"));
	assert_int_equal(access_log_open(&log, f->dir, &why), EISDIR);
	assert_non_null(strstr(why.text, f->dir));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(lines_are_appended_in_order),
		TEST(a_log_that_was_moved_away_is_begun_anew_when_reopened),
		TEST(a_path_that_cannot_be_reopened_leaves_the_old_file_open),
		TEST(a_line_that_no_pipe_takes_whole_is_dropped),
		TEST(a_stuck_pipe_holds_up_nobody_and_what_was_dropped_is_told),
		TEST(a_stuck_pipe_does_not_hold_up_the_end),
		TEST(a_full_disk_drops_lines_and_nothing_else),
		TEST(what_cannot_be_opened_is_refused_with_its_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
