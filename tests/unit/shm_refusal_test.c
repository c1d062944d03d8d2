/* What is wrong with a file is said, with the value that was found and the one expected, and nobody crashes. */
#include "shm/config.h"
#include "shm/config_writer.h"
#include "shm/status_layout.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/file.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <cmocka.h>

struct fixture {
	char *dir, *path;
	struct shm_why why;
};

/* A published segment of 30 records, its writer gone. */
static void publish(const char *dir, uint64_t revision)
{
	struct config_options options = { .spare_pages = 100 };
	struct registration_record rec;
	struct config_writer *w;
	struct shm_why why;

	assert_int_equal(config_writer_open(&w, dir, &options, &why), 0);
	assert_int_equal(config_begin(w), 0);
	for (uint32_t id = 0; id < 30; id++) {
		scratch_record(&rec, id, revision);
		assert_int_equal(config_put(w, KIND_REGISTRATION, &rec.head), 0);
	}
	assert_int_equal(config_publish(w, revision, NULL), 0);
	config_writer_close(w);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = scratch_dir();
	f->path = malloc(256);
	scratch_path(f->path, 256, f->dir, "config");
	publish(f->dir, 5);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	scratch_remove(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static void overwrite(const char *path, off_t at, const void *bytes, size_t size)
{
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, at), size);
	close(fd);
}

static uint64_t word_at(const char *path, off_t at)
{
	uint64_t word;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &word, sizeof word, at), sizeof word);
	close(fd);
	return word;
}

static void expect_refused(struct fixture *f, int error, const char *word, const char *found, const char *expected)
{
	struct config_reader *r = NULL;

	f->why.text[0] = '\0';
	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), error);
	assert_null(r);
	if (!strstr(f->why.text, word) || !strstr(f->why.text, found) || !strstr(f->why.text, expected) ||
	    !strstr(f->why.text, f->dir))
		fail_msg("\"%s\" does not name %s, %s and %s", f->why.text, word, found, expected);
}

/* The writer says why it cannot go on with the file, makes a new one, and its readers are served again. */
static void expect_made_anew(struct fixture *f, const char *word)
{
	struct config_writer *w;
	struct config_reader *r;
	const struct snapshot *snap;

	assert_int_equal(config_writer_open(&w, f->dir, NULL, &f->why), 0);
	if (!strstr(f->why.text, word))
		fail_msg("\"%s\" does not name %s", f->why.text, word);
	assert_int_equal(config_writer_revision(w), 0);
	config_writer_close(w);
	publish(f->dir, 6);
	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), 0);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), 0);
	assert_int_equal(snapshot_revision(snap), 6);
	config_reader_close(r);
}

struct wrong { const char *word; off_t at; size_t size; uint64_t value; int error; const char *found; };

static void each_value_of_the_version_block_is_checked_and_both_are_named(void **state)
{
	struct fixture *f = *state;
	char layout[32];
	const struct wrong wrongs[] = {
		{ "magic", offsetof(struct shm_block, magic), 8, 0x1122334455667788, EPROTO, "0x1122334455667788" },
		{ "byte order", offsetof(struct shm_block, byte_order), 4, 0x04030201, EPROTO, "0x4030201" },
		{ "major version", offsetof(struct shm_block, major), 2, 77, EPROTO, "0x4d" },
		{ "header size", offsetof(struct shm_block, header_size), 4, 4096, EPROTO, "0x1000" },
		{ "page size", offsetof(struct shm_block, page_size), 4, 4096, EPROTO, "0x1000" },
		{ "record size", offsetof(struct shm_block, record_size) + 8, 4, 1024, EPROTO, "0x400" },
		{ "layout hash", offsetof(struct shm_block, layout_hash), 8, 0xabcdef, EPROTO, "0xabcdef" },
		{ "boot", offsetof(struct shm_block, boot_id), 8, 0, EPROTO, "0000000000000000" },
		{ "never completed", offsetof(struct shm_block, ready), 4, 0, EINVAL, "0" },
		{ "truncated", offsetof(struct shm_block, size), 8, 1u << 30, EINVAL, "1073741824" },
		{ "truncated", offsetof(struct config_header, npages), 4, 60000, EINVAL, "60000" },
	};

	snprintf(layout, sizeof layout, "0x%llx", (unsigned long long)schema_layout_hash());
	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		overwrite(f->path, wrongs[i].at, &wrongs[i].value, wrongs[i].size);
		expect_refused(f, wrongs[i].error, wrongs[i].word, wrongs[i].found,
		               strcmp(wrongs[i].word, "layout hash") == 0 ? layout : wrongs[i].word);
		expect_made_anew(f, wrongs[i].word);
	}
}

static void another_minor_version_is_accepted(void **state)
{
	struct fixture *f = *state;
	struct config_reader *r;

	overwrite(f->path, offsetof(struct shm_block, minor), "\x09\x00", 2);
	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), 0);
	config_reader_close(r);
}

static void a_truncated_file_is_refused_at_any_length(void **state)
{
	struct fixture *f = *state;
	const off_t lengths[] = { 0, 1, 127, 4096, CONFIG_PAGE - 1, CONFIG_PAGE, 3 * CONFIG_PAGE, 100 * CONFIG_PAGE };
	char length[32];

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		assert_int_equal(truncate(f->path, lengths[i]), 0);
		snprintf(length, sizeof length, "%lld", (long long)lengths[i]);
		expect_refused(f, EINVAL, "truncated", length, "bytes");
		expect_made_anew(f, "truncated");
	}
}

static void something_else_under_the_name_is_refused(void **state)
{
	struct fixture *f = *state;
	struct config_writer *w;

	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	expect_refused(f, EINVAL, "no regular file", "config", "config");
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(symlink("/etc/passwd", f->path), 0);
	expect_refused(f, ELOOP, "config", "config", "config");
	assert_int_equal(config_writer_open(&w, f->dir, NULL, &f->why), ELOOP);
}

static void damaged(struct fixture *f, const char *word)
{
	struct config_reader *r;
	const struct snapshot *snap = NULL;

	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), 0);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), EINVAL);
	assert_null(snap);
	if (!strstr(f->why.text, word))
		fail_msg("\"%s\" does not name %s", f->why.text, word);
	config_idle(r);
	config_reader_close(r);
	expect_made_anew(f, word);
}

static void a_damaged_root_is_refused_and_says_where(void **state)
{
	struct fixture *f = *state;
	off_t root_at = offsetof(struct config_header, root), page;
	uint64_t word = word_at(f->path, root_at), wrong;
	uint32_t many = 100000;

	wrong = word | 0xffffff;
	overwrite(f->path, root_at, &wrong, 8);
	damaged(f, "page 16777215");
	wrong = 0;
	overwrite(f->path, root_at, &wrong, 8);
	damaged(f, "page 0");
	wrong = word_at(f->path, root_at) + (5u << 24);
	overwrite(f->path, root_at, &wrong, 8);
	damaged(f, "generation");
	page = (off_t)CONFIG_WORD_PAGE(word_at(f->path, root_at)) * CONFIG_PAGE;
	overwrite(f->path, page + offsetof(struct config_root, revision), &many, 4);
	damaged(f, "checksum");
	page = (off_t)CONFIG_WORD_PAGE(word_at(f->path, root_at)) * CONFIG_PAGE;
	overwrite(f->path, page + offsetof(struct config_root, tree) + offsetof(struct config_tree, dirs), &many, 4);
	damaged(f, "directory pages");
	page = (off_t)CONFIG_WORD_PAGE(word_at(f->path, root_at)) * CONFIG_PAGE;
	overwrite(f->path, page + offsetof(struct config_root, tree) + offsetof(struct config_tree, limit), &many, 4);
	damaged(f, "more records");
	page = (off_t)CONFIG_WORD_PAGE(word_at(f->path, root_at)) * CONFIG_PAGE;
	overwrite(f->path, page + offsetof(struct config_root, tree) + offsetof(struct config_tree, buckets), &many, 4);
	damaged(f, "name index");
}

static void damage_below_the_root_gives_no_record_and_no_crash(void **state)
{
	struct fixture *f = *state;
	uint64_t word = word_at(f->path, offsetof(struct config_header, root)), wrong = CONFIG_WORD(1, 0xfffff0);
	off_t root = (off_t)CONFIG_WORD_PAGE(word) * CONFIG_PAGE, dir;
	struct config_reader *r;
	const struct snapshot *snap;

	dir = (off_t)CONFIG_WORD_PAGE(word_at(f->path, root + offsetof(struct config_root, words))) * CONFIG_PAGE;
	overwrite(f->path, dir + offsetof(struct config_dir, entry), &wrong, 8);
	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), 0);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), 0);
	assert_null(snapshot_record(snap, KIND_REGISTRATION, 0));
	assert_null(snapshot_find(snap, KIND_REGISTRATION, "trunk-0"));
	assert_non_null(snapshot_record(snap, KIND_REGISTRATION, 29));
	config_reader_close(r);
	/* The writer walks all of it before it goes on with a file. */
	expect_made_anew(f, "do not fit together");
}

static void a_reader_keeps_its_snapshot_when_the_new_root_is_damaged(void **state)
{
	struct fixture *f = *state;
	struct config_reader *r;
	const struct snapshot *snap, *kept;
	uint64_t wrong = CONFIG_WORD(900, 0xfffff0);
	bool changed;

	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), 0);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), 0);
	kept = snap;
	overwrite(f->path, offsetof(struct config_header, root), &wrong, 8);
	assert_int_equal(config_refresh(r, &snap, &changed, &f->why), EINVAL);
	assert_ptr_equal(snap, kept);
	assert_int_equal(snapshot_revision(snap), 5);
	assert_string_equal(snapshot_record(snap, KIND_REGISTRATION, 7)->name, "trunk-7");
	/* A new writer finds the damage and replaces the file: the reader follows. */
	publish(f->dir, 8);
	assert_int_equal(config_refresh(r, &snap, &changed, &f->why), 0);
	assert_true(changed);
	assert_int_equal(snapshot_revision(snap), 8);
	config_reader_close(r);
}

static void a_reader_of_an_old_layout_keeps_its_snapshot_and_says_both_values_once_a_second(void **state)
{
	struct fixture *f = *state;
	struct config_reader *r;
	const struct snapshot *snap;
	uint64_t other = 0xabcdef;

	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), 0);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), 0);
	/* The file is found to be of another layout, replaced, and the replacement is of another layout for the reader. */
	overwrite(f->path, offsetof(struct shm_block, layout_hash), &other, 8);
	publish(f->dir, 8);
	overwrite(f->path, offsetof(struct shm_block, layout_hash), &other, 8);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), EPROTO);
	assert_non_null(strstr(f->why.text, "0xabcdef"));
	assert_int_equal(snapshot_revision(snap), 5);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), 0);
	config_idle(r);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), 0);
	assert_int_equal(snapshot_revision(snap), 5);
	assert_string_equal(snapshot_record(snap, KIND_REGISTRATION, 7)->name, "trunk-7");
	config_reader_close(r);
}

static void a_file_of_another_user_is_refused(void **state)
{
	struct fixture *f = *state;
	struct config_writer *w;

	if (geteuid() != 0 || chown(f->path, 12345, 12345) != 0)
		skip();
	expect_refused(f, EPERM, "user 12345", "user 12345", "user 0");
	assert_int_equal(config_writer_open(&w, f->dir, NULL, &f->why), EPERM);
}

static void a_directory_that_others_can_write_is_refused(void **state)
{
	struct fixture *f = *state;
	bool tmpfs;
	uint64_t room = 0;
	char path[256];

	assert_int_equal(shm_prepare_dir(f->dir, &tmpfs, &room, &f->why), 0);
	assert_true(room > 0);
	assert_int_equal(chmod(f->dir, 0777), 0);
	assert_int_equal(shm_prepare_dir(f->dir, &tmpfs, &room, &f->why), EPERM);
	assert_non_null(strstr(f->why.text, "0777"));
	assert_int_equal(chmod(f->dir, 0700), 0);
	assert_int_equal(shm_prepare_dir(f->path, &tmpfs, &room, &f->why), ENOTDIR);
	scratch_path(path, sizeof path, f->dir, "no/such");
	assert_int_equal(shm_prepare_dir(path, &tmpfs, &room, &f->why), ENOENT);
	scratch_path(path, sizeof path, f->dir, "new");
	assert_int_equal(shm_prepare_dir(path, &tmpfs, &room, &f->why), 0);
	assert_int_equal(rmdir(path), 0);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(f->dir, 12345, 12345), 0);
	assert_int_equal(shm_prepare_dir(f->dir, &tmpfs, &room, &f->why), EPERM);
	assert_non_null(strstr(f->why.text, "12345"));
	assert_int_equal(chown(f->dir, 0, 0), 0);
}

static void the_default_directory_is_in_memory(void **state)
{
	struct fixture *f = *state;
	char path[64];

	assert_int_equal(shm_default_dir(path, sizeof path, &f->why), 0);
	assert_true(strcmp(path, "/run/tandem") == 0 || strncmp(path, "/dev/shm/tandem-", 16) == 0);
	assert_int_equal(shm_default_dir(path, 3, &f->why), ENAMETOOLONG);
}

/* Mounts a tmpfs of that size over the scratch directory, for this process alone. */
static void mount_small(struct fixture *f, const char *size)
{
	char option[64];

	snprintf(option, sizeof option, "size=%s,mode=0700", size);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tandem-test", f->dir, "tmpfs", 0, option) != 0)
		skip();
}

static void a_full_file_system_is_named_with_needed_and_free_bytes(void **state)
{
	struct fixture *f = *state;
	struct config_writer *w = NULL;
	struct status_writer *s = NULL;

	mount_small(f, "6m");
	assert_int_equal(config_writer_open(&w, f->dir, NULL, &f->why), ENOSPC);
	assert_non_null(strstr(f->why.text, "needs 8404992 bytes"));
	assert_non_null(strstr(f->why.text, "free are"));
	assert_null(w);
	assert_int_equal(status_writer_open(&s, f->dir, NULL, &f->why), ENOSPC);
	assert_non_null(strstr(f->why.text, "needs"));
	assert_null(s);
	assert_int_equal(umount(f->dir), 0);
}

static void a_change_that_finds_no_room_is_abandoned_and_the_published_one_stays(void **state)
{
	struct fixture *f = *state;
	struct config_options options = { .spare_pages = 100 };
	struct registration_record rec;
	struct config_writer *w;
	struct config_reader *r;
	const struct snapshot *snap;
	int error = 0;

	mount_small(f, "8m");
	publish(f->dir, 5);
	assert_int_equal(config_writer_open(&w, f->dir, &options, &f->why), 0);
	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(config_begin(w), 0);
		for (uint32_t id = 0; id < 10000 && error == 0; id++) {
			scratch_record(&rec, id, 6);
			error = config_put(w, KIND_REGISTRATION, &rec.head);
		}
		assert_int_equal(error, ENOSPC);
		assert_int_equal(config_publish(w, 6, NULL), ENOSPC);
		config_abandon(w);	/* done already, and harmless */
		error = 0;
	}
	assert_int_equal(config_begin(w), 0);
	scratch_record(&rec, 3, 7);
	assert_int_equal(config_put(w, KIND_REGISTRATION, &rec.head), 0);
	assert_int_equal(config_publish(w, 7, NULL), 0);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), 0);
	assert_int_equal(snapshot_count(snap, KIND_REGISTRATION), 30);
	assert_int_equal(snapshot_record(snap, KIND_REGISTRATION, 3)->revision, 7);
	config_reader_close(r);
	config_writer_close(w);
	assert_int_equal(umount(f->dir), 0);
}

/* The database has committed by then: a publish must not fail for want of spare pages. */
static void a_change_that_just_fits_is_published_without_spare_pages(void **state)
{
	struct fixture *f = *state;
	struct config_options options = { .spare_pages = 600 };
	struct registration_record rec;
	struct config_writer *w;
	struct config_reader *r;
	const struct snapshot *snap;
	uint32_t id = 0;

	mount_small(f, "12m");
	assert_int_equal(config_writer_open(&w, f->dir, &options, &f->why), 0);
	assert_int_equal(config_begin(w), 0);
	for (; id < 580 * config_per_leaf(KIND_REGISTRATION); id++) {
		scratch_record(&rec, id, 6);
		assert_int_equal(config_put(w, KIND_REGISTRATION, &rec.head), 0);
	}
	assert_int_equal(config_publish(w, 6, NULL), 0);
	assert_int_equal(config_reader_open(&r, f->dir, READER_TOOL, &f->why), 0);
	assert_int_equal(config_refresh(r, &snap, NULL, &f->why), 0);
	assert_int_equal(snapshot_count(snap, KIND_REGISTRATION), id);
	assert_int_equal(snapshot_record(snap, KIND_REGISTRATION, id - 1)->revision, 6);
	config_reader_close(r);
	config_writer_close(w);
	assert_int_equal(umount(f->dir), 0);
}

static void everything_small_fits_a_64_mib_tmpfs_with_room_to_grow_once(void **state)
{
	struct fixture *f = *state;
	struct config_writer *w;
	struct status_writer *s;
	uint64_t room;
	bool tmpfs;

	mount_small(f, "64m");
	assert_int_equal(config_writer_open(&w, f->dir, NULL, &f->why), 0);
	assert_int_equal(config_begin(w), 0);
	assert_int_equal(config_publish(w, 1, NULL), 0);
	assert_int_equal(status_writer_open(&s, f->dir, NULL, &f->why), 0);
	assert_int_equal(status_reserve(s, KIND_REGISTRATION, 1000), 0);
	assert_int_equal(shm_prepare_dir(f->dir, &tmpfs, &room, &f->why), 0);
	assert_true(tmpfs);
	assert_in_range(room, 30u << 20, 64u << 20);
	status_writer_close(s);
	config_writer_close(w);
	assert_int_equal(umount(f->dir), 0);
}

static void a_readers_file_of_another_layout_is_replaced_unless_somebody_uses_it(void **state)
{
	struct fixture *f = *state;
	struct readers *held, *r;
	uint32_t slot;
	char path[256];

	scratch_path(path, sizeof path, f->dir, "readers");
	assert_int_equal(readers_open(&held, f->dir, &f->why), 0);
	assert_int_equal(readers_claim(held, READER_TOOL, &slot), 0);
	overwrite(path, offsetof(struct shm_block, major), "\x07\x00", 2);
	assert_int_equal(readers_open(&r, f->dir, &f->why), EPROTO);
	assert_non_null(strstr(f->why.text, "major version is 0x7"));
	readers_close(held);
	assert_int_equal(readers_open(&r, f->dir, &f->why), 0);
	readers_close(r);
}

static void a_directory_that_stays_locked_is_told_and_not_waited_for(void **state)
{
	struct fixture *f = *state;
	struct readers *r;
	int fd = open(f->dir, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(readers_open(&r, f->dir, &f->why), EBUSY);
	assert_non_null(strstr(f->why.text, "keeps it locked"));
	close(fd);
	assert_int_equal(readers_open(&r, f->dir, &f->why), 0);
	readers_close(r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_value_of_the_version_block_is_checked_and_both_are_named),
		TEST(another_minor_version_is_accepted),
		TEST(a_truncated_file_is_refused_at_any_length),
		TEST(something_else_under_the_name_is_refused),
		TEST(a_damaged_root_is_refused_and_says_where),
		TEST(damage_below_the_root_gives_no_record_and_no_crash),
		TEST(a_reader_keeps_its_snapshot_when_the_new_root_is_damaged),
		TEST(a_reader_of_an_old_layout_keeps_its_snapshot_and_says_both_values_once_a_second),
		TEST(a_file_of_another_user_is_refused),
		TEST(a_directory_that_others_can_write_is_refused),
		TEST(the_default_directory_is_in_memory),
		TEST(a_full_file_system_is_named_with_needed_and_free_bytes),
		TEST(a_change_that_finds_no_room_is_abandoned_and_the_published_one_stays),
		TEST(a_change_that_just_fits_is_published_without_spare_pages),
		TEST(everything_small_fits_a_64_mib_tmpfs_with_room_to_grow_once),
		TEST(a_directory_that_stays_locked_is_told_and_not_waited_for),
		TEST(a_readers_file_of_another_layout_is_replaced_unless_somebody_uses_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
