#include "shm/cdr_format.h"
#include "shm/cdr_spool.h"
#include "shm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW (4u * CDR_BYTES_MAX)

struct cdr_reader {
	char *dir;
	int dirfd;
	int fd;				/* of the file `name`, -1 = none */
	char name[CDR_NAME_MAX + 1];
	uint64_t at;			/* where the next call is expected to go on */
	uint64_t sequence;		/* that the record there should have */
	bool counted;			/* it is known */
	uint64_t window_at;		/* what of the file `window` holds: `filled` bytes from here on */
	size_t filled;
	uint8_t window[WINDOW];
};

int cdr_reader_open(struct cdr_reader **out, const char *dir, struct shm_why *why)
{
	struct cdr_reader *r = calloc(1, sizeof *r);
	struct stat st;
	int error = 0;

	if (!r)
		return ENOMEM;
	r->fd = r->dirfd = -1;
	if (!(r->dir = strdup(dir)))
		error = ENOMEM;
	else if ((r->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fstat(r->dirfd, &st) != 0)
		error = errno;
	else if (st.st_uid != geteuid())
		error = EPERM;
	if (error) {
		shm_why_set(why, "%s: %s", dir, error == EPERM ? "belongs to another user" : strerror(error));
		cdr_reader_close(r);
		return error;
	}
	*out = r;
	return 0;
}

static void forget_file(struct cdr_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->filled = 0;
	r->at = UINT64_MAX;
}

void cdr_reader_close(struct cdr_reader *r)
{
	if (!r)
		return;
	forget_file(r);
	if (r->dirfd >= 0)
		close(r->dirfd);
	free(r->dir);
	free(r);
}

/* ------------------------------------------------------------------ which file */

struct choice { int dirfd; const char *after; char name[CDR_NAME_MAX + 1]; };

static void choose(void *arg, const char *name, uint64_t time)
{
	struct choice *c = arg;
	struct stat st;

	(void)time;
	if (strcmp(name, c->after) > 0 && (!c->name[0] || strcmp(name, c->name) < 0) &&
	    fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		snprintf(c->name, sizeof c->name, "%s", name);
}

/* The oldest file after that name.  EAGAIN: there is none. */
static int next_name(struct cdr_reader *r, char name[CDR_NAME_MAX + 1], const char *after)
{
	struct choice found = { .dirfd = r->dirfd, .after = after };
	int error = cdr_spool_each(r->dirfd, choose, &found);

	/* A listing may show a file made meanwhile and miss an older one made meanwhile.  That one is there before the second
	 * listing begins. */
	if (!error && found.name[0])
		error = cdr_spool_each(r->dirfd, choose, &found);
	if (error)
		return error;
	if (!found.name[0])
		return EAGAIN;
	memcpy(name, found.name, sizeof found.name);
	return 0;
}

static int open_file(struct cdr_reader *r, const char *name)
{
	uint64_t time;
	int fd;

	/* The name may come from a database. */
	if (strchr(name, '/') || !cdr_name_parse(&time, name))
		return ENOENT;
	fd = openat(r->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno;
	forget_file(r);
	r->fd = fd;
	snprintf(r->name, sizeof r->name, "%s", name);
	return 0;
}

static int go_to(struct cdr_reader *r, struct cdr_place *place)
{
	char name[CDR_NAME_MAX + 1];
	int error = r->fd >= 0 && strcmp(r->name, place->file) == 0 ? 0 : open_file(r, place->file);

	if (error == ENOENT) {
		if ((error = next_name(r, name, "")) == 0)
			error = open_file(r, name);
		if (error)
			return error == ENOENT ? EAGAIN : error;
		*place = (struct cdr_place){ .offset = 0 };
		memcpy(place->file, name, sizeof name);
	}
	if (!error && r->at != place->offset) {
		r->at = place->offset;
		r->counted = place->offset == 0;
		r->sequence = 0;
	}
	return error;
}

static int go_on(struct cdr_reader *r, struct cdr_place *place)
{
	char name[CDR_NAME_MAX + 1];
	int error = next_name(r, name, place->file);

	if (error)
		return error;
	memcpy(place->file, name, sizeof name);
	place->offset = 0;
	return 0;
}

/* ------------------------------------------------------------------ which record */

static int fill(struct cdr_reader *r, uint64_t offset)
{
	ssize_t n = 1;

	r->window_at = offset;
	r->filled = 0;
	if (offset > INT64_MAX - WINDOW)
		return 0;
	while (r->filled < WINDOW && n > 0) {
		n = pread(r->fd, r->window + r->filled, WINDOW - r->filled, (off_t)(offset + r->filled));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			return errno;
		else
			r->filled += (size_t)n;
	}
	return 0;
}

/* The record at `from` in the window: as cdr_check() and cdr_decode(). */
static int look(struct cdr_reader *r, size_t from, struct cdr *cdr, uint64_t *sequence, size_t *length)
{
	int error = cdr_check(length, r->window + from, r->filled - from);

	return error ? error : cdr_decode(cdr, sequence, r->window + from, *length);
}

/* Bytes before the next whole record, or 0: none begins in the window. */
static size_t find_whole(struct cdr_reader *r)
{
	struct cdr cdr;
	uint64_t sequence;
	size_t length;

	for (size_t at = 1; at < r->filled; at++) {
		const uint8_t *magic = memmem(r->window + at, r->filled - at, CDR_MAGIC, CDR_MAGIC_LEN);
		if (!magic)
			return 0;
		at = (size_t)(magic - r->window);
		if (look(r, at, &cdr, &sequence, &length) == 0)
			return at;
	}
	return 0;
}

static int pass_over(struct cdr_reader *r, struct cdr_place *place, struct cdr_loss *loss, uint64_t bytes)
{
	place->offset += bytes;
	r->at = place->offset;		/* the count goes on: it tells how many records stood there */
	loss->bytes = bytes;
	return EBADMSG;
}

/* No whole record begins where the window does.  final: nothing more will be written. */
static int mend(struct cdr_reader *r, struct cdr_place *place, struct cdr_loss *loss, bool final)
{
	size_t bytes = find_whole(r);

	if (bytes > 0)
		return pass_over(r, place, loss, bytes);
	if (r->filled == WINDOW)	/* a record that began before this would have had its room */
		return pass_over(r, place, loss, WINDOW - CDR_BYTES_MAX);
	if (final && r->filled > 0)
		return pass_over(r, place, loss, r->filled);
	return EAGAIN;
}

static int take(struct cdr_reader *r, struct cdr_place *place, struct cdr *cdr, struct cdr_loss *loss, bool final)
{
	uint64_t sequence;
	size_t length;
	int error = EAGAIN;

	if (place->offset >= r->window_at && place->offset - r->window_at < r->filled)
		error = look(r, (size_t)(place->offset - r->window_at), cdr, &sequence, &length);
	if (error) {	/* what was read before may have been cut off and written anew */
		if ((error = fill(r, place->offset)) != 0)
			return error;
		if (look(r, 0, cdr, &sequence, &length) != 0)
			return mend(r, place, loss, final);
	}
	if (r->counted && sequence > r->sequence) {
		loss->records = sequence - r->sequence;
		r->sequence = sequence;
		return EBADMSG;
	}
	r->sequence = sequence + 1;
	r->counted = true;
	r->at = place->offset += length;
	return 0;
}

static bool dir_is_gone(const struct cdr_reader *r)
{
	struct stat named, held;

	return fstat(r->dirfd, &held) == 0 && (stat(r->dir, &named) != 0 ? errno == ENOENT
	                                       : named.st_ino != held.st_ino || named.st_dev != held.st_dev);
}

int cdr_next(struct cdr_reader *r, struct cdr_place *place, struct cdr *cdr, struct cdr_loss *loss)
{
	int error;

	*loss = (struct cdr_loss){ 0 };
	while ((error = go_to(r, place)) == 0) {
		if ((error = take(r, place, cdr, loss, false)) != EAGAIN || cdr_file_locked(r->fd))
			break;
		/* What was written before the lock was dropped is seen now; more will not come. */
		if ((error = take(r, place, cdr, loss, true)) != EAGAIN || (error = go_on(r, place)) != 0)
			break;
	}
	return error == EAGAIN && dir_is_gone(r) ? ENOENT : error;
}

/* ------------------------------------------------------------------ how much is there */

struct backlog { int dirfd; const struct cdr_place *place; uint64_t files, bytes; };

static void add_file(void *arg, const char *name, uint64_t time)
{
	struct backlog *b = arg;
	struct stat st;
	uint64_t size;

	(void)time;
	if (strcmp(name, b->place->file) < 0 || fstatat(b->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return;
	size = (uint64_t)st.st_size;
	if (strcmp(name, b->place->file) == 0)
		size = size > b->place->offset ? size - b->place->offset : 0;
	b->files += size > 0;
	b->bytes += size;
}

int cdr_reader_backlog(struct cdr_reader *r, const struct cdr_place *place, uint64_t *files, uint64_t *bytes)
{
	struct backlog b = { .dirfd = r->dirfd, .place = place };
	int error = cdr_spool_each(r->dirfd, add_file, &b);

	if (!error) {
		*files = b.files;
		*bytes = b.bytes;
	}
	return error;
}

/* ------------------------------------------------------------------ clearing away */

struct drop { int dirfd; const char *before; };

static void drop_one(void *arg, const char *name, uint64_t time)
{
	const struct drop *d = arg;
	int fd;

	(void)time;
	if (strcmp(name, d->before) >= 0)
		return;
	fd = openat(d->dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!cdr_file_locked(fd))
		unlinkat(d->dirfd, name, 0);
	close(fd);
}

void cdr_reader_drop(struct cdr_reader *r, const struct cdr_place *place)
{
	struct drop d = { r->dirfd, place->file };

	/* If it is gone, reading begins anew with the oldest file: none was read then. */
	if (place->file[0] && faccessat(r->dirfd, place->file, F_OK, 0) == 0)
		cdr_spool_each(r->dirfd, drop_one, &d);
}
