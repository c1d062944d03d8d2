/*
 * What the three files of the run directory have in common: the block they begin with, and how they are made, opened
 * and refused.  Everything read from a file is hostile until it was checked here.
 */
#ifndef SHM_FILE_H
#define SHM_FILE_H

#include "shm/shm.h"

#include <stdatomic.h>
#include <sys/stat.h>

#define SHM_BYTE_ORDER 0x01020304u
#define SHM_ID_LEN ((size_t)16)
#define SHM_KINDS 4		/* kinds of record that the files have room for; KIND_REGISTRATION is the first */

/*  0        8      12      16       20      24        32        40         56          72           104    108      128
 *  | magic  | maj,min | order | header | page  | layout | size   | uuid     | boot id   | record sizes | ready | … |
 *
 * Written once by the maker of the file, before `ready`. */
struct shm_block {
	uint64_t magic;
	uint16_t major, minor;		/* another major is refused, another minor is not */
	uint32_t byte_order;
	uint32_t header_size, page_size;
	uint64_t layout_hash;		/* over every field that lies in the file's records */
	uint64_t size;			/* of the file in bytes when it became ready; files never shrink */
	uint8_t uuid[SHM_ID_LEN];	/* of this very file */
	uint8_t boot_id[SHM_ID_LEN];	/* a file of an earlier boot has monotonic times and pins of the past */
	uint32_t record_size[8];
	_Atomic uint32_t ready;		/* stored last with release; pairs with the acquire load in shm_block_check() */
	uint8_t reserved[20];
};
_Static_assert(sizeof(struct shm_block) == 128, "the block is 128 bytes");
_Static_assert(offsetof(struct shm_block, layout_hash) == 24, "drawn above");
_Static_assert(offsetof(struct shm_block, uuid) == 40, "drawn above");
_Static_assert(offsetof(struct shm_block, ready) == 104, "drawn above");

/* What a program expects of a file. */
struct shm_shape {
	const char *name;		/* of the file in its directory */
	uint64_t magic;
	uint16_t major, minor;
	uint32_t header_size, page_size;
	uint64_t layout_hash;
	uint32_t record_size[8];
};

/* A file that is open and mapped as a whole. */
struct shm_map {
	int fd;
	void *base;
	uint64_t size;			/* mapped */
	uint64_t file_size;		/* when it was opened */
	dev_t device;
	ino_t inode;
};
#define SHM_MAP_NONE { .fd = -1 }

void shm_why_set(struct shm_why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes DIR/NAME.  ENAMETOOLONG. */
int shm_path(char *path, size_t size, const char *dir, const char *name);

/* Opens and maps DIR/NAME: a regular file of our own, at least `least` bytes; of it the first `most`, 0 = all.
 * Errors: ENOENT; EPERM another user's; EINVAL no regular file or truncated. */
int shm_map_open(struct shm_map *map, const char *dir, const char *name, bool writable, uint64_t least, uint64_t most,
                 struct shm_why *why);

/* Makes DIR/NAME anew, mode 0600, with all its room allocated, and maps it.  ENOSPC names needed and free bytes. */
int shm_map_create(struct shm_map *map, const char *dir, const char *name, uint64_t size, struct shm_why *why);
void shm_map_close(struct shm_map *map);

/* Allocates room up to size; an ftruncate()d hole would be a SIGBUS at its first touch on a full tmpfs. */
int shm_allocate(int fd, uint64_t from, uint64_t size, const char *dir, const char *name, struct shm_why *why);

/* True when DIR/NAME is the file that is mapped. */
bool shm_map_current(const struct shm_map *map, const char *dir, const char *name);

/* Fills in everything but `ready`. */
int shm_block_fill(struct shm_block *block, const struct shm_shape *shape, uint64_t size);

/* EPROTO of another version, layout, machine or boot, both values in why; EINVAL not ready or truncated. */
int shm_block_check(const struct shm_block *block, const struct shm_shape *shape, uint64_t file_size, const char *dir,
                    struct shm_why *why);

int shm_random(void *bytes, size_t size);
int64_t shm_monotonic_ms(void);

#endif
