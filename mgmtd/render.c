#include "mgmtd/render.h"

#include <inttypes.h>

void render_member(struct buffer *b, const char *name)
{
	buffer_format(b, ",\"%s\":", name);
}

void render_null(struct buffer *b, const char *name)
{
	buffer_format(b, ",\"%s\":null", name);
}

void render_text(struct buffer *b, const char *name, const char *value)
{
	render_member(b, name);
	buffer_json_or_null(b, value);
}

void render_time(struct buffer *b, const char *name, uint64_t us)
{
	render_member(b, name);
	buffer_json_time(b, us);
}

void render_number(struct buffer *b, const char *name, int64_t value, int64_t least)
{
	if (value < least)
		render_null(b, name);
	else
		buffer_format(b, ",\"%s\":%" PRId64, name, value);
}

void render_flag(struct buffer *b, const char *name, bool value)
{
	render_member(b, name);
	buffer_text(b, value ? "true" : "false");
}

void render_thousandths(struct buffer *b, const char *name, uint64_t value)
{
	if (value == 0)
		render_null(b, name);
	else
		buffer_format(b, ",\"%s\":%" PRIu64 ".%03" PRIu64, name, value / 1000, value % 1000);
}

void render_tenths(struct buffer *b, const char *name, uint64_t value)
{
	buffer_format(b, ",\"%s\":%" PRIu64 ".%" PRIu64, name, value / 10, value % 10);
}
