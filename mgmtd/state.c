#include "mgmtd/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int explain(struct shm_why *why, int error, const char *what)
{
	snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(error));
	return error;
}

int state_lock(int *lock, const char *state, struct shm_why *why)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4096];
	struct stat st;

	if (mkdir(state, 0700) != 0 && errno != EEXIST)
		return explain(why, errno, state);
	if (stat(state, &st) != 0)
		return explain(why, errno, state);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077)) {
		snprintf(why->text, sizeof why->text, "%s: must be a directory of this user with mode 0700", state);
		return EPERM;
	}
	snprintf(path, sizeof path, "%s/lock", state);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return explain(why, errno, path);
	if (fcntl(fd, F_OFD_SETLK, &whole) == 0) {
		*lock = fd;
		return 0;
	}
	close(fd);
	snprintf(why->text, sizeof why->text, "%s: in use by another mgmtd", state);
	return EBUSY;
}
