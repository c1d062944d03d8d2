/* A request as a line of the access log. */
#ifndef MGMTD_ACCESS_LINE_H
#define MGMTD_ACCESS_LINE_H

#include "mgmtd/request.h"

/* Never of it: headers, bodies, and query parameters that the path does not take (whose names or values may be secrets given
 * to the wrong place).  Whatever stood in the path, the line is ASCII, JSON and shorter than ACCESS_LINE_MAX.
 * complete: the client got all of the answer.  now_us: CLOCK_MONOTONIC. */
void access_line_render(struct buffer *b, struct request *r, bool complete, int64_t now_us);

#endif
