#include "mgmtd/exposition.h"

#include <inttypes.h>
#include <stddef.h>

void exposition_head(struct buffer *b, const char *name, const char *type, const char *help)
{
	buffer_format(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void begin(struct buffer *b, const char *name, const char *labels)
{
	buffer_text(b, name);
	if (labels)
		buffer_format(b, "{%s}", labels);
	buffer_text(b, " ");
}

/* Shorter than %f, and exact. */
static void seconds(struct buffer *b, uint64_t us)
{
	unsigned digits = 6, fraction = (unsigned)(us % 1000000);

	buffer_format(b, "%" PRIu64, us / 1000000);
	if (fraction == 0)
		return;
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	buffer_format(b, ".%0*u", (int)digits, fraction);
}

void exposition_count(struct buffer *b, const char *name, const char *labels, uint64_t value)
{
	begin(b, name, labels);
	buffer_format(b, "%" PRIu64 "\n", value);
}

void exposition_seconds(struct buffer *b, const char *name, const char *labels, uint64_t us)
{
	begin(b, name, labels);
	seconds(b, us);
	buffer_text(b, "\n");
}

static void bucket(struct buffer *b, const char *name, const char *labels, const uint32_t *bound, uint64_t count)
{
	buffer_format(b, "%s_bucket{%s%sle=\"", name, labels ? labels : "", labels ? "," : "");
	if (bound)
		seconds(b, *bound);
	else
		buffer_text(b, "+Inf");
	buffer_format(b, "\"} %" PRIu64 "\n", count);
}

static void part(struct buffer *b, const char *name, const char *suffix, const char *labels)
{
	buffer_format(b, "%s%s", name, suffix);
	begin(b, "", labels);
}

void exposition_histogram(struct buffer *b, const char *name, const char *labels, const uint32_t *bounds, const uint64_t *counts,
                          unsigned buckets, uint64_t sum_us)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < buckets; i++) {
		sum += counts[i];
		bucket(b, name, labels, i + 1 < buckets ? &bounds[i] : NULL, sum);
	}
	part(b, name, "_sum", labels);
	seconds(b, sum_us);
	buffer_text(b, "\n");
	part(b, name, "_count", labels);
	buffer_format(b, "%" PRIu64 "\n", sum);
}

void exposition_times(struct buffer *b, const char *name, const char *labels, const struct histogram *h)
{
	uint64_t counts[HISTOGRAM_BUCKETS];

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		counts[i] = atomic_load_explicit(&h->count[i], memory_order_relaxed);
	exposition_histogram(b, name, labels, histogram_bounds, counts, HISTOGRAM_BUCKETS,
	                     atomic_load_explicit(&h->sum_us, memory_order_relaxed));
}

void exposition_counter(struct buffer *b, const char *name, const char *help, uint64_t value)
{
	exposition_head(b, name, "counter", help);
	exposition_count(b, name, NULL, value);
}

void exposition_gauge(struct buffer *b, const char *name, const char *help, uint64_t value)
{
	exposition_head(b, name, "gauge", help);
	exposition_count(b, name, NULL, value);
}

void exposition_gauge_seconds(struct buffer *b, const char *name, const char *help, uint64_t us)
{
	exposition_head(b, name, "gauge", help);
	exposition_seconds(b, name, NULL, us);
}

void exposition_escape(struct buffer *b, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buffer_append(b, "\\", 1);
		if (*value == '\n')
			buffer_text(b, "\\n");
		else
			buffer_append(b, value, 1);
	}
}
