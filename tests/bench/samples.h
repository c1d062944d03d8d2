/* Durations of a measurement, every one kept: quantiles are exact. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct samples { uint64_t *ns; size_t count, room; };

static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* CPU time of this process so far. */
static inline uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static inline void samples_add(struct samples *s, uint64_t ns)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 1u << 20;
		s->ns = reallocarray(s->ns, s->room, sizeof *s->ns);
		if (!s->ns) {
			fputs("out of memory\n", stderr);
			exit(1);
		}
	}
	s->ns[s->count++] = ns;
}

static inline int samples_compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* After samples_print() or a sort.  In microseconds; 0 without samples. */
static inline double samples_quantile(const struct samples *s, double q)
{
	size_t at = (size_t)(q * (double)s->count);

	if (s->count == 0)
		return 0;
	return (double)s->ns[at < s->count ? at : s->count - 1] / 1000.0;
}

/* Members of a JSON object, without its braces. */
static inline void samples_print(struct samples *s, double seconds)
{
	if (s->count)
		qsort(s->ns, s->count, sizeof *s->ns, samples_compare);
	printf("\"count\":%zu,\"seconds\":%.6f,\"rate\":%.1f,\"p50_us\":%.2f,\"p90_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,\"max_us\":%.2f",
	       s->count, seconds, seconds > 0 ? (double)s->count / seconds : 0.0, samples_quantile(s, 0.5), samples_quantile(s, 0.9),
	       samples_quantile(s, 0.99), samples_quantile(s, 0.999), samples_quantile(s, 1));
}

#endif
