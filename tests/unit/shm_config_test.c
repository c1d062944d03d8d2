/* The configuration segment: what is published is what readers see, whole, and what changed is found. */
#include "shm/config.h"
#include "shm/config_writer.h"
#include "shm/layout.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/wait.h>
#include <cmocka.h>

struct fixture {
	char *dir;
	struct config_writer *w;
	struct config_reader *r;
	const struct snapshot *snap;
	struct shm_why why;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = scratch_dir();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	config_reader_close(f->r);
	config_writer_close(f->w);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

static void open_writer(struct fixture *f, uint32_t spare)
{
	struct config_options options = { .spare_pages = spare };

	assert_int_equal(config_writer_open(&f->w, f->dir, &options, &f->why), 0);
}

static void reopen_writer(struct fixture *f, uint32_t spare)
{
	config_writer_close(f->w);
	f->w = NULL;
	open_writer(f, spare);
}

static void put(struct fixture *f, uint32_t id, uint64_t revision)
{
	struct registration_record rec;

	scratch_record(&rec, id, revision);
	assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), 0);
}

/* One change: records [from, to). */
static uint64_t publish(struct fixture *f, uint32_t from, uint32_t to, uint64_t revision)
{
	struct sip_parameters parameters = { .SS_SIP_USER_AGENT_RETRY_DELAY = (int32_t)revision };
	uint64_t generation;

	assert_int_equal(config_begin(f->w), 0);
	assert_int_equal(config_set_parameters(f->w, &parameters), 0);
	for (uint32_t id = from; id < to; id++)
		put(f, id, revision);
	assert_int_equal(config_publish(f->w, revision, &generation), 0);
	return generation;
}

static void open_reader(struct fixture *f)
{
	assert_int_equal(config_reader_open(&f->r, f->dir, READER_SWITCHCORE, &f->why), 0);
}

static bool refresh(struct fixture *f)
{
	bool changed;
	int error = config_refresh(f->r, &f->snap, &changed, &f->why);

	if (error)
		fail_msg("%s: %s", strerror(error), f->why.text);
	return changed;
}

static void expect_record(const struct snapshot *snap, uint32_t id, uint64_t revision)
{
	struct registration_record expected;
	const struct record *rec = snapshot_record(snap, KIND_REGISTRATION, id);

	scratch_record(&expected, id, revision);
	assert_non_null(rec);
	assert_memory_equal(rec, &expected, sizeof expected);
	assert_ptr_equal(snapshot_find(snap, KIND_REGISTRATION, expected.head.name), rec);
}

struct seen { uint32_t calls, present, limit; uint64_t revisions; uint32_t last; };

static void count_change(const struct record *rec, uint32_t id, void *arg)
{
	struct seen *seen = arg;

	seen->calls++;
	seen->last = id;
	if (rec->present) {
		assert_int_equal(rec->id, id);
		seen->present++;
		seen->revisions += rec->revision;
	}
}

static struct seen changes(const struct snapshot *snap, uint64_t since)
{
	struct seen seen = { 0 };

	config_changes(snap, KIND_REGISTRATION, since, count_change, &seen, &seen.limit);
	return seen;
}

/* ------------------------------------------------------------------ tests */

static void a_reader_without_a_segment_is_told_so(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(config_reader_open(&f->r, f->dir, READER_TOOL, &f->why), ENOENT);
	open_writer(f, 100);
	assert_int_equal(config_writer_revision(f->w), 0);
	assert_null(config_writer_parameters(f->w));
	assert_null(config_writer_record(f->w, KIND_REGISTRATION, 0));
	/* Opened for writing, but nothing is published yet. */
	assert_int_equal(config_reader_open(&f->r, f->dir, READER_TOOL, &f->why), ENOENT);
}

static void what_is_published_is_what_a_reader_sees(void **state)
{
	struct fixture *f = *state;

	open_writer(f, 100);
	assert_int_equal(publish(f, 0, 100, 7), 1);
	open_reader(f);
	assert_true(refresh(f));
	assert_false(refresh(f));
	assert_int_equal(snapshot_generation(f->snap), 1);
	assert_int_equal(snapshot_revision(f->snap), 7);
	assert_int_equal(snapshot_count(f->snap, KIND_REGISTRATION), 100);
	assert_int_equal(snapshot_count(f->snap, KIND_PARAMETERS), 0);
	assert_int_equal(snapshot_parameters(f->snap)->SS_SIP_USER_AGENT_RETRY_DELAY, 7);
	for (uint32_t id = 0; id < 100; id++)
		expect_record(f->snap, id, 7);
	assert_null(snapshot_record(f->snap, KIND_REGISTRATION, 100));
	assert_null(snapshot_record(f->snap, KIND_REGISTRATION, UINT32_MAX));
	assert_null(snapshot_record(f->snap, KIND_PARAMETERS, 0));
	assert_null(snapshot_find(f->snap, KIND_REGISTRATION, "trunk-100"));
	assert_null(snapshot_find(f->snap, KIND_REGISTRATION, ""));
	assert_null(snapshot_find(f->snap, KIND_REGISTRATION,
	                          "a-name-that-is-longer-than-any-name-may-be-0123456789-0123456789-0123456789"));
}

static void the_writer_reads_what_it_published(void **state)
{
	struct fixture *f = *state;

	open_writer(f, 100);
	publish(f, 0, 10, 3);
	assert_int_equal(config_writer_revision(f->w), 3);
	assert_int_equal(config_writer_generation(f->w), 1);
	assert_int_equal(config_writer_parameters(f->w)->SS_SIP_USER_AGENT_RETRY_DELAY, 3);
	assert_string_equal(config_writer_record(f->w, KIND_REGISTRATION, 9)->name, "trunk-9");
	assert_null(config_writer_record(f->w, KIND_REGISTRATION, 10));
}

static void an_old_snapshot_does_not_change_while_it_is_held(void **state)
{
	struct fixture *f = *state;

	open_writer(f, 100);
	publish(f, 0, 9, 1);
	open_reader(f);
	refresh(f);
	for (uint64_t revision = 2; revision < 20; revision++)
		publish(f, 0, 9, revision);
	assert_int_equal(snapshot_revision(f->snap), 1);
	for (uint32_t id = 0; id < 9; id++)
		expect_record(f->snap, id, 1);
	assert_true(refresh(f));
	for (uint32_t id = 0; id < 9; id++)
		expect_record(f->snap, id, 19);
}

static void what_is_not_published_is_not_seen_and_an_abandoned_change_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	uint32_t used, total, used_before;

	open_writer(f, 100);
	publish(f, 0, 30, 1);
	open_reader(f);
	refresh(f);
	config_writer_pages(f->w, &used_before, &total);
	assert_int_equal(config_begin(f->w), 0);
	put(f, 3, 2);
	put(f, 500, 2);
	assert_int_equal(config_delete(f->w, KIND_REGISTRATION, 20), 0);
	assert_false(refresh(f));
	config_abandon(f->w);
	assert_false(refresh(f));
	assert_int_equal(config_writer_generation(f->w), 1);
	config_writer_pages(f->w, &used, &total);
	assert_int_equal(used, used_before);
	publish(f, 0, 1, 2);
	assert_true(refresh(f));
	expect_record(f->snap, 3, 1);
	expect_record(f->snap, 20, 1);
	assert_null(snapshot_record(f->snap, KIND_REGISTRATION, 500));
	assert_null(snapshot_find(f->snap, KIND_REGISTRATION, "trunk-500"));
}

static void a_cleared_configuration_holds_only_what_is_put_after(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;
	struct seen seen;

	open_writer(f, 100);
	generation = publish(f, 0, 3000, 1);
	open_reader(f);
	refresh(f);
	config_applied(f->r, generation);
	assert_int_equal(config_begin(f->w), 0);
	assert_int_equal(config_clear(f->w), 0);
	for (uint32_t id = 0; id < 20; id++)
		put(f, id, 2);
	assert_int_equal(config_publish(f->w, 2, NULL), 0);
	refresh(f);
	assert_int_equal(snapshot_count(f->snap, KIND_REGISTRATION), 20);
	expect_record(f->snap, 19, 2);
	assert_null(snapshot_record(f->snap, KIND_REGISTRATION, 20));
	assert_null(snapshot_find(f->snap, KIND_REGISTRATION, "trunk-20"));
	seen = changes(f->snap, generation);
	assert_int_equal(seen.limit, 20);
	assert_int_equal(seen.present, 20);
	/* What the directories still remember of the old ids does no harm when they come back. */
	publish(f, 0, 2000, 3);
	refresh(f);
	for (uint32_t id = 0; id < 2000; id++)
		expect_record(f->snap, id, 3);
	reopen_writer(f, 100);
	assert_int_equal(config_writer_revision(f->w), 3);
}

static void a_deleted_record_is_gone_and_its_name_free(void **state)
{
	struct fixture *f = *state;
	struct registration_record rec;

	open_writer(f, 100);
	publish(f, 0, 30, 1);
	open_reader(f);
	assert_int_equal(config_begin(f->w), 0);
	assert_int_equal(config_delete(f->w, KIND_REGISTRATION, 4), 0);
	assert_int_equal(config_delete(f->w, KIND_REGISTRATION, 4), ENOENT);
	assert_int_equal(config_delete(f->w, KIND_REGISTRATION, 4000), ENOENT);
	assert_int_equal(config_delete(f->w, KIND_PARAMETERS, 0), ENOENT);
	scratch_record(&rec, 77, 2);
	snprintf(rec.head.name, sizeof rec.head.name, "trunk-4");
	assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), 0);
	assert_int_equal(config_publish(f->w, 2, NULL), 0);
	refresh(f);
	assert_null(snapshot_record(f->snap, KIND_REGISTRATION, 4));
	assert_int_equal(snapshot_find(f->snap, KIND_REGISTRATION, "trunk-4")->id, 77);
	assert_int_equal(snapshot_count(f->snap, KIND_REGISTRATION), 30);
}

static void a_renamed_record_is_found_by_its_new_name_only(void **state)
{
	struct fixture *f = *state;
	struct registration_record rec;

	open_writer(f, 100);
	publish(f, 0, 30, 1);
	open_reader(f);
	assert_int_equal(config_begin(f->w), 0);
	scratch_record(&rec, 5, 2);
	snprintf(rec.head.name, sizeof rec.head.name, "renamed");
	assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), 0);
	assert_int_equal(config_publish(f->w, 2, NULL), 0);
	refresh(f);
	assert_null(snapshot_find(f->snap, KIND_REGISTRATION, "trunk-5"));
	assert_int_equal(snapshot_find(f->snap, KIND_REGISTRATION, "renamed")->id, 5);
}

static void a_bad_record_is_refused_and_the_change_goes_on(void **state)
{
	struct fixture *f = *state;
	struct registration_record rec;

	open_writer(f, 100);
	publish(f, 0, 30, 1);
	assert_int_equal(config_begin(f->w), 0);
	scratch_record(&rec, 40, 2);
	snprintf(rec.head.name, sizeof rec.head.name, "trunk-5");
	assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), EEXIST);
	scratch_record(&rec, UINT32_MAX, 2);
	assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), ERANGE);
	scratch_record(&rec, 40, 2);
	assert_int_equal(config_put(f->w, KIND_PARAMETERS, &rec.head), EINVAL);
	assert_int_equal(config_put(f->w, KIND_COUNT, &rec.head), EINVAL);
	rec.head.present = 0;
	assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), EINVAL);
	scratch_record(&rec, 40, 2);
	rec.head.name[0] = '\0';
	assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), EINVAL);
	memset(rec.head.name, 'x', sizeof rec.head.name);
	assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), EINVAL);
	put(f, 40, 2);
	assert_int_equal(config_publish(f->w, 2, NULL), 0);
	open_reader(f);
	refresh(f);
	expect_record(f->snap, 40, 2);
	expect_record(f->snap, 5, 1);
}

static void changes_since_a_generation_are_those_leaves_only(void **state)
{
	struct fixture *f = *state;
	uint32_t per_leaf = config_per_leaf(KIND_REGISTRATION);
	uint64_t first, second;
	struct seen seen;

	open_writer(f, 1000);
	first = publish(f, 0, 10000, 1);
	open_reader(f);
	refresh(f);
	seen = changes(f->snap, 0);
	assert_int_equal(seen.calls, 10000);
	assert_int_equal(seen.limit, 10000);
	/* Before anything was acted on, everything counts as new whatever is asked for. */
	assert_int_equal(changes(f->snap, first).calls, 10000);
	config_applied(f->r, first);
	refresh(f);
	assert_int_equal(changes(f->snap, first).calls, 0);
	second = publish(f, 5000, 5001, 2);
	refresh(f);
	seen = changes(f->snap, first);
	assert_int_equal(seen.calls, per_leaf);
	assert_int_equal(seen.revisions, per_leaf - 1 + 2);
	assert_int_equal(changes(f->snap, second).calls, 0);
	config_changes(f->snap, KIND_PARAMETERS, 0, count_change, &seen, &seen.limit);
	assert_int_equal(seen.limit, 0);
}

static void a_leaf_that_became_empty_is_reported_as_empty(void **state)
{
	struct fixture *f = *state;
	uint32_t per_leaf = config_per_leaf(KIND_REGISTRATION), used, before, total;
	uint64_t generation;
	struct seen seen;

	open_writer(f, 100);
	generation = publish(f, 0, 5 * per_leaf, 1);
	open_reader(f);
	refresh(f);
	config_applied(f->r, generation);
	config_writer_pages(f->w, &before, &total);
	assert_int_equal(config_begin(f->w), 0);
	for (uint32_t id = per_leaf; id < 2 * per_leaf; id++)
		assert_int_equal(config_delete(f->w, KIND_REGISTRATION, id), 0);
	assert_int_equal(config_publish(f->w, 2, NULL), 0);
	config_writer_pages(f->w, &used, &total);
	assert_int_equal(used, before - 1);
	refresh(f);
	seen = changes(f->snap, generation);
	assert_int_equal(seen.calls, per_leaf);
	assert_int_equal(seen.present, 0);
	assert_int_equal(seen.last, 2 * per_leaf - 1);
	assert_null(snapshot_record(f->snap, KIND_REGISTRATION, per_leaf));
	publish(f, per_leaf, per_leaf + 1, 3);
	refresh(f);
	expect_record(f->snap, per_leaf, 3);
}

struct table { uint64_t known[200]; };

static void note_revision(const struct record *rec, uint32_t id, void *arg)
{
	struct table *table = arg;

	table->known[id] = rec->present ? rec->revision : 0;
}

/* An idle reader's pages are reused, and a leaf may come back under its old number with other content. */
static void a_reader_that_was_idle_over_many_generations_finds_every_change(void **state)
{
	struct fixture *f = *state;
	uint32_t records = 200, lost = 0, random = 1, limit;
	struct table table = { { 0 } };
	uint64_t truth[200], applied = 0, revision = 1;

	open_writer(f, 100);
	publish(f, 0, records, revision);
	open_reader(f);
	for (uint32_t id = 0; id < records; id++)
		truth[id] = revision;
	for (int round = 0; round < 500; round++) {
		for (int generations = round % 40; generations > 0; generations--) {
			random = random * 1664525 + 1013904223;
			uint32_t id = (random >> 8) % records;
			publish(f, id, id + 1, ++revision);
			truth[id] = revision;
		}
		refresh(f);
		config_changes(f->snap, KIND_REGISTRATION, applied, note_revision, &table, &limit);
		assert_int_equal(limit, records);
		applied = snapshot_generation(f->snap);
		config_applied(f->r, applied);
		config_idle(f->r);
		for (uint32_t id = 0; id < records; id++)
			lost += table.known[id] != truth[id];
	}
	assert_int_equal(lost, 0);
}

static void pages_are_reused_at_once_when_nobody_looks_at_them(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	char path[200];

	open_writer(f, 20);
	publish(f, 0, 50, 1);
	scratch_path(path, sizeof path, f->dir, "config");
	assert_int_equal(stat(path, &before), 0);
	for (uint64_t revision = 2; revision < 2000; revision++)
		publish(f, (uint32_t)revision % 50, (uint32_t)revision % 50 + 1, revision);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_size, before.st_size);
}

static void a_stalled_reader_keeps_its_snapshot_and_the_writer_moves_to_a_new_file_once(void **state)
{
	struct fixture *f = *state;
	struct stat before, moved, after;
	char path[200];
	uint64_t revision = 1;

	open_writer(f, 20);
	publish(f, 0, 50, revision);
	open_reader(f);
	refresh(f);
	scratch_path(path, sizeof path, f->dir, "config");
	assert_int_equal(stat(path, &before), 0);
	while (revision < 100)
		publish(f, 0, 1, ++revision);
	assert_int_equal(stat(path, &moved), 0);
	assert_int_not_equal(moved.st_ino, before.st_ino);
	/* The stalled reader pins nothing in the new file. */
	while (revision < 2000)
		publish(f, 0, 1, ++revision);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, moved.st_ino);
	for (uint32_t id = 0; id < 50; id++)
		expect_record(f->snap, id, 1);
	assert_true(refresh(f));
	assert_int_equal(snapshot_revision(f->snap), 2000);
	expect_record(f->snap, 0, 2000);
	expect_record(f->snap, 49, 1);
	/* And in the new file it is honoured again. */
	publish(f, 0, 1, 2001);
	publish(f, 0, 1, 2002);
	publish(f, 0, 1, 2003);
	expect_record(f->snap, 0, 2000);
	scratch_path(path, sizeof path, f->dir, "config.old");
	assert_int_equal(access(path, F_OK), -1);
	scratch_path(path, sizeof path, f->dir, "config.new");
	assert_int_equal(access(path, F_OK), -1);
}

static void growth_keeps_generations_so_that_only_what_changed_is_reported(void **state)
{
	struct fixture *f = *state;
	uint64_t generation;
	struct seen seen;
	const uint32_t first = 10 * config_per_leaf(KIND_REGISTRATION);	/* whole leaves: no unchanged neighbour is reported */

	open_writer(f, 20);
	generation = publish(f, 0, first, 1);
	open_reader(f);
	refresh(f);
	config_applied(f->r, generation);
	publish(f, first, 3000, 2);
	assert_true(refresh(f));
	seen = changes(f->snap, generation);
	assert_int_equal(seen.limit, 3000);
	assert_int_equal(seen.calls, 3000 - first);
	for (uint32_t id = 0; id < 3000; id++)
		expect_record(f->snap, id, id < first ? 1 : 2);
}

static void an_abandoned_change_that_outgrew_the_file_leaves_the_old_one_in_place(void **state)
{
	struct fixture *f = *state;
	char path[200];

	open_writer(f, 20);
	publish(f, 0, 50, 1);
	open_reader(f);
	refresh(f);
	assert_int_equal(config_begin(f->w), 0);
	for (uint32_t id = 0; id < 2000; id++)
		put(f, id, 2);
	config_abandon(f->w);
	scratch_path(path, sizeof path, f->dir, "config.new");
	assert_int_equal(access(path, F_OK), -1);
	publish(f, 1, 2, 3);
	assert_true(refresh(f));
	assert_int_equal(snapshot_count(f->snap, KIND_REGISTRATION), 50);
	expect_record(f->snap, 0, 1);
	expect_record(f->snap, 1, 3);
}

static void a_second_writer_is_refused_while_the_first_lives(void **state)
{
	struct fixture *f = *state;
	struct config_writer *second = NULL;

	open_writer(f, 100);
	assert_int_equal(config_writer_open(&second, f->dir, NULL, &f->why), EBUSY);
	assert_non_null(strstr(f->why.text, "another program"));
	assert_null(second);
}

static void a_new_writer_continues_where_the_last_one_ended(void **state)
{
	struct fixture *f = *state;
	struct stat before, after;
	uint32_t used, used_after, total;
	char path[200];

	open_writer(f, 100);
	publish(f, 0, 500, 1);
	publish(f, 7, 8, 2);
	open_reader(f);
	refresh(f);
	config_writer_pages(f->w, &used, &total);
	scratch_path(path, sizeof path, f->dir, "config");
	assert_int_equal(stat(path, &before), 0);
	reopen_writer(f, 100);
	assert_string_equal(f->why.text, "");
	assert_int_equal(config_writer_revision(f->w), 2);
	assert_int_equal(config_writer_generation(f->w), 2);
	config_writer_pages(f->w, &used_after, &total);
	assert_int_equal(used_after, used);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_false(refresh(f));
	publish(f, 8, 9, 3);
	publish(f, 8, 9, 4);
	expect_record(f->snap, 8, 1);
	assert_true(refresh(f));
	expect_record(f->snap, 7, 2);
	expect_record(f->snap, 8, 4);
	assert_string_equal(config_writer_record(f->w, KIND_REGISTRATION, 499)->name, "trunk-499");
}

static void a_writer_that_dies_within_a_change_has_changed_nothing(void **state)
{
	struct fixture *f = *state;

	open_writer(f, 100);
	publish(f, 0, 50, 1);
	open_reader(f);
	refresh(f);
	assert_int_equal(config_begin(f->w), 0);
	put(f, 3, 2);
	/* Closing without publishing is what the kernel does at kill -9: the lock and the mappings go. */
	reopen_writer(f, 100);
	assert_int_equal(config_writer_revision(f->w), 1);
	assert_false(refresh(f));
	expect_record(f->snap, 3, 1);
}

static void a_writer_killed_between_rename_and_superseded_is_finished_by_the_next(void **state)
{
	struct fixture *f = *state;
	char name[200], old[200], kept[200];

	open_writer(f, 100);
	publish(f, 0, 50, 1);
	open_reader(f);
	refresh(f);
	scratch_path(name, sizeof name, f->dir, "config");
	scratch_path(kept, sizeof kept, f->dir, "kept");
	scratch_path(old, sizeof old, f->dir, "config.old");
	assert_int_equal(link(name, kept), 0);
	/* A replacement is made while the reader's file is out of sight, so it is not told. */
	assert_int_equal(unlink(name), 0);
	config_writer_close(f->w);
	f->w = NULL;
	open_writer(f, 100);
	publish(f, 0, 50, 5);
	assert_false(refresh(f));
	assert_int_equal(rename(kept, old), 0);
	reopen_writer(f, 100);
	assert_int_equal(access(old, F_OK), -1);
	assert_true(refresh(f));
	assert_int_equal(snapshot_revision(f->snap), 5);
	assert_int_equal(changes(f->snap, snapshot_generation(f->snap)).calls, 50);
}

static void a_file_removed_by_hand_is_made_again_and_readers_follow(void **state)
{
	struct fixture *f = *state;
	char path[200];

	open_writer(f, 100);
	publish(f, 0, 50, 1);
	open_reader(f);
	refresh(f);
	scratch_path(path, sizeof path, f->dir, "config");
	assert_int_equal(unlink(path), 0);
	config_writer_tick(f->w);
	assert_int_equal(access(path, F_OK), 0);
	refresh(f);
	expect_record(f->snap, 49, 1);
	publish(f, 3, 4, 2);
	assert_true(refresh(f));
	expect_record(f->snap, 3, 2);
}

static void pins_are_honoured_again_after_readers_was_removed_by_hand(void **state)
{
	struct fixture *f = *state;
	char path[200];

	open_writer(f, 100);
	publish(f, 0, 50, 1);
	open_reader(f);
	refresh(f);
	scratch_path(path, sizeof path, f->dir, "readers");
	assert_int_equal(unlink(path), 0);
	config_writer_tick(f->w);
	for (uint64_t revision = 2; revision < 50; revision++)
		publish(f, 0, 50, revision);
	for (uint32_t id = 0; id < 50; id++)
		expect_record(f->snap, id, 1);
	assert_true(refresh(f));
	for (uint64_t revision = 50; revision < 90; revision++)
		publish(f, 0, 50, revision);
	for (uint32_t id = 0; id < 50; id++)
		expect_record(f->snap, id, 49);
}

static void a_writer_whose_readers_pin_elsewhere_changes_nothing_in_their_file(void **state)
{
	struct fixture *f = *state;

	open_writer(f, 100);
	publish(f, 0, 50, 1);
	open_reader(f);
	refresh(f);
	f->w->detached = true;		/* as when the replacement, after `readers` was removed, found no room */
	publish(f, 0, 50, 2);
	publish(f, 0, 50, 3);
	publish(f, 0, 50, 4);
	assert_false(f->w->detached);
	for (uint32_t id = 0; id < 50; id++)
		expect_record(f->snap, id, 1);
	assert_true(refresh(f));
	expect_record(f->snap, 0, 4);
}

static void a_reader_notices_that_both_files_were_replaced_while_no_writer_lived(void **state)
{
	struct fixture *f = *state;
	char path[200];
	bool changed = false;

	open_writer(f, 100);
	publish(f, 0, 50, 1);
	open_reader(f);
	refresh(f);
	config_applied(f->r, 1);
	config_writer_close(f->w);
	f->w = NULL;
	scratch_path(path, sizeof path, f->dir, "config");
	assert_int_equal(unlink(path), 0);
	scratch_path(path, sizeof path, f->dir, "readers");
	assert_int_equal(unlink(path), 0);
	open_writer(f, 100);
	publish(f, 0, 50, 9);		/* generation 1 again, in the same pages */
	for (int wait = 0; wait < 400 && !changed; wait++) {
		config_idle(f->r);
		usleep(10000);
		changed = refresh(f);
	}
	assert_true(changed);
	expect_record(f->snap, 0, 9);
	assert_int_equal(changes(f->snap, 1).calls, 50);
}

static void the_name_index_holds_many_names_through_growth_and_deletion(void **state)
{
	struct fixture *f = *state;
	char name[64];

	open_writer(f, 100);
	publish(f, 0, 20000, 1);
	assert_int_equal(config_begin(f->w), 0);
	for (uint32_t id = 0; id < 20000; id += 2)
		assert_int_equal(config_delete(f->w, KIND_REGISTRATION, id), 0);
	assert_int_equal(config_publish(f->w, 2, NULL), 0);
	open_reader(f);
	refresh(f);
	for (uint32_t id = 0; id < 20000; id++) {
		snprintf(name, sizeof name, "trunk-%u", id);
		const struct record *rec = snapshot_find(f->snap, KIND_REGISTRATION, name);
		if (id % 2 ? !rec || rec->id != id : rec != NULL)
			fail_msg("%s: %s", name, rec ? "found" : "not found");
	}
}

static void names_full_of_collisions_still_fit(void **state)
{
	struct fixture *f = *state;
	struct registration_record rec;
	uint32_t id = 0;

	/* Names chosen, with the seed known, to fall into one bucket of eight: far above any load by chance. */
	open_writer(f, 200);
	assert_int_equal(config_begin(f->w), 0);
	for (uint32_t n = 0; id < 3000; n++) {
		char name[64];
		snprintf(name, sizeof name, "n%u", n);
		if (snapshot_hash(f->w->hash_seed, name) % 8 != 0)
			continue;
		scratch_record(&rec, id++, 1);
		snprintf(rec.head.name, sizeof rec.head.name, "%s", name);
		assert_int_equal(config_put(f->w, KIND_REGISTRATION, &rec.head), 0);
	}
	assert_int_equal(config_publish(f->w, 1, NULL), 0);
	open_reader(f);
	refresh(f);
	for (uint32_t i = 0; i < id; i++) {
		const struct record *r = snapshot_record(f->snap, KIND_REGISTRATION, i);
		assert_ptr_equal(snapshot_find(f->snap, KIND_REGISTRATION, r->name), r);
	}
}

static void ids_far_apart_cost_no_pages_between_them(void **state)
{
	struct fixture *f = *state;
	uint32_t used, total;

	open_writer(f, 100);
	assert_int_equal(config_begin(f->w), 0);
	put(f, 0, 1);
	put(f, 1000000, 1);
	put(f, 500000, 1);
	assert_int_equal(config_publish(f->w, 1, NULL), 0);
	config_writer_pages(f->w, &used, &total);
	assert_in_range(used, 1, 12);
	open_reader(f);
	refresh(f);
	expect_record(f->snap, 0, 1);
	expect_record(f->snap, 500000, 1);
	expect_record(f->snap, 1000000, 1);
	assert_null(snapshot_record(f->snap, KIND_REGISTRATION, 250000));
	assert_null(snapshot_record(f->snap, KIND_REGISTRATION, 8));
	/* Only what was ever used is walked. */
	assert_int_equal(changes(f->snap, 0).present, 3);
}

static void applied_and_rejected_reach_the_other_side(void **state)
{
	struct fixture *f = *state;
	struct readers *readers;
	struct core_slot core;

	open_writer(f, 100);
	publish(f, 0, 10, 1);
	assert_int_equal(readers_open(&readers, f->dir, &f->why), 0);
	readers_core(readers, &core);
	assert_false(core.alive);
	open_reader(f);
	readers_core(readers, &core);
	assert_true(core.alive);
	assert_int_equal(core.pid, getpid());
	assert_int_equal(core.applied_generation, 0);
	config_applied(f->r, 41);
	config_rejected(f->r, 42);
	readers_core(readers, &core);
	assert_int_equal(core.applied_generation, 41);
	assert_int_equal(core.rejected_generation, 42);
	config_reader_close(f->r);
	f->r = NULL;
	readers_core(readers, &core);
	assert_false(core.alive);
	readers_close(readers);
}

static void more_readers_than_slots_are_refused(void **state)
{
	struct fixture *f = *state;
	struct config_reader *many[64], *one_more;

	open_writer(f, 100);
	publish(f, 0, 10, 1);
	for (int i = 0; i < 64; i++)
		assert_int_equal(config_reader_open(&many[i], f->dir, READER_TOOL, &f->why), 0);
	assert_int_equal(config_reader_open(&one_more, f->dir, READER_TOOL, &f->why), EUSERS);
	assert_non_null(strstr(f->why.text, "64"));
	config_reader_close(many[17]);
	assert_int_equal(config_reader_open(&many[17], f->dir, READER_TOOL, &f->why), 0);
	for (int i = 0; i < 64; i++)
		config_reader_close(many[i]);
}

static void a_killed_reader_holds_nothing_after_the_next_tick(void **state)
{
	struct fixture *f = *state;
	int ready[2], status;
	char byte;
	pid_t child;

	open_writer(f, 100);
	publish(f, 0, 10, 1);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		/* A descriptor inherited from before the fork would hold the writer's lock: not our concern here, we only die. */
		if (config_reader_open(&f->r, f->dir, READER_SWITCHCORE, &f->why) != 0 ||
		    config_refresh(f->r, &f->snap, NULL, &f->why) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	publish(f, 0, 1, 2);
	config_writer_tick(f->w);
	assert_int_equal(f->w->pool->queue_length, 4);		/* root, parameters, directory, leaf of generation 1 */
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	config_writer_tick(f->w);
	assert_int_equal(f->w->pool->queue_length, 0);
	assert_int_equal(atomic_load(&f->w->readers->file->claimed), 0);
	close(ready[0]);
	close(ready[1]);
}

static void a_small_configuration_leaves_a_64_mib_tmpfs_half_empty(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[200];

	open_writer(f, 0);
	publish(f, 0, 50, 1);
	scratch_path(path, sizeof path, f->dir, "config");
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, (uint64_t)CONFIG_SPARE_PAGES * CONFIG_PAGE, 9 << 20);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_reader_without_a_segment_is_told_so),
		TEST(what_is_published_is_what_a_reader_sees),
		TEST(the_writer_reads_what_it_published),
		TEST(an_old_snapshot_does_not_change_while_it_is_held),
		TEST(what_is_not_published_is_not_seen_and_an_abandoned_change_leaves_no_trace),
		TEST(a_cleared_configuration_holds_only_what_is_put_after),
		TEST(a_deleted_record_is_gone_and_its_name_free),
		TEST(a_renamed_record_is_found_by_its_new_name_only),
		TEST(a_bad_record_is_refused_and_the_change_goes_on),
		TEST(changes_since_a_generation_are_those_leaves_only),
		TEST(a_leaf_that_became_empty_is_reported_as_empty),
		TEST(a_reader_that_was_idle_over_many_generations_finds_every_change),
		TEST(pages_are_reused_at_once_when_nobody_looks_at_them),
		TEST(a_stalled_reader_keeps_its_snapshot_and_the_writer_moves_to_a_new_file_once),
		TEST(growth_keeps_generations_so_that_only_what_changed_is_reported),
		TEST(an_abandoned_change_that_outgrew_the_file_leaves_the_old_one_in_place),
		TEST(a_second_writer_is_refused_while_the_first_lives),
		TEST(a_new_writer_continues_where_the_last_one_ended),
		TEST(a_writer_that_dies_within_a_change_has_changed_nothing),
		TEST(a_writer_killed_between_rename_and_superseded_is_finished_by_the_next),
		TEST(a_file_removed_by_hand_is_made_again_and_readers_follow),
		TEST(pins_are_honoured_again_after_readers_was_removed_by_hand),
		TEST(a_writer_whose_readers_pin_elsewhere_changes_nothing_in_their_file),
		TEST(a_reader_notices_that_both_files_were_replaced_while_no_writer_lived),
		TEST(the_name_index_holds_many_names_through_growth_and_deletion),
		TEST(names_full_of_collisions_still_fit),
		TEST(ids_far_apart_cost_no_pages_between_them),
		TEST(applied_and_rejected_reach_the_other_side),
		TEST(more_readers_than_slots_are_refused),
		TEST(a_killed_reader_holds_nothing_after_the_next_tick),
		TEST(a_small_configuration_leaves_a_64_mib_tmpfs_half_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
