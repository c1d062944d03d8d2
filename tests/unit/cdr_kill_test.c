/*
 * kill -9 of the writer and of the reader of the spool at random: every record that cdr_write() returned 0 for is in the
 * database once, brought by the place and not saved by the unique id; of the one at hand when a writer was killed, nothing
 * is promised.
 */
#include "mgmtd/buffer.h"
#include "mgmtd/intake.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>

#define WRITERS_MAX 4000u
#define BETWEEN_US 40			/* two records of a writer */

#define FEW 30u

/* ------------------------------------------------------------------ system calls that change files, to die in */

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at);

static _Atomic int calls_to_live;	/* 0 = for ever */

static void live_or_die(void)
{
	if (atomic_load(&calls_to_live) > 0 && atomic_fetch_sub(&calls_to_live, 1) == 1)
		kill(getpid(), SIGKILL);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	live_or_die();
	return syscall(SYS_pwrite64, fd, data, size, at);
}

int fdatasync(int fd)
{
	live_or_die();
	return (int)syscall(SYS_fdatasync, fd);
}

int unlinkat(int fd, const char *path, int flags)
{
	live_or_die();
	return (int)syscall(SYS_unlinkat, fd, path, flags);
}

/* ------------------------------------------------------------------ writers and readers to be killed */

struct bench {
	char *state, *run, spool[300], log[300], path[300];
	_Atomic uint32_t *written;	/* by each writer: how many cdr_write() returned 0 for */
	_Atomic uint32_t *begun;	/* readers that have come so far as to read */
	uint32_t writers, readers;
};

static void nap_us(long us)
{
	nanosleep(&(struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 }, NULL);
}

static unsigned soak(void)
{
	const char *times = getenv("TANDEM_SOAK");

	return times && atoi(times) > 0 ? (unsigned)atoi(times) : 1;
}

static void write_records(const struct bench *b, uint32_t which)
{
	static char many[4000];
	struct cdr_writer *w;
	struct shm_why why;
	char number[40];

	if (cdr_writer_open(&w, b->spool, &why) != 0)
		_exit(1);
	for (size_t i = 0; i + 11 < sizeof many; i += 11)
		memcpy(many + i, "gateway hm\n", 11);
	for (uint32_t n = 1;; n++) {
		struct cdr cdr = { .id = (uint64_t)which << 32 | n, .setup_at = 1767322800000000u + n, .code = 200, .to_in = number,
		                   .skipped = n % 4 ? "" : many };
		snprintf(number, sizeof number, "%llu", (unsigned long long)cdr.id);
		if (cdr_write(w, &cdr) != 0)
			_exit(2);
		atomic_store(&b->written[which], n);
		nap_us(BETWEEN_US);
	}
}

static void take_records(const struct bench *b)
{
	struct store_cdrs *store;
	struct intake *intake;
	struct shm_why why;

	if (store_cdrs_open(&store, b->state, &why) != 0)
		_exit(3);
	atomic_fetch_add(b->begun, 1);
	if (intake_start(&intake, store, b->spool, 0) != 0)
		_exit(3);
	for (;;)
		pause();
}

static pid_t spawn(struct bench *b, bool writer)
{
	uint32_t which = writer ? b->writers++ : b->readers++;
	pid_t parent = getpid(), pid = fork();

	assert_true(pid >= 0);
	assert_true(b->writers < WRITERS_MAX);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(4);
	int log = open(b->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDERR_FILENO);
	if (writer)
		write_records(b, which);
	else
		take_records(b);
	_exit(5);
}

/* Waits for the end of a process: true = it was killed. */
static bool was_killed(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0)
		fail_msg("a child ended with %d", WEXITSTATUS(status));
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* It must not have ended by itself. */
static void kill_9(pid_t pid)
{
	kill(pid, SIGKILL);
	if (!was_killed(pid))
		fail_msg("a child ended by itself");
}

static sqlite3_int64 number(struct bench *b, const char *sql, uint32_t which)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	sqlite3_int64 n;

	assert_int_equal(sqlite3_open_v2(b->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)which << 32);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	n = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return n;
}

static void take_the_rest(struct bench *b)
{
	struct store_cdrs *store;
	struct intake *intake;
	struct shm_why why;
	sqlite3_int64 written = 0;
	int64_t deadline = time_monotonic_ms() + 60000;

	for (uint32_t i = 0; i < b->writers; i++)
		written += b->written[i];
	assert_int_equal(store_cdrs_open(&store, b->state, &why), 0);
	assert_int_equal(intake_start(&intake, store, b->spool, 0), 0);
	while (number(b, "SELECT count(*) FROM cdrs WHERE ?1 IS NOT NULL", 0) < written && time_monotonic_ms() < deadline)
		nap_us(20000);
	intake_stop(intake);
	store_cdrs_close(store);
	print_message("# %u writers and %u readers killed, %lld records\n", b->writers, b->readers, (long long)written);
	assert_true(written > 1000 && b->writers > 10 && b->readers > 10);
}

static void check_log(struct bench *b)
{
	static char line[1000];
	FILE *log = fopen(b->log, "re");

	assert_non_null(log);
	while (fgets(line, sizeof line, log))
		if (strstr(line, "stored already") || strstr(line, "Sanitizer") || strstr(line, "runtime error"))
			fail_msg("%s", line);
	fclose(log);
}

static void check(struct bench *b)
{
	assert_int_equal(number(b, "SELECT count(*) FROM cdrs WHERE to_in <> printf('%d', id) AND ?1 IS NOT NULL", 0), 0);
	for (uint32_t i = 0; i < b->writers; i++) {
		uint32_t written = b->written[i];
		sqlite3_int64 there = number(b, "SELECT count(*) FROM cdrs WHERE id BETWEEN ?1 AND ?1 + 0xffffffff", i);
		sqlite3_int64 last = number(b, "SELECT coalesce(max(id), ?1) - ?1 FROM cdrs WHERE id BETWEEN ?1 AND ?1 + 0xffffffff", i);
		if (there != last || last < written || last > (sqlite3_int64)written + 1)
			fail_msg("writer %u wrote %u records; there are %lld, up to %lld", i, written, (long long)there, (long long)last);
	}
	check_log(b);
}

static void no_record_is_lost_or_comes_twice_when_writer_and_reader_are_killed(void **state)
{
	struct bench *b = *state;
	int64_t end = time_monotonic_ms() + 6000 * soak();
	pid_t writer = spawn(b, true), reader = spawn(b, false);

	srand48(time_monotonic_ms());
	while (time_monotonic_ms() < end && b->writers < WRITERS_MAX - 1) {
		/* A reader has work for some ms when it begins: most die in it. */
		while (atomic_load(b->begun) < b->readers && time_monotonic_ms() < end)
			nap_us(200);
		nap_us(lrand48() % 30000);
		if (lrand48() % 3) {
			kill_9(reader);
			reader = spawn(b, false);
		} else {
			kill_9(writer);
			writer = spawn(b, true);
		}
	}
	kill_9(writer);
	kill_9(reader);
	take_the_rest(b);
	check(b);
}

/* A child that takes in all FEW records and ends, or is killed at that system call. */
static pid_t spawn_taker(struct bench *b, int calls)
{
	pid_t pid = fork();
	struct store_cdrs *store;
	struct intake *intake;
	struct shm_why why;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	dup2(open(b->log, O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
	if (store_cdrs_open(&store, b->state, &why) != 0)
		_exit(1);
	atomic_store(&calls_to_live, calls);
	if (intake_start(&intake, store, b->spool, 0) != 0)
		_exit(2);
	for (int64_t deadline = time_monotonic_ms() + 20000; number(b, "SELECT count(*) FROM cdrs WHERE ?1 IS NOT NULL", 0) < FEW;) {
		if (time_monotonic_ms() > deadline)
			_exit(3);	/* some are lost */
		nap_us(500);
	}
	intake_stop(intake);
	store_cdrs_close(store);
	_exit(0);
}

static void write_few(struct bench *b)
{
	struct cdr_writer *w;
	struct shm_why why;

	scratch_remove(strdup(b->spool));
	for (uint64_t id = 1; id <= FEW; id++) {
		struct cdr cdr = { .id = id, .setup_at = id, .to_in = "1", .to_out = "2" };
		if (id % 10 == 1)
			assert_int_equal(cdr_writer_open(&w, b->spool, &why), 0);
		assert_int_equal(cdr_write(w, &cdr), 0);
		if (id % 10 == 0)
			cdr_writer_close(w);
	}
}

/* From three files, of which two are removed.  What a killed reader has not done the next one does. */
static void a_reader_killed_at_any_write_brings_each_record_once(void **state)
{
	struct bench *b = *state;
	struct store_cdrs *store;
	struct shm_why why;
	bool killed = true;
	int calls;

	for (calls = 1; killed; calls++) {
		scratch_remove(strdup(b->state));
		assert_int_equal(mkdir(b->state, 0700), 0);
		assert_int_equal(store_cdrs_open(&store, b->state, &why), 0);
		store_cdrs_close(store);
		write_few(b);
		killed = was_killed(spawn_taker(b, calls));
		assert_false(was_killed(spawn_taker(b, 0)));
		assert_int_equal(number(b, "SELECT count(*) FROM cdrs WHERE ?1 IS NOT NULL", 0), FEW);
		check_log(b);
	}
	print_message("# killed at %d system calls\n", calls - 2);
	assert_true(calls > 20);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	b->state = scratch_dir();
	b->run = scratch_dir();
	scratch_path(b->spool, sizeof b->spool, b->run, "cdr");
	scratch_path(b->log, sizeof b->log, b->run, "log");
	scratch_path(b->path, sizeof b->path, b->state, "cdr.db");
	b->written = mmap(NULL, (WRITERS_MAX + 1) * sizeof *b->written, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(b->written != MAP_FAILED);
	b->begun = b->written + WRITERS_MAX;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	munmap((void *)b->written, (WRITERS_MAX + 1) * sizeof *b->written);
	scratch_remove(strdup(b->spool));
	scratch_remove(b->run);
	scratch_remove(b->state);
	free(b);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reader_killed_at_any_write_brings_each_record_once, setup, teardown),
		cmocka_unit_test_setup_teardown(no_record_is_lost_or_comes_twice_when_writer_and_reader_are_killed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
