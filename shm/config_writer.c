/* The life of the writer: what it finds under the name, and what it does once a second. */
#include "shm/config_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

int config_writer_open(struct config_writer **out, const char *dir, const struct config_options *options,
                       struct shm_why *why)
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
