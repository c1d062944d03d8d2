/*
 * The pages of one config file as its writer sees them: which are free, which are retired and may still be looked at.
 * All of it lies in the writer's heap; the file holds only content.
 */
#ifndef SHM_POOL_H
#define SHM_POOL_H

#include "shm/layout.h"

struct retired_page { uint64_t generation; uint32_t page; };

struct pool {
	struct shm_map map;
	struct config_header *header;
	uint32_t npages;
	bool shared;			/* readers may map it; before that nothing needs to be retired */
	uint32_t *free, nfree;		/* a stack: the page freed last is still in the cache */
	struct retired_page *queue;	/* a ring of npages, generations never fall */
	uint32_t queue_head, queue_length;
	uint32_t *fresh, nfresh;	/* taken by the change that is being prepared */
	uint32_t *replaced, nreplaced;	/* retired when it is published */
};

/* For the file in map, which the pool then owns; no page is free yet.  ENOMEM. */
int pool_create(struct pool **pool, struct shm_map *map, uint32_t npages);
void pool_destroy(struct pool *pool);

/* The file has grown to npages: the new ones are free. */
int pool_extend(struct pool *pool, uint32_t npages);

/* Every page that is not marked counts as retired at this generation. */
void pool_recover(struct pool *pool, const uint8_t *marks, uint64_t generation);
/* Every page that is not marked is free: for a file that no reader ever saw. */
void pool_free_unmarked(struct pool *pool, const uint8_t *marks);

/* ENOSPC: no page is free; *page is taken by the current change. */
int pool_take(struct pool *pool, uint32_t *page);
/* The page is not part of what the current change makes. */
void pool_replace(struct pool *pool, uint32_t page);
/* The change was published as this generation, or is abandoned. */
void pool_commit(struct pool *pool, uint64_t generation);
void pool_rollback(struct pool *pool);
/* Frees what was retired at or before `oldest`, the least pin. */
void pool_reclaim(struct pool *pool, uint64_t oldest);

uint32_t pool_used(const struct pool *pool);

static inline void *pool_page(const struct pool *pool, uint32_t page)
{
	return (uint8_t *)pool->header + ((size_t)page << CONFIG_PAGE_SHIFT);
}

#endif
