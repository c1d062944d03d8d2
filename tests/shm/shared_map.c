/*
 * Linked into the in-process variant with --wrap: whoever maps a file that is mapped already gets the same addresses.
 * ThreadSanitizer judges by address; with a mapping of its own each thread would race unseen.  What the readers lose by
 * this, that their mapping is read-only, the test with processes has.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t size);
void *__real_mremap(void *address, size_t size, size_t new_size, int flags);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t size);
void *__wrap_mremap(void *address, size_t size, size_t new_size, int flags);

#define MAPPINGS 256

static struct mapping { void *base; size_t size; ino_t inode; dev_t device; unsigned users; } mappings[MAPPINGS];
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static struct mapping *mapped_at(const void *base)
{
	for (size_t i = 0; i < MAPPINGS; i++)
		if (mappings[i].users && mappings[i].base == base)
			return &mappings[i];
	return NULL;
}

static struct mapping *mapping_of(const struct stat *st, size_t size)
{
	for (size_t i = 0; i < MAPPINGS; i++)
		if (mappings[i].users && mappings[i].inode == st->st_ino && mappings[i].device == st->st_dev &&
		    mappings[i].size == size)
			return &mappings[i];
	return NULL;
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	struct mapping *m = NULL;
	struct stat st;
	void *base;

	if (fd < 0 || offset != 0 || address || fstat(fd, &st) != 0)
		return __real_mmap(address, size, protection, flags, fd, offset);
	pthread_mutex_lock(&guard);
	if ((m = mapping_of(&st, size)) != NULL) {
		m->users++;
		base = m->base;
		goto out;
	}
	/* The first to map a file is its maker, who may write. */
	base = __real_mmap(NULL, size, protection, flags, fd, 0);
	for (size_t i = 0; base != MAP_FAILED && (protection & PROT_WRITE); i++) {
		if (i == MAPPINGS)
			abort();
		if (mappings[i].users)
			continue;
		mappings[i] = (struct mapping){ base, size, st.st_ino, st.st_dev, 1 };
		break;
	}
out:
	pthread_mutex_unlock(&guard);
	return base;
}

int __wrap_munmap(void *address, size_t size)
{
	struct mapping *m;
	int result = 0;

	pthread_mutex_lock(&guard);
	m = mapped_at(address);
	if (!m || --m->users == 0)
		result = __real_munmap(address, size);
	pthread_mutex_unlock(&guard);
	return result;
}

void *__wrap_mremap(void *address, size_t size, size_t new_size, int flags)
{
	struct mapping *m;
	void *base;

	pthread_mutex_lock(&guard);
	m = mapped_at(address);
	if (m && m->users > 1)
		abort();	/* only a draft is resized, and nobody else knows it */
	base = __real_mremap(address, size, new_size, flags);
	if (m && base != MAP_FAILED)
		m->base = base, m->size = new_size;
	pthread_mutex_unlock(&guard);
	return base;
}
