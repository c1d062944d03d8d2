#include "mgmtd/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int read_file(char *text, size_t size, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	int e = n < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (!e)
		text[n] = '\0';
	return e;
}

/* proc(5): field 3 comes after the last ')', since the name between may hold anything. */
static int read_stat(struct process_figures *p, int dir)
{
	char text[1024];
	unsigned long user, system, size;
	unsigned long long start;
	long threads, pages;
	struct timespec boot, now;
	uint64_t tick = (uint64_t)sysconf(_SC_CLK_TCK);
	int e = read_file(text, sizeof text, dir, "stat");
	const char *rest = e ? NULL : strrchr(text, ')');

	if (e)
		return e;
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld %*d %llu %lu %ld", &user,
	                    &system, &threads, &start, &size, &pages) != 6)
		return EPROTO;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	p->cpu_us = (uint64_t)(user + system) * 1000000 / tick;
	p->threads = (uint64_t)threads;
	p->virtual_bytes = size;
	p->resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	p->started_us = (uint64_t)(now.tv_sec - boot.tv_sec) * 1000000 + (uint64_t)start * 1000000 / tick;
	return 0;
}

static int count_fds(struct process_figures *p, int dir)
{
	int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		int e = errno;
		if (fd >= 0)
			close(fd);
		return e;
	}
	p->open_fds = 0;
	for (const struct dirent *entry; (entry = readdir(d));)
		p->open_fds += entry->d_name[0] != '.';
	closedir(d);
	return 0;
}

static int read_limit(struct process_figures *p, int dir)
{
	char text[4096];
	int e = read_file(text, sizeof text, dir, "limits");
	const char *line = e ? NULL : strstr(text, "Max open files");

	if (e)
		return e;
	if (!line || sscanf(line + strlen("Max open files"), " %" SCNu64, &p->max_fds) != 1)
		return EPROTO;
	return 0;
}

int process_look(struct process_figures *figures, pid_t pid)
{
	struct process_figures p = { 0 };
	char path[32];
	int dir, e;

	snprintf(path, sizeof path, "/proc/%d", (int)(pid ? pid : getpid()));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno;
	if ((e = read_stat(&p, dir)) == 0 && (e = count_fds(&p, dir)) == 0 && (e = read_limit(&p, dir)) == 0)
		*figures = p;
	close(dir);
	return e;
}
