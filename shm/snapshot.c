#include "shm/config.h"
#include "shm/fault.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct sip_parameters no_parameters;

void config_shape(struct shm_shape *shape)
{
	*shape = (struct shm_shape){
		.name = "config", .magic = 0x46434d45444e4154u /* "TANDEMCF" */, .major = 1, .minor = 0,
		.header_size = sizeof(struct config_header), .page_size = CONFIG_PAGE, .layout_hash = schema_layout_hash(),
		.record_size = { sizeof(struct config_root), sizeof(struct sip_parameters), sizeof(struct registration_record) },
	};
}

/* Four independent lanes: bound by loads, not by the latency of the multiplication. */
static uint64_t checksum_words(uint64_t sum, const void *from, size_t size)
{
	uint64_t lane[4] = { sum, sum ^ 0x9e3779b97f4a7c15u, sum + 0xbf58476d1ce4e5b9u, ~sum };
	const unsigned char *p = from;
	uint64_t word[4];

	for (; size >= sizeof word; p += sizeof word, size -= sizeof word) {
		memcpy(word, p, sizeof word);
		for (int i = 0; i < 4; i++) {
			lane[i] = (lane[i] ^ word[i]) * 0x9fb21c651e98df25u;
			lane[i] ^= lane[i] >> 32;
		}
	}
	for (; size >= sizeof word[0]; p += sizeof word[0], size -= sizeof word[0]) {
		memcpy(word, p, sizeof word[0]);
		lane[0] = (lane[0] ^ word[0]) * 0x9fb21c651e98df25u;
		lane[0] ^= lane[0] >> 29;
	}
	for (int i = 1; i < 4; i++)
		lane[0] = ((lane[0] << 17 | lane[0] >> 47) ^ lane[i]) * 0x9fb21c651e98df25u;
	return lane[0] ^ lane[0] >> 31;
}

uint64_t config_root_checksum(const struct config_root *root)
{
	uint64_t sum = checksum_words(0x54414e44454d, root, offsetof(struct config_root, checksum));

	sum = checksum_words(sum, &root->parameters,
	                     offsetof(struct config_root, words) - offsetof(struct config_root, parameters));
	for (unsigned k = 0; k < SHM_KINDS; k++) {
		uint32_t dirs = root->tree[k].dirs < CONFIG_DIRS ? root->tree[k].dirs : CONFIG_DIRS;
		uint32_t index = root->tree[k].index_dirs < CONFIG_INDEX_DIRS ? root->tree[k].index_dirs : CONFIG_INDEX_DIRS;
		sum = checksum_words(sum, root->words[k].dir, dirs * sizeof(uint64_t));
		sum = checksum_words(sum, root->words[k].index_dir, index * sizeof(uint64_t));
	}
	return sum;
}

void snapshot_fill(struct snapshot *snap, const struct config_header *header, uint32_t npages, uint32_t root_page)
{
	const struct config_parameters *parameters;

	snap->base = (const uint8_t *)header;
	snap->npages = npages;
	snap->root_page = root_page;
	snap->root = (const struct config_root *)(snap->base + ((size_t)root_page << CONFIG_PAGE_SHIFT));
	snap->generation = snap->root->generation;
	snap->revision = snap->root->revision;
	memcpy(snap->tree, snap->root->tree, sizeof snap->tree);
	memcpy(snap->hash_seed, header->hash_seed, sizeof snap->hash_seed);
	parameters = snapshot_page(snap, snap->root->parameters);
	snap->parameters = parameters ? &parameters->parameters : &no_parameters;
}

static const char *tree_fault(const struct config_tree *tree, unsigned k)
{
	enum kind_id kind = (enum kind_id)(k + 1);
	uint64_t room = config_is_record_kind(kind) ? (uint64_t)tree->dirs * CONFIG_FANOUT * config_per_leaf(kind) : 0;

	if (tree->dirs > CONFIG_DIRS || tree->index_dirs > CONFIG_INDEX_DIRS)
		return "too many directory pages";
	if (tree->limit > room || tree->count > tree->limit)
		return "more records than its directories hold";
	if (tree->buckets > tree->index_dirs * CONFIG_FANOUT || (tree->count && !tree->buckets))
		return "a name index that does not fit its directories";
	return NULL;
}

int snapshot_take(struct snapshot *snap, const struct config_header *header, uint32_t npages, uint64_t word,
                  const char *dir, struct shm_why *why)
{
	uint32_t page = CONFIG_WORD_PAGE(word);
	struct snapshot taken = { .everything_is_new = snap->everything_is_new };

	if (page == 0 || page >= npages) {
		shm_why_set(why, "%s/config: damaged: its root is page %" PRIu32 " of %" PRIu32, dir, page, npages);
		return EINVAL;
	}
	snapshot_fill(&taken, header, npages, page);
	if (taken.generation != CONFIG_WORD_GENERATION(word)) {
		shm_why_set(why, "%s/config: damaged: its root page is of generation %" PRIu64 ", the root word says %" PRIu64,
		            dir, taken.generation, CONFIG_WORD_GENERATION(word));
		return EINVAL;
	}
	for (unsigned k = 0; k < SHM_KINDS; k++) {
		const char *fault = tree_fault(&taken.tree[k], k);
		if (fault) {
			shm_why_set(why, "%s/config: damaged: its root page has %s", dir, fault);
			return EINVAL;
		}
	}
	if (taken.root->checksum != config_root_checksum(taken.root)) {
		shm_why_set(why, "%s/config: damaged: its root page has checksum %016" PRIx64 ", its content %016" PRIx64, dir,
		            taken.root->checksum, config_root_checksum(taken.root));
		return EINVAL;
	}
	*snap = taken;
	return 0;
}

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))
static void sip_rounds(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1], v[1] = ROTATE(v[1], 13) ^ v[0], v[0] = ROTATE(v[0], 32);
		v[2] += v[3], v[3] = ROTATE(v[3], 16) ^ v[2];
		v[0] += v[3], v[3] = ROTATE(v[3], 21) ^ v[0];
		v[2] += v[1], v[1] = ROTATE(v[1], 17) ^ v[2], v[2] = ROTATE(v[2], 32);
	}
}

uint64_t snapshot_hash(const uint64_t seed[2], const char *name)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du, seed[0] ^ 0x6c7967656e657261u,
	                  seed[1] ^ 0x7465646279746573u };
	size_t len = strnlen(name, SCHEMA_NAME_MAX + 1), left = len;
	uint64_t word;

	for (; left >= 8; name += 8, left -= 8) {
		memcpy(&word, name, 8);
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	word = 0;
	memcpy(&word, name, left);
	word |= (uint64_t)len << 56;
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Bucket b of the kind's name index, or NULL. */
static const struct config_bucket *bucket_at(const struct snapshot *snap, unsigned k, uint32_t b)
{
	const struct config_dir *dir = snapshot_page(snap, snap->root->words[k].index_dir[b / CONFIG_FANOUT]);

	return dir ? snapshot_page(snap, dir->entry[b % CONFIG_FANOUT]) : NULL;
}

const struct record *snapshot_find(const struct snapshot *snap, enum kind_id kind, const char *name)
{
	const struct config_bucket *bucket;
	uint64_t hash;

	if (!config_is_record_kind(kind) || snap->tree[kind - 1].buckets == 0 ||
	    strnlen(name, SCHEMA_NAME_MAX + 1) > SCHEMA_NAME_MAX)
		return NULL;
	hash = snapshot_hash(snap->hash_seed, name);
	bucket = bucket_at(snap, kind - 1, snapshot_bucket(hash, snap->tree[kind - 1].buckets));
	if (!bucket)
		return NULL;
	for (uint32_t n = 0, at = snapshot_bucket_start((uint32_t)hash); n < CONFIG_BUCKET_SLOTS; n++) {
		uint32_t id_plus_1 = bucket->slot[at].id_plus_1;
		if (id_plus_1 == 0)
			return NULL;
		if (bucket->slot[at].hash == (uint32_t)hash) {
			const struct record *rec = snapshot_record(snap, kind, id_plus_1 - 1);
			if (rec && strncmp(rec->name, name, sizeof rec->name) == 0)
				return rec;
		}
		at = at + 1 == CONFIG_BUCKET_SLOTS ? 0 : at + 1;
	}
	return NULL;
}

/* The records of one leaf, or as many empty ones where there is no leaf. */
static void each_of_leaf(const struct snapshot *snap, enum kind_id kind, uint32_t leaf, uint64_t word,
                         void (*each)(const struct record *rec, uint32_t id, void *arg), void *arg)
{
	static const struct record none;
	const struct config_leaf *page = snapshot_page(snap, word);
	uint32_t per_leaf = config_per_leaf(kind), id = leaf * per_leaf;

	for (uint32_t i = 0; i < per_leaf && id + i < snap->tree[kind - 1].limit; i++)
		each(page ? (const struct record *)(page->records + (size_t)i * config_record_size(kind)) : &none, id + i, arg);
}

bool config_changes_part(const struct snapshot *snap, enum kind_id kind, uint64_t since, uint32_t *place,
                         void (*each)(const struct record *rec, uint32_t id, void *arg), bool (*enough)(void *arg), void *arg,
                         uint32_t *limit)
{
	uint32_t leaves, leaf = *place;

	*limit = config_is_record_kind(kind) ? snap->tree[kind - 1].limit : 0;
	if (*limit == 0)
		return true;
	leaves = (*limit + config_per_leaf(kind) - 1) / config_per_leaf(kind);
	if (snap->everything_is_new)
		since = 0;
	while (leaf < leaves) {
		uint64_t word = snap->root->words[kind - 1].dir[leaf / CONFIG_FANOUT], entry;
		const struct config_dir *dir = snapshot_page(snap, word);
		if (!dir || CONFIG_WORD_GENERATION(word) <= since) {
			leaf = (leaf / CONFIG_FANOUT + 1) * CONFIG_FANOUT;
			continue;
		}
		entry = dir->entry[leaf % CONFIG_FANOUT];
		if (FAULT(DIFF_BY_PAGE) ? fault_page_moved(leaf, CONFIG_WORD_PAGE(entry)) : CONFIG_WORD_GENERATION(entry) > since) {
			each_of_leaf(snap, kind, leaf, entry, each, arg);
			*place = leaf + 1;
			if (enough && enough(arg))
				return *place >= leaves;
		}
		leaf++;
	}
	*place = leaves;
	return true;
}

void config_changes(const struct snapshot *snap, enum kind_id kind, uint64_t since,
                    void (*each)(const struct record *rec, uint32_t id, void *arg), void *arg, uint32_t *limit)
{
	uint32_t place = 0;

	config_changes_part(snap, kind, since, &place, each, NULL, arg, limit);
}
