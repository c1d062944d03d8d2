#include "shm/cdr_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".cdr"
#define TIME_DIGITS 16

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cdr_name_parse(uint64_t *time, const char *name)
{
	size_t len = strnlen(name, CDR_NAME_MAX + 1);
	uint64_t value = 0;

	if (len > CDR_NAME_MAX || len < TIME_DIGITS + sizeof SUFFIX || strcmp(name + len - strlen(SUFFIX), SUFFIX) != 0 ||
	    name[TIME_DIGITS] != '-')
		return false;
	for (size_t i = 0; i < TIME_DIGITS; i++) {
		int digit = hex(name[i]);
		if (digit < 0)
			return false;
		value = value << 4 | (unsigned)digit;
	}
	*time = value;
	return value <= INT64_MAX;	/* leaves room above for the next */
}

int cdr_spool_each(int dirfd, void (*each)(void *arg, const char *name, uint64_t time), void *arg)
{
	/* Opened anew: a duplicate would share its position with dirfd. */
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t time;
	int error;

	if (!dir) {
		error = errno;
		if (fd >= 0)
			close(fd);
		return error;
	}
	while (errno = 0, (entry = readdir(dir)))
		if (cdr_name_parse(&time, entry->d_name))
			each(arg, entry->d_name, time);
	error = errno;
	closedir(dir);
	return error;
}

bool cdr_file_locked(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* If it cannot be told, it may be. */
	return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}
