/*
 * The name index: linear hashing over buckets of one page.  Each insert that finds more than INDEX_LOAD names a
 * bucket on average splits one bucket, the next in turn, so no insert ever costs more than a few pages.  Within a
 * bucket: open addressing by the hash.  Buckets not split yet hold up to twice the average; 2 * 800 + five sigmas is
 * under 2040.
 */
#include "shm/config_writer.h"

#include <errno.h>
#include <string.h>

#define INDEX_LOAD 800u
#define INDEX_MOST (CONFIG_INDEX_DIRS * CONFIG_FANOUT)

static struct config_tree *index_tree(struct config_writer *w, enum kind_id kind)
{
	return &writer_root(w)->tree[kind - 1];
}

/* Bucket b, ours to write. */
static int edit_bucket(struct config_writer *w, enum kind_id kind, uint32_t b, struct config_bucket **bucket)
{
	uint32_t page, old;
	int error = tree_edit(w, kind, BRANCH_INDEX, b, &page, &old);

	if (error)
		return error;
	*bucket = writer_page(w, page);
	if (old == 0)
		memset(*bucket, 0, sizeof **bucket);
	else if (old != page)
		memcpy(*bucket, writer_page(w, old), sizeof **bucket);
	(*bucket)->generation = w->next;
	return 0;
}

static void bucket_add(struct config_bucket *bucket, uint32_t hash, uint32_t id)
{
	uint32_t at = snapshot_bucket_start(hash);

	while (bucket->slot[at].id_plus_1)
		at = at + 1 == CONFIG_BUCKET_SLOTS ? 0 : at + 1;
	bucket->slot[at].hash = hash;
	bucket->slot[at].id_plus_1 = id + 1;
	bucket->count++;
}

/* Empties slot `hole` and moves back what had to step over it, so that no search ends too early. */
static void bucket_close_hole(struct config_bucket *bucket, uint32_t hole)
{
	uint32_t at = hole;

	for (;;) {
		at = at + 1 == CONFIG_BUCKET_SLOTS ? 0 : at + 1;
		if (bucket->slot[at].id_plus_1 == 0)
			break;
		uint32_t start = snapshot_bucket_start(bucket->slot[at].hash);
		/* Distances along the ring: it may move if its start is not after the hole. */
		uint32_t to_hole = (hole + CONFIG_BUCKET_SLOTS - start) % CONFIG_BUCKET_SLOTS;
		uint32_t to_here = (at + CONFIG_BUCKET_SLOTS - start) % CONFIG_BUCKET_SLOTS;
		if (to_hole < to_here) {
			bucket->slot[hole] = bucket->slot[at];
			hole = at;
		}
	}
	bucket->slot[hole].id_plus_1 = 0;
	bucket->slot[hole].hash = 0;
	bucket->count--;
}

/* One more bucket: the names of its elder that belong to it move. */
static int split(struct config_writer *w, enum kind_id kind)
{
	uint32_t n = index_tree(w, kind)->buckets, elder_b;
	struct config_bucket *elder, *younger, before;
	int error;

	if (n >= INDEX_MOST)
		return ENOSPC;
	elder_b = n ? n - (UINT32_C(1) << (31 - __builtin_clz(n))) : 0;
	if ((error = edit_bucket(w, kind, n, &younger)) != 0)
		return error;
	if (n == 0) {
		index_tree(w, kind)->buckets = 1;
		return 0;
	}
	if ((error = edit_bucket(w, kind, elder_b, &elder)) != 0 || (error = edit_bucket(w, kind, n, &younger)) != 0)
		return error;
	index_tree(w, kind)->buckets = n + 1;
	before = *elder;
	memset(elder->slot, 0, sizeof elder->slot);
	elder->count = 0;
	for (uint32_t i = 0; i < CONFIG_BUCKET_SLOTS; i++)
		if (before.slot[i].id_plus_1)
			bucket_add(snapshot_bucket(before.slot[i].hash, n + 1) == n ? younger : elder,
			           before.slot[i].hash, before.slot[i].id_plus_1 - 1);
	return 0;
}

int index_insert(struct config_writer *w, enum kind_id kind, const char *name, uint32_t id)
{
	uint32_t hash = (uint32_t)snapshot_hash(w->hash_seed, name);
	struct config_bucket *bucket;
	int error;

	while (index_tree(w, kind)->buckets < INDEX_MOST &&
	       (uint64_t)index_tree(w, kind)->buckets * INDEX_LOAD <= index_tree(w, kind)->count)
		if ((error = split(w, kind)) != 0)
			return error;
	/* A bucket that fills up against all odds waits for no turn.  One slot stays empty: it ends a search. */
	for (;;) {
		uint32_t b = snapshot_bucket(hash, index_tree(w, kind)->buckets);
		if ((error = edit_bucket(w, kind, b, &bucket)) != 0)
			return error;
		if (bucket->count < CONFIG_BUCKET_SLOTS - 1)
			break;
		if ((error = split(w, kind)) != 0)
			return error;
	}
	bucket_add(bucket, hash, id);
	return 0;
}

int index_remove(struct config_writer *w, enum kind_id kind, const char *name, uint32_t id)
{
	uint32_t hash = (uint32_t)snapshot_hash(w->hash_seed, name);
	struct config_bucket *bucket;
	int error = edit_bucket(w, kind, snapshot_bucket(hash, index_tree(w, kind)->buckets), &bucket);

	if (error)
		return error;
	for (uint32_t n = 0, at = snapshot_bucket_start(hash); n < CONFIG_BUCKET_SLOTS; n++) {
		if (bucket->slot[at].id_plus_1 == 0)
			break;
		if (bucket->slot[at].hash == hash && bucket->slot[at].id_plus_1 == id + 1) {
			bucket_close_hole(bucket, at);
			return 0;
		}
		at = at + 1 == CONFIG_BUCKET_SLOTS ? 0 : at + 1;
	}
	return ENOENT;
}
