#include "shm/pool.h"
#include "shm/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int resize(struct pool *p, uint32_t npages)
{
	uint32_t **lists[] = { &p->free, &p->fresh, &p->replaced };
	struct retired_page *queue;

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		uint32_t *list = realloc(*lists[i], npages * sizeof *list);
		if (!list)
			return ENOMEM;
		*lists[i] = list;
	}
	assert(p->queue_length == 0);
	queue = realloc(p->queue, npages * sizeof *queue);
	if (!queue)
		return ENOMEM;
	p->queue = queue;
	p->queue_head = 0;
	return 0;
}

int pool_create(struct pool **out, struct shm_map *map, uint32_t npages)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p)
		return ENOMEM;
	p->map = (struct shm_map)SHM_MAP_NONE;
	if (resize(p, npages) != 0) {
		pool_destroy(p);
		return ENOMEM;
	}
	p->map = *map;
	*map = (struct shm_map)SHM_MAP_NONE;
	p->header = p->map.base;
	p->npages = npages;
	*out = p;
	return 0;
}

void pool_destroy(struct pool *p)
{
	if (!p)
		return;
	shm_map_close(&p->map);
	free(p->free);
	free(p->queue);
	free(p->fresh);
	free(p->replaced);
	free(p);
}

int pool_extend(struct pool *p, uint32_t npages)
{
	int error = resize(p, npages);
	uint32_t added = npages - p->npages;

	if (error)
		return error;
	/* Below what is free already, and so that lower pages are taken first. */
	memmove(p->free + added, p->free, p->nfree * sizeof *p->free);
	for (uint32_t i = 0; i < added; i++)
		p->free[i] = npages - 1 - i;
	p->nfree += added;
	p->npages = npages;
	return 0;
}

static bool marked(const uint8_t *marks, uint32_t page)
{
	return marks[page / 8] >> page % 8 & 1;
}

static void retire(struct pool *p, uint32_t page, uint64_t generation)
{
	uint32_t at = p->queue_head + p->queue_length++;

	p->queue[at >= p->npages ? at - p->npages : at] = (struct retired_page){ generation, page };
}

void pool_recover(struct pool *p, const uint8_t *marks, uint64_t generation)
{
	if (FAULT(FREE_ON_RECOVERY)) {
		pool_free_unmarked(p, marks);
		return;
	}
	for (uint32_t page = p->npages - 1; page > 0; page--)
		if (!marked(marks, page))
			retire(p, page, generation);
}

void pool_free_unmarked(struct pool *p, const uint8_t *marks)
{
	for (uint32_t page = p->npages - 1; page > 0; page--)
		if (!marked(marks, page))
			p->free[p->nfree++] = page;
}

int pool_take(struct pool *p, uint32_t *page)
{
	if (p->nfree == 0)
		return ENOSPC;
	*page = p->free[--p->nfree];
	if (p->shared)
		p->fresh[p->nfresh++] = *page;
	return 0;
}

void pool_replace(struct pool *p, uint32_t page)
{
	if (p->shared)
		p->replaced[p->nreplaced++] = page;
	else
		p->free[p->nfree++] = page;
}

void pool_commit(struct pool *p, uint64_t generation)
{
	/* In reverse, so that a stack of free pages gives the next change the old root for its root, and so on: each page
	 * is then as warm as its new content is long. */
	for (uint32_t i = p->nreplaced; i > 0; i--)
		retire(p, p->replaced[i - 1], generation);
	p->nreplaced = p->nfresh = 0;
}

void pool_rollback(struct pool *p)
{
	while (p->nfresh)
		p->free[p->nfree++] = p->fresh[--p->nfresh];
	p->nreplaced = 0;
}

void pool_reclaim(struct pool *p, uint64_t oldest)
{
	if (FAULT(RETIRE_OFF_BY_ONE) && oldest != UINT64_MAX)
		oldest++;
	while (p->queue_length && p->queue[p->queue_head].generation <= oldest) {
		p->free[p->nfree++] = p->queue[p->queue_head].page;
		p->queue_head = p->queue_head + 1 == p->npages ? 0 : p->queue_head + 1;
		p->queue_length--;
	}
}

uint32_t pool_used(const struct pool *p)
{
	return p->npages - p->nfree - p->queue_length;
}
