/* What the shared-memory tests have in common: a scratch run directory, and records to put there. */
#ifndef TESTS_SHM_SCRATCH_H
#define TESTS_SHM_SCRATCH_H

#include "shm/config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new directory, on tmpfs where there is one.  free() the name after scratch_remove(). */
static inline char *scratch_dir(void)
{
	char *dir = strdup(access("/dev/shm", W_OK) == 0 ? "/dev/shm/tandem-test-XXXXXX" : "/tmp/tandem-test-XXXXXX");

	if (!dir || !mkdtemp(dir)) {
		perror("scratch directory");
		exit(1);
	}
	return dir;
}

static inline void scratch_path(char *path, size_t size, const char *dir, const char *name)
{
	if ((size_t)snprintf(path, size, "%s/%s", dir, name) >= size)
		abort();
}

static inline void scratch_remove(char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[4096];

	while (d && (entry = readdir(d))) {
		scratch_path(path, sizeof path, dir, entry->d_name);
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
	free(dir);
}

/* A registration that says everywhere which one it is and of which revision. */
static inline void scratch_record(struct registration_record *rec, uint32_t id, uint64_t revision)
{
	memset(rec, 0, sizeof *rec);
	rec->head = (struct record){ .id = id, .present = 1, .incarnation = id + 1, .revision = revision };
	snprintf(rec->head.name, sizeof rec->head.name, "trunk-%u", id);
	snprintf(rec->server, sizeof rec->server, "r%llu.example", (unsigned long long)revision);
	snprintf(rec->username, sizeof rec->username, "user-%u", id);
	snprintf(rec->user_agent, sizeof rec->user_agent, "ua-%llu", (unsigned long long)revision);
}

#endif
