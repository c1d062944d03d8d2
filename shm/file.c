#include "shm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

void shm_why_set(struct shm_why *why, const char *format, ...)
{
	va_list args;

	if (!why)
		return;
	va_start(args, format);
	vsnprintf(why->text, sizeof why->text, format, args);	/* NOLINT(clang-analyzer-valist.Uninitialized): it is */
	va_end(args);
}

int shm_path(char *path, size_t size, const char *dir, const char *name)
{
	int len = snprintf(path, size, "%s/%s", dir, name);

	return len < 0 || (size_t)len >= size ? ENAMETOOLONG : 0;
}

int64_t shm_monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int shm_random(void *bytes, size_t size)
{
	ssize_t got;

	do
		got = getrandom(bytes, size, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? errno : (size_t)got == size ? 0 : EIO;
}

/* The kernel's id of this boot: 8-4-4-4-12 hex digits. */
static int boot_id(uint8_t id[SHM_ID_LEN])
{
	char text[64] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	size_t n = 0;

	if (!f)
		return errno;
	if (!fgets(text, sizeof text, f))
		text[0] = '\0';
	fclose(f);
	memset(id, 0, SHM_ID_LEN);
	for (const char *p = text; *p && n < 2 * SHM_ID_LEN; p++) {
		const char *digits = "0123456789abcdef", *d = strchr(digits, *p);
		if (d)
			id[n / 2] |= (uint8_t)((d - digits) << (n % 2 ? 0 : 4)), n++;
	}
	return n == 2 * SHM_ID_LEN ? 0 : EIO;
}

int shm_allocate(int fd, uint64_t from, uint64_t size, const char *dir, const char *name, struct shm_why *why)
{
	struct statfs fs;
	int error;

	do
		error = posix_fallocate(fd, (off_t)from, (off_t)(size - from));
	while (error == EINTR);
	if (error == ENOSPC && fstatfs(fd, &fs) == 0)
		shm_why_set(why, "%s/%s: needs %" PRIu64 " bytes, free are %" PRIu64, dir, name, size - from,
		            (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize);
	else if (error)
		shm_why_set(why, "%s/%s: cannot allocate %" PRIu64 " bytes: %s", dir, name, size - from, strerror(error));
	return error;
}

void shm_map_close(struct shm_map *map)
{
	if (map->base)
		munmap(map->base, map->size);
	if (map->fd >= 0)
		close(map->fd);
	*map = (struct shm_map)SHM_MAP_NONE;
}

static int map_check(struct shm_map *map, const struct stat *st, uint64_t least, const char *path, struct shm_why *why)
{
	map->device = st->st_dev;
	map->inode = st->st_ino;
	map->size = map->file_size = (uint64_t)st->st_size;
	if (!S_ISREG(st->st_mode)) {
		shm_why_set(why, "%s: is no regular file", path);
		return EINVAL;
	}
	if (st->st_uid != geteuid()) {
		shm_why_set(why, "%s: belongs to user %u, this program runs as user %u", path, (unsigned)st->st_uid,
		            (unsigned)geteuid());
		return EPERM;
	}
	if (map->size < least) {
		shm_why_set(why, "%s: truncated: %" PRIu64 " bytes, at least %" PRIu64 " expected", path, map->size, least);
		return EINVAL;
	}
	return 0;
}

int shm_map_open(struct shm_map *map, const char *dir, const char *name, bool writable, uint64_t least, uint64_t most,
                 struct shm_why *why)
{
	struct shm_map m = SHM_MAP_NONE;
	char path[PATH_MAX];
	struct stat st;
	int error = shm_path(path, sizeof path, dir, name);

	if (error)
		return error;
	m.fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (m.fd < 0 || fstat(m.fd, &st) != 0) {
		error = errno;
		shm_why_set(why, "%s: %s", path, strerror(error));
		goto out;
	}
	if ((error = map_check(&m, &st, least, path, why)) != 0)
		goto out;
	if (most && m.size > most)
		m.size = most;
	/* A reader's pages come as they are touched, a microsecond for many: populating a file of 100,000 registrations, which a
	 * grown configuration brings, would hold up the switch's event loop for 80 ms. */
	m.base = mmap(NULL, m.size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | (writable ? MAP_POPULATE : 0), m.fd, 0);
	if (m.base == MAP_FAILED) {
		error = errno;
		m.base = NULL;
		shm_why_set(why, "%s: cannot map %" PRIu64 " bytes: %s", path, m.size, strerror(error));
	}
out:
	if (error)
		shm_map_close(&m);
	else
		*map = m;
	return error;
}

int shm_map_create(struct shm_map *map, const char *dir, const char *name, uint64_t size, struct shm_why *why)
{
	struct shm_map m = SHM_MAP_NONE;
	char path[PATH_MAX];
	struct stat st = { 0 };
	int error = shm_path(path, sizeof path, dir, name);

	if (error)
		return error;
	if (unlink(path) != 0 && errno != ENOENT) {
		error = errno;
		shm_why_set(why, "%s: cannot replace: %s", path, strerror(error));
		return error;
	}
	m.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (m.fd < 0 || fstat(m.fd, &st) != 0) {
		error = errno;
		shm_why_set(why, "%s: %s", path, strerror(error));
		goto out;
	}
	if ((error = shm_allocate(m.fd, 0, size, dir, name, why)) != 0)
		goto out;
	m.base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	if (m.base == MAP_FAILED) {
		error = errno;
		m.base = NULL;
		shm_why_set(why, "%s: cannot map %" PRIu64 " bytes: %s", path, size, strerror(error));
	}
out:
	if (error) {
		if (m.fd >= 0)
			unlink(path);
		shm_map_close(&m);
		return error;
	}
	m.size = m.file_size = size;
	m.device = st.st_dev;
	m.inode = st.st_ino;
	*map = m;
	return 0;
}

bool shm_map_current(const struct shm_map *map, const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return shm_path(path, sizeof path, dir, name) == 0 && lstat(path, &st) == 0 &&
	       st.st_dev == map->device && st.st_ino == map->inode;
}

int shm_block_fill(struct shm_block *block, const struct shm_shape *shape, uint64_t size)
{
	int error;

	block->magic = shape->magic;
	block->major = shape->major;
	block->minor = shape->minor;
	block->byte_order = SHM_BYTE_ORDER;
	block->header_size = shape->header_size;
	block->page_size = shape->page_size;
	block->layout_hash = shape->layout_hash;
	block->size = size;
	memcpy(block->record_size, shape->record_size, sizeof block->record_size);
	if ((error = shm_random(block->uuid, sizeof block->uuid)) != 0)
		return error;
	return boot_id(block->boot_id);
}

static int refuse(struct shm_why *why, const struct shm_shape *shape, const char *dir, const char *what, uint64_t found,
                  uint64_t expected)
{
	shm_why_set(why, "%s/%s: %s is 0x%" PRIx64 ", this program expects 0x%" PRIx64, dir, shape->name, what, found,
	            expected);
	return EPROTO;
}

static int check_boot(const struct shm_block *block, const struct shm_shape *shape, const char *dir,
                      struct shm_why *why)
{
	char found[2 * SHM_ID_LEN + 1] = "", expected[2 * SHM_ID_LEN + 1] = "";
	uint8_t id[SHM_ID_LEN] = { 0 };
	int error = boot_id(id);

	if (error)
		return error;
	if (memcmp(id, block->boot_id, sizeof id) == 0)
		return 0;
	for (size_t i = 0; i < SHM_ID_LEN; i++) {
		snprintf(found + 2 * i, 3, "%02x", block->boot_id[i]);
		snprintf(expected + 2 * i, 3, "%02x", id[i]);
	}
	shm_why_set(why, "%s/%s: was made in boot %s, this is boot %s", dir, shape->name, found, expected);
	return EPROTO;
}

int shm_block_check(const struct shm_block *block, const struct shm_shape *shape, uint64_t file_size, const char *dir,
                    struct shm_why *why)
{
	/* Pairs with the release store by which the maker of the file ended: the rest of the block is seen whole. */
	uint32_t ready = atomic_load_explicit(&block->ready, memory_order_acquire);

	if (block->magic != shape->magic)
		return refuse(why, shape, dir, "magic", block->magic, shape->magic);
	if (block->byte_order != SHM_BYTE_ORDER)
		return refuse(why, shape, dir, "byte order", block->byte_order, SHM_BYTE_ORDER);
	if (block->major != shape->major)
		return refuse(why, shape, dir, "major version", block->major, shape->major);
	if (block->header_size != shape->header_size)
		return refuse(why, shape, dir, "header size", block->header_size, shape->header_size);
	if (block->page_size != shape->page_size)
		return refuse(why, shape, dir, "page size", block->page_size, shape->page_size);
	for (size_t i = 0; i < sizeof block->record_size / sizeof block->record_size[0]; i++)
		if (block->record_size[i] != shape->record_size[i])
			return refuse(why, shape, dir, "record size", block->record_size[i], shape->record_size[i]);
	if (block->layout_hash != shape->layout_hash)
		return refuse(why, shape, dir, "layout hash", block->layout_hash, shape->layout_hash);
	if (ready != 1) {
		shm_why_set(why, "%s/%s: was never completed (ready is %u, expected 1)", dir, shape->name, ready);
		return EINVAL;
	}
	if (block->size > file_size) {
		shm_why_set(why, "%s/%s: truncated: %" PRIu64 " bytes, its header says %" PRIu64, dir, shape->name, file_size,
		            block->size);
		return EINVAL;
	}
	return check_boot(block, shape, dir, why);
}
