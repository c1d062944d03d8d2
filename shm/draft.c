/*
 * The file that replaces another: because there is none yet, it is too small, was damaged, or its name was taken
 * away.  Used pages keep their numbers, so their words hold in the new file too, and an idle reader still finds what
 * changed by generation.  Nobody sees a draft before it is published, so it may grow in place; afterwards a file
 * never changes size.
 */
#include "shm/config_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DRAFT_NAME "config.new"
#define OLD_NAME "config.old"

/* Pages a file with that many in use should have. */
static uint32_t pages_wanted(const struct config_writer *w, uint32_t used)
{
	uint32_t spare = w->spare_pages > used / 8 ? w->spare_pages : used / 8;

	return used < CONFIG_MAX_PAGES - spare ? used + spare : CONFIG_MAX_PAGES;
}

static uint32_t next_serial(const struct config_writer *w)
{
	uint32_t serial = w->serial;

	/* No pin may name it by accident: one of a file that is long gone. */
	do
		serial = (serial + 1) & 0xffffff;
	while (readers_serial_pinned(w->readers, serial));
	return serial;
}

static int copy_used(struct pool *draft, const struct pool *from, uint32_t root_page)
{
	uint8_t *marks = calloc(1, draft->npages / 8 + 1);
	int error = marks ? mark_reachable(marks, from, root_page) : ENOMEM;

	for (uint32_t page = 1; error == 0 && page < from->npages; page++)
		if (marks[page / 8] >> page % 8 & 1)
			memcpy(pool_page(draft, page), pool_page(from, page), CONFIG_PAGE);
	if (error == 0)
		pool_free_unmarked(draft, marks);
	free(marks);
	return error;
}

static void remove_file(const struct config_writer *w)
{
	char path[4096];

	if (shm_path(path, sizeof path, w->dir, DRAFT_NAME) == 0)
		unlink(path);
}

int draft_begin(struct config_writer *w, struct shm_why *why)
{
	struct shm_map map = SHM_MAP_NONE;
	struct pool *draft = NULL;
	uint32_t used = w->pool ? pool_used(w->pool) : 1, npages = pages_wanted(w, used);
	struct shm_shape shape;
	uint8_t *marks;
	int error;

	if (w->pool && npages < w->pool->npages)
		npages = w->pool->npages;
	error = shm_map_create(&map, w->dir, DRAFT_NAME, (uint64_t)npages * CONFIG_PAGE, why);
	if (error)
		return error;
	if ((error = pool_create(&draft, &map, npages)) != 0)
		goto out;
	if (w->pool) {
		error = copy_used(draft, w->pool, w->changing ? w->root : w->now.root_page);
	} else if ((marks = calloc(1, npages / 8 + 1)) == NULL) {
		error = ENOMEM;
	} else {
		pool_free_unmarked(draft, marks);
		free(marks);
	}
	config_shape(&shape);
	if (error || (error = shm_block_fill(&draft->header->block, &shape, draft->map.size)) != 0)
		goto out;
	memcpy(draft->header->hash_seed, w->hash_seed, sizeof w->hash_seed);
	w->draft = draft;
out:
	if (error) {
		pool_destroy(draft);
		shm_map_close(&map);
		remove_file(w);
	}
	return error;
}

/* Makes the draft npages long. */
static int draft_extend(struct config_writer *w, uint32_t npages, struct shm_why *why)
{
	struct pool *p = w->draft;
	uint64_t size = (uint64_t)npages * CONFIG_PAGE;
	void *base;
	int error;

	if (npages > CONFIG_MAX_PAGES)
		return ENOSPC;
	if (npages <= p->npages)
		return 0;
	if ((error = shm_allocate(p->map.fd, p->map.size, size, w->dir, DRAFT_NAME, why)) != 0)
		return error;
	base = mremap(p->map.base, p->map.size, size, MREMAP_MAYMOVE);
	if (base == MAP_FAILED)
		return errno;
	p->map.base = base;
	p->map.size = size;
	p->header = base;
	return pool_extend(p, npages);
}

void writer_reclaim(struct config_writer *w)
{
	if (w->pool->queue_length)
		pool_reclaim(w->pool, readers_oldest_pin(w->readers, w->serial));
}

int writer_take(struct config_writer *w, uint32_t *page)
{
	int error;

	if (pool_take(writer_pool(w), page) == 0)
		return 0;
	if (!w->draft) {
		writer_reclaim(w);
		if (pool_take(w->pool, page) == 0)
			return 0;
		readers_sweep(w->readers);
		writer_reclaim(w);
		if (pool_take(w->pool, page) == 0)
			return 0;
		error = draft_begin(w, NULL);
		if (error || pool_take(w->draft, page) == 0)
			return error;
	}
	error = draft_extend(w, w->draft->npages + w->draft->npages / 4 + 64, NULL);
	return error ? error : pool_take(w->draft, page);
}

void writer_replace(struct config_writer *w, uint32_t page)
{
	pool_replace(writer_pool(w), page);
}

/* Tells the readers of the file under config.old, whatever its version, to look for the new one: the place of
 * `superseded` is the same in every version of the file. */
static void supersede(int fd)
{
	struct config_header *header = mmap(NULL, CONFIG_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct shm_shape shape;

	if (header == MAP_FAILED)
		return;
	config_shape(&shape);
	/* Release: whoever sees it finds the new file under the name.  Pairs with the acquire in superseded(). */
	if (header->block.magic == shape.magic)
		atomic_store_explicit(&header->superseded, 1, memory_order_release);
	munmap(header, CONFIG_PAGE);
}

void draft_finish_interrupted(const char *dir)
{
	char name[4096], old[4096];
	struct stat st, current;
	int fd;

	if (shm_path(name, sizeof name, dir, "config") != 0 || shm_path(old, sizeof old, dir, OLD_NAME) != 0)
		return;
	fd = open(old, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)CONFIG_PAGE && stat(name, &current) == 0 &&
	    (st.st_ino != current.st_ino || st.st_dev != current.st_dev))
		supersede(fd);
	close(fd);
	unlink(old);
}

/* Gives DIR/config to the draft.  Until `superseded` is set in the old file it is also config.old. */
static int take_over_name(struct config_writer *w, struct shm_why *why)
{
	char draft[4096], name[4096], old[4096];
	int error;

	if ((error = shm_path(draft, sizeof draft, w->dir, DRAFT_NAME)) != 0 ||
	    (error = shm_path(name, sizeof name, w->dir, "config")) != 0 ||
	    (error = shm_path(old, sizeof old, w->dir, OLD_NAME)) != 0)
		return error;
	unlink(old);
	if ((link(name, old) != 0 && errno != ENOENT) || rename(draft, name) != 0) {
		error = errno;
		shm_why_set(why, "%s: cannot be replaced: %s", name, strerror(error));
		unlink(old);
		return error;
	}
	draft_finish_interrupted(w->dir);
	/* Ours may have lost its name; pairs as above. */
	if (w->pool)
		atomic_store_explicit(&w->pool->header->superseded, 1, memory_order_release);
	return 0;
}

int draft_publish(struct config_writer *w, uint64_t root_word, struct shm_why *why)
{
	struct config_header *header;
	uint32_t serial = next_serial(w);
	int error;

	/* All of the change is in the file already.  With no room for the spare pages it is published all the same, and the
	 * next change will be told. */
	draft_extend(w, pages_wanted(w, pool_used(w->draft)), NULL);
	/* Best effort: the pages taken next need no page fault. */
	madvise(w->draft->map.base, w->draft->map.size, MADV_POPULATE_WRITE);
	header = w->draft->header;
	header->block.size = w->draft->map.size;
	header->npages = w->draft->npages;
	header->serial = serial;
	memcpy(header->lineage, w->lineage, sizeof header->lineage);
	memcpy(header->readers_uuid, w->readers->file->block.uuid, sizeof header->readers_uuid);
	atomic_store_explicit(&header->heartbeat_ms, shm_monotonic_ms(), memory_order_relaxed);
	atomic_store_explicit(&header->root, root_word, memory_order_release);
	atomic_store_explicit(&header->block.ready, 1, memory_order_release);
	if ((error = take_over_name(w, why)) != 0) {
		atomic_store_explicit(&header->block.ready, 0, memory_order_relaxed);
		return error;
	}
	pool_destroy(w->pool);
	w->pool = w->draft;
	w->draft = NULL;
	w->serial = serial;
	w->detached = false;
	w->pool->shared = true;
	return 0;
}

void draft_abandon(struct config_writer *w)
{
	if (!w->draft)
		return;
	pool_destroy(w->draft);
	w->draft = NULL;
	remove_file(w);
}
