/*
 * For LD_PRELOAD: while the file named by BROKEN_DISK_FLAG exists, writes to files below BROKEN_DISK_DIRECTORY fail with
 * the error number that stands in it, and with "fsync NUMBER" only their syncing does.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The error to fail with, 0 = none. */
static int broken(int fd, bool syncing)
{
	const char *flag = getenv("BROKEN_DISK_FLAG"), *directory = getenv("BROKEN_DISK_DIRECTORY");
	char link[64], path[PATH_MAX], text[32] = "";
	ssize_t len;
	int flag_fd;

	if (!flag || !directory || (flag_fd = open(flag, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	len = read(flag_fd, text, sizeof text - 1);
	close(flag_fd);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (len <= 0 || (len = readlink(link, path, sizeof path - 1)) < 0)
		return 0;
	path[len] = '\0';
	if (strncmp(path, directory, strlen(directory)) != 0)
		return 0;
	if (strncmp(text, "fsync ", 6) == 0)
		return syncing ? atoi(text + 6) : 0;
	return atoi(text);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF_BROKEN(fd, syncing)		\
	do {					\
		int error = broken(fd, syncing);	\
		if (error) {			\
			errno = error;		\
			return -1;		\
		}				\
	} while (0)

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	FAIL_IF_BROKEN(fd, false);
	return NEXT(pwrite64)(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	FAIL_IF_BROKEN(fd, false);
	return NEXT(pwrite)(fd, data, size, at);
}

int ftruncate64(int fd, off64_t size)
{
	FAIL_IF_BROKEN(fd, false);
	return NEXT(ftruncate64)(fd, size);
}

int fsync(int fd)
{
	FAIL_IF_BROKEN(fd, true);
	return NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
	FAIL_IF_BROKEN(fd, true);
	return NEXT(fdatasync)(fd);
}
