/*
 * DIR/readers: what readers tell the writers.  One slot per reader of the configuration, and the dirty bitmap of the
 * status records.
 *
 *       0  struct shm_block
 *     128  claimed: bit i = slot i may hold a pin            written by reader i and by the writer that sweeps it
 *     136  core pid                                          written by the holder of the status lock
 *    4096  slot[64], 64 bytes each: pin, applied, rejected, pid, role
 *    8192  per kind of record (4): top       64 bytes used of 1 KiB    bit = a word of summary
 *   12288  per kind of record (4): summary    4 KiB                    bit = a word of dirty
 *   28672  per kind of record (4): dirty    256 KiB                    bit = a record
 *
 * A slot belongs to whoever holds the OFD lock on its first byte.  The kernel drops it when the process dies, whatever
 * way; it works across pid namespaces, and a reused pid cannot fool it.  It belongs to the open file description: a
 * process must not fork after claiming one.  Byte 0 of the file is the lock of the configuration's writer, byte 1 that
 * of the status writer.
 *
 * A pin says: I may look at any snapshot from this generation on, in the config file of this serial number.
 */
#ifndef SHM_READERS_H
#define SHM_READERS_H

#include "shm/fault.h"
#include "shm/file.h"

#define READERS_SLOTS		64
#define READERS_SLOTS_AT	4096
#define READERS_PAGE		4096
#define DIRTY_WORDS		32768u		/* per kind: 2,097,152 records */
#define DIRTY_SUMMARY_WORDS	(DIRTY_WORDS / 64)
#define DIRTY_TOP_WORDS		(DIRTY_SUMMARY_WORDS / 64)
#define DIRTY_RECORDS		(DIRTY_WORDS * 64)

/* generation:40 | serial:24 of the config file; all ones = IDLE: holds nothing. */
#define PIN_IDLE UINT64_MAX

struct reader_slot {
	_Atomic uint64_t pin;		/* written by the reader; by the sweeping writer when the reader is dead */
	_Atomic uint64_t applied;	/* likewise */
	_Atomic uint64_t rejected;
	_Atomic int32_t pid;
	_Atomic uint32_t role;
	uint8_t reserved[32];
};
_Static_assert(sizeof(struct reader_slot) == 64, "one cache line each: readers do not slow each other");

struct readers_file {
	struct shm_block block;
	_Atomic uint64_t claimed;
	_Atomic int32_t core_pid;
	uint8_t reserved[READERS_SLOTS_AT - 140];
	struct reader_slot slot[READERS_SLOTS];
	_Atomic uint64_t top[SHM_KINDS][128];		/* the first DIRTY_TOP_WORDS of each are used */
	_Atomic uint64_t summary[SHM_KINDS][DIRTY_SUMMARY_WORDS];
	_Atomic uint64_t dirty[SHM_KINDS][DIRTY_WORDS];
};
_Static_assert(offsetof(struct readers_file, slot) == READERS_SLOTS_AT, "drawn above");
_Static_assert(offsetof(struct readers_file, top) == 8192, "drawn above");
_Static_assert(offsetof(struct readers_file, summary) == 12288, "drawn above");
_Static_assert(offsetof(struct readers_file, dirty) == 28672, "drawn above");

enum readers_lock { LOCK_CONFIG_WRITER = 0, LOCK_STATUS_WRITER = 1 };

struct readers {
	struct shm_map map;
	struct readers_file *file;
};

int readers_take_lock(struct readers *r, enum readers_lock lock);	/* EBUSY: another has it */
bool readers_lock_held(struct readers *r, enum readers_lock lock);	/* by another open file */

/* A reader's slot.  EUSERS: all are taken. */
int readers_claim(struct readers *r, enum reader_role role, uint32_t *slot);
void readers_release(struct readers *r, uint32_t slot);

/* Empties the slots of dead readers. */
void readers_sweep(struct readers *r);

/* The least generation that any reader of the config file `serial` pins, UINT64_MAX = none. */
uint64_t readers_oldest_pin(struct readers *r, uint32_t serial);

/* The greatest generation that any slot speaks of, and whether a pin names that serial. */
uint64_t readers_greatest_generation(struct readers *r);
bool readers_serial_pinned(struct readers *r, uint32_t serial);

/* The StoreLoad fence of the pin protocol; the reader's and the writer's are each other's partners (shm/layout.h). */
static inline void readers_fence(void)
{
	/* ThreadSanitizer does not model fences and gcc says so.  Its runtime executes them all the same, and no
	 * happens-before edge is drawn from this one: those come from the pin and the root word alone.  So its verdict
	 * on the pages stays sound. */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
	atomic_thread_fence(memory_order_seq_cst);
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

/* From idle to pinned.  The root must be loaded after this, never before. */
static inline void readers_pin(struct reader_slot *slot, uint64_t pin)
{
	/* Pairs with the acquire load in readers_oldest_pin(). */
	atomic_store_explicit(&slot->pin, pin, memory_order_release);
	if (!FAULT(NO_FENCE))
		readers_fence();
}

/* Pin forward or to idle: everything read under the former pin is read before (release). */
static inline void readers_move_pin(struct reader_slot *slot, uint64_t pin)
{
	atomic_store_explicit(&slot->pin, pin, memory_order_release);
}

/* The dirty bitmap; kind counts record kinds from 0. */
void dirty_mark(struct readers *r, unsigned kind, uint32_t id);
void dirty_take(struct readers *r, unsigned kind, void (*each)(uint32_t id, void *arg), void *arg);

#endif
