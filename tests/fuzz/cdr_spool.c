/*
 * A spool whose files hold anything.  The input is a list of pieces {what, length in two bytes, bytes}: the bytes as they are; the
 * same as the fields of a record whose head and checksum are right, so that what lies behind them is reached too; or the
 * beginning of the next file, which a writer may hold.  All is read: reading moves on, ends, and every record is told as
 * legal JSON and comes back the same when it is written anew.
 */
#include "mgmtd/cdr.h"
#include "shm/cdr_format.h"
#include "tests/shm/scratch.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>

#define FILES_MAX 4
#define READS_MAX 100000

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *dir, names[FILES_MAX][CDR_NAME_MAX + 1];

static void remove_dir(void)
{
	scratch_remove(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	dir = scratch_dir();
	atexit(remove_dir);
	for (unsigned i = 0; i < FILES_MAX; i++)
		snprintf(names[i], sizeof names[i], "%016x-1-%016x.cdr", i + 1, i);
	return 0;
}

static void demand(int holds)
{
	if (!holds)
		abort();
}

static int begin_file(unsigned which)
{
	char path[400];
	int fd;

	scratch_path(path, sizeof path, dir, names[which]);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	demand(fd >= 0);
	return fd;
}

/* From a place that ends with the record: what reads behind it is seen. */
static void decode_alone(const uint8_t *record, size_t size)
{
	uint8_t *alone = malloc(size);
	uint64_t sequence;
	struct cdr cdr;
	size_t length, sum = 0;

	demand(alone != NULL);
	memcpy(alone, record, size);
	demand(cdr_check(&length, alone, size) == 0 && length == size);
	if (cdr_decode(&cdr, &sequence, alone, size) == 0) {
#define CDR_TIME(name)
#define CDR_NUMBER(name)
#define CDR_TEXT(name) sum += strlen(cdr.name);
#define CDR_LIST(name, member) sum += strlen(cdr.name);
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	}
	demand(sum < 64 * size);
	free(alone);
}

static void put_record(int fd, const uint8_t *fields, size_t size)
{
	uint8_t record[CDR_BYTES_MAX];
	uint32_t length, crc;

	if (size > CDR_BYTES_MAX - CDR_HEADER)
		size = CDR_BYTES_MAX - CDR_HEADER;
	length = htole32((uint32_t)(CDR_HEADER + size));
	cdr_encode(record, &(struct cdr){ .id = size }, 0);
	memcpy(record + 8, &length, sizeof length);
	memcpy(record + CDR_HEADER, fields, size);
	crc = htole32(cdr_crc(cdr_crc(0, record, 12), record + 16, CDR_HEADER + size - 16));
	memcpy(record + 12, &crc, sizeof crc);
	decode_alone(record, CDR_HEADER + size);
	demand(write(fd, record, CDR_HEADER + size) == (ssize_t)(CDR_HEADER + size));
}

/* Returns the last file, still open. */
static int make_spool(const uint8_t *data, size_t size)
{
	unsigned file = 0;
	int fd = begin_file(0);

	while (size >= 3) {
		size_t length = data[1] | (size_t)data[2] << 8;
		if (length > size - 3)
			length = size - 3;
		if (data[0] % 3 == 0)
			demand(write(fd, data + 3, length) == (ssize_t)length);
		else if (data[0] % 3 == 1)
			put_record(fd, data + 3, length);
		else if (file + 1 < FILES_MAX) {
			close(fd);
			fd = begin_file(++file);
		}
		data += 3 + length;
		size -= 3 + length;
	}
	for (unsigned i = file + 1; i < FILES_MAX; i++) {
		char path[400];
		scratch_path(path, sizeof path, dir, names[i]);
		unlink(path);
	}
	return fd;
}

static void check_record(const struct cdr *cdr)
{
	uint8_t record[CDR_BYTES_MAX];
	struct buffer b = { 0 };
	struct cdr again;
	uint64_t sequence;
	size_t length = cdr_encode(record, cdr, 5);
	json_t *json;

	demand(length <= CDR_BYTES_MAX && cdr_check(&length, record, length) == 0 && cdr_decode(&again, &sequence, record, length) == 0);
	demand(again.id == cdr->id && sequence == 5 && again.code == cdr->code && strlen(again.to_in) <= strlen(cdr->to_in));
	cdr_render(&b, cdr);
	json = json_loads(b.text, 0, NULL);
	demand(json != NULL);
	json_decref(json);
	buffer_free(&b);
}

static void read_all(struct cdr_reader *r)
{
	struct cdr_place place = { .file = "" }, before;
	struct cdr_loss loss;
	struct cdr cdr;
	int error = 0;

	for (unsigned i = 0; error == 0 || error == EBADMSG; i++) {
		demand(i < READS_MAX);
		before = place;
		error = cdr_next(r, &place, &cdr, &loss);
		if (error == 0)
			check_record(&cdr);
		int order = strcmp(place.file, before.file);
		demand(order > 0 || (order == 0 && (place.offset > before.offset || error == EAGAIN || (error == EBADMSG && loss.records > 0))));
		demand(error != EBADMSG || loss.bytes > 0 || loss.records > 0);
	}
	demand(error == EAGAIN);
	cdr_reader_drop(r, &place);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct cdr_reader *r;
	struct shm_why why;
	int fd;

	if (size < 1)
		return 0;
	fd = make_spool(data + 1, size - 1);
	if (data[0] & 1)
		demand(fcntl(fd, F_OFD_SETLK, &lock) == 0);
	demand(cdr_reader_open(&r, dir, &why) == 0);
	read_all(r);
	cdr_reader_close(r);
	close(fd);
	return 0;
}
