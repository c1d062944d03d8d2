/*
 * A snapshot: the configuration as of one generation, seen through one root page.  Here only so that the reads which
 * every SIP message makes can be inlined; use the functions, not the members.
 *
 * The words in use of the root were counted and bounded when the snapshot was taken.  Every page number read later is
 * compared with npages before it becomes an address.
 */
#ifndef SHM_SNAPSHOT_H
#define SHM_SNAPSHOT_H

#include "shm/layout.h"
#include "shm/shm.h"

struct snapshot {
	const uint8_t *base;		/* of the mapping */
	const struct sip_parameters *parameters;
	const struct config_root *root;
	uint64_t generation, revision;
	uint32_t npages;
	uint32_t root_page;
	bool everything_is_new;		/* of another lineage than the reader applied before */
	struct config_tree tree[SHM_KINDS];	/* the root's, checked */
	uint64_t hash_seed[2];
};

/* What config_refresh() looks at to find that nothing moved. */
struct reader_front {
	struct snapshot snap;		/* taken last; root NULL = none yet */
	const struct config_header *header;
	uint64_t root_word;		/* that snap is of */
	bool pinned;
};

/* Address of a page, NULL when the word names none or one outside the file. */
static inline const void *snapshot_page(const struct snapshot *snap, uint64_t word)
{
	uint32_t page = CONFIG_WORD_PAGE(word);

	/* Page 0 wraps around: one comparison refuses both. */
	return page - 1 < snap->npages - 1 ? snap->base + ((size_t)page << CONFIG_PAGE_SHIFT) : NULL;
}

static inline uint64_t snapshot_generation(const struct snapshot *snap)
{
	return snap->generation;
}

static inline uint64_t snapshot_revision(const struct snapshot *snap)
{
	return snap->revision;
}

/* No id is as great as that. */
static inline uint32_t snapshot_limit(const struct snapshot *snap, enum kind_id kind)
{
	return config_is_record_kind(kind) ? snap->tree[kind - 1].limit : 0;
}

static inline uint32_t snapshot_count(const struct snapshot *snap, enum kind_id kind)
{
	return config_is_record_kind(kind) ? snap->tree[kind - 1].count : 0;
}

static inline const struct sip_parameters *snapshot_parameters(const struct snapshot *snap)
{
	return snap->parameters;
}

static inline const struct record *snapshot_record(const struct snapshot *snap, enum kind_id kind, uint32_t id)
{
	uint32_t leaf = id / config_per_leaf(kind);
	const struct config_dir *dir;
	const struct config_leaf *page;
	const struct record *record;

	/* limit is bounded by the directories in use. */
	if (!config_is_record_kind(kind) || id >= snap->tree[kind - 1].limit)
		return NULL;
	dir = (const struct config_dir *)snapshot_page(snap, snap->root->words[kind - 1].dir[leaf / CONFIG_FANOUT]);
	if (!dir)
		return NULL;
	page = (const struct config_leaf *)snapshot_page(snap, dir->entry[leaf % CONFIG_FANOUT]);
	if (!page)
		return NULL;
	record = (const struct record *)(page->records + id % config_per_leaf(kind) * config_record_size(kind));
	return record->present ? record : NULL;
}

/* Takes the root named by the word; nothing is taken from the file unchecked. EINVAL: damaged, why says where. */
int snapshot_take(struct snapshot *snap, const struct config_header *header, uint32_t npages, uint64_t word,
                  const char *dir, struct shm_why *why);

/* The same without a check, for a root the writer made itself. */
void snapshot_fill(struct snapshot *snap, const struct config_header *header, uint32_t npages, uint32_t root_page);

/* SipHash-2-4 of the name under the file's seed: names that fall together cannot be chosen from outside. */
uint64_t snapshot_hash(const uint64_t seed[2], const char *name);

/* Linear hashing: which of n buckets. */
static inline uint32_t snapshot_bucket(uint64_t hash, uint32_t buckets)
{
	uint32_t level = UINT32_C(1) << (31 - __builtin_clz(buckets));
	uint32_t bucket = (uint32_t)hash & (2 * level - 1);

	return bucket < buckets ? bucket : bucket & (level - 1);
}

/* Where in a bucket the search begins. */
static inline uint32_t snapshot_bucket_start(uint32_t hash)
{
	return (uint32_t)(((uint64_t)(hash * 0x9e3779b1u) * CONFIG_BUCKET_SLOTS) >> 32);
}

#endif
