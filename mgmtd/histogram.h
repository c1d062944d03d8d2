/* How long things took: counts by upper bound, for Prometheus.  Any thread may add, any may look. */
#ifndef MGMTD_HISTOGRAM_H
#define MGMTD_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

/* Upper bounds in µs; one bucket more has none. */
#define HISTOGRAM_BOUNDS { 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 }
#define HISTOGRAM_BUCKETS 15u

struct histogram {
	_Atomic uint64_t count[HISTOGRAM_BUCKETS];	/* each value in one bucket only */
	_Atomic uint64_t sum_us;
};

extern const uint32_t histogram_bounds[HISTOGRAM_BUCKETS - 1];

void histogram_add(struct histogram *h, uint64_t us);

#endif
