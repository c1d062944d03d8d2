/*
 * The configuration segment: mgmtd writes, switchcore and tools read.  Copy-on-write pages, one 8-byte root word is the
 * only commit point, readers pin a generation.
 */
#ifndef SHM_CONFIG_H
#define SHM_CONFIG_H

#include "schema/schema.h"
#include "shm/shm.h"
#include "shm/snapshot.h"

#include <stdbool.h>

struct config_writer;
struct config_reader;

/* ------------------------------------------------------------------ writer: one thread of mgmtd */

struct config_options {
	uint32_t spare_pages;	/* least free pages kept beside the used ones; 0 = CONFIG_SPARE_PAGES */
};
#define CONFIG_SPARE_PAGES 512u

/* Opens DIR/config for writing, or makes it when it is missing, of another layout or damaged.
 * Gives:  *w; config_writer_revision() says what is published there: 0 = nothing yet (a new segment), the caller then
 *         publishes everything once.
 *         why->text is empty, or says why what was there could not be continued.
 * Errors: EBUSY another writer lives; ENOSPC too little room; EPERM not ours; others from the system.  why is set. */
int config_writer_open(struct config_writer **w, const char *dir, const struct config_options *options,
                       struct shm_why *why);
void config_writer_close(struct config_writer *w);
uint64_t config_writer_revision(const struct config_writer *w);
uint64_t config_writer_generation(const struct config_writer *w);
void config_writer_pages(const struct config_writer *w, uint32_t *used, uint32_t *total);

/* A change being prepared: begin, any number of edits, then publish or abandon.  Nothing a reader can reach changes
 * before publish.  rec is a whole record of the kind with head filled in (id, present, incarnation, revision, name);
 * it is copied.
 * Errors: ENOSPC, ENOMEM the segment must grow and cannot, EBUSY another writer took over, EOVERFLOW the generations
 *         are used up (10^12): the change can then only be abandoned, which a failed begin or publish has done itself.
 *         EEXIST another id has that name, ERANGE the id is too great, EINVAL no such record, ENOENT nothing to
 *         delete: nothing was done, the change may go on. */
int config_begin(struct config_writer *w);
int config_clear(struct config_writer *w);	/* removes every record, for a whole configuration to be put anew */
int config_set_parameters(struct config_writer *w, const struct sip_parameters *parameters);
int config_put(struct config_writer *w, enum kind_id kind, const struct record *rec);
int config_delete(struct config_writer *w, enum kind_id kind, uint32_t id);
int config_publish(struct config_writer *w, uint64_t revision, uint64_t *generation);
void config_abandon(struct config_writer *w);	/* nothing to do when no change is open */

/* What is published now, for the writer's own reading; valid until the next config_begin(). */
const struct sip_parameters *config_writer_parameters(const struct config_writer *w);
const struct record *config_writer_record(const struct config_writer *w, enum kind_id kind, uint32_t id);	/* or NULL */

/* Once a second: the writer's heartbeat, sweep of dead readers' slots, reclaiming; and when somebody removed
 * DIR/config or DIR/readers, it is made again from what is published. */
void config_writer_tick(struct config_writer *w);

/* ------------------------------------------------------------------ reader */

/* Maps DIR/config and claims a reader slot.
 * Errors: ENOENT no segment yet; EPROTO other layout or version (both values in why); EPERM the file belongs to
 *         another user; EUSERS no slot free; EINVAL truncated or damaged. */
int config_reader_open(struct config_reader **r, const char *dir, enum reader_role role, struct shm_why *why);
void config_reader_close(struct config_reader *r);

/* Take the newest complete snapshot.  Never blocks, never allocates, unless the segment was superseded by a new file,
 * which is then opened.
 * Gives:  *snap, valid until the next config_refresh() or config_idle() of this reader; *changed (may be NULL) = it is
 *         not the one taken last.
 * Errors: EINVAL the root is damaged; as config_reader_open() the new file cannot be used, which is tried once a
 *         second, the calls between give the old snapshot and 0.  *snap is then left alone, and the snapshot taken
 *         last, if there is one, stays pinned and valid. */
static inline int config_refresh(struct config_reader *r, const struct snapshot **snap, bool *changed,
                                 struct shm_why *why);

/* Before blocking with nothing to do: an idle reader holds no pages. */
void config_idle(struct config_reader *r);

/* Every record of the kind that is new or changed in a generation above `since` (0 = all), in no order: calls each()
 * for the records of the leaves written since then, so also for unchanged neighbours and, with rec->present == 0, for
 * ids that are empty.  Compare (id, incarnation, revision) with your own table. Also tells, by *limit, that no id ≥
 * limit exists.
 * Until config_applied() is called the first time, and again when the content was lost and made anew
 * (generations of the two cannot be compared), everything is reported whatever `since` says. */
void config_changes(const struct snapshot *snap, enum kind_id kind, uint64_t since,
                    void (*each)(const struct record *rec, uint32_t id, void *arg), void *arg, uint32_t *limit);

/* The same in parts, of one snapshot that is kept meanwhile: goes on at *place, 0 at first, until enough(arg), asked after
 * each page of changed records, says so.  True: that was the rest. */
bool config_changes_part(const struct snapshot *snap, enum kind_id kind, uint64_t since, uint32_t *place,
                         void (*each)(const struct record *rec, uint32_t id, void *arg), bool (*enough)(void *arg), void *arg,
                         uint32_t *limit);

/* "Acted on" and "could not be acted on": what the API calls applied and rejected. */
void config_applied(struct config_reader *r, uint64_t generation);
void config_rejected(struct config_reader *r, uint64_t generation);

/* Inline in snapshot.h:
 *   uint64_t snapshot_generation(const struct snapshot *snap);
 *   uint64_t snapshot_revision(const struct snapshot *snap);
 *   uint32_t snapshot_limit(const struct snapshot *snap, enum kind_id kind);	no id is as great
 *   uint32_t snapshot_count(const struct snapshot *snap, enum kind_id kind);
 *   const struct sip_parameters *snapshot_parameters(const struct snapshot *snap);	all zero when never published
 *   const struct record *snapshot_record(const struct snapshot *snap, enum kind_id kind, uint32_t id);	or NULL */
const struct record *snapshot_find(const struct snapshot *snap, enum kind_id kind, const char *name);	/* or NULL */

/* ------------------------------------------------------------------ inline: before every message */

int config_refresh_slowly(struct config_reader *r, const struct snapshot **snap, bool *changed,
                          struct shm_why *why);

static inline int config_refresh(struct config_reader *r, const struct snapshot **snap, bool *changed,
                                 struct shm_why *why)
{
	const struct reader_front *front = (const struct reader_front *)r;

	/* Relaxed is enough to see that nothing moved: what the word names was acquired when it was taken. */
	if (!front->pinned || atomic_load_explicit(&front->header->root, memory_order_relaxed) != front->root_word ||
	    atomic_load_explicit(&front->header->superseded, memory_order_relaxed))
		return config_refresh_slowly(r, snap, changed, why);
	*snap = &front->snap;
	if (changed)
		*changed = false;
	return 0;
}

#endif
