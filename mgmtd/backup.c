#include "mgmtd/backup.h"

#include "mgmtd/answer.h"
#include "mgmtd/body.h"
#include "mgmtd/log.h"
#include "mgmtd/server.h"
#include "mgmtd/store.h"
#include "mgmtd/store_export.h"
#include "mgmtd/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "secret.key"
#define KEY_MAX 128

struct backup {
	struct job job;
	struct request *request;
	bool include_key;
	char directory[PATH_MAX];	/* its own, made at last by a rename: what has that name is whole */
	char name[64], at[TIME_TEXT];
	uint64_t revision;
	off_t bytes;
};

/* The event thread's: one at a time, for each wants the disk for itself. */
static bool under_way;

static void backup_free(void *work)
{
	free(work);
	under_way = false;
}

static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 || fsync(fd) != 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	return error;
}

static int copy_key(const char *from, const char *to)
{
	unsigned char key[KEY_MAX];
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error = 0;
	ssize_t n = in < 0 ? -1 : read(in, key, sizeof key);
	if (n < 0 || out < 0 || write(out, key, (size_t)n) != n || fsync(out) != 0)
		error = errno ? errno : EIO;
	sodium_memzero(key, sizeof key);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return error;
}

static bool stopping(void *arg)
{
	const struct backup *b = arg;
	return server_closing(b->request->daemon->server);
}

/* Into the directory `part`, which is there. */
static int fill(struct backup *b, struct store_export *store, const char *part)
{
	const char *state = b->request->daemon->options.state;
	char path[PATH_MAX + 32], key[PATH_MAX + 32];
	struct stat st;
	snprintf(path, sizeof path, "%s/tandem.db", part);
	int error = store_export_copy(store, path, stopping, b);
	if (!error && stat(path, &st) == 0)
		b->bytes = st.st_size;
	if (!error && b->include_key) {
		snprintf(key, sizeof key, "%s/" KEY, state);
		snprintf(path, sizeof path, "%s/" KEY, part);
		error = copy_key(key, path);
	}
	return error ? error : sync_directory(part);
}

static void remove_part(const char *part)
{
	static const char *const files[] = { "tandem.db", "tandem.db-journal", KEY };
	char path[PATH_MAX + 32];
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", part, files[i]);
		unlink(path);
	}
	rmdir(part);
}

/* 2026-01-02T03:04:05.678Z → 20260102T030405.678Z, for a name without colons. */
static void name_it(struct backup *b)
{
	char compact[TIME_TEXT];
	size_t n = 0;
	time_text(b->at, time_now_us());
	for (const char *c = b->at; *c; c++)
		if (*c != '-' && *c != ':')
			compact[n++] = *c;
	compact[n] = '\0';
	snprintf(b->name, sizeof b->name, "%s-r%" PRIu64, compact, b->revision);
}

static int make_in(struct backup *b, struct store_export *store, const char *backups)
{
	char part[PATH_MAX];
	name_it(b);
	if ((size_t)snprintf(part, sizeof part, "%s/.part-%s", backups, b->name) >= sizeof part ||
	    (size_t)snprintf(b->directory, sizeof b->directory, "%s/%s", backups, b->name) >= sizeof b->directory)
		return ENAMETOOLONG;
	if (mkdir(part, 0700) != 0)
		return errno;
	int error = fill(b, store, part);
	if (!error && rename(part, b->directory) != 0)
		error = errno;
	if (error)
		remove_part(part);
	return error ? error : sync_directory(backups);
}

static int make(struct backup *b)
{
	const char *state = b->request->daemon->options.state;
	char backups[PATH_MAX], ignored[TIME_TEXT];
	struct store_export *store = NULL;
	struct shm_why why;
	if ((size_t)snprintf(backups, sizeof backups, "%s/backups", state) >= sizeof backups)
		return ENAMETOOLONG;
	if (mkdir(backups, 0700) != 0 && errno != EEXIST)
		return errno;
	int error = store_export_open(&store, state, &why);
	if (error)
		return error;
	if (!(error = store_export_begin(store, &b->revision, ignored))) {
		error = make_in(b, store, backups);
		store_export_end(store);
	}
	store_export_close(store);
	return error;
}

static void run(struct job *job, bool cancelled)
{
	struct backup *b = (struct backup *)((char *)job - offsetof(struct backup, job));
	b->request->error = cancelled ? ECANCELED : make(b);
	request_wake(b->request);
}

static void answer(struct request *r)
{
	const struct backup *b = r->work;
	struct buffer out = { 0 };
	if (r->error == ECANCELED) {
		answer_problem(r, 503, NULL, NULL, "mgmtd is stopping; nothing is left of the backup");
		return;
	}
	if (r->error) {
		log_warnx("backup: failed: %s", store_explain(r->error));
		answer_problem(r, 503, "store_unavailable", NULL, "the backup could not be made: %s; nothing is left of it", store_explain(r->error));
		return;
	}
	log_info("backup: %s made by %s%s", b->name, r->identity.username, b->include_key ? ", with the key of its secrets" : "");
	buffer_format(&out, "{\"name\":\"%s\",\"revision\":%" PRIu64 ",\"at\":\"%s\",\"bytes\":%lld,\"files\":[\"tandem.db\"%s]}", b->name,
	              b->revision, b->at, (long long)b->bytes, b->include_key ? ",\"" KEY "\"" : "");
	answer_buffer(r, 200, "application/json", &out);
}

void backup_make(struct request *r)
{
	bool include_key = false;
	const struct body_field fields[] = { { .name = "include_key", .flag = &include_key } };
	if (!body_take(r, fields, 1))
		return;
	if (under_way) {
		answer_problem(r, 409, NULL, NULL, "a backup is being made already; try again when it is there");
		return;
	}
	struct backup *b = calloc(1, sizeof *b);
	if (!b)
		return;
	under_way = true;
	b->request = r;
	b->include_key = include_key;
	b->job.run = run;
	r->work = b;
	r->work_free = backup_free;
	request_hand_over(r, r->daemon->backup, &b->job, answer);
}
