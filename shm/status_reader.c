#include "shm/readers.h"
#include "shm/status_layout.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATUS_TRIES 16

struct status_reader {
	char *dir;
	struct shm_map map;		/* header and rings */
	const struct status_header *header;
	uint64_t trace_bytes;		/* as checked when it was opened */
	uint32_t trace_entries;
	struct readers *readers;	/* for the dirty bits */
	pthread_mutex_t mapping;	/* guards the making of chunk[], not its use */
	_Atomic(uint8_t *) chunk[SHM_KINDS][STATUS_CHUNKS];
};

/* The sizes in the header, which bound everything that is read later. */
static int check_rings(struct status_reader *r, struct shm_why *why)
{
	uint64_t bytes = r->header->trace_bytes;
	uint32_t entries = r->header->trace_entries;

	if (bytes < STATUS_TRACE_LEAST || bytes > STATUS_TRACE_MOST || (bytes & (bytes - 1)) || entries != bytes / 256 ||
	    status_fixed_size(bytes, entries) > r->map.file_size) {
		shm_why_set(why, "%s/status: damaged: a trace ring of %" PRIu64 " bytes and %" PRIu32
		            " entries in a file of %" PRIu64, r->dir, bytes, entries, r->map.file_size);
		return EINVAL;
	}
	r->trace_bytes = bytes;
	r->trace_entries = entries;
	return 0;
}

int status_reader_open(struct status_reader **out, const char *dir, struct shm_why *why)
{
	struct status_reader *r = calloc(1, sizeof *r);
	struct shm_shape shape;
	void *base;
	int error;

	if (!r || !(r->dir = strdup(dir))) {
		free(r);
		return ENOMEM;
	}
	pthread_mutex_init(&r->mapping, NULL);
	r->map = (struct shm_map)SHM_MAP_NONE;
	status_shape(&shape);
	error = shm_map_open(&r->map, dir, "status", false, sizeof *r->header, sizeof *r->header, why);
	if (error)
		goto out;
	r->header = r->map.base;
	if ((error = shm_block_check(&r->header->block, &shape, r->map.file_size, dir, why)) != 0 ||
	    (error = check_rings(r, why)) != 0)
		goto out;
	base = mremap(r->map.base, r->map.size, status_fixed_size(r->trace_bytes, r->trace_entries), MREMAP_MAYMOVE);
	if (base == MAP_FAILED) {
		error = errno;
		shm_why_set(why, "%s/status: cannot map the rings", dir);
		goto out;
	}
	r->map.base = base;
	r->map.size = status_fixed_size(r->trace_bytes, r->trace_entries);
	r->header = base;
	error = readers_open(&r->readers, dir, why);
out:
	if (error)
		status_reader_close(r);
	else
		*out = r;
	return error;
}

void status_reader_close(struct status_reader *r)
{
	if (!r)
		return;
	for (unsigned k = 0; k < SHM_KINDS; k++)
		for (uint32_t c = 0; c < STATUS_CHUNKS; c++)
			if (r->chunk[k][c])
				munmap(r->chunk[k][c], status_chunk_bytes(k + 1));
	shm_map_close(&r->map);
	readers_close(r->readers);
	pthread_mutex_destroy(&r->mapping);
	free(r->dir);
	free(r);
}

bool status_reader_replaced(struct status_reader *r)
{
	return !shm_map_current(&r->map, r->dir, "status") || !shm_map_current(&r->readers->map, r->dir, "readers");
}

void status_info(struct status_reader *r, struct status_info *info)
{
	int64_t age = shm_monotonic_ms() - atomic_load_explicit(&r->header->heartbeat_ms, memory_order_relaxed);

	*info = (struct status_info){
		.pid = r->header->pid, .started_at = r->header->started_at, .heartbeat_age_ms = age > 0 ? age : 0,
		.calls_active = atomic_load_explicit(&r->header->calls_active, memory_order_relaxed),
		.calls_per_second = atomic_load_explicit(&r->header->calls_per_second, memory_order_relaxed),
	};
	memcpy(info->version, r->header->version, sizeof info->version - 1);
	memcpy(info->listeners, r->header->listeners, sizeof info->listeners - 1);
}

void status_counters(const struct status_reader *r, uint64_t counts[COUNT_COUNT])
{
	for (unsigned i = 0; i < COUNT_COUNT; i++)
		counts[i] = atomic_load_explicit(&r->header->counter[i], memory_order_relaxed);
}

uint32_t status_limit(struct status_reader *r, unsigned table)
{
	uint32_t limit;

	if (status_record_size(table) == 0)
		return 0;
	limit = atomic_load_explicit(&r->header->limit[table - 1], memory_order_acquire);
	return limit < STATUS_CHUNKS * STATUS_CHUNK_RECORDS ? limit : STATUS_CHUNKS * STATUS_CHUNK_RECORDS;
}

static uint8_t *map_chunk(struct status_reader *r, unsigned table, uint32_t page)
{
	uint64_t at = (uint64_t)page * STATUS_PAGE, bytes = status_chunk_bytes(table);
	struct stat st;
	uint8_t *chunk;

	/* The file has grown since it was opened, but must hold what its table says: else the first touch is SIGBUS. */
	if (page == 0 || fstat(r->map.fd, &st) != 0 || at + bytes > (uint64_t)st.st_size)
		return NULL;
	chunk = mmap(NULL, bytes, PROT_READ, MAP_SHARED, r->map.fd, (off_t)at);
	return chunk == MAP_FAILED ? NULL : chunk;
}

/* The chunk, mapped when it is first asked for. */
static uint8_t *chunk_at(struct status_reader *r, unsigned table, uint32_t c)
{
	uint8_t *chunk = atomic_load_explicit(&r->chunk[table - 1][c], memory_order_acquire);

	if (chunk)
		return chunk;
	pthread_mutex_lock(&r->mapping);
	chunk = atomic_load_explicit(&r->chunk[table - 1][c], memory_order_relaxed);
	if (!chunk) {
		chunk = map_chunk(r, table, atomic_load_explicit(&r->header->chunk[table - 1][c], memory_order_acquire));
		/* Release: pairs with the acquire above, in another thread. */
		atomic_store_explicit(&r->chunk[table - 1][c], chunk, memory_order_release);
	}
	pthread_mutex_unlock(&r->mapping);
	return chunk;
}

static void wait_a_little(unsigned tries)
{
	if (tries >= STATUS_TRIES / 2) {
		sched_yield();
		return;
	}
	for (volatile unsigned i = 0; i < 64; i++)
		;
}

int status_get(struct status_reader *r, unsigned table, uint32_t id, void *out)
{
	const _Atomic uint64_t *record;
	uint8_t *chunk;

	if (id >= status_limit(r, table) || !(chunk = chunk_at(r, table, id / STATUS_CHUNK_RECORDS)))
		return ENOENT;
	record = (const _Atomic uint64_t *)(chunk + id % STATUS_CHUNK_RECORDS * status_stride(table));
	for (unsigned tries = 0; tries < STATUS_TRIES; tries++) {
		/* Acquire pairs with the release in status_put(); the fence with the one before it stored the words. */
		uint64_t before = atomic_load_explicit(record, memory_order_acquire), after;
		if (before == 0)
			return ENOENT;
		if (before % 2 == 0 || tries == STATUS_TRIES - 1) {
			words_load(out, record + 1, status_record_size(table));
			words_fence_read();
			after = atomic_load_explicit(record, memory_order_relaxed);
			if (before == after && before % 2 == 0)
				return 0;
		}
		wait_a_little(tries);
	}
	return EBUSY;
}

uint64_t status_changes(struct status_reader *r, unsigned table, uint32_t id)
{
	uint8_t *chunk;

	if (id >= status_limit(r, table) || !(chunk = chunk_at(r, table, id / STATUS_CHUNK_RECORDS)))
		return 0;
	/* Acquire pairs with the release in status_put(): what is read afterwards is at least this version. */
	return atomic_load_explicit((const _Atomic uint64_t *)(chunk + id % STATUS_CHUNK_RECORDS * status_stride(table)), memory_order_acquire);
}

void status_take_dirty(struct status_reader *r, unsigned table, void (*each)(uint32_t id, void *arg), void *arg)
{
	if (status_record_size(table))
		dirty_take(r->readers, table - 1, each, arg);
}

/* Where the cursor stands among oldest … newest.  0: message or event *cursor + 1 is there. */
static int locate(uint64_t *cursor, uint64_t oldest, uint64_t newest, uint64_t *lost)
{
	if (*cursor == newest || newest == 0)
		return EAGAIN;
	if (*cursor == 0) {
		*cursor = oldest - 1;
		return 0;
	}
	if (*cursor > newest) {		/* of another switchcore: begin anew */
		*cursor = oldest - 1;
		*lost = 0;
		return EOVERFLOW;
	}
	if (*cursor + 1 < oldest) {
		*lost = oldest - 1 - *cursor;
		*cursor = oldest - 1;
		return EOVERFLOW;
	}
	return 0;
}

int status_next_event(struct status_reader *r, uint64_t *cursor, struct status_event *event, uint64_t *lost)
{
	for (;;) {
		uint64_t newest = atomic_load_explicit(&r->header->event_newest, memory_order_acquire), after;
		/* The slot of the oldest may be about to be overwritten; its count tells. */
		uint64_t oldest = newest >= STATUS_EVENTS ? newest - STATUS_EVENTS + 1 : 1;
		const struct status_slot_event *slot;
		struct status_event copy;
		uint64_t start = *cursor;
		int error = locate(cursor, oldest, newest, lost);

		if (error)
			return error;
		slot = &r->header->event[(*cursor + 1) % STATUS_EVENTS];
		if (atomic_load_explicit(&slot->count, memory_order_acquire) == 2 * (*cursor + 1)) {
			words_load(&copy, slot->words, sizeof copy);
			words_fence_read();
			after = atomic_load_explicit(&slot->count, memory_order_relaxed);
			if (after == 2 * (*cursor + 1)) {
				*event = copy;
				++*cursor;
				return 0;
			}
		}
		if (atomic_load_explicit(&r->header->event_newest, memory_order_acquire) == newest) {
			/* The writer stands, or died, in the middle of this slot, the oldest: its event is lost. */
			++*cursor;
			*lost = 1;
			return EOVERFLOW;
		}
		*cursor = start;	/* overwritten meanwhile: look again */
	}
}

static void ring_load(const struct status_reader *r, uint64_t position, void *to, size_t bytes)
{
	const _Atomic uint64_t *ring = status_trace_index(r->header) + r->trace_entries;
	uint64_t at = position & (r->trace_bytes - 1), first = r->trace_bytes - at;

	if (first > bytes)
		first = bytes;
	words_load(to, ring + at / 8, first);
	if (bytes > first)
		words_load((uint8_t *)to + first, ring, bytes - first);
}

int status_next_trace(struct status_reader *r, uint64_t *cursor, struct trace_header *header, void *buffer, size_t size,
                      uint64_t *lost)
{
	for (;;) {
		uint64_t newest = atomic_load_explicit(&r->header->trace_newest, memory_order_acquire);
		uint64_t oldest = atomic_load_explicit(&r->header->trace_oldest, memory_order_relaxed), position, sequence;
		struct { uint64_t sequence, stored; struct trace_header header; } head;
		uint64_t start = *cursor;
		int error = locate(cursor, oldest ? oldest : 1, newest, lost);

		if (error)
			return error;
		sequence = *cursor + 1;
		position = atomic_load_explicit(&status_trace_index(r->header)[sequence % r->trace_entries], memory_order_relaxed);
		position &= ~UINT64_C(7);
		ring_load(r, position, &head, sizeof head);
		if (head.stored > r->trace_bytes / 4)
			head.stored = 0;	/* overwritten, or damaged: refused below */
		ring_load(r, position + sizeof head, buffer, head.stored < size ? head.stored : size);
		words_fence_read();
		/* Pairs with the fence in trace_make_room(): had a word been overwritten, oldest would be seen past it. */
		if (atomic_load_explicit(&r->header->trace_oldest, memory_order_relaxed) <= sequence) {
			*cursor = sequence;
			if (head.sequence != sequence || head.header.sequence != sequence) {
				*lost = 1;
				return EOVERFLOW;
			}
			*header = head.header;
			return 0;
		}
		*cursor = start;
	}
}

uint64_t status_trace_newest(const struct status_reader *r)
{
	return atomic_load_explicit(&r->header->trace_newest, memory_order_acquire);
}

size_t status_trace_kept(const struct status_reader *r, size_t length)
{
	return length < r->trace_bytes / 4 ? length : (size_t)(r->trace_bytes / 4);
}
