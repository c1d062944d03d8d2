/* The status segment: whole records, every change found, loss in the rings reported. */
#include "shm/readers.h"
#include "shm/status_layout.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

struct fixture {
	char *dir;
	struct status_writer *w;
	struct status_reader *r;
	struct shm_why why;
};

static void open_writer(struct fixture *f, uint64_t trace_bytes)
{
	struct status_options options = { .version = "1.2.3", .listeners = "lan,wan", .trace_bytes = trace_bytes };

	assert_int_equal(status_writer_open(&f->w, f->dir, &options, &f->why), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = scratch_dir();
	open_writer(f, 64 << 10);
	assert_int_equal(status_reader_open(&f->r, f->dir, &f->why), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	status_reader_close(f->r);
	status_writer_close(f->w);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

/* Every byte says which one it is of, so that a torn copy shows. */
static void fill(struct registration_status *s, uint64_t n)
{
	uint64_t *word = (uint64_t *)s;

	for (size_t i = 0; i < sizeof *s / 8; i++)
		word[i] = n;
}

static bool whole(const struct registration_status *s)
{
	const uint64_t *word = (const uint64_t *)s;

	for (size_t i = 1; i < sizeof *s / 8; i++)
		if (word[i] != word[0])
			return false;
	return true;
}

static void put(struct fixture *f, uint32_t id, uint64_t n)
{
	struct registration_status s;

	fill(&s, n);
	assert_int_equal(status_put(f->w, KIND_REGISTRATION, id, &s), 0);
}

struct taken { uint32_t calls, ids[1000]; };

static void note(uint32_t id, void *arg)
{
	struct taken *taken = arg;

	assert_in_range(taken->calls, 0, 999);
	taken->ids[taken->calls++] = id;
}

static void the_words_are_those_of_the_interface(void **state)
{
	(void)state;
	assert_string_equal(status_state_words[STATE_WAITING], "waiting");
	assert_string_equal(status_state_words[STATE_UNREGISTERED], "unregistered");
	assert_string_equal(status_reason_words[REASON_NONE], "");
	assert_string_equal(status_reason_words[REASON_DNS], "dns");
	assert_string_equal(status_attempt_words[ATTEMPT_UNREGISTER], "unregister");
	assert_string_equal(status_probe_words[PROBE_OFF], "off");
	assert_string_equal(status_probe_words[PROBE_DOWN], "down");
	assert_string_equal(status_call_phase_words[CALL_SETUP], "setup");
	assert_string_equal(status_call_phase_words[CALL_ENDED], "ended");
}

static void a_record_reads_back_as_it_was_put(void **state)
{
	struct fixture *f = *state;
	struct registration_status s = { 0 };

	assert_int_equal(status_put(f->w, KIND_REGISTRATION, 0, &s), ENOENT);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 0, &s), ENOENT);
	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 10), 0);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 3, &s), ENOENT);
	put(f, 3, 42);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 3, &s), 0);
	assert_true(whole(&s));
	assert_int_equal(s.incarnation, 42);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 2, &s), ENOENT);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 10, &s), ENOENT);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, UINT32_MAX, &s), ENOENT);
	assert_int_equal(status_get(f->r, KIND_PARAMETERS, 0, &s), ENOENT);
	assert_int_equal(status_put(f->w, KIND_REGISTRATION, 10, &s), ENOENT);
	assert_int_equal(status_put(f->w, KIND_PARAMETERS, 0, &s), ENOENT);
	assert_int_equal(status_reserve(f->w, KIND_PARAMETERS, 5), EINVAL);
	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, UINT32_MAX), ENOSPC);
}

/* Gateways of both sorts and calls stand in tables of their own, under the same ids, with dirty bits of their own. */
static void the_tables_do_not_mix(void **state)
{
	struct fixture *f = *state;
	static const unsigned tables[] = { KIND_REGISTRATION, KIND_ROUTING_GATEWAY, KIND_MAPPING_GATEWAY, STATUS_CALL };
	union { struct registration_status registration; struct gateway_status gateway; struct call_status call; uint64_t word; } s;

	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(status_limit(f->r, tables[i]), 0);
		assert_int_equal(status_reserve(f->w, tables[i], 300 + (uint32_t)i), 0);
		assert_int_equal(status_limit(f->r, tables[i]), 300 + i);
		memset(&s, 0, sizeof s);
		s.word = 100 + i;
		assert_int_equal(status_put(f->w, tables[i], 299, &s), 0);
	}
	for (uint64_t i = 0; i < 4; i++) {
		struct taken taken = { 0 };
		memset(&s, 0xff, sizeof s);
		assert_int_equal(status_get(f->r, tables[i], 299, &s), 0);
		assert_int_equal(s.word, 100 + i);
		assert_int_equal(status_get(f->r, tables[i], 298, &s), ENOENT);
		status_take_dirty(f->r, tables[i], note, &taken);
		assert_int_equal(taken.calls, 1);
		assert_int_equal(taken.ids[0], 299);
	}
	assert_int_equal(status_limit(f->r, KIND_PARAMETERS), 0);
	assert_int_equal(status_limit(f->r, STATUS_TABLES), 0);
	assert_int_equal(status_reserve(f->w, STATUS_TABLES, 1), EINVAL);
	assert_int_equal(status_get(f->r, STATUS_TABLES, 0, &s), ENOENT);
}

static void a_gateway_reads_back_as_it_was_put(void **state)
{
	struct fixture *f = *state;
	struct gateway_status in = {
		.incarnation = 7, .routable = 0, .probe = PROBE_DOWN, .probe_code = 503, .probe_rtt_us = 1500, .held_until = 99, .calls = 3,
		.capacity = 30, .max_cps = 5, .cps = 2, .calls_total = 1000, .answered_total = 600, .code_count = STATUS_CODES,
		.codes = { [STATUS_CODES - 1] = { .at = 5, .code = 486 } }, .why = "locked",
	}, out;

	assert_int_equal(status_reserve(f->w, KIND_ROUTING_GATEWAY, 1), 0);
	assert_int_equal(status_put(f->w, KIND_ROUTING_GATEWAY, 0, &in), 0);
	assert_int_equal(status_get(f->r, KIND_ROUTING_GATEWAY, 0, &out), 0);
	assert_memory_equal(&in, &out, sizeof in);
}

static void a_slot_is_used_by_one_call_after_another(void **state)
{
	struct fixture *f = *state;
	struct call_status call = { .id = UINT64_C(0xabc) << CALL_SLOT_BITS | 5, .phase = CALL_RINGING, .callee_in = "8801234567" };
	struct call_status out;

	assert_int_equal(status_reserve(f->w, STATUS_CALL, 20000), 0);
	assert_int_equal(status_put(f->w, STATUS_CALL, 5, &call), 0);
	assert_int_equal(status_get(f->r, STATUS_CALL, 5, &out), 0);
	assert_memory_equal(&call, &out, sizeof call);
	call = (struct call_status){ .id = UINT64_C(0xabd) << CALL_SLOT_BITS | 5 };
	assert_int_equal(status_put(f->w, STATUS_CALL, 5, &call), 0);
	assert_int_equal(status_get(f->r, STATUS_CALL, 5, &out), 0);
	assert_string_equal(out.callee_in, "");
	assert_int_equal(status_get(f->r, STATUS_CALL, 19999, &out), ENOENT);
	assert_int_equal(status_get(f->r, STATUS_CALL, 20000, &out), ENOENT);
}

static void the_numbers_of_calls_are_told(void **state)
{
	struct fixture *f = *state;
	struct status_info info;

	status_info(f->r, &info);
	assert_int_equal(info.calls_active, 0);
	status_calls(f->w, 1234, 56);
	status_info(f->r, &info);
	assert_int_equal(info.calls_active, 1234);
	assert_int_equal(info.calls_per_second, 56);
}

static void a_part_replaces_its_bytes_and_no_others(void **state)
{
	struct fixture *f = *state;
	struct registration_status s;
	struct taken taken = { 0 };
	uint64_t part[2] = { 7, 8 };
	size_t size = sizeof s;

	assert_int_equal(status_put_part(f->w, KIND_REGISTRATION, 3, 16, sizeof part, part), ENOENT);
	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 10), 0);
	put(f, 3, 42);
	status_take_dirty(f->r, KIND_REGISTRATION, note, &taken);
	assert_int_equal(status_put_part(f->w, KIND_REGISTRATION, 3, 16, sizeof part, part), 0);
	assert_int_equal(status_put_part(f->w, KIND_REGISTRATION, 3, size - sizeof part, sizeof part, part), 0);
	assert_int_equal(status_put_part(f->w, KIND_REGISTRATION, 3, size - 8, sizeof part, part), EINVAL);
	assert_int_equal(status_put_part(f->w, KIND_REGISTRATION, 3, size + 8, 0, part), EINVAL);
	assert_int_equal(status_put_part(f->w, KIND_REGISTRATION, 3, 4, sizeof part, part), EINVAL);
	assert_int_equal(status_put_part(f->w, KIND_REGISTRATION, 3, 8, 12, part), EINVAL);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 3, &s), 0);
	for (size_t i = 0; i < size / 8; i++) {
		bool replaced = i == 2 || i == 3 || i >= size / 8 - 2;
		assert_int_equal(((uint64_t *)&s)[i], !replaced ? 42 : i == 2 || i == size / 8 - 2 ? 7 : 8);
	}
	status_take_dirty(f->r, KIND_REGISTRATION, note, &taken);
	assert_int_equal(taken.calls, 2);
}

static void the_file_grows_under_a_reader_that_stays(void **state)
{
	struct fixture *f = *state;
	struct registration_status s;

	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 1), 0);
	put(f, 0, 1);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 0, &s), 0);
	for (uint32_t limit = 2; limit < 6000; limit += 97) {
		assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, limit), 0);
		put(f, limit - 1, limit);
	}
	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 5), 0);
	for (uint32_t limit = 2; limit < 6000; limit += 97) {
		assert_int_equal(status_get(f->r, KIND_REGISTRATION, limit - 1, &s), 0);
		assert_true(whole(&s) && s.incarnation == limit);
	}
	assert_false(status_reader_replaced(f->r));
}

static void each_changed_record_is_taken_once(void **state)
{
	struct fixture *f = *state;
	const uint32_t ids[] = { 0, 1, 63, 64, 4095, 4096, 100000, 262143 };
	struct taken taken = { 0 };

	status_take_dirty(f->r, KIND_REGISTRATION, note, &taken);
	assert_int_equal(taken.calls, 0);
	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 4100), 0);
	for (int again = 0; again < 3; again++)
		for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
			if (ids[i] < 4100)
				put(f, ids[i], 1);
	status_take_dirty(f->r, KIND_REGISTRATION, note, &taken);
	assert_int_equal(taken.calls, 6);
	for (uint32_t i = 0; i < taken.calls; i++)
		assert_int_equal(taken.ids[i], ids[i]);
	taken.calls = 0;
	status_take_dirty(f->r, KIND_REGISTRATION, note, &taken);
	assert_int_equal(taken.calls, 0);
	status_take_dirty(f->r, KIND_PARAMETERS, note, &taken);
	assert_int_equal(taken.calls, 0);
}

static void the_dirty_bitmap_has_a_bit_for_the_greatest_id(void **state)
{
	struct fixture *f = *state;
	struct taken taken = { 0 };
	struct readers *readers;

	assert_int_equal(readers_open(&readers, f->dir, &f->why), 0);
	dirty_mark(readers, 0, DIRTY_RECORDS - 1);
	dirty_mark(readers, 0, DIRTY_RECORDS);
	dirty_mark(readers, SHM_KINDS, 0);
	dirty_mark(readers, SHM_KINDS - 1, 0);
	dirty_take(readers, 0, note, &taken);
	assert_int_equal(taken.calls, 1);
	assert_int_equal(taken.ids[0], DIRTY_RECORDS - 1);
	dirty_take(readers, SHM_KINDS, note, &taken);
	dirty_take(readers, SHM_KINDS - 1, note, &taken);
	assert_int_equal(taken.calls, 2);
	readers_close(readers);
}

struct traffic { struct fixture *f; _Atomic bool stop; uint64_t rounds; };

#define RECORDS 70u

static void *put_without_end(void *arg)
{
	struct traffic *t = arg;
	struct registration_status s;
	uint64_t n = 1;

	for (; !atomic_load(&t->stop); n++) {
		fill(&s, n);
		status_put(t->f->w, KIND_REGISTRATION, (uint32_t)(n % RECORDS), &s);
	}
	t->rounds = n;
	return NULL;
}

struct follower { struct status_reader *r; uint64_t latest[RECORDS]; uint32_t torn, busy; };

static void follow(uint32_t id, void *arg)
{
	struct follower *f = arg;
	struct registration_status s;
	int error = status_get(f->r, KIND_REGISTRATION, id, &s);

	if (error == EBUSY) {
		f->busy++;
		return;
	}
	f->torn += error || !whole(&s) || s.incarnation % RECORDS != id || s.incarnation < f->latest[id];
	f->latest[id] = s.incarnation;
}

static void no_record_is_torn_and_no_change_is_lost_under_traffic(void **state)
{
	struct fixture *f = *state;
	struct traffic traffic = { .f = f };
	struct follower follower = { .r = f->r };
	pthread_t thread;
	int64_t end;

	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, RECORDS), 0);
	assert_int_equal(pthread_create(&thread, NULL, put_without_end, &traffic), 0);
	for (end = shm_monotonic_ms() + 700; shm_monotonic_ms() < end;)
		status_take_dirty(f->r, KIND_REGISTRATION, follow, &follower);
	atomic_store(&traffic.stop, true);
	pthread_join(thread, NULL);
	follower.busy = 0;
	for (uint32_t id = 0; id < RECORDS; id++)	/* those found busy above keep their old value until here */
		if (follower.latest[id] + RECORDS < traffic.rounds)
			follow(id, &follower);
	status_take_dirty(f->r, KIND_REGISTRATION, follow, &follower);
	assert_int_equal(follower.torn, 0);
	assert_int_equal(follower.busy, 0);
	assert_true(traffic.rounds > RECORDS);
	for (uint32_t id = 0; id < RECORDS; id++)
		assert_true(follower.latest[id] + RECORDS >= traffic.rounds);
}

struct marking {
	struct readers *readers;
	_Atomic uint64_t number, seen;
	_Atomic bool done;
	uint64_t marks, lost;
};

/* Marks, and goes on when the mark was found: so each could be the one that is lost. */
static void *mark_and_wait(void *arg)
{
	struct marking *m = arg;
	int64_t end = shm_monotonic_ms() + 700;

	while (shm_monotonic_ms() < end && !m->lost) {
		uint64_t n = ++m->marks;
		int64_t deadline = shm_monotonic_ms() + 5000;
		atomic_store_explicit(&m->number, n, memory_order_relaxed);
		dirty_mark(m->readers, 1, 4096 * 64 + 64 * 3 + 5);
		for (unsigned spins = 0; atomic_load_explicit(&m->seen, memory_order_relaxed) < n; spins++) {
			if (spins > 200)
				sched_yield();
			if (spins % 1024 == 1023 && shm_monotonic_ms() > deadline) {
				m->lost++;
				break;
			}
		}
	}
	atomic_store(&m->done, true);
	return NULL;
}

static void note_number(uint32_t id, void *arg)
{
	struct marking *m = arg;

	(void)id;
	atomic_store_explicit(&m->seen, atomic_load_explicit(&m->number, memory_order_relaxed), memory_order_relaxed);
}

static void marking_races_with_taking_and_nothing_is_lost(void **state)
{
	struct fixture *f = *state;
	struct marking *m = calloc(1, sizeof *m);
	pthread_t thread;

	assert_int_equal(readers_open(&m->readers, f->dir, &f->why), 0);
	assert_int_equal(pthread_create(&thread, NULL, mark_and_wait, m), 0);
	while (!atomic_load(&m->done))
		dirty_take(m->readers, 1, note_number, m);
	pthread_join(thread, NULL);
	assert_int_equal(m->lost, 0);
	assert_true(m->marks > 100);
	readers_close(m->readers);
	free(m);
}

/* Address of the record's change count in a mapping of our own. */
static _Atomic uint64_t *change_count(const char *dir, uint32_t id, void **base, size_t *size)
{
	struct status_header *header;
	struct stat st;
	char path[256];
	int fd;

	scratch_path(path, sizeof path, dir, "status");
	fd = open(path, O_RDWR);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	*size = (size_t)st.st_size;
	*base = header = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(header != MAP_FAILED);
	close(fd);
	return (_Atomic uint64_t *)((uint8_t *)header + (size_t)header->chunk[0][0] * STATUS_PAGE +
	                            id * status_stride(KIND_REGISTRATION));
}

static void a_record_whose_writer_died_in_the_middle_is_busy(void **state)
{
	struct fixture *f = *state;
	struct registration_status s;
	_Atomic uint64_t *count;
	size_t size;
	void *base;

	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 10), 0);
	put(f, 4, 9);
	count = change_count(f->dir, 4, &base, &size);
	atomic_fetch_add(count, 1);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 4, &s), EBUSY);
	atomic_fetch_add(count, 1);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 4, &s), 0);
	munmap(base, size);
}

static void a_chunk_outside_the_file_is_not_touched(void **state)
{
	struct fixture *f = *state;
	struct status_reader *r;
	struct registration_status s;
	size_t size;
	void *base;

	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 10), 0);
	put(f, 4, 9);
	change_count(f->dir, 4, &base, &size);
	assert_int_equal(status_reader_open(&r, f->dir, &f->why), 0);
	atomic_store(&((struct status_header *)base)->chunk[0][0], 0xffffff);
	assert_int_equal(status_get(r, KIND_REGISTRATION, 4, &s), ENOENT);
	status_reader_close(r);
	munmap(base, size);
}

static void events_come_in_order_and_the_end_is_told(void **state)
{
	struct fixture *f = *state;
	struct status_event e;
	uint64_t cursor = 0, lost = 99;

	assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), EAGAIN);
	for (uint32_t i = 1; i <= 5; i++)
		status_event(f->w, &(struct status_event){ .id = i, .kind = KIND_REGISTRATION, .to = STATE_WAITING, .code = 403 });
	for (uint32_t i = 1; i <= 5; i++) {
		assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), 0);
		assert_int_equal(e.sequence, i);
		assert_int_equal(cursor, i);
		assert_int_equal(e.id, i);
		assert_int_equal(e.code, 403);
	}
	assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), EAGAIN);
	assert_int_equal(lost, 99);
}

static void a_reader_that_fell_behind_is_told_how_many_events_it_lost(void **state)
{
	struct fixture *f = *state;
	struct status_event e;
	uint64_t cursor = 0, lost = 0, total = 2 * STATUS_EVENTS + 1000, got = 0;

	status_event(f->w, &(struct status_event){ .id = 1 });
	assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), 0);
	for (uint64_t i = 1; i < total; i++)
		status_event(f->w, &(struct status_event){ .id = (uint32_t)i + 1 });
	assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), EOVERFLOW);
	while (status_next_event(f->r, &cursor, &e, &lost) == 0) {
		assert_int_equal(e.id, e.sequence);
		got++;
	}
	assert_int_equal(got, STATUS_EVENTS);
	assert_int_equal(lost, total - 1 - got);
	/* From the oldest held: nothing counts as lost. */
	cursor = 0;
	assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), 0);
	assert_int_equal(e.sequence, total - STATUS_EVENTS + 1);
	/* A cursor of another switchcore begins anew. */
	cursor = total + 500;
	assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), EOVERFLOW);
	assert_int_equal(lost, 0);
	assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), 0);
}

static void trace(struct fixture *f, uint32_t length)
{
	static unsigned char message[200000];
	struct trace_header header = { .at = length, .direction = TRACE_OUT, .transport = TRACE_TCP };

	if (length > sizeof message)
		abort();
	memset(message, (int)(length % 251), length);
	header.local.sin6_port = (in_port_t)(length & 0xffff);
	status_trace(f->w, &header, message, length);
}

static bool is_message(const struct trace_header *header, const unsigned char *buffer, size_t size)
{
	size_t held = header->length < size ? header->length : size;

	for (size_t i = 0; i < held; i++)
		if (buffer[i] != header->length % 251)
			return false;
	return header->at == header->length && header->direction == TRACE_OUT && header->transport == TRACE_TCP &&
	       header->local.sin6_port == (in_port_t)(header->length & 0xffff);
}

static void traced_messages_read_back_whole_however_long(void **state)
{
	struct fixture *f = *state;
	const uint32_t lengths[] = { 0, 1, 7, 8, 9, 600, 1500, 16000, 16384 };
	static unsigned char buffer[70000];
	struct trace_header header;
	uint64_t cursor = 0, lost = 0;

	assert_int_equal(status_next_trace(f->r, &cursor, &header, buffer, sizeof buffer, &lost), EAGAIN);
	for (size_t round = 0; round < 40; round++)
		for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
			trace(f, lengths[i]);
			assert_int_equal(status_next_trace(f->r, &cursor, &header, buffer, sizeof buffer, &lost), 0);
			assert_int_equal(header.length, lengths[i]);
			assert_int_equal(header.sequence, cursor);
			assert_true(is_message(&header, buffer, sizeof buffer));
		}
	trace(f, 600);
	assert_int_equal(status_next_trace(f->r, &cursor, &header, buffer, 100, &lost), 0);
	assert_int_equal(header.length, 600);
	assert_true(is_message(&header, buffer, 100));
}

static void a_message_longer_than_a_quarter_of_the_ring_is_cut(void **state)
{
	struct fixture *f = *state;
	static unsigned char buffer[70000];
	struct trace_header header;
	uint64_t cursor = 0, lost = 0;

	trace(f, 60000);
	assert_int_equal(status_next_trace(f->r, &cursor, &header, buffer, sizeof buffer, &lost), 0);
	assert_int_equal(header.length, 60000);
	assert_true(is_message(&header, buffer, 16384));
}

static void a_reader_that_fell_behind_is_told_how_many_messages_it_lost(void **state)
{
	struct fixture *f = *state;
	static unsigned char buffer[2000];
	struct trace_header header;
	uint64_t cursor = 0, lost = 0, got = 0, total = 1000;

	trace(f, 10);
	assert_int_equal(status_next_trace(f->r, &cursor, &header, buffer, sizeof buffer, &lost), 0);
	for (uint32_t i = 1; i < total; i++)
		trace(f, 300 + i % 500);
	assert_int_equal(status_next_trace(f->r, &cursor, &header, buffer, sizeof buffer, &lost), EOVERFLOW);
	while (status_next_trace(f->r, &cursor, &header, buffer, sizeof buffer, &lost) == 0) {
		assert_true(is_message(&header, buffer, sizeof buffer));
		got++;
	}
	assert_int_equal(got + lost, total - 1);
	assert_in_range(got, (64 << 10) / 900, (64 << 10) / 300);
	assert_int_equal(cursor, total);
}

static void many_small_messages_are_bounded_by_the_index(void **state)
{
	struct fixture *f = *state;
	static unsigned char buffer[2000];
	struct trace_header header;
	uint64_t cursor = 0, lost = 0, got = 0;

	for (uint32_t i = 0; i < 5000; i++)
		trace(f, 4);
	while (status_next_trace(f->r, &cursor, &header, buffer, sizeof buffer, &lost) == 0) {
		assert_true(is_message(&header, buffer, sizeof buffer));
		got++;
	}
	assert_int_equal(got, (64 << 10) / 256);
	assert_int_equal(cursor, 5000);
}

static void *trace_without_end(void *arg)
{
	struct traffic *t = arg;
	uint32_t random = 3;

	while (!atomic_load(&t->stop)) {
		random = random * 1664525 + 1013904223;
		t->rounds++;
		trace(t->f, (random >> 8) % 3000);
		status_event(t->f->w, &(struct status_event){ .id = (uint32_t)t->rounds, .at = t->rounds });
	}
	return NULL;
}

static void no_message_and_no_event_is_torn_under_traffic(void **state)
{
	struct fixture *f = *state;
	struct traffic traffic = { .f = f };
	static unsigned char buffer[4000];
	uint64_t messages = 0, events = 0, lost, lost_messages = 0, torn = 0, cursor[2] = { 0, 0 };
	pthread_t thread;
	int64_t end;

	assert_int_equal(pthread_create(&thread, NULL, trace_without_end, &traffic), 0);
	for (end = shm_monotonic_ms() + 700; shm_monotonic_ms() < end;) {
		struct trace_header header;
		struct status_event e;
		int error = status_next_trace(f->r, &cursor[0], &header, buffer, sizeof buffer, &lost);
		if (error == 0) {
			messages++;
			torn += header.sequence != cursor[0] || !is_message(&header, buffer, sizeof buffer);
		} else if (error == EOVERFLOW) {
			lost_messages += lost;
		}
		if (status_next_event(f->r, &cursor[1], &e, &lost) == 0) {
			events++;
			torn += e.sequence != cursor[1] || e.id != (uint32_t)e.sequence || e.at != e.sequence;
		}
	}
	atomic_store(&traffic.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(torn, 0);
	assert_true(messages > 100 && events > 100);
	assert_true(cursor[0] <= traffic.rounds && messages + lost_messages <= traffic.rounds);
}

static void a_trace_that_is_off_keeps_nothing(void **state)
{
	struct fixture *f = *state;
	struct trace_header header;
	uint64_t cursor = 0, lost;

	status_trace_enable(f->w, false);
	trace(f, 10);
	assert_int_equal(status_next_trace(f->r, &cursor, &header, NULL, 0, &lost), EAGAIN);
	status_trace_enable(f->w, true);
	trace(f, 10);
	assert_int_equal(status_next_trace(f->r, &cursor, &header, NULL, 0, &lost), 0);
	assert_int_equal(header.sequence, 1);
}

static void who_writes_and_since_when_is_told(void **state)
{
	struct fixture *f = *state;
	struct status_info info;

	status_info(f->r, &info);
	assert_string_equal(info.version, "1.2.3");
	assert_string_equal(info.listeners, "lan,wan");
	assert_int_equal(info.pid, getpid());
	assert_true(info.started_at > 1600000000ull * 1000000);
	assert_in_range(info.heartbeat_age_ms, 0, 5000);
}

static void the_heartbeat_grows_old_when_nobody_beats(void **state)
{
	struct fixture *f = *state;
	struct status_info info;
	int64_t end = shm_monotonic_ms() + 5000;

	do
		status_info(f->r, &info);
	while (info.heartbeat_age_ms < 30 && shm_monotonic_ms() < end);
	assert_in_range(info.heartbeat_age_ms, 30, 5000);
	status_heartbeat(f->w);
	status_info(f->r, &info);
	assert_in_range(info.heartbeat_age_ms, 0, 29);
}

static void a_restarted_core_has_a_new_file_and_its_reader_is_told(void **state)
{
	struct fixture *f = *state;
	struct registration_status s;
	struct core_slot core;
	struct readers *readers;

	assert_int_equal(readers_open(&readers, f->dir, &f->why), 0);
	readers_core(readers, &core);
	assert_true(core.alive);
	assert_int_equal(core.pid, getpid());
	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 10), 0);
	put(f, 4, 9);
	assert_false(status_reader_replaced(f->r));
	status_writer_close(f->w);
	f->w = NULL;
	readers_core(readers, &core);
	assert_false(core.alive);
	/* What it left can still be read. */
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 4, &s), 0);
	open_writer(f, 0);
	assert_true(status_reader_replaced(f->r));
	status_reader_close(f->r);
	assert_int_equal(status_reader_open(&f->r, f->dir, &f->why), 0);
	assert_false(status_reader_replaced(f->r));
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 4, &s), ENOENT);
	readers_core(readers, &core);
	assert_true(core.alive);
	readers_close(readers);
}

static void a_second_core_is_refused_while_the_first_lives(void **state)
{
	struct fixture *f = *state;
	struct status_writer *second = NULL;

	assert_int_equal(status_writer_open(&second, f->dir, NULL, &f->why), EBUSY);
	assert_non_null(strstr(f->why.text, "another program"));
	assert_null(second);
	assert_false(status_reader_replaced(f->r));
}

static void changes_are_found_again_after_readers_was_removed_by_hand(void **state)
{
	struct fixture *f = *state;
	struct taken taken = { 0 };
	char path[256];

	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 300), 0);
	put(f, 4, 9);
	put(f, 290, 9);
	status_take_dirty(f->r, KIND_REGISTRATION, note, &taken);
	scratch_path(path, sizeof path, f->dir, "readers");
	assert_int_equal(unlink(path), 0);
	assert_true(status_reader_replaced(f->r));
	status_heartbeat(f->w);
	put(f, 5, 9);
	status_reader_close(f->r);
	assert_int_equal(status_reader_open(&f->r, f->dir, &f->why), 0);
	taken.calls = 0;
	status_take_dirty(f->r, KIND_REGISTRATION, note, &taken);
	assert_int_equal(taken.calls, 3);
}

static void a_status_file_removed_by_hand_is_made_again_with_all_it_held(void **state)
{
	struct fixture *f = *state;
	struct registration_status s;
	struct trace_header header;
	struct status_event e;
	uint64_t cursor = 0, lost;
	char path[256];

	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 600), 0);
	put(f, 4, 9);
	put(f, 590, 10);
	trace(f, 100);
	status_event(f->w, &(struct status_event){ .id = 8 });
	scratch_path(path, sizeof path, f->dir, "status");
	assert_int_equal(unlink(path), 0);
	status_heartbeat(f->w);
	assert_true(status_reader_replaced(f->r));
	status_reader_close(f->r);
	assert_int_equal(status_reader_open(&f->r, f->dir, &f->why), 0);
	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 1200), 0);
	put(f, 5, 11);
	put(f, 1100, 12);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 4, &s), 0);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 5, &s), 0);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 1100, &s), 0);
	assert_int_equal(status_get(f->r, KIND_REGISTRATION, 590, &s), 0);
	assert_true(whole(&s) && s.incarnation == 10);
	assert_int_equal(status_next_trace(f->r, &cursor, &header, NULL, 0, &lost), 0);
	cursor = 0;
	assert_int_equal(status_next_event(f->r, &cursor, &e, &lost), 0);
	assert_int_equal(e.id, 8);
}

static void expect_refused(struct fixture *f, int error, const char *word)
{
	struct status_reader *r = NULL;

	assert_int_equal(status_reader_open(&r, f->dir, &f->why), error);
	assert_null(r);
	if (!strstr(f->why.text, word))
		fail_msg("\"%s\" does not name %s", f->why.text, word);
}

static void a_wrong_or_truncated_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct status_header *header;
	size_t size;
	void *base;
	char path[256];

	assert_int_equal(status_reserve(f->w, KIND_REGISTRATION, 10), 0);
	change_count(f->dir, 0, &base, &size);
	header = base;
	header->block.layout_hash ^= 1;
	expect_refused(f, EPROTO, "layout hash");
	header->block.layout_hash ^= 1;
	header->block.magic ^= 1;
	expect_refused(f, EPROTO, "magic");
	header->block.magic ^= 1;
	header->trace_bytes = 12345;
	expect_refused(f, EINVAL, "12345");
	header->trace_bytes = UINT64_C(1) << 62;
	expect_refused(f, EINVAL, "damaged");
	munmap(base, size);
	status_reader_close(f->r);
	f->r = NULL;
	status_writer_close(f->w);
	f->w = NULL;
	scratch_path(path, sizeof path, f->dir, "status");
	assert_int_equal(truncate(path, 1000), 0);
	expect_refused(f, EINVAL, "truncated: 1000 bytes");
	assert_int_equal(unlink(path), 0);
	expect_refused(f, ENOENT, "status");
}

static void counters_count_and_outlive_a_removed_file(void **state)
{
	struct fixture *f = *state;
	uint64_t counts[COUNT_COUNT];
	char path[4096];

	for (unsigned i = 0; i < COUNT_COUNT; i++)
		status_count(f->w, i, i + 1);
	status_count(f->w, COUNT_CALLS, 5);
	status_counters(f->r, counts);
	assert_int_equal(counts[COUNT_CALLS], COUNT_CALLS + 1 + 5);
	for (unsigned i = COUNT_CALLS + 1; i < COUNT_COUNT; i++)
		assert_int_equal(counts[i], i + 1);
	scratch_path(path, sizeof path, f->dir, "status");
	assert_int_equal(unlink(path), 0);
	status_heartbeat(f->w);
	status_reader_close(f->r);
	assert_int_equal(status_reader_open(&f->r, f->dir, &f->why), 0);
	status_counters(f->r, counts);
	assert_int_equal(counts[COUNT_TRANSITIONS_LAST], COUNT_TRANSITIONS_LAST + 1);
}

static void a_round_trip_lies_in_one_bucket(void **state)
{
	struct fixture *f = *state;
	uint64_t counts[COUNT_COUNT];

	status_count_rtt(f->w, 1000);
	status_count_rtt(f->w, 1001);
	status_count_rtt(f->w, 10000001);
	status_counters(f->r, counts);
	assert_int_equal(counts[COUNT_RTT], 1);
	assert_int_equal(counts[COUNT_RTT + 1], 1);
	assert_int_equal(counts[COUNT_RTT_LAST], 1);
	assert_int_equal(counts[COUNT_RTT_US], 10002002);
}

static void a_failure_is_counted_by_its_code_or_its_class(void **state)
{
	(void)state;
	assert_int_equal(status_failure(486), FAILURE_486);
	assert_int_equal(status_failure(499), FAILURE_4XX);
	assert_int_equal(status_failure(302), FAILURE_3XX);
	assert_int_equal(status_failure(503), FAILURE_503);
	assert_int_equal(status_failure(513), FAILURE_5XX);
	assert_int_equal(status_failure(603), FAILURE_603);
	assert_int_equal(status_failure(699), FAILURE_6XX);
	assert_int_equal(status_failure(999), FAILURE_6XX);
	assert_int_equal(status_failure(65535), FAILURE_6XX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_words_are_those_of_the_interface),
		TEST(a_record_reads_back_as_it_was_put),
		TEST(the_tables_do_not_mix),
		TEST(a_gateway_reads_back_as_it_was_put),
		TEST(a_slot_is_used_by_one_call_after_another),
		TEST(the_numbers_of_calls_are_told),
		TEST(a_part_replaces_its_bytes_and_no_others),
		TEST(the_file_grows_under_a_reader_that_stays),
		TEST(each_changed_record_is_taken_once),
		TEST(the_dirty_bitmap_has_a_bit_for_the_greatest_id),
		TEST(no_record_is_torn_and_no_change_is_lost_under_traffic),
		TEST(marking_races_with_taking_and_nothing_is_lost),
		TEST(a_record_whose_writer_died_in_the_middle_is_busy),
		TEST(a_chunk_outside_the_file_is_not_touched),
		TEST(events_come_in_order_and_the_end_is_told),
		TEST(a_reader_that_fell_behind_is_told_how_many_events_it_lost),
		TEST(traced_messages_read_back_whole_however_long),
		TEST(a_message_longer_than_a_quarter_of_the_ring_is_cut),
		TEST(a_reader_that_fell_behind_is_told_how_many_messages_it_lost),
		TEST(many_small_messages_are_bounded_by_the_index),
		TEST(no_message_and_no_event_is_torn_under_traffic),
		TEST(a_trace_that_is_off_keeps_nothing),
		TEST(who_writes_and_since_when_is_told),
		TEST(the_heartbeat_grows_old_when_nobody_beats),
		TEST(a_restarted_core_has_a_new_file_and_its_reader_is_told),
		TEST(a_second_core_is_refused_while_the_first_lives),
		TEST(changes_are_found_again_after_readers_was_removed_by_hand),
		TEST(a_status_file_removed_by_hand_is_made_again_with_all_it_held),
		TEST(a_wrong_or_truncated_file_is_refused),
		TEST(counters_count_and_outlive_a_removed_file),
		TEST(a_round_trip_lies_in_one_bucket),
		TEST(a_failure_is_counted_by_its_code_or_its_class),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
