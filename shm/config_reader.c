#include "shm/config.h"
#include "shm/readers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRY_MS 1000		/* between two tries to open a file that was refused */
#define IDLES_PER_LOOK 16	/* how often going idle looks at the clock */

struct config_reader {
	struct reader_front front;	/* first: config_refresh() looks at it inline */
	struct shm_map map;
	uint32_t npages;		/* as checked when it was opened */
	uint32_t serial;
	struct readers *readers;
	struct reader_slot *slot;
	uint32_t slot_number;
	bool fresh;			/* nothing of this lineage was acted on yet */
	uint32_t lineages;		/* how often the lineage changed */
	bool renamed;			/* DIR/config is another file now */
	unsigned idles;
	int64_t looked_at, retry_at;	/* ms, CLOCK_MONOTONIC_COARSE */
	enum reader_role role;
	char *dir;
};

/* A config file opened and checked, with the slot that its writer looks at. */
struct attachment {
	struct shm_map map;
	struct readers *readers;
	uint32_t slot_number, npages;
};

static int64_t coarse_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int open_config(struct attachment *a, const char *dir, struct shm_why *why)
{
	const struct config_header *header;
	struct shm_shape shape;
	int error = shm_map_open(&a->map, dir, "config", false, CONFIG_PAGE, 0, why);

	if (error)
		return error;
	header = a->map.base;
	config_shape(&shape);
	if ((error = shm_block_check(&header->block, &shape, a->map.size, dir, why)) != 0)
		return error;
	a->npages = header->npages;
	if (a->npages < 2 || a->npages > CONFIG_MAX_PAGES || a->npages > a->map.size / CONFIG_PAGE) {
		shm_why_set(why, "%s/config: truncated: %" PRIu32 " pages in its header, %" PRIu64 " in the file", dir, a->npages,
		            a->map.size / CONFIG_PAGE);
		return EINVAL;
	}
	return 0;
}

/* A slot in the `readers` file whose pins the writer of this config file honours. */
static int claim_slot(struct attachment *a, const char *dir, enum reader_role role, struct shm_why *why)
{
	const struct config_header *header = a->map.base;
	int error = readers_open(&a->readers, dir, why);

	if (error)
		return error;
	if (memcmp(header->readers_uuid, a->readers->file->block.uuid, SHM_ID_LEN) != 0) {
		shm_why_set(why, "%s/readers: is not the file that %s/config was made with; waiting for mgmtd to renew it", dir, dir);
		return ENOENT;
	}
	error = readers_claim(a->readers, role, &a->slot_number);
	if (error == EUSERS)
		shm_why_set(why, "%s/readers: all %d slots are taken", dir, READERS_SLOTS);
	return error;
}

static void detach(struct attachment *a)
{
	shm_map_close(&a->map);
	readers_close(a->readers);
}

int config_reader_open(struct config_reader **out, const char *dir, enum reader_role role, struct shm_why *why)
{
	struct attachment a = { .map = SHM_MAP_NONE };
	struct config_reader *r = NULL;
	int error = open_config(&a, dir, why);

	if (error || (error = claim_slot(&a, dir, role, why)) != 0)
		goto out;
	r = calloc(1, sizeof *r);
	if (!r || !(r->dir = strdup(dir))) {
		error = ENOMEM;
		goto out;
	}
	r->map = a.map;
	r->front.header = a.map.base;
	r->npages = a.npages;
	r->serial = r->front.header->serial & 0xffffff;
	r->readers = a.readers;
	r->slot_number = a.slot_number;
	r->slot = &a.readers->file->slot[a.slot_number];
	r->role = role;
	r->fresh = true;
	r->looked_at = coarse_ms();
out:
	if (error) {
		detach(&a);
		free(r);
	} else {
		*out = r;
	}
	return error;
}

void config_reader_close(struct config_reader *r)
{
	if (!r)
		return;
	readers_release(r->readers, r->slot_number);
	readers_close(r->readers);
	shm_map_close(&r->map);
	free(r->dir);
	free(r);
}

static uint64_t pin_of(const struct config_reader *r, uint64_t root_word)
{
	return (root_word & ~UINT64_C(0xffffff)) | r->serial;
}

/* Pins if idle, takes the root, and moves the pin forward to it.  Steps 2 and 3 of layout.h. */
static int take_root(struct config_reader *r, struct shm_why *why)
{
	uint64_t word;
	int error = 0;

	if (!r->front.pinned)
		readers_pin(r->slot, pin_of(r, atomic_load_explicit(&r->front.header->root, memory_order_relaxed)));
	/* Pairs with the release store in config_publish(). */
	word = atomic_load_explicit(&r->front.header->root, memory_order_acquire);
	if (word != r->front.root_word || !r->front.snap.root) {
		r->front.snap.everything_is_new = r->fresh;
		error = snapshot_take(&r->front.snap, r->front.header, r->npages, word, r->dir, why);
	}
	if (error) {
		if (!r->front.pinned)
			readers_move_pin(r->slot, PIN_IDLE);
		return error;
	}
	r->front.root_word = word;
	if (r->front.pinned)
		readers_move_pin(r->slot, pin_of(r, word));
	r->front.pinned = true;
	return 0;
}

/* Moves to the file that now has the name.  Until the new snapshot is taken nothing of the old one is given up: the old
 * file is never written again, whatever this reader pins. */
static int reopen(struct config_reader *r, struct shm_why *why)
{
	struct attachment a = { .map = SHM_MAP_NONE };
	struct config_reader former = *r;
	int error = open_config(&a, r->dir, why);
	bool same_readers;

	if (error)
		goto out;
	same_readers = memcmp(((const struct config_header *)a.map.base)->readers_uuid, r->readers->file->block.uuid,
	                      SHM_ID_LEN) == 0;
	if (!same_readers && (error = claim_slot(&a, r->dir, r->role, why)) != 0)
		goto out;
	r->map = a.map;
	r->front.header = a.map.base;
	r->npages = a.npages;
	r->serial = r->front.header->serial & 0xffffff;
	if (memcmp(r->front.header->lineage, former.front.header->lineage, SHM_ID_LEN) != 0) {
		r->fresh = true;
		r->lineages++;
	}
	r->front.pinned = r->renamed = false;
	r->front.root_word = 0;
	if (!same_readers) {
		r->readers = a.readers;
		r->slot_number = a.slot_number;
		r->slot = &a.readers->file->slot[a.slot_number];
	}
	if ((error = take_root(r, why)) != 0) {
		*r = former;
		goto out;
	}
	if (!same_readers) {
		readers_release(former.readers, former.slot_number);
		readers_close(former.readers);
	}
	shm_map_close(&former.map);
	return 0;
out:
	detach(&a);
	return error;
}

static bool superseded(const struct config_reader *r)
{
	/* Acquire pairs with the release stores in draft.c: the rename is done. */
	return r->renamed || atomic_load_explicit(&r->front.header->superseded, memory_order_acquire);
}

int config_refresh_slowly(struct config_reader *r, const struct snapshot **snap, bool *changed,
                          struct shm_why *why)
{
	uint64_t before = r->front.root_word;
	uint32_t lineage = r->lineages;
	int error = 0, refused = 0;

	if (superseded(r) && coarse_ms() >= r->retry_at) {
		refused = reopen(r, why);
		if (refused)
			r->retry_at = coarse_ms() + RETRY_MS;
	}
	if (refused || !r->front.pinned ||
	    atomic_load_explicit(&r->front.header->root, memory_order_relaxed) != r->front.root_word)
		error = take_root(r, refused ? NULL : why);
	if (error || refused)
		return refused ? refused : error;
	*snap = &r->front.snap;
	if (changed)
		*changed = r->front.root_word != before || r->lineages != lineage;
	return 0;
}

/* Once a second: a file whose name was taken away by hand, with no writer there to say so, is never superseded. */
static void look_at_name(struct config_reader *r)
{
	int64_t now = coarse_ms();
	struct stat st;
	char path[4096];

	if (now < r->looked_at + RETRY_MS)
		return;
	r->looked_at = now;
	if (shm_path(path, sizeof path, r->dir, "config") == 0 && stat(path, &st) == 0)
		r->renamed = st.st_ino != r->map.inode || st.st_dev != r->map.device;
}

void config_idle(struct config_reader *r)
{
	readers_move_pin(r->slot, PIN_IDLE);
	r->front.pinned = false;
	if (++r->idles % IDLES_PER_LOOK == 0)
		look_at_name(r);
}

void config_applied(struct config_reader *r, uint64_t generation)
{
	r->fresh = r->front.snap.everything_is_new = false;
	/* Release: acted on comes before applied.  Pairs with the acquire in readers_core(). */
	atomic_store_explicit(&r->slot->applied, generation, memory_order_release);
}

void config_rejected(struct config_reader *r, uint64_t generation)
{
	atomic_store_explicit(&r->slot->rejected, generation, memory_order_release);
}
