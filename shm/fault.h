/*
 * Seeded faults.  A test that still passes with one of these built in proves nothing, so tests/shm/faults builds the
 * proofs once for each, with -DSHM_FAULT=n, and wants every one of them to fail.  In the product FAULT() is constant
 * false and the compiler drops the branch.
 */
#ifndef SHM_FAULT_H
#define SHM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_PINS_IGNORED	1	/* pages are reused although a reader pins them */
#define FAULT_RETIRE_OFF_BY_ONE	2	/* and one generation too early */
#define FAULT_FREE_ON_RECOVERY	3	/* after a crash unreachable pages are free at once */
#define FAULT_LEAF_IN_PLACE	4	/* a published leaf is edited */
#define FAULT_ROOT_FIRST	5	/* the root word is stored before what it names */
#define FAULT_DIFF_BY_PAGE	6	/* changes are found by page number instead of generation */
#define FAULT_NO_FENCE		7	/* no StoreLoad fence between pin and root */
#define FAULT_COUNT		8

#ifdef SHM_FAULT
#define FAULT(name) (SHM_FAULT == FAULT_##name)
#else
#define FAULT(name) 0
#endif

/* The wrong idea behind FAULT_DIFF_BY_PAGE: a change is a leaf that lies elsewhere than last time. */
static inline bool fault_page_moved(uint32_t leaf, uint32_t page)
{
	static _Thread_local uint32_t last[4096];
	bool moved = leaf >= 4096 || last[leaf] != page;

	if (leaf < 4096)
		last[leaf] = page;
	return moved;
}

#endif
