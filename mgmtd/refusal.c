#include "mgmtd/refusal.h"

#include "mgmtd/log.h"
#include "mgmtd/page.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SHOWN 200		/* bytes of the path of a request */
#define POINTER_SHOWN 128
#define MEMBER_SEQ "{\"seq\":"	/* every line begins with it */
#define NICE 10

struct refusals {
	char path[2][PATH_MAX];		/* the file, and the one before */
	struct worker *worker;
	struct job job;

	pthread_mutex_t lock;		/* guards what follows; held for no input or output */
	struct buffer pending;		/* lines to be written; REFUSALS_PER_S bounds it */
	bool scheduled;

	/* the event thread's */
	uint64_t seq;			/* of the last one */
	uint64_t left_out;		/* since then */
	int64_t credit_ms, credited_ms;	/* each line costs 1000 / REFUSALS_PER_S */

	pthread_mutex_t files;		/* guards what follows */
	int fd;
	off_t size;
	bool troubled;
};

/* ------------------------------------------------------------------ writing */

static int open_file(struct refusals *log)
{
	struct stat st;
	log->fd = open(log->path[0], O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log->fd < 0 || fstat(log->fd, &st) != 0)
		return errno;
	log->size = st.st_size;
	char last;
	/* The half of a line that a power failure left is not to spoil the next one. */
	if (log->size > 0 && pread(log->fd, &last, 1, log->size - 1) == 1 && last != '\n' && write(log->fd, "\n", 1) == 1)
		log->size++;
	return 0;
}

static int rotate(struct refusals *log)
{
	close(log->fd);
	log->fd = -1;
	int e = rename(log->path[0], log->path[1]) == 0 ? 0 : errno;
	return e ? e : open_file(log);
}

static void tell(struct refusals *log, int error)
{
	if (error && !log->troubled)
		log_warnx("refusals: %s cannot be written: %s", log->path[0], strerror(error));
	log->troubled = error != 0;
}

/* Under `files`.  What cannot be written is lost: nothing waits for this log. */
static void write_out(struct refusals *log, const char *text, size_t len)
{
	int e = log->fd < 0 ? open_file(log) : log->size + (off_t)len > (off_t)REFUSALS_FILE_MAX ? rotate(log) : 0;
	if (!e && write(log->fd, text, len) != (ssize_t)len) {
		e = errno ? errno : ENOSPC;
		if (ftruncate(log->fd, log->size) != 0)	/* no half of a line */
			e = errno;
	} else if (!e) {
		log->size += (off_t)len;
	}
	tell(log, e);
}

static void flush(struct refusals *log)
{
	size_t len = 0;
	pthread_mutex_lock(&log->files);
	pthread_mutex_lock(&log->lock);
	char *text = buffer_take(&log->pending, &len);
	pthread_mutex_unlock(&log->lock);
	if (text)
		write_out(log, text, len);
	pthread_mutex_unlock(&log->files);
	free(text);
}

static void run(struct job *job, bool cancelled)
{
	struct refusals *log = (struct refusals *)((char *)job - offsetof(struct refusals, job));
	(void)cancelled;
	/* Only here: a reader that flushed meanwhile left the job in the queue. */
	pthread_mutex_lock(&log->lock);
	log->scheduled = false;
	pthread_mutex_unlock(&log->lock);
	flush(log);
}

/* ------------------------------------------------------------------ noting; on the event thread */

static bool is_to_note(const struct request *r, unsigned status)
{
	/* whose: it is who asks that is refused, else what is asked */
	static const struct { unsigned status; bool whose; } noted[] = { { 401, true }, { 403, true }, { 429, true }, { 409 }, { 412 }, { 422 }, { 428 } };
	if (!r->route || strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
		return false;
	if (!(r->route->flags & (ROUTE_WRITES | ROUTE_SECRET_BODY)) && strcmp(r->method, "DELETE") != 0)
		return false;
	/* A dry run asks whether it would be refused; a form asks so at every key. */
	for (size_t i = 0; i < sizeof noted / sizeof noted[0]; i++)
		if (noted[i].status == status)
			return noted[i].whose || !request_query_number(r, Q_DRY_RUN);
	return false;
}

/* A bucket of REFUSALS_BURST that fills by REFUSALS_PER_S. */
static bool may_note(struct refusals *log)
{
	const int64_t price = 1000 / REFUSALS_PER_S, most = REFUSALS_BURST * price;
	int64_t now = time_monotonic_ms();
	log->credit_ms += now - log->credited_ms;
	log->credited_ms = now;
	if (log->credit_ms > most)
		log->credit_ms = most;
	if (log->credit_ms < price)
		return false;
	log->credit_ms -= price;
	return true;
}

static void add_text(struct buffer *b, const char *member, const char *text, size_t most)
{
	buffer_format(b, ",\"%s\":", member);
	if (text && text[0])
		buffer_json(b, text, strnlen(text, most));
	else
		buffer_text(b, "null");
}

/* Names of fields, never what stood in them.  Where the body holds a password, a field that does not exist may be one. */
static void add_pointers(struct buffer *b, const struct request *r, const json_t *problem)
{
	const json_t *errors = json_object_get(problem, "errors");
	unsigned shown = 0;
	buffer_text(b, ",\"pointers\":[");
	for (size_t i = 0; i < json_array_size(errors) && shown < REFUSALS_POINTERS; i++) {
		const json_t *violation = json_array_get(errors, i);
		const char *pointer = json_string_value(json_object_get(violation, "pointer"));
		const char *code = json_string_value(json_object_get(violation, "code"));
		if (!pointer || ((r->route->flags & ROUTE_SECRET_BODY) && code && strcmp(code, "unknown_field") == 0))
			continue;
		buffer_text(b, shown++ ? "," : "");
		buffer_json(b, pointer, strnlen(pointer, POINTER_SHOWN));
	}
	buffer_text(b, "]}\n");
}

static void write_line(struct buffer *b, struct refusals *log, struct request *r, unsigned status, const json_t *problem)
{
	static const char problems[] = "/problems/";
	const char *type = json_string_value(json_object_get(problem, "type"));
	buffer_format(b, MEMBER_SEQ "%" PRIu64 ",\"at\":", ++log->seq);
	buffer_json_time(b, time_now_us());
	add_text(b, "actor", r->identity.username[0] ? r->identity.username : r->tried, STORE_ACTOR);
	add_text(b, "token", r->identity.token, STORE_ACTOR);
	add_text(b, "address", r->address, REQUEST_ADDRESS_MAX);
	add_text(b, "method", r->method, 16);
	add_text(b, "path", r->path, PATH_SHOWN);
	buffer_format(b, ",\"status\":%u", status);
	add_text(b, "code", type && strncmp(type, problems, sizeof problems - 1) == 0 ? type + sizeof problems - 1 : NULL, 64);
	add_text(b, "request_id", request_id(r), sizeof r->id);
	buffer_format(b, ",\"left_out\":%" PRIu64, log->left_out);
	add_pointers(b, r, problem);
	log->left_out = 0;
}

void refusals_note(struct refusals *log, struct request *r, unsigned status, const json_t *problem)
{
	if (!log || !is_to_note(r, status))
		return;
	if (!may_note(log)) {
		log->left_out++;
		return;
	}
	pthread_mutex_lock(&log->lock);
	write_line(&log->pending, log, r, status, problem);
	bool schedule = !log->scheduled;
	log->scheduled = true;
	pthread_mutex_unlock(&log->lock);
	if (schedule)
		worker_submit(log->worker, &log->job);
}

/* ------------------------------------------------------------------ reading */

/* The whole file, which is small; NULL = none, or no memory. */
static char *load(const char *path, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *text = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < 4 * (off_t)REFUSALS_FILE_MAX
	                     ? malloc((size_t)st.st_size) : NULL;
	ssize_t n = text ? read(fd, text, (size_t)st.st_size) : 0;
	if (fd >= 0)
		close(fd);
	*len = n > 0 ? (size_t)n : 0;
	return text;
}

/* 0: none of our lines. */
static uint64_t seq_of(const char *line, size_t len)
{
	char digits[24] = "";
	size_t prefix = sizeof MEMBER_SEQ - 1;
	if (len < prefix + sizeof digits || memcmp(line, MEMBER_SEQ, prefix) != 0)
		return 0;
	memcpy(digits, line + prefix, sizeof digits - 1);
	return strtoull(digits, NULL, 10);
}

struct search { uint64_t before; unsigned limit; json_t *items; bool more; };

/* True: that was enough. */
static bool take_line(struct search *s, const char *line, size_t len)
{
	uint64_t seq = seq_of(line, len);
	if (seq == 0 || (s->before && seq >= s->before))
		return false;
	json_t *item = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	s->more = item && json_array_size(s->items) >= s->limit;
	if (item && !s->more)
		json_array_append(s->items, item);
	json_decref(item);
	return s->more;
}

static bool take_backwards(struct search *s, const char *text, size_t len)
{
	while (len > 0) {
		size_t end = text[len - 1] == '\n' ? len - 1 : len;
		const char *newline = end > 0 ? memrchr(text, '\n', end) : NULL;
		size_t begin = newline ? (size_t)(newline + 1 - text) : 0;
		if (take_line(s, text + begin, end - begin))
			return true;
		len = begin;
	}
	return false;
}

int refusals_read(struct refusals *log, uint64_t before, unsigned limit, json_t *items, bool *more)
{
	struct search search = { .before = before, .limit = limit, .items = items };
	flush(log);
	pthread_mutex_lock(&log->files);
	for (int i = 0; i < 2; i++) {
		size_t len;
		char *text = load(log->path[i], &len);
		bool enough = text && take_backwards(&search, text, len);
		free(text);
		if (enough)
			break;
	}
	pthread_mutex_unlock(&log->files);
	*more = search.more;
	return 0;
}

static int read_page(struct page *page)
{
	int e = refusals_read(page->daemon->refusals, page->before, page->limit, page->items, &page->more);
	json_t *last = json_array_get(page->items, json_array_size(page->items) - 1);
	snprintf(page->last, sizeof page->last, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(last, "seq")));
	return e;
}

void refusal_list(struct request *r)
{
	page_by_number(r, read_page);
}

/* ------------------------------------------------------------------ life */

void refusals_close(struct refusals *log)
{
	if (!log)
		return;
	worker_stop(log->worker);
	flush(log);
	if (log->fd >= 0)
		close(log->fd);
	buffer_free(&log->pending);
	pthread_mutex_destroy(&log->lock);
	pthread_mutex_destroy(&log->files);
	free(log);
}

/* The number that the last run came to. */
static void go_on_counting(struct refusals *log)
{
	bool more;
	json_t *items = json_array();
	refusals_read(log, 0, 1, items, &more);
	log->seq = (uint64_t)json_integer_value(json_object_get(json_array_get(items, 0), "seq"));
	json_decref(items);
}

int refusals_open(struct refusals **out, const char *state, struct shm_why *why)
{
	struct refusals *log = calloc(1, sizeof *log);
	if (!log)
		return ENOMEM;
	pthread_mutex_init(&log->lock, NULL);
	pthread_mutex_init(&log->files, NULL);
	log->job.run = run;
	log->credit_ms = REFUSALS_BURST * (1000 / REFUSALS_PER_S);
	log->credited_ms = time_monotonic_ms();
	snprintf(log->path[0], PATH_MAX, "%s/refusals.log", state);
	snprintf(log->path[1], PATH_MAX, "%s/refusals.log.1", state);
	int e = open_file(log);
	if (e)
		snprintf(why->text, sizeof why->text, "%.300s: %s", log->path[0], strerror(e));
	if (!e && (e = worker_start(&log->worker, "refusals", NICE, 2)) == 0)
		go_on_counting(log);
	if (e) {
		refusals_close(log);
		return e;
	}
	*out = log;
	return 0;
}
