#include "shm/readers.h"
#include "shm/status_layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

_Static_assert(STATUS_CHUNKS * STATUS_CHUNK_RECORDS == DIRTY_RECORDS, "each record has its dirty bit");

struct status_writer {
	char *dir;
	struct shm_map map;		/* header and rings */
	struct status_header *header;
	struct readers *readers;
	uint64_t file_size;
	uint8_t *chunk[SHM_KINDS][STATUS_CHUNKS];
	uint32_t limit[SHM_KINDS];
	uint64_t event_newest;
	uint64_t trace_oldest, trace_newest;
	uint64_t trace_tail, trace_head;	/* positions in bytes that never wrap: of oldest, and where the next begins */
	bool tracing;
};

static void unmap(struct status_writer *w)
{
	/* Chunks were mapped in runs; unmapping one by one is the same to the kernel. */
	for (unsigned k = 0; k < SHM_KINDS; k++)
		for (uint32_t c = 0; c < STATUS_CHUNKS && w->chunk[k][c]; c++)
			munmap(w->chunk[k][c], status_chunk_bytes(k + 1));
	shm_map_close(&w->map);
}

static uint64_t power_of_two(uint64_t least)
{
	uint64_t power = 1;

	while (power < least)
		power <<= 1;
	return power;
}

static void set_identity(struct status_header *header, const struct status_options *options)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	header->started_at = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	header->pid = (int32_t)getpid();
	snprintf(header->version, sizeof header->version, "%s", options && options->version ? options->version : "");
	snprintf(header->listeners, sizeof header->listeners, "%s", options && options->listeners ? options->listeners : "");
}

static int take_name(const struct status_writer *w, struct shm_why *why)
{
	char from[4096], to[4096];
	int error = shm_path(from, sizeof from, w->dir, "status.new");

	if (error || (error = shm_path(to, sizeof to, w->dir, "status")) != 0)
		return error;
	if (rename(from, to) != 0) {
		error = errno;
		shm_why_set(why, "%s: cannot be replaced: %s", to, strerror(error));
	}
	return error;
}

/* A new file, complete before it gets its name. */
static int make_file(struct status_writer *w, const struct status_options *options, struct shm_why *why)
{
	uint64_t trace_bytes = options && options->trace_bytes ? options->trace_bytes : STATUS_TRACE_DEFAULT;
	struct shm_shape shape;
	uint32_t entries;
	int error;

	if (trace_bytes > STATUS_TRACE_MOST) {
		shm_why_set(why, "%s/status: the trace ring has at most %llu bytes", w->dir, (unsigned long long)STATUS_TRACE_MOST);
		return EINVAL;
	}
	trace_bytes = power_of_two(trace_bytes < STATUS_TRACE_LEAST ? STATUS_TRACE_LEAST : trace_bytes);
	entries = (uint32_t)(trace_bytes / 256);
	w->file_size = status_fixed_size(trace_bytes, entries);
	w->file_size = (w->file_size + STATUS_PAGE - 1) / STATUS_PAGE * STATUS_PAGE;
	if ((error = shm_map_create(&w->map, w->dir, "status.new", w->file_size, why)) != 0)
		return error;
	w->header = w->map.base;
	w->header->trace_bytes = trace_bytes;
	w->header->trace_entries = entries;
	set_identity(w->header, options);
	atomic_store_explicit(&w->header->trace_oldest, 1, memory_order_relaxed);
	atomic_store_explicit(&w->header->heartbeat_ms, shm_monotonic_ms(), memory_order_relaxed);
	status_shape(&shape);
	if ((error = shm_block_fill(&w->header->block, &shape, w->file_size)) != 0)
		return error;
	/* Pairs with the acquire load in shm_block_check(). */
	atomic_store_explicit(&w->header->block.ready, 1, memory_order_release);
	return take_name(w, why);
}

int status_writer_open(struct status_writer **out, const char *dir, const struct status_options *options,
                       struct shm_why *why)
{
	struct status_writer *w = calloc(1, sizeof *w);
	int error;

	if (!w || !(w->dir = strdup(dir))) {
		free(w);
		return ENOMEM;
	}
	w->map = (struct shm_map)SHM_MAP_NONE;
	w->tracing = true;
	w->trace_oldest = 1;
	if ((error = readers_open(&w->readers, dir, why)) != 0)
		goto out;
	if ((error = readers_take_lock(w->readers, LOCK_STATUS_WRITER)) != 0) {
		shm_why_set(why, "%s/status: another program writes it", dir);
		goto out;
	}
	error = make_file(w, options, why);
out:
	if (error)
		status_writer_close(w);
	else
		*out = w;
	return error;
}

void status_writer_close(struct status_writer *w)
{
	if (!w)
		return;
	unmap(w);
	readers_close(w->readers);
	free(w->dir);
	free(w);
}

int status_reserve(struct status_writer *w, unsigned table, uint32_t limit)
{
	uint64_t bytes = status_chunk_bytes(table), size;
	uint32_t have = 0, want = (limit + STATUS_CHUNK_RECORDS - 1) / STATUS_CHUNK_RECORDS;
	unsigned k = table - 1;
	uint8_t *run;
	int error;

	if (status_record_size(table) == 0)
		return EINVAL;
	if (limit > STATUS_CHUNKS * STATUS_CHUNK_RECORDS)
		return ENOSPC;
	if (limit <= w->limit[k])
		return 0;
	have = (w->limit[k] + STATUS_CHUNK_RECORDS - 1) / STATUS_CHUNK_RECORDS;
	if (want > have) {
		size = (want - have) * bytes;
		if ((error = shm_allocate(w->map.fd, w->file_size, w->file_size + size, w->dir, "status", NULL)) != 0)
			return error;
		run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, w->map.fd, (off_t)w->file_size);
		if (run == MAP_FAILED)
			return errno;
		for (uint32_t c = have; c < want; c++) {
			w->chunk[k][c] = run + (c - have) * bytes;
			/* Release: whoever sees the place finds room in the file.  Pairs with the acquire in chunk_at(). */
			atomic_store_explicit(&w->header->chunk[k][c],
			                      (uint32_t)((w->file_size + (c - have) * bytes) / STATUS_PAGE), memory_order_release);
		}
		w->file_size += size;
	}
	w->limit[k] = limit;
	atomic_store_explicit(&w->header->limit[k], limit, memory_order_release);
	return 0;
}

static _Atomic uint64_t *record_at(const struct status_writer *w, unsigned table, uint32_t id)
{
	return (_Atomic uint64_t *)(w->chunk[table - 1][id / STATUS_CHUNK_RECORDS] +
	                            id % STATUS_CHUNK_RECORDS * status_stride(table));
}

int status_put(struct status_writer *w, unsigned table, uint32_t id, const void *record)
{
	return status_put_part(w, table, id, 0, status_record_size(table), record);
}

int status_put_part(struct status_writer *w, unsigned table, uint32_t id, size_t offset, size_t size,
                    const void *part)
{
	_Atomic uint64_t *at;
	uint64_t count;

	if (status_record_size(table) == 0 || id >= w->limit[table - 1])
		return ENOENT;
	if (offset % 8 || size % 8 || size > status_record_size(table) || offset > status_record_size(table) - size)
		return EINVAL;
	at = record_at(w, table, id);
	count = atomic_load_explicit(at, memory_order_relaxed);
	atomic_store_explicit(at, count + 1, memory_order_relaxed);
	words_fence_write();
	words_store(at + 1 + offset / 8, part, size);
	/* Pairs with the acquire load in status_get(). */
	atomic_store_explicit(at, count + 2, memory_order_release);
	dirty_mark(w->readers, table - 1, id);
	return 0;
}

void status_event(struct status_writer *w, const struct status_event *event)
{
	struct status_event e = *event;
	struct status_slot_event *slot;

	e.sequence = ++w->event_newest;
	slot = &w->header->event[e.sequence % STATUS_EVENTS];
	atomic_store_explicit(&slot->count, 2 * e.sequence - 1, memory_order_relaxed);
	words_fence_write();
	words_store(slot->words, &e, sizeof e);
	atomic_store_explicit(&slot->count, 2 * e.sequence, memory_order_release);
	atomic_store_explicit(&w->header->event_newest, e.sequence, memory_order_release);
}

/* Copies into the ring at a position, around its end if need be; both are whole words. */
static void ring_store(struct status_header *header, uint64_t position, const void *from, size_t bytes)
{
	_Atomic uint64_t *ring = status_trace_ring(header);
	uint64_t at = position & (header->trace_bytes - 1), first = header->trace_bytes - at;

	if (first > bytes)
		first = bytes;
	words_store(ring + at / 8, from, first);
	if (bytes > first)
		words_store(ring, (const uint8_t *)from + first, bytes - first);
}

/* Gives up the oldest messages until there are `need` bytes and an index entry. */
static void trace_make_room(struct status_writer *w, uint64_t need)
{
	_Atomic uint64_t *index = status_trace_index(w->header);
	uint32_t entries = w->header->trace_entries;

	while (w->trace_oldest <= w->trace_newest && (w->trace_head + need - w->trace_tail > w->header->trace_bytes ||
	                                              w->trace_newest + 1 - w->trace_oldest >= entries)) {
		w->trace_oldest++;
		w->trace_tail = w->trace_oldest > w->trace_newest ? w->trace_head :
		                atomic_load_explicit(&index[w->trace_oldest % entries], memory_order_relaxed);
	}
	atomic_store_explicit(&w->header->trace_oldest, w->trace_oldest, memory_order_relaxed);
	words_fence_write();
}

void status_trace(struct status_writer *w, const struct trace_header *header, const void *message, size_t length)
{
	struct { uint64_t sequence, stored; struct trace_header header; } head = { 0 };
	uint64_t stored = length, need;

	if (!w->tracing)
		return;
	/* One message must not push out all others. */
	if (stored > w->header->trace_bytes / 4)
		stored = w->header->trace_bytes / 4;
	need = sizeof head + WORDS_OF(stored) * 8;
	trace_make_room(w, need);
	head.sequence = w->trace_newest + 1;
	head.stored = stored;
	head.header = *header;
	head.header.sequence = head.sequence;
	head.header.length = (uint32_t)length;
	ring_store(w->header, w->trace_head, &head, sizeof head);
	ring_store(w->header, w->trace_head + sizeof head, message, stored);
	atomic_store_explicit(&status_trace_index(w->header)[head.sequence % w->header->trace_entries], w->trace_head,
	                      memory_order_relaxed);
	w->trace_head += need;
	w->trace_newest = head.sequence;
	/* Pairs with the acquire load in status_next_trace(). */
	atomic_store_explicit(&w->header->trace_newest, w->trace_newest, memory_order_release);
}

void status_trace_enable(struct status_writer *w, bool on)
{
	w->tracing = on;
}

/* `readers` is another file now: its users look for changes there, so all of ours count as changed. */
static void reopen_readers(struct status_writer *w)
{
	struct readers *readers;

	if (readers_open(&readers, w->dir, NULL) != 0)
		return;
	if (readers_take_lock(readers, LOCK_STATUS_WRITER) != 0) {
		readers_close(readers);
		return;
	}
	readers_close(w->readers);
	w->readers = readers;
	for (unsigned k = 0; k < SHM_KINDS; k++)
		for (uint32_t id = 0; id < w->limit[k]; id++)
			if (atomic_load_explicit(record_at(w, k + 1, id), memory_order_relaxed))
				dirty_mark(readers, k, id);
}

/* Somebody removed or replaced `status`: a copy of ours takes the name, mapped in the same pieces. */
static void restore_file(struct status_writer *w)
{
	struct shm_map copy = SHM_MAP_NONE;
	uint64_t fixed = w->map.size;
	uint8_t *base;

	if (shm_map_create(&copy, w->dir, "status.new", w->file_size, NULL) != 0)
		return;
	base = copy.base;
	memcpy(base, w->header, fixed);
	for (unsigned k = 0; k < SHM_KINDS; k++)
		for (uint32_t c = 0; c < STATUS_CHUNKS && w->chunk[k][c]; c++)
			memcpy(base + (uint64_t)atomic_load(&w->header->chunk[k][c]) * STATUS_PAGE, w->chunk[k][c],
			       status_chunk_bytes(k + 1));
	if (take_name(w, NULL) != 0) {
		shm_map_close(&copy);
		return;
	}
	unmap(w);
	w->map = copy;
	w->map.size = fixed;
	w->header = copy.base;
	for (unsigned k = 0; k < SHM_KINDS; k++)
		for (uint32_t c = 0; c < STATUS_CHUNKS && w->chunk[k][c]; c++)
			w->chunk[k][c] = base + (uint64_t)atomic_load(&w->header->chunk[k][c]) * STATUS_PAGE;
}

void status_calls(struct status_writer *w, uint32_t active, uint32_t per_second)
{
	atomic_store_explicit(&w->header->calls_active, active, memory_order_relaxed);
	atomic_store_explicit(&w->header->calls_per_second, per_second, memory_order_relaxed);
}

void status_count(struct status_writer *w, unsigned counter, uint64_t by)
{
	_Atomic uint64_t *word = &w->header->counter[counter];

	/* One writer: no other store can come between the load and the store. */
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + by, memory_order_relaxed);
}

void status_count_rtt(struct status_writer *w, uint32_t rtt_us)
{
	static const uint32_t bounds[] = STATUS_RTT_BOUNDS;
	unsigned bucket = 0;

	_Static_assert(sizeof bounds / sizeof bounds[0] + 1 == STATUS_RTT_BUCKETS, "the last bucket has no bound");
	while (bucket < STATUS_RTT_BUCKETS - 1 && rtt_us > bounds[bucket])
		bucket++;
	status_count(w, COUNT_RTT + bucket, 1);
	status_count(w, COUNT_RTT_US, rtt_us);
}

void status_heartbeat(struct status_writer *w)
{
	atomic_store_explicit(&w->header->heartbeat_ms, shm_monotonic_ms(), memory_order_relaxed);
	if (!shm_map_current(&w->map, w->dir, "status"))
		restore_file(w);
	if (!shm_map_current(&w->readers->map, w->dir, "readers"))
		reopen_readers(w);
}
