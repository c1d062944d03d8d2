#include "mgmtd/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void buffer_free(struct buffer *b)
{
	free(b->text);
	*b = (struct buffer){ 0 };
}

char *buffer_take(struct buffer *b, size_t *len)
{
	char *text = b->failed ? NULL : b->text;
	if (b->failed)
		free(b->text);
	else if (len)
		*len = b->len;
	*b = (struct buffer){ 0 };
	return text;
}

bool buffer_reserve(struct buffer *b, size_t more)
{
	if (b->failed)
		return false;
	if (b->room - b->len > more)
		return true;
	size_t room = b->room ? b->room : 256;
	while (room - b->len <= more) {
		if (room > SIZE_MAX / 2) {
			b->failed = true;
			return false;
		}
		room *= 2;
	}
	char *grown = realloc(b->text, room);
	if (!grown) {
		b->failed = true;
		return false;
	}
	b->text = grown;
	b->room = room;
	return true;
}

void buffer_append(struct buffer *b, const char *text, size_t len)
{
	if (!buffer_reserve(b, len))
		return;
	memcpy(b->text + b->len, text, len);
	b->len += len;
	b->text[b->len] = '\0';
}

void buffer_text(struct buffer *b, const char *text)
{
	buffer_append(b, text, strlen(text));
}

void buffer_format(struct buffer *b, const char *format, ...)
{
	va_list args;
	if (!buffer_reserve(b, 128))
		return;
	va_start(args, format);
	int len = vsnprintf(b->text + b->len, b->room - b->len, format, args);
	va_end(args);
	if (len >= 0 && (size_t)len >= b->room - b->len) {
		if (!buffer_reserve(b, (size_t)len))
			return;
		va_start(args, format);
		vsnprintf(b->text + b->len, b->room - b->len, format, args);
		va_end(args);
	}
	b->len += len > 0 ? (size_t)len : 0;
}

/* Length of the well-formed UTF-8 sequence at p (RFC 3629 4), or 0. */
static size_t sequence(const unsigned char *p, size_t len)
{
	size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void escape(struct buffer *b, unsigned char c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	for (const char *s = shorts; *s; s += 2)
		if ((unsigned char)s[0] == c) {
			const char two[2] = { '\\', s[1] };
			buffer_append(b, two, 2);
			return;
		}
	buffer_format(b, "\\u%04x", c);
}

void buffer_json(struct buffer *b, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t plain = 0;	/* bytes before p[i] that go out as they are */
	buffer_append(b, "\"", 1);
	for (size_t i = 0; i < len;) {
		bool ascii = p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\';
		size_t n = ascii ? 1 : p[i] >= 0x80 ? sequence(p + i, len - i) : 0;
		if (n) {
			plain += n;
			i += n;
			continue;
		}
		buffer_append(b, text + i - plain, plain);
		plain = 0;
		if (p[i] >= 0x80)
			buffer_text(b, "\xef\xbf\xbd");
		else
			escape(b, p[i]);
		i++;
	}
	buffer_append(b, text + len - plain, plain);
	buffer_append(b, "\"", 1);
}

void buffer_json_or_null(struct buffer *b, const char *text)
{
	if (text[0])
		buffer_json(b, text, strlen(text));
	else
		buffer_append(b, "null", 4);
}

static void digits(char *to, unsigned value, unsigned count)
{
	while (count-- > 0) {
		to[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

void time_text(char text[static 25], uint64_t us)
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm))
		tm = (struct tm){ .tm_year = 70, .tm_mday = 1 };
	memcpy(text, "0000-00-00T00:00:00.000Z", 25);
	digits(text, (unsigned)(tm.tm_year + 1900), 4);
	digits(text + 5, (unsigned)tm.tm_mon + 1, 2);
	digits(text + 8, (unsigned)tm.tm_mday, 2);
	digits(text + 11, (unsigned)tm.tm_hour, 2);
	digits(text + 14, (unsigned)tm.tm_min, 2);
	digits(text + 17, (unsigned)tm.tm_sec, 2);
	digits(text + 20, (unsigned)(us / 1000 % 1000), 3);
}

void buffer_json_time(struct buffer *b, uint64_t us)
{
	if (us == 0) {
		buffer_append(b, "null", 4);
		return;
	}
	char text[27] = "\"";
	time_text(text + 1, us);
	text[25] = '"';
	buffer_append(b, text, 26);
}

uint64_t time_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int64_t time_monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t time_monotonic_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
