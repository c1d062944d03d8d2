#include "shm/cdr_format.h"
#include "shm/cdr_spool.h"
#include "shm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNNAMED "new"	/* a file before it is locked and gets its name */
#define MEASURE_MS 1000

struct cdr_writer {
	char *dir;
	int dirfd;		/* holds the flock that keeps a second writer out */
	int fd;			/* of the file that is appended to, -1 = none */
	uint64_t sequence;	/* of the next record */
	uint64_t limit;		/* bytes, 0 = none */
	uint64_t used;		/* of the spool, at most: the reader removes files without a word */
	int64_t measured_ms;
	uint8_t bytes[CDR_BYTES_MAX];
};

static void see_newest(void *arg, const char *name, uint64_t time)
{
	uint64_t *newest = arg;

	(void)name;
	if (time > *newest)
		*newest = time;
}

static int make_name(char *name, size_t size, int dirfd)
{
	struct timespec now;
	uint64_t time, newest = 0, chance;
	int error = cdr_spool_each(dirfd, see_newest, &newest);

	if (error || (error = shm_random(&chance, sizeof chance)) != 0)
		return error;
	clock_gettime(CLOCK_REALTIME, &now);
	time = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	snprintf(name, size, "%016" PRIx64 "-%d-%016" PRIx64 ".cdr", time > newest ? time : newest + 1, (int)getpid(), chance);
	return 0;
}

/* A file of our own, locked before it can be seen under its name. */
static int begin_file(struct cdr_writer *w)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char name[CDR_NAME_MAX + 1];
	int error = make_name(name, sizeof name, w->dirfd), fd;

	if (error)
		return error;
	fd = openat(w->dirfd, UNNAMED, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0 || renameat(w->dirfd, UNNAMED, w->dirfd, name) != 0) {
		error = errno;
		close(fd);
		return error;
	}
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	w->sequence = 0;
	return 0;
}

/* EBUSY: another holds it. */
static int open_dir(struct cdr_writer *w, struct shm_why *why)
{
	uint64_t room;
	bool tmpfs;
	int error = shm_prepare_dir(w->dir, &tmpfs, &room, why), fd;

	if (error)
		return error;
	fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
		error = errno == EWOULDBLOCK ? EBUSY : errno;
		shm_why_set(why, "%s: %s", w->dir, error == EBUSY ? "another switchcore writes its CDRs there" : strerror(error));
		if (fd >= 0)
			close(fd);
		return error;
	}
	if (w->dirfd >= 0)
		close(w->dirfd);
	w->dirfd = fd;
	return 0;
}

int cdr_writer_open(struct cdr_writer **out, const char *dir, struct shm_why *why)
{
	struct cdr_writer *w = calloc(1, sizeof *w);
	int error = ENOMEM;

	if (!w)
		return ENOMEM;
	w->dirfd = w->fd = -1;
	w->dir = strdup(dir);
	if (w->dir && (error = open_dir(w, why)) == 0 && (error = begin_file(w)) != 0)
		shm_why_set(why, "%s: cannot begin a file of CDRs: %s", dir, strerror(error));
	if (error) {
		cdr_writer_close(w);
		return error;
	}
	*out = w;
	return 0;
}

void cdr_writer_close(struct cdr_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	if (w->dirfd >= 0)
		close(w->dirfd);
	free(w->dir);
	free(w);
}

struct measure { int dirfd; uint64_t bytes; };

static void add_size(void *arg, const char *name, uint64_t time)
{
	struct measure *m = arg;
	struct stat st;

	(void)time;
	if (fstatat(m->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		m->bytes += (uint64_t)st.st_size;
}

static void measure(struct cdr_writer *w)
{
	struct measure m = { .dirfd = w->dirfd };

	w->measured_ms = shm_monotonic_ms();
	if (cdr_spool_each(w->dirfd, add_size, &m) == 0)
		w->used = m.bytes;
}

void cdr_writer_limit(struct cdr_writer *w, uint64_t bytes)
{
	w->limit = bytes;
	measure(w);
}

/* Looks at the directory once a second at most, and only when it seems full. */
static bool is_full(struct cdr_writer *w, size_t length)
{
	if (!w->limit || w->used + length <= w->limit)
		return false;
	if (shm_monotonic_ms() - w->measured_ms >= MEASURE_MS)
		measure(w);
	return w->used + length > w->limit;
}

/* The file, or the directory with it, was deleted: what is appended there would be lost. */
static int begin_again(struct cdr_writer *w)
{
	struct stat st;
	int error;

	if ((fstat(w->dirfd, &st) != 0 || st.st_nlink == 0) && (error = open_dir(w, NULL)) != 0)
		return error;
	return begin_file(w);
}

static int append(struct cdr_writer *w, size_t length, off_t end)
{
	ssize_t n;

	do
		n = write(w->fd, w->bytes, length);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)length)
		return 0;
	if (n < 0)
		return errno;
	/* The room ended within the record.  If this fails, too, the reader passes over what stands there. */
	return ftruncate(w->fd, end) == 0 ? ENOSPC : errno;
}

int cdr_write(struct cdr_writer *w, const struct cdr *cdr)
{
	struct stat st;
	size_t length;
	int error;

	if (fstat(w->fd, &st) != 0)
		return errno;
	if (st.st_nlink == 0) {
		if ((error = begin_again(w)) != 0)
			return error;
		st.st_size = 0;
	} else if (st.st_size >= CDR_FILE_BYTES && begin_file(w) == 0) {	/* if it cannot be, this one grows on */
		st.st_size = 0;
	}
	/* One that is lost leaves a gap in the numbers, by which the reader knows. */
	length = cdr_encode(w->bytes, cdr, w->sequence++);
	if (is_full(w, length))
		return ENOBUFS;
	error = append(w, length, st.st_size);
	w->used += error ? 0 : length;
	return error;
}
