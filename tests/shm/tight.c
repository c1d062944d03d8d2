/*
 * The tight-pool test: one writer, several readers, about a hundred pages that are reused at once, and kill -9 of all
 * of them at random.  Every snapshot a reader takes must agree with itself, must agree again after it was held for a
 * while, and what is said to have changed must be all that did.
 *
 *   tight [--seconds N] [--readers N] [--until-violation] [--threads] [--seed N]
 *
 * --until-violation: stop at the first and exit 1; for the seeded faults.  --threads: in one process and without kills,
 * for ThreadSanitizer; the program is then linked so that all map the files at the same addresses.
 * Exit code 0: no violation.
 *
 * How a snapshot agrees with itself: each record's bytes follow from its id and revision; the parameters hold the
 * root's revision and a sum over all records' revisions.  So one record of another generation shows.
 */
#include "shm/config_writer.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define RECORDS 60u
#define SPARE_PAGES 90u
#define READERS_MOST 8

/* Shared by all processes. */
struct tally {
	_Atomic uint64_t published;	/* revision whose publish returned */
	_Atomic uint64_t snapshots, rechecks, recoveries, kills, files;
	_Atomic uint32_t violations;
	_Atomic bool stop;
};

static struct {
	char *dir;
	struct tally *tally;
	double seconds;
	unsigned readers;
	bool until_violation, threads;
	uint64_t seed;
} test = { .seconds = 10, .readers = 3 };

static _Thread_local uint64_t random_state;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next() >> 32) * n >> 32);
}

static bool one_in(uint32_t n)
{
	return random_below(n) == 0;
}

static void seed_random(uint64_t role)
{
	random_state = (test.seed + role) * 0x9e3779b97f4a7c15u | 1;
	for (int i = 0; i < 8; i++)
		random_next();
}

static void wait_us(uint32_t us)
{
	struct timespec t = { us / 1000000, (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static __attribute__((format(printf, 1, 2))) void violation(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (atomic_fetch_add(&test.tally->violations, 1) < 3) {
		fputs("violation: ", stderr);
		vfprintf(stderr, format, args);
		fputc('\n', stderr);
	}
	va_end(args);
	if (test.until_violation)
		atomic_store(&test.tally->stop, true);
}

static bool stopped(void)
{
	return atomic_load_explicit(&test.tally->stop, memory_order_relaxed);
}

/* ------------------------------------------------------------------ content */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static void make_record(struct registration_record *rec, uint32_t id, uint64_t revision)
{
	uint64_t *word = (uint64_t *)rec;

	for (size_t i = 0; i < sizeof *rec / 8; i++)
		word[i] = mix(revision * RECORDS + id) + i;
	memset(rec->head.name, 0, sizeof rec->head.name);
	rec->head = (struct record){ .id = id, .present = 1, .incarnation = id + 1, .revision = revision };
	/* Every few revisions it is renamed, so that the index is copied too. */
	snprintf(rec->head.name, sizeof rec->head.name, "record-%u-%" PRIu64, id, revision / 4 % 8);
}

static int32_t sum_of(const uint64_t revisions[RECORDS])
{
	uint64_t sum = 0;

	for (uint32_t id = 0; id < RECORDS; id++)
		sum += mix(revisions[id] * RECORDS + id);
	return (int32_t)(sum & 0x7fffffff);
}

/* Reads all of the snapshot.  True: it agrees with itself; revisions[] = what it holds, 0 = absent. */
static bool check(const struct snapshot *snap, uint64_t revisions[RECORDS], const char *when)
{
	struct registration_record expected;
	struct sip_parameters parameters = *snapshot_parameters(snap);
	uint32_t count = 0;

	for (uint32_t id = 0; id < RECORDS; id++) {
		const struct record *rec = snapshot_record(snap, KIND_REGISTRATION, id);
		revisions[id] = 0;
		if (!rec)
			continue;
		count++;
		revisions[id] = rec->revision;
		make_record(&expected, id, rec->revision);
		if (memcmp(&expected, rec, sizeof expected) != 0) {
			violation("%s: generation %" PRIu64 ": record %u is of no one revision", when, snapshot_generation(snap), id);
			return false;
		}
		if (one_in(16) && snapshot_find(snap, KIND_REGISTRATION, expected.head.name) != rec) {
			violation("%s: generation %" PRIu64 ": record %u is not found by its name", when, snapshot_generation(snap), id);
			return false;
		}
	}
	if (parameters.SS_SIP_USER_AGENT_RETRY_DELAY != (int32_t)(snapshot_revision(snap) & 0x7fffffff) ||
	    parameters.SS_SIP_USER_AGENT_EXPIRE != sum_of(revisions) || count != snapshot_count(snap, KIND_REGISTRATION)) {
		violation("%s: generation %" PRIu64 ": parameters and records are not of one revision", when,
		          snapshot_generation(snap));
		return false;
	}
	return true;
}

/* ------------------------------------------------------------------ writer */

static int publish_one(struct config_writer *w, uint64_t revisions[RECORDS], uint64_t revision)
{
	struct registration_record rec;
	uint64_t next[RECORDS];
	int error = config_begin(w);

	if (error)
		return error;
	memcpy(next, revisions, sizeof next);
	for (uint32_t n = revision == 1 ? RECORDS : 1 + random_below(3); n > 0 && error == 0; n--) {
		uint32_t id = revision == 1 ? n - 1 : random_below(RECORDS);
		if (next[id] && one_in(12)) {
			error = config_delete(w, KIND_REGISTRATION, id);
			next[id] = 0;
		} else {
			make_record(&rec, id, revision);
			error = config_put(w, KIND_REGISTRATION, &rec.head);
			next[id] = revision;
		}
	}
	struct sip_parameters parameters = { .SS_SIP_USER_AGENT_RETRY_DELAY = (int32_t)(revision & 0x7fffffff),
	                                     .SS_SIP_USER_AGENT_EXPIRE = sum_of(next) };
	if (error == 0)
		error = config_set_parameters(w, &parameters);
	if (error == 0 && one_in(20)) {
		config_abandon(w);
		return 0;
	}
	if (error == 0)
		error = config_publish(w, revision, NULL);
	if (error) {
		config_abandon(w);
		return error;
	}
	memcpy(revisions, next, sizeof next);
	atomic_store(&test.tally->published, revision);
	return 0;
}

/* What was published before the last writer died is all there. */
static uint64_t recovered(const struct config_writer *w, uint64_t revisions[RECORDS])
{
	uint64_t revision = config_writer_revision(w), published = atomic_load(&test.tally->published);

	if (revision == 0) {
		if (published)
			violation("recovery: revision %" PRIu64 " was published, nothing is left", published);
		memset(revisions, 0, RECORDS * sizeof *revisions);
		return 0;
	}
	/* It may have died between the commit and the note of it. */
	if (revision != published && revision != published + 1)
		violation("recovery: revision %" PRIu64 " was published, %" PRIu64 " is there", published, revision);
	check(&w->now, revisions, "recovery");
	atomic_fetch_add(&test.tally->recoveries, 1);
	return revision;
}

/* Leaves readers time before a new file is built, so that pages are reused rather than files replaced. */
static void let_readers_catch_up(struct config_writer *w)
{
	for (int i = 0; i < 100 && w->pool && w->pool->nfree < 12 && !stopped(); i++) {
		wait_us(200);
		writer_reclaim(w);
	}
}

static int write_on(void)
{
	struct config_options options = { .spare_pages = SPARE_PAGES };
	uint64_t revisions[RECORDS], revision;
	struct config_writer *w;
	struct shm_why why;
	uint32_t serial;
	int error;

	/* The kernel may not have let go of a killed writer's lock yet. */
	for (int i = 0; (error = config_writer_open(&w, test.dir, &options, &why)) == EBUSY && i < 1000; i++)
		wait_us(1000);
	if (error) {
		violation("the writer cannot open: %s", why.text);
		return 1;
	}
	revision = recovered(w, revisions);
	serial = w->serial;
	while (!stopped()) {
		error = publish_one(w, revisions, revision + 1);
		if (error) {
			violation("the writer cannot publish: %s", strerror(error));
			break;
		}
		revision = config_writer_revision(w);
		if (w->serial != serial)
			atomic_fetch_add(&test.tally->files, 1);
		serial = w->serial;
		if (one_in(16))
			wait_us(random_below(300));
		if (one_in(512))
			config_writer_tick(w);
		let_readers_catch_up(w);
	}
	config_writer_close(w);
	return 0;
}

/* ------------------------------------------------------------------ reader */

struct table { uint64_t revisions[RECORDS]; };

static void note_change(const struct record *rec, uint32_t id, void *arg)
{
	struct table *table = arg;

	if (id < RECORDS)
		table->revisions[id] = rec->present ? rec->revision : 0;
}

static void follow_changes(struct config_reader *r, const struct snapshot *snap, struct table *table, uint64_t *applied,
                           const uint64_t truth[RECORDS])
{
	uint32_t limit;

	config_changes(snap, KIND_REGISTRATION, *applied, note_change, table, &limit);
	for (uint32_t id = 0; id < RECORDS; id++) {
		if (table->revisions[id] == truth[id])
			continue;
		violation("changes: generation %" PRIu64 ": record %u changed to revision %" PRIu64 ", which was not reported",
		          snapshot_generation(snap), id, truth[id]);
		table->revisions[id] = truth[id];
	}
	*applied = snapshot_generation(snap);
	config_applied(r, *applied);
}

/* How long a snapshot is held: mostly a moment, sometimes until pages run short, rarely until a new file is needed. */
static void hold(void)
{
	uint32_t dice = random_below(1000);

	if (dice < 3)
		wait_us(30000 + random_below(20000));
	else if (dice < 60)
		wait_us(1000 + random_below(8000));
	else if (dice < 500)
		wait_us(random_below(200));
	else if (dice < 700)
		sched_yield();
}

static int read_on(void)
{
	uint64_t applied = 0, last = 0, truth[RECORDS], again[RECORDS];
	struct table table = { { 0 } };
	const struct snapshot *snap;
	struct config_reader *r = NULL;
	struct shm_why why;
	int error = ENOENT;

	while (!stopped() && (error = config_reader_open(&r, test.dir, READER_TOOL, &why)) == ENOENT)
		wait_us(1000);
	if (error) {
		if (error != ENOENT)
			violation("a reader cannot open: %s", why.text);
		return error != ENOENT;
	}
	while (!stopped()) {
		error = config_refresh(r, &snap, NULL, &why);
		if (error) {
			violation("a reader cannot refresh: %s", why.text);
			break;
		}
		if (snapshot_generation(snap) < last)
			violation("a reader went back from generation %" PRIu64 " to %" PRIu64, last, snapshot_generation(snap));
		last = snapshot_generation(snap);
		if (check(snap, truth, "taken")) {
			atomic_fetch_add_explicit(&test.tally->snapshots, 1, memory_order_relaxed);
			if (one_in(2))
				follow_changes(r, snap, &table, &applied, truth);
			hold();
			if (check(snap, again, "held") && memcmp(truth, again, sizeof truth) != 0)
				violation("held: generation %" PRIu64 " changed under its reader", last);
			atomic_fetch_add_explicit(&test.tally->rechecks, 1, memory_order_relaxed);
		}
		if (one_in(4)) {
			config_idle(r);
			if (one_in(4))
				wait_us(random_below(3000));
		}
	}
	config_reader_close(r);
	return 0;
}

/* ------------------------------------------------------------------ roles */

static int play(unsigned role)
{
	seed_random(random_next() + role);
	return role == 0 ? write_on() : read_on();
}

static pid_t start(unsigned role)
{
	pid_t pid;

	random_next();		/* each child another seed */
	pid = fork();
	if (pid == 0)
		_exit(play(role));
	if (pid < 0) {
		perror("fork");
		exit(2);
	}
	return pid;
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		violation("a process died of signal %d", WTERMSIG(status));
}

static void run_processes(void)
{
	pid_t pids[1 + READERS_MOST];
	double until = now() + test.seconds;

	for (unsigned role = 0; role <= test.readers; role++)
		pids[role] = start(role);
	while (now() < until && !stopped()) {
		unsigned role = one_in(2) ? 0 : 1 + random_below(test.readers);
		wait_us(3000 + random_below(30000));
		end(pids[role]);
		atomic_fetch_add(&test.tally->kills, 1);
		pids[role] = start(role);
	}
	for (unsigned role = 0; role <= test.readers; role++)
		end(pids[role]);
}

static void *thread_main(void *arg)
{
	random_state = 1 + (uint64_t)(uintptr_t)arg;
	play((unsigned)(uintptr_t)arg);
	return NULL;
}

static void run_threads(void)
{
	pthread_t threads[1 + READERS_MOST];
	double until = now() + test.seconds;

	for (uintptr_t role = 0; role <= test.readers; role++)
		if (pthread_create(&threads[role], NULL, thread_main, (void *)role) != 0)
			exit(2);
	while (now() < until && !stopped())
		wait_us(20000);
	atomic_store(&test.tally->stop, true);
	for (unsigned role = 0; role <= test.readers; role++)
		pthread_join(threads[role], NULL);
}

/* Dead readers hold nothing, no page is lost for good, and the files did not grow without end. */
static void check_the_end(void)
{
	struct config_options options = { .spare_pages = SPARE_PAGES };
	uint64_t revisions[RECORDS];
	struct config_writer *w;
	struct shm_why why;
	uint32_t used, total, leaves = (RECORDS + config_per_leaf(KIND_REGISTRATION) - 1) / config_per_leaf(KIND_REGISTRATION);

	if (config_writer_open(&w, test.dir, &options, &why) != 0) {
		violation("at the end: %s", why.text);
		return;
	}
	recovered(w, revisions);
	config_writer_tick(w);
	config_writer_pages(w, &used, &total);
	if (used > leaves + 7 || total > SPARE_PAGES + leaves + 13)
		violation("at the end: %u pages in use of %u", used, total);
	if (w->pool && w->pool->queue_length)
		violation("at the end: %u pages are still held, and nobody lives", w->pool->queue_length);
	config_writer_close(w);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", 1, NULL, 's' }, { "readers", 1, NULL, 'r' }, { "seed", 1, NULL, 'e' },
		{ "until-violation", 0, NULL, 'u' }, { "threads", 0, NULL, 't' }, { 0 },
	};
	int c;

	test.seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 's': test.seconds = strtod(optarg, NULL); break;
		case 'r': test.readers = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'e': test.seed = strtoull(optarg, NULL, 10); break;
		case 'u': test.until_violation = true; break;
		case 't': test.threads = true; break;
		default: exit(2);
		}
	if (test.readers < 1 || test.readers > READERS_MOST)
		exit(2);
}

int main(int argc, char **argv)
{
	uint32_t violations;

	parse(argc, argv);
	test.tally = mmap(NULL, sizeof *test.tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (test.tally == MAP_FAILED)
		return 2;
	test.dir = scratch_dir();
	seed_random(0);
	if (test.threads)
		run_threads();
	else
		run_processes();
	if (!test.until_violation)
		check_the_end();
	violations = atomic_load(&test.tally->violations);
	printf("%" PRIu64 " revisions, %" PRIu64 " snapshots, %" PRIu64 " held, %" PRIu64 " kills, %" PRIu64 " recoveries, ",
	       atomic_load(&test.tally->published), atomic_load(&test.tally->snapshots), atomic_load(&test.tally->rechecks),
	       atomic_load(&test.tally->kills), atomic_load(&test.tally->recoveries));
	printf("%" PRIu64 " files, %u violations (seed %" PRIu64 ")\n", atomic_load(&test.tally->files), violations, test.seed);
	if (!test.threads || !violations)
		scratch_remove(test.dir);
	return violations != 0;
}
