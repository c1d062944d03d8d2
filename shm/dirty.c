/*
 * Which status records changed: a bitmap in three levels, so that taking the changes costs O(changed) and finding that
 * there are none costs eight loads.
 *
 * The switchcore sets the bit of a record, then that of its word in the summary, then that of the summary's word in the
 * top.  mgmtd exchanges with zero in the opposite order.  A bit that is set while mgmtd is between two levels is either
 * taken now or, since the upper levels are set after it, found next time; then at worst an upper bit leads to an empty
 * word.  Nothing is skipped because an upper bit is already set: mgmtd may have cleared it between the two looks.
 */
#include "shm/readers.h"

void dirty_mark(struct readers *r, unsigned kind, uint32_t id)
{
	uint32_t word = id / 64, upper = word / 64;

	if (kind >= SHM_KINDS || id >= DIRTY_RECORDS)
		return;
	/* Each release pairs with the acquire exchange of its level in dirty_take(). */
	atomic_fetch_or_explicit(&r->file->dirty[kind][word], UINT64_C(1) << id % 64, memory_order_release);
	atomic_fetch_or_explicit(&r->file->summary[kind][upper], UINT64_C(1) << word % 64, memory_order_release);
	atomic_fetch_or_explicit(&r->file->top[kind][upper / 64], UINT64_C(1) << upper % 64, memory_order_release);
}

static uint64_t take(_Atomic uint64_t *word)
{
	/* The plain look first: an exchange would take the cache line away from the switchcore for nothing. */
	if (atomic_load_explicit(word, memory_order_relaxed) == 0)
		return 0;
	return atomic_exchange_explicit(word, 0, memory_order_acquire);
}

static void take_summary(struct readers *r, unsigned kind, uint32_t upper, void (*each)(uint32_t id, void *arg),
                         void *arg)
{
	uint64_t words = take(&r->file->summary[kind][upper]);

	for (; words; words &= words - 1) {
		uint32_t word = upper * 64 + (uint32_t)__builtin_ctzll(words);
		uint64_t bits = take(&r->file->dirty[kind][word]);
		for (; bits; bits &= bits - 1)
			each(word * 64 + (uint32_t)__builtin_ctzll(bits), arg);
	}
}

void dirty_take(struct readers *r, unsigned kind, void (*each)(uint32_t id, void *arg), void *arg)
{
	if (kind >= SHM_KINDS)
		return;
	for (uint32_t top = 0; top < DIRTY_TOP_WORDS; top++) {
		uint64_t uppers = take(&r->file->top[kind][top]);
		for (; uppers; uppers &= uppers - 1)
			take_summary(r, kind, top * 64 + (uint32_t)__builtin_ctzll(uppers), each, arg);
	}
}
