#include "mgmtd/histogram.h"

const uint32_t histogram_bounds[HISTOGRAM_BUCKETS - 1] = HISTOGRAM_BOUNDS;

void histogram_add(struct histogram *h, uint64_t us)
{
	unsigned bucket = 0;

	while (bucket < HISTOGRAM_BUCKETS - 1 && us > histogram_bounds[bucket])
		bucket++;
	atomic_fetch_add_explicit(&h->count[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}
