/* The text that Prometheus reads (exposition format 0.0.4). */
#ifndef MGMTD_EXPOSITION_H
#define MGMTD_EXPOSITION_H

#include "mgmtd/buffer.h"
#include "mgmtd/histogram.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The head of a metric; all its samples follow before the next head.  type: "counter", "gauge", "histogram". */
void exposition_head(struct buffer *b, const char *name, const char *type, const char *help);

/* Samples.  labels: `a="x",b="y"` as it stands between the braces, NULL = none. */
void exposition_count(struct buffer *b, const char *name, const char *labels, uint64_t value);
void exposition_seconds(struct buffer *b, const char *name, const char *labels, uint64_t us);
/* counts: of `buckets` buckets, each value in one only, bounds in µs of all but the last. */
void exposition_histogram(struct buffer *b, const char *name, const char *labels, const uint32_t *bounds, const uint64_t *counts,
                          unsigned buckets, uint64_t sum_us);
void exposition_times(struct buffer *b, const char *name, const char *labels, const struct histogram *h);

/* Head and one sample without labels. */
void exposition_counter(struct buffer *b, const char *name, const char *help, uint64_t value);
void exposition_gauge(struct buffer *b, const char *name, const char *help, uint64_t value);
void exposition_gauge_seconds(struct buffer *b, const char *name, const char *help, uint64_t us);

/* A label's value from outside, escaped, without the quotes around it. */
void exposition_escape(struct buffer *b, const char *value);

#endif
