/* Text that grows, with the few things JSON needs.  A failed allocation is kept in `failed` and makes the rest no-ops. */
#ifndef MGMTD_BUFFER_H
#define MGMTD_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *text;		/* NUL-terminated when len > 0; NULL while empty */
	size_t len, room;
	bool failed;
};

bool buffer_reserve(struct buffer *b, size_t more);	/* room for `more` bytes and a NUL */
void buffer_append(struct buffer *b, const char *text, size_t len);
void buffer_text(struct buffer *b, const char *text);
void buffer_format(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string.  Bytes that are no UTF-8 become U+FFFD. */
void buffer_json(struct buffer *b, const char *text, size_t len);
void buffer_json_or_null(struct buffer *b, const char *text);	/* null for "" */

/* `text` as RFC 3339 with ms and quotes, or null for 0: microseconds since the epoch. */
void buffer_json_time(struct buffer *b, uint64_t us);

void buffer_free(struct buffer *b);
char *buffer_take(struct buffer *b, size_t *len);	/* the caller frees; NULL = an allocation failed, or nothing in it */

/* 2026-01-02T03:04:05.678Z */
void time_text(char text[static 25], uint64_t us);
uint64_t time_now_us(void);	/* CLOCK_REALTIME */
int64_t time_monotonic_ms(void);
int64_t time_monotonic_us(void);

#endif
