/*
 * Memory that is read while it may be written: copied word by word with relaxed atomics, so that a race is no data
 * race, and fenced so that a change count or a ring's bounds tell afterwards whether the copy is whole.
 */
#ifndef SHM_WORDS_H
#define SHM_WORDS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ThreadSanitizer does not model fences, which gcc reports as a warning.  Everything these order is atomic, so there is
 * no plain access for it to judge, and at run time the fences are executed. */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
/* Before overwriting: whoever sees one of the words stored after it, also sees the mark stored before it. Partner:
 * words_fence_read(). */
static inline void words_fence_write(void)
{
	atomic_thread_fence(memory_order_release);
}

/* After copying, before looking at the mark again.  Partner: words_fence_write(). */
static inline void words_fence_read(void)
{
	atomic_thread_fence(memory_order_acquire);
}
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#define WORDS_OF(bytes) (((bytes) + 7) / 8)

/* The last word is filled up with zeros. */
static inline void words_store(_Atomic uint64_t *to, const void *from, size_t bytes)
{
	const unsigned char *p = from;
	uint64_t word;

	for (; bytes >= 8; p += 8, bytes -= 8) {
		memcpy(&word, p, 8);
		atomic_store_explicit(to++, word, memory_order_relaxed);
	}
	if (bytes) {
		word = 0;
		memcpy(&word, p, bytes);
		atomic_store_explicit(to, word, memory_order_relaxed);
	}
}

static inline void words_load(void *to, const _Atomic uint64_t *from, size_t bytes)
{
	unsigned char *p = to;
	uint64_t word;

	for (; bytes >= 8; p += 8, bytes -= 8) {
		word = atomic_load_explicit(from++, memory_order_relaxed);
		memcpy(p, &word, 8);
	}
	if (bytes) {
		word = atomic_load_explicit(from, memory_order_relaxed);
		memcpy(p, &word, bytes);
	}
}

#endif
