/* The CDR spool: what was written comes back once and whole, and what was torn or damaged is told. */
#include "shm/cdr_format.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <time.h>
#include <cmocka.h>

#define MANY 25000u

struct fixture {
	char *dir, spool[300];
	struct cdr_place place;
	struct cdr_loss lost;		/* of all reads so far */
	struct shm_why why;
	struct cdr_reader *r;
	struct cdr_writer *w;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = scratch_dir();
	scratch_path(f->spool, sizeof f->spool, f->dir, "cdr");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cdr_writer_close(f->w);
	cdr_reader_close(f->r);
	scratch_remove(strdup(f->spool));
	scratch_remove(f->dir);
	free(f);
	return 0;
}

/* Every field says which record it is of. */
struct sample { char text[24][32]; struct cdr cdr; };

static const struct cdr *sample(uint64_t id)
{
	static struct sample s;
	unsigned n = 0;

	s.cdr = (struct cdr){ .id = id };
#define CDR_TIME(name) s.cdr.name = 1700000000000000u + id * 1000 + n++;
#define CDR_NUMBER(name) s.cdr.name = (uint32_t)id + n++;
#define CDR_TEXT(name) snprintf(s.text[n], sizeof s.text[n], "%u of %llu", n, (unsigned long long)id); s.cdr.name = s.text[n++];
#define CDR_LIST(name, member) snprintf(s.text[n], sizeof s.text[n], "gateway %llu\nother 503\n", (unsigned long long)id); s.cdr.name = s.text[n++];
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	return &s.cdr;
}

static void assert_same(const struct cdr *a, const struct cdr *b)
{
	assert_int_equal(a->id, b->id);
#define CDR_TIME(name) assert_int_equal(a->name, b->name);
#define CDR_NUMBER(name) assert_int_equal(a->name, b->name);
#define CDR_TEXT(name) assert_string_equal(a->name, b->name);
#define CDR_LIST(name, member) assert_string_equal(a->name, b->name);
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
}

static void open_writer(struct fixture *f)
{
	assert_int_equal(cdr_writer_open(&f->w, f->spool, &f->why), 0);
}

static void close_writer(struct fixture *f)
{
	cdr_writer_close(f->w);
	f->w = NULL;
}

static void open_reader(struct fixture *f)
{
	cdr_reader_close(f->r);
	f->r = NULL;
	assert_int_equal(cdr_reader_open(&f->r, f->spool, &f->why), 0);
}

static void write_samples(struct fixture *f, uint64_t from, uint64_t to)
{
	for (uint64_t id = from; id <= to; id++)
		assert_int_equal(cdr_write(f->w, sample(id)), 0);
}

/* The next record: its id, checked to be as written; 0 = none now.  Losses are added up. */
static uint64_t read_one(struct fixture *f)
{
	struct cdr cdr;
	struct cdr_loss loss;
	int error;

	while ((error = cdr_next(f->r, &f->place, &cdr, &loss)) == EBADMSG) {
		assert_true(loss.bytes > 0 || loss.records > 0);
		f->lost.bytes += loss.bytes;
		f->lost.records += loss.records;
	}
	if (error == EAGAIN)
		return 0;
	assert_int_equal(error, 0);
	assert_same(&cdr, sample(cdr.id));
	return cdr.id;
}

static void assert_reads(struct fixture *f, uint64_t from, uint64_t to)
{
	for (uint64_t id = from; id <= to; id++)
		assert_int_equal(read_one(f), id);
	assert_int_equal(read_one(f), 0);
}

static void assert_nothing_lost(const struct fixture *f)
{
	assert_int_equal(f->lost.bytes, 0);
	assert_int_equal(f->lost.records, 0);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The spool's files by age. */
static unsigned files(const struct fixture *f, char names[32][CDR_NAME_MAX + 1])
{
	DIR *d = opendir(f->spool);
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)) && n < 32)
		if (strstr(entry->d_name, ".cdr"))
			snprintf(names[n++], CDR_NAME_MAX + 1, "%s", entry->d_name);
	closedir(d);
	qsort(names, n, sizeof names[0], compare);
	return n;
}

static void path_of(char *path, const struct fixture *f, const char *name)
{
	assert_true((size_t)snprintf(path, 400, "%s/%s", f->spool, name) < 400);
}

static void put_file(const struct fixture *f, const char *name, const uint8_t *bytes, size_t size)
{
	char path[400];
	int fd;

	path_of(path, f, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void remake_crc(uint8_t *record, size_t length)
{
	uint32_t crc = cdr_crc(cdr_crc(0, record, 12), record + 16, length - 16);

	memcpy(record + 12, &crc, sizeof crc);	/* this machine is little-endian, or the test below fails */
}

#define FIRST "0000000000000001-1-0000000000000001.cdr"
#define SECOND "0000000000000002-1-0000000000000002.cdr"

/* ------------------------------------------------------------------ format */

static void the_checksum_is_crc_32c(void **state)
{
	(void)state;
	assert_int_equal(cdr_crc(0, (const uint8_t *)"123456789", 9), 0xe3069283u);
	assert_int_equal(cdr_crc(cdr_crc(0, (const uint8_t *)"1234", 4), (const uint8_t *)"56789", 5), 0xe3069283u);
}

static void no_two_fields_have_one_tag_and_no_tag_continues_the_magic(void **state)
{
	static const char *const names[] = {
#define CDR_TIME(name) #name,
#define CDR_NUMBER(name) #name,
#define CDR_TEXT(name) #name,
#define CDR_LIST(name, member) #name,
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	};
	uint32_t behind_nul;

	(void)state;
	memcpy(&behind_nul, CDR_MAGIC + 4, sizeof behind_nul);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_int_not_equal(cdr_tag(names[i]), behind_nul);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(cdr_tag(names[i]), cdr_tag(names[j]));
	}
}

static void an_empty_record_comes_back_empty(void **state)
{
	uint8_t bytes[CDR_BYTES_MAX];
	struct cdr cdr, empty = { .id = UINT64_MAX };
	uint64_t sequence;
	size_t length;

	(void)state;
	assert_int_equal(cdr_encode(bytes, &empty, 7), CDR_HEADER);
	assert_int_equal(cdr_check(&length, bytes, CDR_HEADER), 0);
	assert_int_equal(cdr_decode(&cdr, &sequence, bytes, length), 0);
	assert_int_equal(sequence, 7);
	assert_int_equal(cdr.id, UINT64_MAX);
	assert_int_equal(cdr.setup_at, 0);
	assert_string_equal(cdr.to_out, "");
	assert_string_equal(cdr.tried, "");
}

static void what_is_too_long_is_cut_at_a_character_and_at_a_line(void **state)
{
	uint8_t bytes[CDR_BYTES_MAX];
	static char text[40000], lines[40000];
	struct cdr cdr = { 0 }, got;
	uint64_t sequence;
	size_t length;

	(void)state;
	text[0] = 'x';
	for (size_t i = 1; i + 3 < sizeof text; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	for (size_t i = 0; i + 20 < sizeof lines; i += 14)
		memcpy(lines + i, "carrier-a 503\n", 14);
#define CDR_TIME(name) cdr.name = UINT64_MAX;
#define CDR_NUMBER(name) cdr.name = UINT32_MAX;
#define CDR_TEXT(name) cdr.name = text;
#define CDR_LIST(name, member) cdr.name = lines;
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	length = cdr_encode(bytes, &cdr, 0);
	assert_in_range(length, CDR_BYTES_MAX - 100, CDR_BYTES_MAX);
	assert_int_equal(cdr_check(&length, bytes, length), 0);
	assert_int_equal(cdr_decode(&got, &sequence, bytes, length), 0);
	assert_int_equal(strlen(got.to_in), 511);	/* 1 + 170 × 3; one byte of the next would have had room */
	assert_memory_equal(got.to_in, text, 511);
	assert_true(strlen(got.tried) >= 2048);
	assert_int_equal(strlen(got.tried) % 14, 0);
	assert_true(strlen(got.skipped) >= 2048);
}

static void a_field_of_another_version_is_passed_over(void **state)
{
	uint8_t bytes[CDR_BYTES_MAX];
	struct cdr cdr = { .id = 5, .to_in = "4711", .code = 486 }, got;
	uint64_t sequence;
	size_t length = cdr_encode(bytes, &cdr, 0);

	(void)state;
	bytes[CDR_HEADER] ^= 0x55;	/* the tag of to_in is now none that we know */
	remake_crc(bytes, length);
	assert_int_equal(cdr_check(&length, bytes, length), 0);
	assert_int_equal(cdr_decode(&got, &sequence, bytes, length), 0);
	assert_string_equal(got.to_in, "");
	assert_int_equal(got.code, 486);
}

static void a_malformed_field_is_refused_though_the_checksum_is_right(void **state)
{
	uint8_t good[CDR_BYTES_MAX], bytes[CDR_BYTES_MAX];
	struct cdr cdr = { .id = 5, .to_in = "4711" }, got;
	uint64_t sequence;
	size_t length = cdr_encode(good, &cdr, 0), whole;

	(void)state;
	for (int fault = 0; fault < 4; fault++) {
		memcpy(bytes, good, length);
		if (fault == 0)
			bytes[length - 1] = 'x';		/* no NUL at its end */
		else if (fault == 1)
			bytes[length - 3] = '\0';		/* one in its midst */
		else if (fault == 2)
			bytes[CDR_HEADER + 4] = 200;		/* longer than the record */
		else
			bytes[CDR_HEADER + 4] = 0;		/* no room for a NUL; then rubbish */
		remake_crc(bytes, length);
		assert_int_equal(cdr_check(&whole, bytes, length), 0);
		assert_int_equal(cdr_decode(&got, &sequence, bytes, length), EBADMSG);
	}
}

/* ------------------------------------------------------------------ spool */

static void records_come_back_as_they_were_written_and_in_order(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(cdr_reader_open(&f->r, f->spool, &f->why), ENOENT);
	open_writer(f);
	open_reader(f);
	assert_int_equal(read_one(f), 0);
	write_samples(f, 1, 3);
	assert_reads(f, 1, 3);
	write_samples(f, 4, 5);
	assert_reads(f, 4, 5);
	assert_nothing_lost(f);
}

static void a_reader_resumes_where_its_place_says(void **state)
{
	struct fixture *f = *state;

	open_writer(f);
	write_samples(f, 1, 10);
	close_writer(f);
	open_writer(f);
	write_samples(f, 11, 20);
	for (uint64_t id = 1; id <= 20; id++) {
		open_reader(f);
		assert_int_equal(read_one(f), id);
	}
	open_reader(f);
	assert_int_equal(read_one(f), 0);
	assert_nothing_lost(f);
}

static void a_second_writer_is_refused_while_the_first_lives(void **state)
{
	struct fixture *f = *state;
	struct cdr_writer *second;

	open_writer(f);
	assert_int_equal(cdr_writer_open(&second, f->spool, &f->why), EBUSY);
	assert_non_null(strstr(f->why.text, "another switchcore"));
	close_writer(f);
	open_writer(f);
}

static void a_new_file_sorts_behind_one_of_the_future(void **state)
{
	struct fixture *f = *state;
	char names[32][CDR_NAME_MAX + 1];

	open_writer(f);
	close_writer(f);
	put_file(f, "0fffffffffffffff-1-0000000000000000.cdr", (const uint8_t *)"", 0);
	open_writer(f);
	write_samples(f, 1, 1);
	assert_int_equal(files(f, names), 3);
	assert_int_equal(strncmp(names[2], "1000000000000000-", 17), 0);
	open_reader(f);
	assert_reads(f, 1, 1);
	assert_nothing_lost(f);
}

static void a_full_file_is_followed_by_another_and_dropped_when_it_was_read(void **state)
{
	struct fixture *f = *state;
	char names[32][CDR_NAME_MAX + 1], path[400];
	struct stat st;
	unsigned count;

	open_writer(f);
	write_samples(f, 1, MANY);
	count = files(f, names);
	assert_in_range(count, 3, 6);
	for (unsigned i = 0; i + 1 < count; i++) {
		path_of(path, f, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_in_range(st.st_size, CDR_FILE_BYTES, CDR_FILE_BYTES + CDR_BYTES_MAX);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	open_reader(f);
	assert_int_equal(read_one(f), 1);
	cdr_reader_drop(f->r, &f->place);
	assert_int_equal(files(f, names), count);
	assert_reads(f, 2, MANY);
	assert_string_equal(f->place.file, names[count - 1]);
	cdr_reader_drop(f->r, &f->place);
	assert_int_equal(files(f, names), 1);	/* the last stays: the next one's name must be above it */
	assert_nothing_lost(f);
}

static void a_file_that_a_writer_holds_is_not_dropped(void **state)
{
	struct fixture *f = *state;
	char names[32][CDR_NAME_MAX + 1];
	struct cdr_place far = { .file = "7fffffffffffffff-1-0000000000000000.cdr" };

	open_writer(f);
	put_file(f, far.file, (const uint8_t *)"", 0);
	open_reader(f);
	cdr_reader_drop(f->r, &far);
	assert_int_equal(files(f, names), 2);
	close_writer(f);
	cdr_reader_drop(f->r, &(struct cdr_place){ .file = "7ffffffffffffffe-1-0000000000000000.cdr" });
	assert_int_equal(files(f, names), 2);	/* that place is of another spool */
	cdr_reader_drop(f->r, &far);
	assert_int_equal(files(f, names), 1);
}

/* Three records, and where each begins. */
static size_t three(uint8_t *bytes, size_t at[4])
{
	at[0] = 0;
	for (unsigned i = 0; i < 3; i++)
		at[i + 1] = at[i] + cdr_encode(bytes + at[i], sample(i + 1), i);
	return at[3];
}

static void a_file_torn_at_any_byte_gives_the_whole_records_before_and_the_next_file(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[3 * CDR_BYTES_MAX], fourth[CDR_BYTES_MAX];
	size_t at[4], size = three(bytes, at), length = cdr_encode(fourth, sample(4), 0);

	assert_int_equal(mkdir(f->spool, 0700), 0);
	put_file(f, SECOND, fourth, length);
	for (size_t end = 0; end <= size; end++) {
		unsigned whole = end == size ? 3 : end >= at[2] ? 2 : end >= at[1] ? 1 : 0;
		put_file(f, FIRST, bytes, end);
		f->place = (struct cdr_place){ 0 };
		f->lost = (struct cdr_loss){ 0 };
		open_reader(f);
		for (unsigned i = 0; i < whole; i++)
			assert_int_equal(read_one(f), i + 1);
		assert_int_equal(read_one(f), 4);
		assert_int_equal(read_one(f), 0);
		assert_int_equal(f->lost.bytes, end - at[whole]);
	}
}

static void a_byte_damaged_anywhere_loses_that_record_alone_and_is_told(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[3 * CDR_BYTES_MAX];
	size_t at[4], size = three(bytes, at);

	assert_int_equal(mkdir(f->spool, 0700), 0);
	for (size_t hit = 0; hit < size; hit++) {
		unsigned victim = hit >= at[2] ? 3 : hit >= at[1] ? 2 : 1;
		bytes[hit] ^= (uint8_t)(1 + hit % 255);
		put_file(f, FIRST, bytes, size);
		bytes[hit] ^= (uint8_t)(1 + hit % 255);
		f->place = (struct cdr_place){ 0 };
		f->lost = (struct cdr_loss){ 0 };
		open_reader(f);
		for (unsigned i = 1; i <= 3; i++)
			if (i != victim)
				assert_int_equal(read_one(f), i);
		assert_int_equal(read_one(f), 0);
		assert_int_equal(f->lost.bytes, at[victim] - at[victim - 1]);
		assert_int_equal(f->lost.records, victim == 3 ? 0 : 1);	/* none behind the third tells its number */
	}
}

/* Of any length: the record behind it begins anywhere in what the reader takes in at once. */
static void rubbish_of_any_length_is_passed_over(void **state)
{
	struct fixture *f = *state;
	static uint8_t bytes[200000];

	assert_int_equal(mkdir(f->spool, 0700), 0);
	for (size_t rubbish = 1; rubbish < 150000; rubbish += 499) {
		size_t size = cdr_encode(bytes, sample(1), 0);
		memset(bytes + size, 0xa5, rubbish);
		size += rubbish;
		size += cdr_encode(bytes + size, sample(2), 1);
		put_file(f, FIRST, bytes, size);
		f->place = (struct cdr_place){ 0 };
		f->lost = (struct cdr_loss){ 0 };
		open_reader(f);
		assert_reads(f, 1, 2);
		assert_int_equal(f->lost.bytes, rubbish);
	}
}

static void a_callers_text_cannot_pass_for_a_record(void **state)
{
	struct fixture *f = *state;
	uint8_t forged[CDR_BYTES_MAX], outer[CDR_BYTES_MAX];
	char text[CDR_TEXT_MAX + 1] = "";
	struct cdr small = { .id = 99 }, cdr = { .id = 1, .call_id_in = text };
	size_t length = cdr_encode(forged, &small, 0), at = 0;

	/* Whatever of it a header can carry. */
	for (size_t i = 0; i < length; i++)
		text[at++] = forged[i] ? (char)forged[i] : 'x';
	assert_int_equal(mkdir(f->spool, 0700), 0);
	length = cdr_encode(outer, &cdr, 0);
	put_file(f, FIRST, outer, length - 1);
	open_reader(f);
	assert_int_equal(read_one(f), 0);
	assert_int_equal(f->lost.bytes, length - 1);
}

static void a_record_that_is_being_written_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	uint8_t bytes[CDR_BYTES_MAX];
	size_t length = cdr_encode(bytes, sample(1), 0);
	char path[400];
	int fd;

	assert_int_equal(mkdir(f->spool, 0700), 0);
	path_of(path, f, FIRST);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	open_reader(f);
	for (size_t i = 0; i < length; i++) {
		assert_int_equal(read_one(f), 0);
		assert_int_equal(write(fd, bytes + i, 1), 1);
	}
	assert_int_equal(read_one(f), 1);
	assert_nothing_lost(f);
	/* Half of one that could not be cut off, and a whole one behind it: not waited for. */
	assert_int_equal(write(fd, bytes, length / 2), length / 2);
	assert_int_equal(read_one(f), 0);
	length = cdr_encode(bytes, sample(2), 2);
	assert_int_equal(write(fd, bytes, length), length);
	assert_int_equal(read_one(f), 2);
	assert_true(f->lost.bytes > 0);
	assert_int_equal(f->lost.records, 1);
	close(fd);
}

/* The limit of a file's size ends a write in its midst, as a full disk does. */
static void a_record_that_had_no_room_is_cut_off_and_counted(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit, narrow;
	struct stat st;
	char names[32][CDR_NAME_MAX + 1], path[400];

	signal(SIGXFSZ, SIG_IGN);
	open_writer(f);
	open_reader(f);
	write_samples(f, 1, 2);
	assert_int_equal(files(f, names), 1);
	path_of(path, f, names[0]);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	narrow = (struct rlimit){ (rlim_t)st.st_size + 100, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &narrow), 0);
	assert_int_equal(cdr_write(f->w, sample(3)), ENOSPC);
	assert_int_equal(cdr_write(f->w, sample(4)), ENOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_reads(f, 1, 2);
	write_samples(f, 5, 5);
	assert_reads(f, 5, 5);
	assert_int_equal(f->lost.bytes, 0);
	assert_int_equal(f->lost.records, 2);
}

static void a_file_or_directory_deleted_by_hand_is_made_anew(void **state)
{
	struct fixture *f = *state;
	char names[32][CDR_NAME_MAX + 1], path[400];
	struct cdr cdr;
	struct cdr_loss loss;

	open_writer(f);
	open_reader(f);
	write_samples(f, 1, 2);
	assert_reads(f, 1, 2);
	assert_int_equal(files(f, names), 1);
	path_of(path, f, names[0]);
	assert_int_equal(unlink(path), 0);
	write_samples(f, 3, 3);
	assert_reads(f, 3, 3);
	assert_int_equal(files(f, names), 1);
	path_of(path, f, names[0]);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(f->spool), 0);
	write_samples(f, 4, 4);
	assert_int_equal(cdr_next(f->r, &f->place, &cdr, &loss), ENOENT);
	open_reader(f);
	assert_reads(f, 4, 4);
	assert_nothing_lost(f);
}

static void a_place_that_means_nothing_here_begins_with_the_oldest_file(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { "", "../state/tandem.db", "/etc/passwd", "x.cdr", "7fffffffffffffff-1-0000000000000000.cdr" };

	open_writer(f);
	write_samples(f, 1, 1);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		f->place = (struct cdr_place){ .offset = 12 };
		snprintf(f->place.file, sizeof f->place.file, "%s", names[i]);
		open_reader(f);
		assert_reads(f, 1, 1);
	}
	/* Behind the end of a file there is nothing, and what comes next is found. */
	f->place.offset = UINT64_MAX;
	assert_int_equal(read_one(f), 0);
	close_writer(f);
	open_writer(f);
	write_samples(f, 2, 2);
	assert_reads(f, 2, 2);
}

static void what_is_no_file_of_the_spool_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[400];

	open_writer(f);
	path_of(path, f, FIRST);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	path_of(path, f, SECOND);
	assert_int_equal(mkfifo(path, 0600), 0);
	put_file(f, "note.txt", (const uint8_t *)"hello", 5);
	put_file(f, "0000000000000003-1-UPPER.cdrx", (const uint8_t *)"hello", 5);
	write_samples(f, 1, 1);
	open_reader(f);
	assert_reads(f, 1, 1);
	assert_nothing_lost(f);
}

static void what_waits_behind_a_place_is_measured(void **state)
{
	struct fixture *f = *state;
	uint64_t files = 9, bytes = 9, all;

	open_writer(f);
	open_reader(f);
	assert_int_equal(cdr_reader_backlog(f->r, &f->place, &files, &bytes), 0);
	assert_int_equal(files, 0);
	assert_int_equal(bytes, 0);
	write_samples(f, 1, 3);
	close_writer(f);
	open_writer(f);
	write_samples(f, 4, 4);
	assert_int_equal(cdr_reader_backlog(f->r, &f->place, &files, &all), 0);
	assert_int_equal(files, 2);
	assert_int_equal(read_one(f), 1);
	assert_int_equal(cdr_reader_backlog(f->r, &f->place, &files, &bytes), 0);
	assert_int_equal(files, 2);
	assert_true(bytes == all - f->place.offset);
	assert_reads(f, 2, 4);
	assert_int_equal(cdr_reader_backlog(f->r, &f->place, &files, &bytes), 0);
	assert_int_equal(files, 0);
	assert_int_equal(bytes, 0);
}

/* The oldest stay, what is lost is known to the reader, and room that the reader makes is used again. */
static void a_spool_that_holds_what_it_may_takes_no_more_until_some_is_taken(void **state)
{
	struct fixture *f = *state;
	uint64_t written = 0, lost = 0, files, bytes;
	const struct timespec second = { .tv_sec = 1, .tv_nsec = 50000000 };
	int error;

	open_writer(f);
	cdr_writer_limit(f->w, CDR_SPOOL_LEAST);
	while ((error = cdr_write(f->w, sample(written + 1))) == 0)
		written++;
	assert_int_equal(error, ENOBUFS);
	for (lost = 1; lost < 5; lost++)
		assert_int_equal(cdr_write(f->w, sample(written + 1)), ENOBUFS);
	open_reader(f);
	assert_int_equal(cdr_reader_backlog(f->r, &f->place, &files, &bytes), 0);
	assert_true(bytes <= CDR_SPOOL_LEAST && bytes > CDR_SPOOL_LEAST - CDR_BYTES_MAX);
	assert_reads(f, 1, written);
	cdr_reader_drop(f->r, &f->place);
	nanosleep(&second, NULL);	/* the writer looks no more often */
	assert_int_equal(cdr_write(f->w, sample(written + 1)), 0);
	assert_reads(f, written + 1, written + 1);
	assert_int_equal(f->lost.records, lost);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_waits_behind_a_place_is_measured),
		T(a_spool_that_holds_what_it_may_takes_no_more_until_some_is_taken),
		cmocka_unit_test(the_checksum_is_crc_32c),
		cmocka_unit_test(no_two_fields_have_one_tag_and_no_tag_continues_the_magic),
		cmocka_unit_test(an_empty_record_comes_back_empty),
		cmocka_unit_test(what_is_too_long_is_cut_at_a_character_and_at_a_line),
		cmocka_unit_test(a_field_of_another_version_is_passed_over),
		cmocka_unit_test(a_malformed_field_is_refused_though_the_checksum_is_right),
		T(records_come_back_as_they_were_written_and_in_order),
		T(a_reader_resumes_where_its_place_says),
		T(a_second_writer_is_refused_while_the_first_lives),
		T(a_new_file_sorts_behind_one_of_the_future),
		T(a_full_file_is_followed_by_another_and_dropped_when_it_was_read),
		T(a_file_that_a_writer_holds_is_not_dropped),
		T(a_file_torn_at_any_byte_gives_the_whole_records_before_and_the_next_file),
		T(a_byte_damaged_anywhere_loses_that_record_alone_and_is_told),
		T(rubbish_of_any_length_is_passed_over),
		T(a_callers_text_cannot_pass_for_a_record),
		T(a_record_that_is_being_written_is_waited_for),
		T(a_record_that_had_no_room_is_cut_off_and_counted),
		T(a_file_or_directory_deleted_by_hand_is_made_anew),
		T(a_place_that_means_nothing_here_begins_with_the_oldest_file),
		T(what_is_no_file_of_the_spool_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
