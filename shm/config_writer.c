#include "shm/config_writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t realtime_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void writer_view(const struct config_writer *w, struct snapshot *view)
{
	*view = (struct snapshot){ 0 };
	snapshot_fill(view, writer_pool(w)->header, writer_pool(w)->npages, w->root);
}

void config_writer_close(struct config_writer *w)
{
	if (!w)
		return;
	draft_abandon(w);
	pool_destroy(w->pool);
	readers_close(w->readers);
	free(w->dir);
	free(w);
}

/* Continues the file in map; w->pool stays NULL when it cannot be continued, and why says so. */
static int adopt(struct config_writer *w, struct shm_map *map, struct shm_why *why)
{
	const struct config_header *header = map->base;
	uint64_t word = atomic_load_explicit(&header->root, memory_order_acquire);
	struct snapshot now = { 0 };
	uint8_t *marks = NULL;
	struct pool *pool = NULL;
	struct shm_shape shape;
	int error;

	config_shape(&shape);
	if ((error = shm_block_check(&header->block, &shape, map->size, w->dir, why)) != 0)
		return error;
	w->serial = header->serial & 0xffffff;
	if (CONFIG_WORD_GENERATION(word) > w->generation)
		w->generation = CONFIG_WORD_GENERATION(word);
	if (header->npages > map->size / CONFIG_PAGE || header->npages < 2) {
		shm_why_set(why, "%s/config: truncated: %" PRIu32 " pages in its header, %" PRIu64 " in the file", w->dir,
		            header->npages, map->size / CONFIG_PAGE);
		return EINVAL;
	}
	if (atomic_load_explicit(&header->superseded, memory_order_relaxed)) {
		shm_why_set(why, "%s/config: was replaced by another file, which is gone", w->dir);
		return EINVAL;
	}
	if ((error = snapshot_take(&now, header, header->npages, word, w->dir, why)) != 0)
		return error;
	marks = calloc(1, header->npages / 8 + 1);
	if (!marks || pool_create(&pool, map, header->npages) != 0) {
		error = ENOMEM;
		goto out;
	}
	if ((error = mark_reachable(marks, pool, now.root_page)) != 0) {
		shm_why_set(why, "%s/config: damaged: its pages do not fit together", w->dir);
		*map = pool->map;
		pool->map = (struct shm_map)SHM_MAP_NONE;
		goto out;
	}
	pool_recover(pool, marks, now.generation);
	pool->shared = true;
	memcpy(w->lineage, header->lineage, sizeof w->lineage);
	memcpy(w->hash_seed, header->hash_seed, sizeof w->hash_seed);
	w->now = now;
	w->generation = now.generation;
	w->pool = pool;
	pool = NULL;
out:
	free(marks);
	pool_destroy(pool);
	return error;
}

/* A file with the published content under our name, of our `readers`: after either was taken away. */
static int republish(struct config_writer *w, struct shm_why *why)
{
	uint64_t word = CONFIG_WORD(w->now.generation, w->now.root_page);
	int error = draft_begin(w, why);

	if (error == 0)
		error = draft_publish(w, word, why);
	if (error)
		draft_abandon(w);
	else
		snapshot_fill(&w->now, w->pool->header, w->pool->npages, w->now.root_page);
	return error;
}

/* What is under the name: continued if it can be, else a new lineage is begun. */
static int open_config(struct config_writer *w, struct shm_why *why)
{
	struct shm_map map = SHM_MAP_NONE;
	int error = shm_map_open(&map, w->dir, "config", true, CONFIG_PAGE, 0, why);

	w->generation = readers_greatest_generation(w->readers);
	if (error == 0)
		error = adopt(w, &map, why);
	shm_map_close(&map);
	if (error == 0) {
		const struct config_header *header = w->pool->header;
		bool same = memcmp(header->readers_uuid, w->readers->file->block.uuid, SHM_ID_LEN) == 0;
		if (why)
			why->text[0] = '\0';
		w->detached = !same;
		return same ? 0 : republish(w, why);
	}
	if (error != ENOENT && error != EPROTO && error != EINVAL)
		return error;
	if (error == ENOENT && why)
		why->text[0] = '\0';
	if ((error = shm_random(w->lineage, sizeof w->lineage)) != 0 ||
	    (error = shm_random(w->hash_seed, sizeof w->hash_seed)) != 0)
		return error;
	return draft_begin(w, why);
}

int config_writer_open(struct config_writer **out, const char *dir, const struct config_options *options, struct shm_why *why)
{
	struct config_writer *w = calloc(1, sizeof *w);
	int error;

	if (!w || !(w->dir = strdup(dir))) {
		free(w);
		return ENOMEM;
	}
	w->spare_pages = options && options->spare_pages ? options->spare_pages : CONFIG_SPARE_PAGES;
	if ((error = readers_open(&w->readers, dir, why)) != 0)
		goto out;
	if ((error = readers_take_lock(w->readers, LOCK_CONFIG_WRITER)) != 0) {
		shm_why_set(why, "%s/config: another program writes it", dir);
		goto out;
	}
	draft_finish_interrupted(dir);
	readers_sweep(w->readers);
	if ((error = open_config(w, why)) == 0)
		config_writer_tick(w);
out:
	if (error)
		config_writer_close(w);
	else
		*out = w;
	return error;
}

uint64_t config_writer_revision(const struct config_writer *w)
{
	return w->pool ? w->now.revision : 0;
}

uint64_t config_writer_generation(const struct config_writer *w)
{
	return w->pool ? w->now.generation : 0;
}

void config_writer_pages(const struct config_writer *w, uint32_t *used, uint32_t *total)
{
	const struct pool *pool = writer_pool(w);

	*used = pool ? pool_used(pool) : 0;
	*total = pool ? pool->npages : 0;
}

const struct sip_parameters *config_writer_parameters(const struct config_writer *w)
{
	return w->pool ? snapshot_parameters(&w->now) : NULL;
}

const struct record *config_writer_record(const struct config_writer *w, enum kind_id kind, uint32_t id)
{
	return w->pool ? snapshot_record(&w->now, kind, id) : NULL;
}

/* The root page's words in use. */
static void copy_root(struct config_root *to, const struct config_root *from)
{
	memcpy(to, from, offsetof(struct config_root, words));
	for (unsigned k = 0; k < SHM_KINDS; k++) {
		memcpy(to->words[k].dir, from->words[k].dir, from->tree[k].dirs * sizeof(uint64_t));
		memcpy(to->words[k].index_dir, from->words[k].index_dir, from->tree[k].index_dirs * sizeof(uint64_t));
	}
}

int config_begin(struct config_writer *w)
{
	struct config_root *root;
	int error;

	assert(!w->changing);
	if (w->lost)
		return EBUSY;
	if (w->generation >= CONFIG_GENERATION_MAX)
		return EOVERFLOW;
	w->next = w->generation + 1;
	w->failed = 0;
	/* Now, not when pages run short: the pages replaced a moment ago are still in the cache. */
	if (w->pool && !w->detached)
		writer_reclaim(w);
	else if (!w->draft && (error = draft_begin(w, NULL)) != 0)
		return error;
	w->root = w->now.root_page;
	if ((error = writer_take(w, &w->root)) != 0) {
		if (w->pool)
			draft_abandon(w);
		return error;
	}
	root = writer_root(w);
	if (FAULT(ROOT_FIRST) && !w->draft)
		atomic_store_explicit(&w->pool->header->root, CONFIG_WORD(w->next, w->root), memory_order_release);
	if (w->pool) {
		copy_root(root, writer_page(w, w->now.root_page));
		writer_replace(w, w->now.root_page);
	} else {
		memset(root, 0, sizeof *root);
	}
	root->generation = w->next;
	w->changing = true;
	return 0;
}

/* A step of the change could not be completed: it can only be abandoned. */
static int failed(struct config_writer *w, int error)
{
	if (error)
		w->failed = error;
	return error;
}

int config_set_parameters(struct config_writer *w, const struct sip_parameters *parameters)
{
	uint64_t word = writer_root(w)->parameters;
	uint32_t page = CONFIG_WORD_PAGE(word);
	struct config_parameters *p;
	int error;

	assert(w->changing);
	if (page == 0 || CONFIG_WORD_GENERATION(word) != w->next) {
		uint32_t old = page;
		if ((error = writer_take(w, &page)) != 0)
			return failed(w, error);
		if (old)
			writer_replace(w, old);
		writer_root(w)->parameters = CONFIG_WORD(w->next, page);
	}
	p = writer_page(w, page);
	memset(p, 0, sizeof *p);
	p->generation = w->next;
	p->parameters = *parameters;
	return 0;
}

/* A leaf among 100,000 records is in no cache.  It is read from four places in turn: they lie in as many pages of the
 * memory management, whose look-ups and first misses so overlap. */
static void copy_leaf(struct config_leaf *to, const struct config_leaf *from)
{
	enum { STREAMS = 4, LINE = 64, STREAM = CONFIG_PAGE / STREAMS };

	for (size_t line = 0; line < STREAM; line += LINE)
		for (size_t at = line; at < CONFIG_PAGE; at += STREAM)
			memcpy((uint8_t *)to + at, (const uint8_t *)from + at, LINE);
}

/* The leaf of a record, ours to write. */
static int edit_record(struct config_writer *w, enum kind_id kind, uint32_t id, struct config_leaf **leaf, uint8_t **record)
{
	uint32_t per_leaf = config_per_leaf(kind), page, old;
	int error = tree_edit(w, kind, BRANCH_LEAVES, id / per_leaf, &page, &old);

	if (error)
		return error;
	*leaf = writer_page(w, page);
	*record = (*leaf)->records + id % per_leaf * config_record_size(kind);
	if (old == 0) {
		memset((*leaf)->records, 0, sizeof (*leaf)->records);
	} else if (old != page) {
		copy_leaf(*leaf, writer_page(w, old));
	}
	(*leaf)->generation = w->next;
	(*leaf)->kind = kind;
	return 0;
}

static int check_put(const struct snapshot *view, enum kind_id kind, const struct record *rec)
{
	const struct record *named;

	if (!config_is_record_kind(kind) || !rec->present || rec->name[0] == '\0' || rec->name[SCHEMA_NAME_MAX] != '\0')
		return EINVAL;
	if (rec->id / config_per_leaf(kind) >= CONFIG_DIRS * CONFIG_FANOUT)
		return ERANGE;
	named = snapshot_find(view, kind, rec->name);
	return named && named->id != rec->id ? EEXIST : 0;
}

int config_put(struct config_writer *w, enum kind_id kind, const struct record *rec)
{
	const struct record *former;
	struct config_leaf *leaf;
	struct config_tree *tree;
	struct snapshot view;
	uint8_t *record;
	bool is_new, renamed;
	int error;

	assert(w->changing);
	writer_view(w, &view);
	former = snapshot_record(&view, kind, rec->id);
	is_new = former == NULL;
	renamed = is_new || strncmp(former->name, rec->name, sizeof rec->name) != 0;
	if (renamed && (error = check_put(&view, kind, rec)) != 0)
		return error;
	if (!is_new && renamed && (error = index_remove(w, kind, former->name, rec->id)) != 0)
		return failed(w, error);
	if (renamed && (error = index_insert(w, kind, rec->name, rec->id)) != 0)
		return failed(w, error);
	if ((error = edit_record(w, kind, rec->id, &leaf, &record)) != 0)
		return failed(w, error);
	memcpy(record, rec, config_record_size(kind));
	tree = &writer_root(w)->tree[kind - 1];
	tree->count += is_new;
	if (rec->id >= tree->limit)
		tree->limit = rec->id + 1;
	return 0;
}

static bool leaf_empty(const struct config_leaf *leaf, enum kind_id kind)
{
	for (uint32_t i = 0; i < config_per_leaf(kind); i++)
		if (((const struct record *)(leaf->records + i * config_record_size(kind)))->present)
			return false;
	return true;
}

int config_delete(struct config_writer *w, enum kind_id kind, uint32_t id)
{
	const struct record *former;
	struct config_leaf *leaf;
	struct snapshot view;
	uint8_t *record;
	int error;

	assert(w->changing);
	writer_view(w, &view);
	former = snapshot_record(&view, kind, id);
	if (!former)
		return ENOENT;
	if ((error = index_remove(w, kind, former->name, id)) != 0 ||
	    (error = edit_record(w, kind, id, &leaf, &record)) != 0)
		return failed(w, error);
	memset(record, 0, config_record_size(kind));
	writer_root(w)->tree[kind - 1].count--;
	if (leaf_empty(leaf, kind))
		tree_drop(w, kind, id / config_per_leaf(kind));
	return 0;
}

int config_clear(struct config_writer *w)
{
	int error = 0;

	assert(w->changing);
	for (enum kind_id kind = 0; kind < KIND_COUNT; kind++) {
		if (!config_is_record_kind(kind))
			continue;
		for (uint32_t id = writer_root(w)->tree[kind - 1].limit; error == 0 && id-- > 0;)
			if ((error = config_delete(w, kind, id)) == ENOENT)
				error = 0;
		if (error == 0)
			writer_root(w)->tree[kind - 1].limit = 0;
	}
	return error;
}

int config_publish(struct config_writer *w, uint64_t revision, uint64_t *generation)
{
	uint64_t word = CONFIG_WORD(w->next, w->root);
	struct config_root *root = writer_root(w);
	int error;

	assert(w->changing);
	if (w->failed)
		return w->failed;
	root->revision = revision;
	root->committed_at = realtime_us();
	root->checksum = config_root_checksum(root);
	if (w->draft) {
		if ((error = draft_publish(w, word, NULL)) != 0)
			return error;
	} else {
		/* The commit.  Release: all of the generation's pages first; pairs with the acquire in config_refresh(). */
		atomic_store_explicit(&w->pool->header->root, word, memory_order_release);
		pool_commit(w->pool, w->next);
	}
	w->changing = false;
	w->generation = w->next;
	snapshot_fill(&w->now, w->pool->header, w->pool->npages, w->root);
	if (generation)
		*generation = w->generation;
	return 0;
}

void config_abandon(struct config_writer *w)
{
	assert(w->changing);
	draft_abandon(w);
	if (w->pool)
		pool_rollback(w->pool);
	w->changing = false;
}

/* Somebody removed or replaced `readers`: pins there are no longer seen by its users. */
static int reopen_readers(struct config_writer *w)
{
	struct readers *readers;
	int error = readers_open(&readers, w->dir, NULL);

	if (error)
		return error;
	if ((error = readers_take_lock(readers, LOCK_CONFIG_WRITER)) != 0) {
		w->lost = error == EBUSY;
		readers_close(readers);
		return error;
	}
	readers_close(w->readers);
	w->readers = readers;
	return 0;
}

void config_writer_tick(struct config_writer *w)
{
	if (w->changing || w->lost)
		return;
	if (!shm_map_current(&w->readers->map, w->dir, "readers")) {
		if (reopen_readers(w) != 0)
			return;
		w->detached = true;
	}
	if (!w->pool)
		return;
	atomic_store_explicit(&w->pool->header->heartbeat_ms, shm_monotonic_ms(), memory_order_relaxed);
	if (w->detached || !shm_map_current(&w->pool->map, w->dir, "config")) {
		republish(w, NULL);
		return;
	}
	readers_sweep(w->readers);
	writer_reclaim(w);
}
