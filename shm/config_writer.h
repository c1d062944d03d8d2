/* What the files that make up the configuration's writer share. */
#ifndef SHM_CONFIG_WRITER_H
#define SHM_CONFIG_WRITER_H

#include "shm/config.h"
#include "shm/pool.h"
#include "shm/readers.h"

struct config_writer {
	char *dir;
	struct readers *readers;
	struct pool *pool;		/* the published file; NULL before the first publish */
	struct pool *draft;		/* its replacement while a change that needs one is prepared, or NULL */
	struct snapshot now;		/* what is published; base NULL before the first publish */
	uint64_t generation;		/* published last, or that a new lineage goes on from */
	uint32_t serial;		/* of the published file */
	uint8_t lineage[SHM_ID_LEN];
	uint64_t hash_seed[2];
	uint32_t spare_pages;
	bool changing;			/* between begin and publish or abandon */
	bool detached;			/* the file's readers pin where the writer cannot look: it must be replaced */
	bool lost;			/* another writer took over */
	int failed;			/* a step of the change did */
	uint64_t next;			/* the change's generation */
	uint32_t root;			/* and root page */
};

static inline struct pool *writer_pool(const struct config_writer *w)
{
	return w->draft ? w->draft : w->pool;
}

/* Page of the current change, written or not; the address holds until the next writer_take(). */
static inline void *writer_page(const struct config_writer *w, uint32_t page)
{
	return pool_page(writer_pool(w), page);
}

static inline struct config_root *writer_root(const struct config_writer *w)
{
	return writer_page(w, w->root);
}

/* The change as it stands so far, for look-ups. */
void writer_view(const struct config_writer *w, struct snapshot *view);

/* A page for the current change: a free one, one that no reader holds any more, or one of a larger file that is begun
 * for it.  Addresses of pages change, their numbers do not.  ENOSPC, ENOMEM. */
int writer_take(struct config_writer *w, uint32_t *page);
void writer_replace(struct config_writer *w, uint32_t page);
void writer_reclaim(struct config_writer *w);

/* Marks what the root page reaches, checking every word on the way; npages bits.  EINVAL: damaged. */
int mark_reachable(uint8_t *marks, const struct pool *pool, uint32_t root_page);

/* The replacement file. */
int draft_begin(struct config_writer *w, struct shm_why *why);
int draft_publish(struct config_writer *w, uint64_t root_word, struct shm_why *why);
void draft_abandon(struct config_writer *w);
/* After a crash between rename and superseded. */
void draft_finish_interrupted(const char *dir);

/* Copy-on-write of the two-level trees.  Which one: */
enum tree_branch { BRANCH_LEAVES, BRANCH_INDEX };

/* *page is the page of entry i, ours to write: `*old` when it is so already, else a new one in which only the
 * generation is set and into which the caller copies what it wants of *old (0 = there was none). */
int tree_edit(struct config_writer *w, enum kind_id kind, enum tree_branch branch, uint32_t i, uint32_t *page,
              uint32_t *old);
/* Takes entry i, which was edited in this change, away. */
void tree_drop(struct config_writer *w, enum kind_id kind, uint32_t i);

/* The name index.  Hashes are of 64 bits, the lower 32 are kept. */
int index_insert(struct config_writer *w, enum kind_id kind, const char *name, uint32_t id);
int index_remove(struct config_writer *w, enum kind_id kind, const char *name, uint32_t id);

#endif
