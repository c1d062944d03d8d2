/* The run directory: where it is and whether it can be trusted. */
#include "shm/file.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

static bool is_tmpfs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* /run/tandem can be used, or made: writable and in memory. */
static bool run_tandem_usable(void)
{
	struct stat st;

	if (lstat("/run/tandem", &st) == 0)
		return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && access("/run/tandem", W_OK | X_OK) == 0 &&
		       is_tmpfs("/run/tandem");
	return errno == ENOENT && access("/run", W_OK | X_OK) == 0 && is_tmpfs("/run");
}

int shm_default_dir(char *path, size_t size, struct shm_why *why)
{
	int len = run_tandem_usable() ? snprintf(path, size, "/run/tandem")
	                              : snprintf(path, size, "/dev/shm/tandem-%u", (unsigned)geteuid());

	if (len < 0 || (size_t)len >= size) {
		shm_why_set(why, "the run directory's path needs %d bytes, there is room for %zu", len + 1, size);
		return ENAMETOOLONG;
	}
	return 0;
}

int shm_prepare_dir(const char *dir, bool *on_tmpfs, uint64_t *free_bytes, struct shm_why *why)
{
	struct stat st;
	struct statfs fs;
	int error;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		error = errno;
		shm_why_set(why, "%s: cannot make the directory: %s", dir, strerror(error));
		return error;
	}
	if (stat(dir, &st) != 0 || statfs(dir, &fs) != 0) {
		error = errno;
		shm_why_set(why, "%s: %s", dir, strerror(error));
		return error;
	}
	if (!S_ISDIR(st.st_mode)) {
		shm_why_set(why, "%s: is no directory", dir);
		return ENOTDIR;
	}
	if (st.st_uid != geteuid()) {
		shm_why_set(why, "%s: belongs to user %u, this program runs as user %u", dir, (unsigned)st.st_uid,
		            (unsigned)geteuid());
		return EPERM;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		shm_why_set(why, "%s: mode is %04o, others must not be able to write there (0700 expected)", dir,
		            (unsigned)(st.st_mode & 07777));
		return EPERM;
	}
	*on_tmpfs = is_tmpfs(dir);
	*free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	return 0;
}
