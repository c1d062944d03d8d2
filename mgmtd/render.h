/* Members of a JSON object, each with the comma before it: `,"name":value`.  What is unknown is null. */
#ifndef MGMTD_RENDER_H
#define MGMTD_RENDER_H

#include "mgmtd/buffer.h"

void render_member(struct buffer *b, const char *name);		/* the value follows */
void render_null(struct buffer *b, const char *name);
void render_text(struct buffer *b, const char *name, const char *value);	/* "" = unknown */
void render_time(struct buffer *b, const char *name, uint64_t us);		/* 0 = unknown */
void render_number(struct buffer *b, const char *name, int64_t value, int64_t least);	/* unknown below `least` */
void render_flag(struct buffer *b, const char *name, bool value);
/* Thousandths of the unit with three digits; 0 = unknown. */
void render_thousandths(struct buffer *b, const char *name, uint64_t value);
/* Tenths of the unit with one digit. */
void render_tenths(struct buffer *b, const char *name, uint64_t value);

#endif
