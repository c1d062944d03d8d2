/*
 * The StoreLoad litmus: ten pages of one cache line each, one writer that reuses them the moment the pins allow it,
 * and readers that pin, load the root, read and unpin without end.  The pins, the scan and the pool are the product's
 * own (shm/readers.h, shm/pool.h); publishing costs nanoseconds here instead of a microsecond, so a reader whose pin
 * is still in the store buffer when it has loaded the root, is overtaken.  To keep the pin there a while, the reader
 * first stores to memory that is in no cache.
 *
 *   litmus [--seconds N] [--until-violation]
 */
#include "shm/pool.h"
#include "shm/readers.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGES 11u		/* page 0 is no page, as in the segment */
#define WORDS 8
#define SERIAL 5u
#define READERS 1u
#define COLD_LINES (1u << 20)
#define COLD_STORES 24

struct page { _Alignas(64) _Atomic uint64_t word[WORDS]; };

static struct {
	struct page page[PAGES];
	_Alignas(64) _Atomic uint64_t root;
	_Alignas(64) _Atomic bool stop;
	_Alignas(64) struct readers readers;
	_Atomic uint64_t pins, violations;
	double seconds;
	bool until_violation;
} test = { .seconds = 3 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_page(uint32_t page, uint64_t generation)
{
	for (int i = 0; i < WORDS; i++)
		atomic_store_explicit(&test.page[page].word[i], generation, memory_order_relaxed);
}

static void *write_on(void *arg)
{
	struct pool *pool = arg;
	uint32_t current, page;

	pool_take(pool, &current);
	write_page(current, 1);
	atomic_store_explicit(&test.root, CONFIG_WORD(1, current), memory_order_release);
	pool_commit(pool, 1);
	for (uint64_t generation = 2; !atomic_load_explicit(&test.stop, memory_order_relaxed);) {
		pool_reclaim(pool, readers_oldest_pin(&test.readers, SERIAL));
		if (pool_take(pool, &page) != 0)
			continue;
		write_page(page, generation);
		atomic_store_explicit(&test.root, CONFIG_WORD(generation, page), memory_order_release);
		pool_replace(pool, current);
		pool_commit(pool, generation++);
		current = page;
	}
	return NULL;
}

static bool page_is(uint32_t page, uint64_t generation)
{
	for (int i = 0; i < WORDS; i++)
		if (atomic_load_explicit(&test.page[page].word[i], memory_order_relaxed) != generation)
			return false;
	return true;
}

static void *read_on(void *arg)
{
	struct reader_slot *slot = &test.readers.file->slot[(uintptr_t)arg];
	volatile uint64_t (*cold)[8] = calloc(COLD_LINES, sizeof *cold);
	uint64_t random = 88172645463325252u + (uintptr_t)arg, word, pins = 0;

	if (!cold)
		exit(2);
	while (!atomic_load_explicit(&test.stop, memory_order_relaxed)) {
		for (int i = 0; i < COLD_STORES; i++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			cold[random >> 44][0] = random;
		}
		word = atomic_load_explicit(&test.root, memory_order_relaxed);
		readers_pin(slot, CONFIG_WORD(CONFIG_WORD_GENERATION(word), SERIAL));
		word = atomic_load_explicit(&test.root, memory_order_acquire);
		for (int look = 0; word && look < 6; look++)
			if (!page_is(CONFIG_WORD_PAGE(word), CONFIG_WORD_GENERATION(word))) {
				atomic_fetch_add(&test.violations, 1);
				if (test.until_violation)
					atomic_store(&test.stop, true);
				break;
			}
		readers_move_pin(slot, PIN_IDLE);
		pins++;
	}
	atomic_fetch_add(&test.pins, pins);
	free((void *)cold);
	return NULL;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = { { "seconds", 1, NULL, 's' }, { "until-violation", 0, NULL, 'u' }, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 's': test.seconds = strtod(optarg, NULL); break;
		case 'u': test.until_violation = true; break;
		default: exit(2);
		}
}

int main(int argc, char **argv)
{
	struct shm_map none = SHM_MAP_NONE;
	uint8_t marks[PAGES / 8 + 1] = { 0 };
	pthread_t writer, readers[READERS];
	struct pool *pool;
	double until;

	parse(argc, argv);
	test.readers.file = aligned_alloc(64, sizeof *test.readers.file);
	if (!test.readers.file || pool_create(&pool, &none, PAGES) != 0)
		return 2;
	memset(test.readers.file, 0, sizeof *test.readers.file);
	pool_free_unmarked(pool, marks);
	pool->shared = true;
	for (uint32_t i = 0; i < READERS; i++) {
		atomic_store(&test.readers.file->slot[i].pin, PIN_IDLE);
		atomic_fetch_or(&test.readers.file->claimed, UINT64_C(1) << i);
	}
	if (pthread_create(&writer, NULL, write_on, pool) != 0)
		return 2;
	for (uintptr_t i = 0; i < READERS; i++)
		if (pthread_create(&readers[i], NULL, read_on, (void *)i) != 0)
			return 2;
	for (until = now() + test.seconds; now() < until && !atomic_load(&test.stop);)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	atomic_store(&test.stop, true);
	pthread_join(writer, NULL);
	for (uint32_t i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	printf("%" PRIu64 " pins, %" PRIu64 " generations, %" PRIu64 " violations\n", atomic_load(&test.pins),
	       CONFIG_WORD_GENERATION(atomic_load(&test.root)), atomic_load(&test.violations));
	pool_destroy(pool);
	free(test.readers.file);
	return atomic_load(&test.violations) != 0;
}
