/*
 * DIR/status as it lies in memory.  Written by switchcore alone, read by mgmtd and tools.
 *
 *        0  block, identity of the program                     before `ready`
 *     1280  heartbeat                                          every 500 ms
 *     1344  newest event                                       with each event
 *     1408  oldest and newest traced message                   with each message
 *     1472  limit of each table                                when records are reserved
 *     1488  calls: active now, new ones in the last second     once a second
 *     1496  counters, in the order of STATUS_COUNTERS          with what they count
 *     4096  chunk[table][8192]: page number of the 256 records  when records are reserved; 0 = none
 *   135168  event ring: 16,384 slots of 64 bytes
 *  1183744  trace index: position of message n at n % entries
 *        …  trace ring: trace_bytes
 *        …  chunks of records, appended as they are reserved; nothing ever moves and the file never shrinks
 *
 * Record: a change count, then the status struct.  The writer makes the count odd, fences, stores the words, and
 * makes it even (release); a reader that finds the same even count before (acquire) and after (fence) has a whole
 * copy.  The writer never waits.  A count that stays odd: the switchcore died in the middle.
 *
 * Event slot: a change count likewise, 2n - 1 while event n is written and 2n when it stands there.
 *
 * Traced message n: words {n, bytes stored}, struct trace_header, the message; it may wrap around the end of the
 * ring. Before it overwrites, the writer raises `oldest` above what it is going to destroy and fences; a reader
 * copies, fences, and throws the copy away if `oldest` has passed it by then.
 */
#ifndef SHM_STATUS_LAYOUT_H
#define SHM_STATUS_LAYOUT_H

#include "shm/file.h"
#include "shm/status.h"
#include "shm/status_counter.h"
#include "shm/words.h"

#define STATUS_PAGE		4096u
#define STATUS_CHUNK_RECORDS	256u
#define STATUS_CHUNKS		8192u
#define STATUS_EVENTS		16384u
#define STATUS_TRACE_LEAST	(64u << 10)
#define STATUS_TRACE_MOST	(UINT64_C(1) << 32)
#define STATUS_TRACE_DEFAULT	(16u << 20)

struct status_slot_event {
	_Atomic uint64_t count;
	_Atomic uint64_t words[WORDS_OF(sizeof(struct status_event))];
	uint8_t reserved[64 - 8 - 8 * WORDS_OF(sizeof(struct status_event))];
};
_Static_assert(sizeof(struct status_slot_event) == 64, "one cache line each");

struct status_header {
	struct shm_block block;
	char version[32];
	char listeners[1024];
	int32_t pid;
	uint32_t trace_entries;		/* of the index; a power of two */
	uint64_t trace_bytes;		/* of the ring; a power of two */
	uint64_t started_at;
	uint8_t reserved0[1280 - 1208];
	_Atomic int64_t heartbeat_ms;	/* CLOCK_MONOTONIC; relaxed: only its age matters */
	uint8_t reserved1[56];
	_Atomic uint64_t event_newest;	/* release after the event; pairs with the acquire in status_next_event() */
	uint8_t reserved2[56];
	_Atomic uint64_t trace_oldest;	/* messages oldest … newest can be read */
	_Atomic uint64_t trace_newest;	/* release after the message; pairs with the acquire in status_next_trace() */
	uint8_t reserved3[48];
	_Atomic uint32_t limit[SHM_KINDS];	/* release after the chunks; pairs with the acquire in status_get() */
	_Atomic uint32_t calls_active, calls_per_second;	/* relaxed: two numbers for people */
	_Atomic uint64_t counter[COUNT_COUNT];	/* relaxed: each stands for itself */
	uint8_t reserved4[4096 - 1496 - 8 * COUNT_COUNT];
	_Atomic uint32_t chunk[SHM_KINDS][STATUS_CHUNKS];
	struct status_slot_event event[STATUS_EVENTS];
};
_Static_assert(offsetof(struct status_header, heartbeat_ms) == 1280, "drawn above");
_Static_assert(offsetof(struct status_header, event_newest) == 1344, "drawn above");
_Static_assert(offsetof(struct status_header, trace_oldest) == 1408, "drawn above");
_Static_assert(offsetof(struct status_header, limit) == 1472, "drawn above");
_Static_assert(offsetof(struct status_header, calls_active) == 1488, "drawn above");
_Static_assert(offsetof(struct status_header, counter) == 1496, "drawn above");
_Static_assert(offsetof(struct status_header, chunk) == 4096, "drawn above");
_Static_assert(offsetof(struct status_header, event) == 135168, "drawn above");
_Static_assert(sizeof(struct status_header) == 1183744, "drawn above");
_Static_assert(sizeof(struct status_header) % STATUS_PAGE == 0, "what follows begins a page");

#define TRACE_HEAD_WORDS (2 + WORDS_OF(sizeof(struct trace_header)))

static inline _Atomic uint64_t *status_trace_index(const struct status_header *header)
{
	return (_Atomic uint64_t *)((uint8_t *)(uintptr_t)header + sizeof *header);
}

static inline _Atomic uint64_t *status_trace_ring(const struct status_header *header)
{
	return status_trace_index(header) + header->trace_entries;
}

/* Header, rings and index: what is mapped as a whole. */
static inline uint64_t status_fixed_size(uint64_t trace_bytes, uint32_t trace_entries)
{
	return sizeof(struct status_header) + trace_entries * sizeof(uint64_t) + trace_bytes;
}

/* Of the table's status struct; 0: there is no such table. */
static inline size_t status_record_size(unsigned table)
{
	_Static_assert(STATUS_TABLES == 5 && STATUS_TABLES - 1 <= SHM_KINDS, "a new table needs its size here, and room");
	switch (table) {
	case KIND_REGISTRATION:		return sizeof(struct registration_status);
	case KIND_ROUTING_GATEWAY:
	case KIND_MAPPING_GATEWAY:	return sizeof(struct gateway_status);
	case STATUS_CALL:		return sizeof(struct call_status);
	default:			return 0;
	}
}

/* From one record to the next: the change count, the struct, up to whole cache lines. */
static inline size_t status_stride(unsigned table)
{
	return (sizeof(uint64_t) + status_record_size(table) + 63) / 64 * 64;
}

static inline uint64_t status_chunk_bytes(unsigned table)
{
	return STATUS_CHUNK_RECORDS * status_stride(table);	/* whole pages, since 256 * 64 is four */
}

void status_shape(struct shm_shape *shape);

#endif
