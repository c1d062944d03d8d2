#include "mgmtd/access_log.h"

#include "mgmtd/buffer.h"
#include "mgmtd/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STOP_MS 500	/* so long a reader that is stuck may hold up the end */

struct lines { char *text; size_t len; };

struct access_log {
	char *path;			/* "-" = stderr */
	int fd;
	int bell;			/* eventfd: lines, or one of the flags */
	pthread_t thread;
	bool running;
	_Atomic bool reopen, stopping;
	_Atomic uint64_t dropped;	/* so far */
	pthread_mutex_t lock;
	struct lines waiting;		/* under the lock */
	/* the thread's own */
	struct lines writing;
	uint64_t told;			/* of those dropped */
	bool torn;			/* the file ends within a line */
	bool trouble;			/* said already */
	int64_t stop_ms;		/* when to give up; 0 = not stopping */
};

static bool to_stderr(const struct access_log *log)
{
	return strcmp(log->path, "-") == 0;
}

/* Not to wait: a FIFO nobody reads is refused, and one whose reader is stuck tells so. */
static int open_path(const char *path, struct shm_why *why)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

	if (fd < 0)
		snprintf(why->text, sizeof why->text, "--access-log: %.200s cannot be opened: %s", path,
		         errno == ENXIO ? "nobody reads that pipe" : strerror(errno));
	return fd;
}

/* ------------------------------------------------------------------ the thread */

static void reopen(struct access_log *log)
{
	struct shm_why why = { "" };
	int fd;

	if (!atomic_exchange(&log->reopen, false) || to_stderr(log))
		return;
	if ((fd = open_path(log->path, &why)) < 0) {
		log_warnx("access log: %s; the file that was open goes on", why.text);
		return;
	}
	close(log->fd);
	log->fd = fd;
	log->torn = false;
}

/* False: it is time to end, though the reader takes nothing. */
static bool wait_writable(struct access_log *log)
{
	struct pollfd fds[] = { { .fd = log->fd, .events = POLLOUT }, { .fd = log->bell, .events = POLLIN } };
	uint64_t rings;

	for (;;) {
		if (atomic_load(&log->stopping) && !log->stop_ms)
			log->stop_ms = time_monotonic_ms() + STOP_MS;
		int64_t left = log->stop_ms ? log->stop_ms - time_monotonic_ms() : -1;
		if (log->stop_ms && left <= 0)
			return false;
		poll(fds, 2, (int)left);
		if (fds[1].revents && read(log->bell, &rings, sizeof rings) < 0 && errno != EAGAIN)
			return false;
		if (fds[0].revents)
			return true;
		reopen(log);
		fds[0].fd = log->fd;
	}
}

static void trouble(struct access_log *log, int error)
{
	if (error && !log->trouble)
		log_warnx("access log: %s cannot be written: %s; lines are dropped", to_stderr(log) ? "stderr" : log->path, strerror(error));
	else if (!error && log->trouble)
		log_info("access log: %s can be written again", to_stderr(log) ? "stderr" : log->path);
	log->trouble = error != 0;
}

/* Whole lines, at most ACCESS_LINE_MAX bytes: a pipe takes them as they are, or not yet. */
static int put(struct access_log *log, const char *text, size_t len)
{
	ssize_t n;
	int error = 0;

	do {
		if (!wait_writable(log))
			return ECANCELED;
		if (log->torn && write(log->fd, "\n", 1) == 1)
			log->torn = false;
		n = write(log->fd, text, len);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n != (ssize_t)len) {
		error = n < 0 ? errno : ENOSPC;
		log->torn |= n > 0 && text[n - 1] != '\n';
	}
	trouble(log, error);
	return error;
}

static size_t count_lines(const char *text, size_t len)
{
	size_t count = 0;

	for (const char *end; len && (end = memchr(text, '\n', len)); count++) {
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	return count;
}

/* As many whole lines as one write may hold. */
static size_t stretch(const char *text, size_t len)
{
	size_t most = len < ACCESS_LINE_MAX ? len : ACCESS_LINE_MAX;
	const char *end = memrchr(text, '\n', most);

	return end ? (size_t)(end + 1 - text) : most;
}

static void tell_dropped(struct access_log *log)
{
	uint64_t dropped = atomic_load_explicit(&log->dropped, memory_order_relaxed);
	char line[128], at[25];

	if (dropped == log->told)
		return;
	time_text(at, time_now_us());
	int len = snprintf(line, sizeof line, "{\"at\":\"%s\",\"dropped\":%" PRIu64 "}\n", at, dropped - log->told);
	if (put(log, line, (size_t)len) == 0)
		log->told = dropped;
}

static void write_lines(struct access_log *log)
{
	const char *text = log->writing.text;
	size_t left = log->writing.len, n;
	int error = 0;

	for (; left && error != ECANCELED; text += n, left -= n) {
		n = stretch(text, left);
		if ((error = put(log, text, n)) != 0)
			atomic_fetch_add_explicit(&log->dropped, count_lines(text, n), memory_order_relaxed);
	}
	log->writing.len = 0;
	if (!error)
		tell_dropped(log);
}

static bool take(struct access_log *log)
{
	pthread_mutex_lock(&log->lock);
	struct lines full = log->waiting;
	log->waiting = log->writing;
	log->writing = full;
	pthread_mutex_unlock(&log->lock);
	return log->writing.len > 0;
}

static void *write_out(void *arg)
{
	struct access_log *log = arg;
	struct pollfd bell = { .fd = log->bell, .events = POLLIN };
	uint64_t rings;

	pthread_setname_np(pthread_self(), "access log");
	for (;;) {
		bool last = atomic_load(&log->stopping);
		reopen(log);
		if (take(log)) {
			write_lines(log);
			if (!last)
				continue;
		}
		if (last)
			return NULL;
		if (poll(&bell, 1, -1) > 0 && read(log->bell, &rings, sizeof rings) < 0)
			continue;
	}
}

/* ------------------------------------------------------------------ any thread */

static void ring(struct access_log *log)
{
	const uint64_t one = 1;
	ssize_t n = write(log->bell, &one, sizeof one);

	(void)n;	/* full means that it rings already */
}

void access_log_write(struct access_log *log, const char *line, size_t len)
{
	bool was_empty = false, fits;

	pthread_mutex_lock(&log->lock);
	fits = len < ACCESS_LINE_MAX && log->waiting.len + len + 1 <= ACCESS_LOG_ROOM;
	if (fits) {
		was_empty = log->waiting.len == 0;
		memcpy(log->waiting.text + log->waiting.len, line, len);
		log->waiting.text[log->waiting.len + len] = '\n';
		log->waiting.len += len + 1;
	}
	pthread_mutex_unlock(&log->lock);
	if (!fits)
		atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
	if (was_empty)
		ring(log);
}

uint64_t access_log_dropped(const struct access_log *log)
{
	return log ? atomic_load_explicit(&log->dropped, memory_order_relaxed) : 0;
}

void access_log_reopen(struct access_log *log)
{
	if (!log)
		return;
	atomic_store(&log->reopen, true);
	ring(log);
}

/* ------------------------------------------------------------------ life */

int access_log_open(struct access_log **out, const char *path, struct shm_why *why)
{
	struct access_log *log = calloc(1, sizeof *log);
	int e = ENOMEM;

	if (!log)
		return ENOMEM;
	pthread_mutex_init(&log->lock, NULL);
	log->fd = -1;
	log->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	log->waiting.text = malloc(ACCESS_LOG_ROOM);
	log->writing.text = malloc(ACCESS_LOG_ROOM);
	log->path = strdup(path);
	if (log->bell >= 0 && log->waiting.text && log->writing.text && log->path) {
		log->fd = to_stderr(log) ? STDERR_FILENO : open_path(path, why);
		e = log->fd < 0 ? errno : pthread_create(&log->thread, NULL, write_out, log);
		log->running = e == 0;
	}
	if (e) {
		access_log_close(log);
		return e;
	}
	*out = log;
	return 0;
}

void access_log_close(struct access_log *log)
{
	if (!log)
		return;
	if (log->running) {
		atomic_store(&log->stopping, true);
		ring(log);
		pthread_join(log->thread, NULL);
	}
	if (log->fd >= 0 && !to_stderr(log))
		close(log->fd);
	if (log->bell >= 0)
		close(log->bell);
	pthread_mutex_destroy(&log->lock);
	free(log->waiting.text);
	free(log->writing.text);
	free(log->path);
	free(log);
}
