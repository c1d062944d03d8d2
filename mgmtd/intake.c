#include "mgmtd/intake.h"

#include "mgmtd/buffer.h"
#include "mgmtd/log.h"
#include "mgmtd/store.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_MS 1000		/* between two looks at the spool; what came meanwhile is one transaction */
#define BATCH 1000		/* records of one transaction: what a crash of ours makes us read again */
#define FORGET_MS 60000
#define DAY_US 86400000000u

struct intake {
	struct store_cdrs *store;
	char *spool;
	unsigned keep_days;
	int bell;			/* eventfd: stop */
	pthread_t thread;
	bool running;
	struct cdr_reader *reader;	/* NULL: there is no spool, as far as we know */
	bool placed;			/* `place` is the database's */
	struct cdr_place place;		/* up to here all is durable */
	int64_t forget_at_ms;
	_Atomic uint64_t backlog_files, backlog_bytes, taken, missing;
	int spool_trouble, store_trouble;	/* that the log has told of; 0 = none */
};

struct batch { struct cdr_place place; bool begun; unsigned taken, known; struct cdr_loss loss; };

/* A trouble is one line, and its end another.  Gives the error. */
static int spool_trouble(struct intake *in, int error, const char *fault)
{
	if (error && error != in->spool_trouble)
		log_error("cdr: the spool cannot be read: %s", fault);
	else if (!error && in->spool_trouble)
		log_info("cdr: the spool %s can be read again", in->spool);
	return in->spool_trouble = error;
}

static int store_trouble(struct intake *in, int error)
{
	if (error && error != in->store_trouble)
		log_error("cdr: cdr.db cannot be written: %s (%s); call records wait in %s", store_explain(error),
		          store_cdrs_fault(in->store), in->spool);
	else if (!error && in->store_trouble)
		log_info("cdr: cdr.db can be written again");
	return in->store_trouble = error;
}

static void tell_batch(const struct batch *b)
{
	if (b->taken)
		log_debug("cdr: %u call records taken, to %s %" PRIu64, b->taken, b->place.file, b->place.offset);
	if (b->loss.bytes || b->loss.records)
		log_warnx("cdr: %" PRIu64 " bytes before %s %" PRIu64 " are no whole record; %" PRIu64 " records are missing", b->loss.bytes,
		          b->place.file, b->place.offset, b->loss.records);
	if (b->known)
		log_warnx("cdr: %u call records before %s %" PRIu64 " are stored already, and were left out", b->known,
		          b->place.file, b->place.offset);
}

static int begin(struct intake *in, struct batch *b)
{
	int e = b->begun ? 0 : store_cdrs_begin(in->store);

	b->begun = e == 0;
	return e ? store_trouble(in, e) : 0;
}

/* Puts what is there, at most a batch.  EAGAIN: that was all.  ENOENT: the spool is gone.  Else: in trouble. */
static int put_records(struct intake *in, struct batch *b)
{
	struct cdr cdr;
	struct cdr_loss loss;
	bool known;
	int e = 0;

	while (b->taken < BATCH && (e = cdr_next(in->reader, &b->place, &cdr, &loss)) != EAGAIN && e != ENOENT) {
		b->loss.bytes += loss.bytes;
		b->loss.records += loss.records;
		if (e == EBADMSG)
			continue;
		if (e)
			return spool_trouble(in, e, strerror(e));
		if ((e = begin(in, b)) != 0)
			return e;
		if ((e = store_cdrs_put(in->store, &cdr, &known)) != 0)
			return store_trouble(in, e);
		b->taken++;
		b->known += known;
	}
	spool_trouble(in, 0, NULL);
	return e;
}

static int commit(struct intake *in, struct batch *b)
{
	int e = begin(in, b);

	if (e)
		return e;
	e = store_cdrs_commit(in->store, &b->place);
	store_trouble(in, e);
	if (e) {
		in->placed = false;	/* the database knows best how far it came */
		return e;
	}
	bool new_file = strcmp(b->place.file, in->place.file) != 0;
	in->place = b->place;
	atomic_fetch_add_explicit(&in->taken, b->taken, memory_order_relaxed);
	atomic_fetch_add_explicit(&in->missing, b->loss.records, memory_order_relaxed);
	tell_batch(b);
	if (new_file)
		cdr_reader_drop(in->reader, &in->place);
	return 0;
}

/* 0: there may be more.  Else as put_records(). */
static int take_batch(struct intake *in)
{
	struct batch b = { .place = in->place };
	int end = put_records(in, &b), e;

	if (end && end != EAGAIN && end != ENOENT) {
		store_cdrs_rollback(in->store);
		return end;
	}
	if (b.place.offset == in->place.offset && strcmp(b.place.file, in->place.file) == 0)
		return end;
	e = commit(in, &b);
	return e ? e : end;
}

/* ENOENT: there is none yet. */
static int open_spool(struct intake *in)
{
	struct shm_why why = { "" };
	int e = cdr_reader_open(&in->reader, in->spool, &why);

	if (e)
		return e == ENOENT ? e : spool_trouble(in, e, why.text);
	cdr_reader_drop(in->reader, &in->place);	/* what we were killed before we could drop it */
	return 0;
}

/* A batch from the database's place on.  As take_batch(). */
static int look(struct intake *in)
{
	int e;

	if (!in->placed && (e = store_cdrs_place(in->store, &in->place)) != 0)
		return store_trouble(in, e);
	in->placed = true;
	if (!in->reader && (e = open_spool(in)) != 0)
		return e;
	e = take_batch(in);
	if (e == ENOENT) {
		cdr_reader_close(in->reader);
		in->reader = NULL;
	}
	return e;
}

/* Part of what is too old.  True: there may be more. */
static bool forget(struct intake *in)
{
	unsigned count = 0;

	if (!in->keep_days || time_monotonic_ms() < in->forget_at_ms)
		return false;
	int e = store_cdrs_forget(in->store, time_now_us() - in->keep_days * DAY_US, BATCH, &count);
	if (e || count)
		store_trouble(in, e);
	if (count)
		log_debug("cdr: %u call records older than %u days deleted", count, in->keep_days);
	if (count < BATCH)
		in->forget_at_ms = time_monotonic_ms() + FORGET_MS;
	return count == BATCH;
}

static void measure(struct intake *in)
{
	uint64_t files = 0, bytes = 0;

	if (in->reader && cdr_reader_backlog(in->reader, &in->place, &files, &bytes) != 0)
		return;
	atomic_store_explicit(&in->backlog_files, files, memory_order_relaxed);
	atomic_store_explicit(&in->backlog_bytes, bytes, memory_order_relaxed);
}

void intake_look(struct intake *in, struct intake_figures *figures)
{
	*figures = (struct intake_figures){
		.files = atomic_load_explicit(&in->backlog_files, memory_order_relaxed),
		.bytes = atomic_load_explicit(&in->backlog_bytes, memory_order_relaxed),
		.taken = atomic_load_explicit(&in->taken, memory_order_relaxed),
		.missing = atomic_load_explicit(&in->missing, memory_order_relaxed),
	};
}

static void *take_in(void *arg)
{
	struct intake *in = arg;
	struct pollfd bell = { .fd = in->bell, .events = POLLIN };
	bool more = true;

	pthread_setname_np(pthread_self(), "intake");
	while (poll(&bell, 1, more ? 0 : LOOK_MS) == 0 || !bell.revents) {
		more = look(in) == 0;
		measure(in);
			measure(in);
		more = forget(in) || more;
	}
	return NULL;
}

int intake_start(struct intake **out, struct store_cdrs *store, const char *spool, unsigned keep_days)
{
	struct intake *in = calloc(1, sizeof *in);
	int e = ENOMEM;

	if (!in)
		return ENOMEM;
	in->store = store;
	in->keep_days = keep_days;
	in->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (in->bell >= 0 && (in->spool = strdup(spool)))
		e = pthread_create(&in->thread, NULL, take_in, in);
	in->running = e == 0;
	if (e) {
		intake_stop(in);
		return e;
	}
	*out = in;
	return 0;
}

void intake_stop(struct intake *in)
{
	const uint64_t one = 1;

	if (!in)
		return;
	if (in->running) {
		ssize_t n = write(in->bell, &one, sizeof one);
		(void)n;	/* full means that it rings already */
		pthread_join(in->thread, NULL);
	}
	if (in->bell >= 0)
		close(in->bell);
	cdr_reader_close(in->reader);
	free(in->spool);
	free(in);
}
