/*
 * DIR/config as it lies in memory: pages of 16 KiB, copied on write.
 *
 *   page 0                    root page                  directory page           leaf page
 *  ┌──────────────────────┐  ┌───────────────────────┐  ┌────────────────────┐   ┌──────────────────────┐
 *  │ block: magic, sizes, │  │ generation, revision  │  │ generation         │   │ generation, kind     │
 *  │  layout hash, ready  │  │ committed_at, checksum│  │ entry[512] ────────┼──►│ record 0  (whole,    │
 *  │ npages, serial, seed │  │ parameters ───────────┼► │  generation | page │   │ record 1   fixed     │
 *  │ root ────────────────┼─►│ per kind: count, limit│  └────────────────────┘   │ …          size)     │
 *  │ superseded           │  │  dirs[496] ───────────┼────────▲                  └──────────────────────┘
 *  │ heartbeat            │  │  index_dirs[8] ───────┼──► directory page ──► bucket page: (hash, id + 1)[2040]
 *  └──────────────────────┘  └───────────────────────┘
 *
 * Every arrow is one word, generation:40 | page:24: the generation that wrote the page, and its number.  So whoever
 * looks for what changed since generation g compares words and never touches an unchanged page; a word with page 0
 * says that there is nothing, since that generation.  Page 0 is written once before `ready`, but for root, superseded
 * and heartbeat.  All of it is written by mgmtd alone.
 *
 * The free list, the queue of retired pages and the allocator are in the writer's heap.  After a crash they are made
 * again by marking what the root reaches; every other page then counts as retired at the current generation, since a
 * reader may still look at an older one.
 *
 * Why a reader never sees a torn or a reused page
 * -----------------------------------------------
 * Write root(k) for the store of the root word of generation k.  A page is *retired at r* when generation r no longer
 * reaches it and r-1 did.
 *
 * 1. Whole.  Every store to a page of generation k is sequenced before root(k), a release store.  A reader's acquire
 *    load that takes its value from root(k) synchronizes with it, so all those stores happen before the reader's
 *    loads.  Pages reachable from any stored root are not written (the writer edits copies), so no store races with
 *    those loads.
 *
 * 2. Not reused while looked at.  An idle reader takes the generation g0 from a relaxed load of the root word, stores
 *    pin = g0, executes F_r = fence(seq_cst), and only then loads the root word it uses, of generation g1.  By
 *    coherence g1 >= g0.  The writer, before it reuses pages retired at r or before, executes F_w = fence(seq_cst),
 *    reads all pins, and wants every one >= r.  In the single total order S of the fences either F_w comes after F_r:
 *    then the scan sees the pin g0 or a later one; it is >= r, so g1 >= r and generation g1 does not reach the
 *    page.  Or F_w comes before F_r: then the reader's load after F_r sees the root stored before F_w or a later one;
 *    the page was retired by a root stored before F_w, so again g1 >= r.  Without F_r the pin may still be in the
 *    store buffer when the root has already been loaded: both sides then miss each other.  A seq_cst
 *    read-modify-write of the pin would do on x86, not on arm64, where a later load may pass it; hence a fence.
 *    A reader that is pinned already needs no fence to go on: its old pin g covers every root it can load from now
 *    on, by the same argument, since g <= that root's generation.  It loads the new root, checks it, and only then
 *    moves the pin forward.  A root that does not pass the check so leaves it with its old snapshot, still pinned.
 *
 * 3. Done before reuse.  The pin moves by a release store and is scanned by an acquire load.  A scan that sees the
 *    moved pin happens after all loads made under the old one, so the writer's new stores do not race with them.
 *
 * 4. kill -9 of the writer.  The commit is one aligned 8-byte store.  Before it, the new pages are garbage that nothing
 *    reaches; after it, all of the generation is published.
 *
 * 5. kill -9 of a reader.  Its pin stays until the writer takes the lock of its slot, which the kernel has let
 *    go.  When pages run short this is done at once, else every second.
 *
 * 6. A reader that stalls (a debugger, SIGSTOP) holds pages until the pool is exhausted.  Then a new file is built
 *    beside the old one, renamed over it, and `superseded` set in the old one, which is never written again.  A pin
 *    names the file it is meant for, by its serial number, so the stalled reader holds nothing in the new
 *    file.  Growth and a changed layout go the same way.  Between rename and superseded the old file has a second
 *    name, config.old, so that a writer started after a crash at that point can finish the job.
 */
#ifndef SHM_LAYOUT_H
#define SHM_LAYOUT_H

#include "schema/schema.h"
#include "shm/file.h"

#define CONFIG_PAGE		16384u
#define CONFIG_PAGE_SHIFT	14
#define CONFIG_MAX_PAGES	(1u << 24)
#define CONFIG_GENERATION_MAX	((UINT64_C(1) << 40) - 1)

#define CONFIG_FANOUT		512u	/* words of a directory page in use: 4 KiB to copy, not 16 */
#define CONFIG_DIRS		496u	/* directory pages of a kind: 253,952 leaves, 2,285,568 registrations */
#define CONFIG_INDEX_DIRS	8u	/* 4,096 buckets: 8.3 million names, 3.2 million before a bucket gets long */
#define CONFIG_BUCKET_SLOTS	2040u
#define CONFIG_PAGE_HEAD	64u

#define CONFIG_WORD(generation, page) ((uint64_t)(generation) << 24 | (page))
#define CONFIG_WORD_GENERATION(word) ((word) >> 24)
#define CONFIG_WORD_PAGE(word) ((uint32_t)((word) & 0xffffff))

struct config_header {
	struct shm_block block;
	uint32_t npages;		/* pages of the file, this one included */
	uint32_t serial;		/* 24 bits: which file in a line of files that replaced each other */
	uint8_t lineage[SHM_ID_LEN];	/* kept while files replace each other; new when the content was lost */
	uint8_t readers_uuid[SHM_ID_LEN];	/* of the `readers` file whose pins the writer honours */
	uint64_t hash_seed[2];		/* of the name index */
	uint8_t reserved0[72];
	_Atomic uint64_t root;		/* release by the writer; acquire in take_root() */
	_Atomic uint32_t superseded;	/* release after the rename; acquire in superseded() */
	uint8_t reserved1[52];
	_Atomic int64_t heartbeat_ms;	/* CLOCK_MONOTONIC, each second; relaxed, nothing hangs on it */
	uint8_t reserved2[CONFIG_PAGE - 328];
};
_Static_assert(offsetof(struct config_header, npages) == 128, "follows the block");
_Static_assert(offsetof(struct config_header, root) == 256, "root and superseded share a cache line of their own");
_Static_assert(offsetof(struct config_header, superseded) == 264, "beside the root");
_Static_assert(offsetof(struct config_header, heartbeat_ms) == 320, "not in the root's cache line");
_Static_assert(sizeof(struct config_header) == CONFIG_PAGE, "page 0");

/* One kind's records: leaf i / per leaf holds record i; bucket of the name's hash holds its id. */
struct config_tree {
	uint32_t count;			/* records present */
	uint32_t limit;			/* no id >= limit was ever used */
	uint32_t dirs;			/* words of dir[] in use */
	uint32_t index_dirs;
	uint32_t buckets;		/* linear hashing: that many buckets */
	uint32_t reserved[3];
};

struct config_root {
	uint64_t generation;
	uint64_t revision;
	uint64_t committed_at;		/* µs of CLOCK_REALTIME */
	uint64_t checksum;		/* of everything else in use in this page: config_root_checksum() */
	uint64_t parameters;		/* word; page 0 = never set */
	uint64_t reserved[3];
	struct config_tree tree[SHM_KINDS];
	struct {
		uint64_t dir[CONFIG_DIRS];
		uint64_t index_dir[CONFIG_INDEX_DIRS];
	} words[SHM_KINDS];
	uint8_t unused[64];
};
_Static_assert(offsetof(struct config_root, tree) == 64, "drawn above");
_Static_assert(offsetof(struct config_root, words) == 192, "drawn above");
_Static_assert(sizeof(struct config_root) == CONFIG_PAGE, "a root is one page");

struct config_dir {
	uint64_t generation;
	uint8_t reserved[CONFIG_PAGE_HEAD - 8];
	uint64_t entry[CONFIG_FANOUT];
};
_Static_assert(offsetof(struct config_dir, entry) == CONFIG_PAGE_HEAD, "drawn above");
_Static_assert(sizeof(struct config_dir) <= CONFIG_PAGE, "the rest of the page is never read or copied");

struct config_leaf {
	uint64_t generation;
	uint32_t kind;
	uint8_t reserved[CONFIG_PAGE_HEAD - 12];
	uint8_t records[CONFIG_PAGE - CONFIG_PAGE_HEAD];
};
_Static_assert(offsetof(struct config_leaf, records) == CONFIG_PAGE_HEAD, "drawn above");
_Static_assert(sizeof(struct config_leaf) == CONFIG_PAGE, "a leaf is one page");

struct config_bucket {
	uint64_t generation;
	uint32_t count;
	uint8_t reserved[CONFIG_PAGE_HEAD - 12];
	struct { uint32_t hash, id_plus_1; } slot[CONFIG_BUCKET_SLOTS];	/* open addressing; id_plus_1 0 = empty */
};
_Static_assert(sizeof(struct config_bucket) == CONFIG_PAGE, "a bucket is one page");

/* The parameters' page. */
struct config_parameters {
	uint64_t generation;
	uint8_t reserved[CONFIG_PAGE_HEAD - 8];
	struct sip_parameters parameters;
};
_Static_assert(sizeof(struct config_parameters) <= CONFIG_PAGE, "the parameters are one page");

_Static_assert(KIND_REGISTRATION == 1 && KIND_COUNT - 1 <= SHM_KINDS, "record kinds follow the parameters");
_Static_assert(sizeof(struct registration_record) % 8 == 0 && sizeof(struct routing_gateway_record) % 8 == 0 &&
               sizeof(struct mapping_gateway_record) % 8 == 0, "records keep the alignment of their words");

/* A kind of record needs its line here; everything else follows. */
static inline uint32_t config_record_size(enum kind_id kind)
{
	_Static_assert(KIND_COUNT == 4, "a new kind of record needs its size here");
	switch (kind) {
	case KIND_REGISTRATION:		return (uint32_t)sizeof(struct registration_record);
	case KIND_ROUTING_GATEWAY:	return (uint32_t)sizeof(struct routing_gateway_record);
	case KIND_MAPPING_GATEWAY:	return (uint32_t)sizeof(struct mapping_gateway_record);
	default:			return 0;
	}
}

static inline uint32_t config_per_leaf(enum kind_id kind)
{
	uint32_t size = config_record_size(kind);

	return size ? (CONFIG_PAGE - CONFIG_PAGE_HEAD) / size : 1;
}

static inline bool config_is_record_kind(enum kind_id kind)
{
	return kind > KIND_PARAMETERS && kind < KIND_COUNT;
}

void config_shape(struct shm_shape *shape);

/* Over what is in use of the root page. */
uint64_t config_root_checksum(const struct config_root *root);

#endif
