/* What every file of the run directory shares: page-sized headers, readers' slots, errors in words. */
#ifndef SHM_SHM_H
#define SHM_SHM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One sentence why something was refused, naming the file, the limit and what was found. */
struct shm_why { char text[320]; };

enum reader_role { READER_SWITCHCORE = 1, READER_TOOL = 2 };

/* The run directory when --run is not given: /run/tandem if that is on tmpfs and writable (made if its parent is), else
 * /dev/shm/tandem-UID.  Written to path. */
int shm_default_dir(char *path, size_t size, struct shm_why *why);

/* Makes DIR (0700) if missing, checks owner and mode.  *on_tmpfs = it lies on tmpfs; *free_bytes = room there. */
int shm_prepare_dir(const char *dir, bool *on_tmpfs, uint64_t *free_bytes, struct shm_why *why);

/* What mgmtd asks about the switchcore from the file `readers`. */
struct readers;
struct core_slot {
	bool alive;			/* its lock byte is held */
	int32_t pid;
	uint64_t applied_generation;	/* 0 = none yet */
	uint64_t rejected_generation;
};
int readers_open(struct readers **r, const char *dir, struct shm_why *why);
void readers_close(struct readers *r);
void readers_core(struct readers *r, struct core_slot *core);

#endif
