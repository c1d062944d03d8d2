#include "shm/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 2000

static const struct shm_shape shape = {
	.name = "readers", .magic = 0x52444d45444e4154u /* "TANDEMDR" */, .major = 1, .minor = 0,
	.header_size = READERS_SLOTS_AT, .page_size = READERS_PAGE, .layout_hash = sizeof(struct readers_file),
	.record_size = { sizeof(struct reader_slot) },
};

static struct flock lock_at(off_t byte, short type)
{
	/* l_pid must be 0 for open-file-description locks. */
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
}

static int lock_byte(struct readers *r, off_t byte, short type)
{
	struct flock lock = lock_at(byte, type);

	if (fcntl(r->map.fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? EBUSY : errno;
}

static bool byte_locked(struct readers *r, off_t byte, off_t length)
{
	struct flock lock = lock_at(byte, F_WRLCK);

	lock.l_len = length;
	return fcntl(r->map.fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static off_t slot_byte(uint32_t slot)
{
	return READERS_SLOTS_AT + (off_t)(slot * sizeof(struct reader_slot));
}

static void clear_slot(struct readers *r, uint32_t i)
{
	struct reader_slot *slot = &r->file->slot[i];

	/* The next owner's lock orders these after whatever the last one did. */
	atomic_store_explicit(&slot->pin, PIN_IDLE, memory_order_release);
	atomic_store_explicit(&slot->applied, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->rejected, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->role, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->pid, 0, memory_order_relaxed);
}

static int make(struct readers *r, const char *dir, struct shm_why *why)
{
	char from[4096], to[4096];
	int error = shm_map_create(&r->map, dir, "readers.new", sizeof *r->file, why);

	if (error)
		return error;
	r->file = r->map.base;
	for (uint32_t i = 0; i < READERS_SLOTS; i++)
		clear_slot(r, i);
	if ((error = shm_block_fill(&r->file->block, &shape, sizeof *r->file)) != 0)
		goto out;
	atomic_store_explicit(&r->file->block.ready, 1, memory_order_release);
	if ((error = shm_path(from, sizeof from, dir, "readers.new")) != 0 ||
	    (error = shm_path(to, sizeof to, dir, "readers")) != 0)
		goto out;
	if (rename(from, to) != 0) {
		error = errno;
		shm_why_set(why, "%s: %s", to, strerror(error));
	}
out:
	if (error)
		shm_map_close(&r->map);
	return error;
}

/* Opens the file, or makes it when it is missing or no longer fits and nobody uses it.  The caller holds the
 * directory's lock, so nobody else makes one. */
static int open_or_make(struct readers *r, const char *dir, struct shm_why *why)
{
	int error = shm_map_open(&r->map, dir, "readers", true, sizeof *r->file, 0, why);

	if (error == ENOENT)
		return make(r, dir, why);
	if (error)
		return error == EINVAL ? make(r, dir, why) : error;
	r->file = r->map.base;
	error = shm_block_check(&r->file->block, &shape, r->map.size, dir, why);
	if (error == 0)
		return 0;
	if (byte_locked(r, 0, 0)) {
		shm_map_close(&r->map);
		return error;
	}
	shm_map_close(&r->map);
	return make(r, dir, why);
}

/* So that only one makes the file.  It is held for a moment; who holds it longer is none of ours. */
static int lock_dir(int dirfd)
{
	for (int64_t end = shm_monotonic_ms() + LOCK_WAIT_MS;;) {
		if (flock(dirfd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return errno;
		if (shm_monotonic_ms() > end)
			return EBUSY;
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
}

int readers_open(struct readers **out, const char *dir, struct shm_why *why)
{
	struct readers *r = calloc(1, sizeof *r);
	int error, dirfd;

	if (!r)
		return ENOMEM;
	r->map = (struct shm_map)SHM_MAP_NONE;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = dirfd < 0 ? errno : lock_dir(dirfd);
	if (error)
		shm_why_set(why, "%s: %s", dir, error == EBUSY ? "another program keeps it locked" : strerror(error));
	else
		error = open_or_make(r, dir, why);
	if (dirfd >= 0)
		close(dirfd);
	if (error)
		free(r);
	else
		*out = r;
	return error;
}

void readers_close(struct readers *r)
{
	if (!r)
		return;
	shm_map_close(&r->map);
	free(r);
}

int readers_take_lock(struct readers *r, enum readers_lock lock)
{
	int error = lock_byte(r, lock, F_WRLCK);

	if (error == 0 && lock == LOCK_STATUS_WRITER)
		atomic_store_explicit(&r->file->core_pid, (int32_t)getpid(), memory_order_relaxed);
	return error;
}

bool readers_lock_held(struct readers *r, enum readers_lock lock)
{
	return byte_locked(r, lock, 1);
}

int readers_claim(struct readers *r, enum reader_role role, uint32_t *out)
{
	for (uint32_t i = 0; i < READERS_SLOTS; i++) {
		int error = lock_byte(r, slot_byte(i), F_WRLCK);
		if (error == EBUSY)
			continue;
		if (error)
			return error;
		clear_slot(r, i);
		atomic_store_explicit(&r->file->slot[i].pid, (int32_t)getpid(), memory_order_relaxed);
		atomic_store_explicit(&r->file->slot[i].role, role, memory_order_relaxed);
		/* Before the first pin's fence, so a scan that misses this bit misses the pin too: the same case. */
		atomic_fetch_or(&r->file->claimed, UINT64_C(1) << i);
		*out = i;
		return 0;
	}
	return EUSERS;
}

void readers_release(struct readers *r, uint32_t slot)
{
	clear_slot(r, slot);
	atomic_fetch_and(&r->file->claimed, ~(UINT64_C(1) << slot));
	lock_byte(r, slot_byte(slot), F_UNLCK);
}

void readers_sweep(struct readers *r)
{
	uint64_t claimed = atomic_load(&r->file->claimed);

	for (uint32_t i = 0; i < READERS_SLOTS; i++)
		if ((claimed >> i & 1) && lock_byte(r, slot_byte(i), F_WRLCK) == 0)
			readers_release(r, i);
}

uint64_t readers_oldest_pin(struct readers *r, uint32_t serial)
{
	uint64_t oldest = UINT64_MAX, claimed;

	/* Partner: the fence in readers_pin().  Either this scan sees the pin, or that reader sees the root stored before
	 * this fence. */
	readers_fence();
	if (FAULT(PINS_IGNORED))
		return oldest;
	claimed = atomic_load_explicit(&r->file->claimed, memory_order_acquire);
	for (; claimed; claimed &= claimed - 1) {
		/* Acquire pairs with the release of readers_move_pin(): what was read under an older pin is done. */
		uint64_t pin = atomic_load_explicit(&r->file->slot[__builtin_ctzll(claimed)].pin, memory_order_acquire);
		if (pin != PIN_IDLE && (pin & 0xffffff) == serial && pin >> 24 < oldest)
			oldest = pin >> 24;
	}
	return oldest;
}

uint64_t readers_greatest_generation(struct readers *r)
{
	uint64_t greatest = 0;

	for (uint32_t i = 0; i < READERS_SLOTS; i++) {
		struct reader_slot *slot = &r->file->slot[i];
		uint64_t pin = atomic_load(&slot->pin);
		uint64_t seen[] = { atomic_load(&slot->applied), atomic_load(&slot->rejected), pin == PIN_IDLE ? 0 : pin >> 24 };
		for (size_t n = 0; n < 3; n++)
			if (seen[n] > greatest && seen[n] < UINT64_C(1) << 40)
				greatest = seen[n];
	}
	return greatest;
}

bool readers_serial_pinned(struct readers *r, uint32_t serial)
{
	for (uint32_t i = 0; i < READERS_SLOTS; i++) {
		uint64_t pin = atomic_load(&r->file->slot[i].pin);
		if (pin != PIN_IDLE && (pin & 0xffffff) == serial)
			return true;
	}
	return false;
}

void readers_core(struct readers *r, struct core_slot *core)
{
	*core = (struct core_slot){ 0 };
	core->alive = readers_lock_held(r, LOCK_STATUS_WRITER);
	core->pid = core->alive ? atomic_load_explicit(&r->file->core_pid, memory_order_relaxed) : 0;
	for (uint32_t i = 0; i < READERS_SLOTS; i++) {
		struct reader_slot *slot = &r->file->slot[i];
		if (atomic_load_explicit(&slot->role, memory_order_relaxed) != READER_SWITCHCORE)
			continue;
		bool alive = byte_locked(r, slot_byte(i), 1);
		if (!alive && core->applied_generation)
			continue;
		/* Acquire pairs with the release in config_applied(): what the core did for it happened before. */
		core->applied_generation = atomic_load_explicit(&slot->applied, memory_order_acquire);
		core->rejected_generation = atomic_load_explicit(&slot->rejected, memory_order_acquire);
		if (!core->pid)
			core->pid = atomic_load_explicit(&slot->pid, memory_order_relaxed);
		if (alive) {
			core->alive = true;
			return;
		}
	}
}
