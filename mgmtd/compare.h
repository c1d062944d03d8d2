/* Two INVITEs side by side: what was meant to go out and what did. */
#ifndef MGMTD_COMPARE_H
#define MGMTD_COMPARE_H

#include "mgmtd/buffer.h"

/* A message and where it goes, "udp:192.0.2.1:5060". */
struct compare_side { const char *message; size_t len; const char *target; };

/* [{"field":…,"expected":…,"seen":…,"match":…}, …] */
void compare_render(struct buffer *b, const struct compare_side *expected, const struct compare_side *seen);

/* Is it the INVITE of a new call, to the same number as `expected` and through the same gateway? */
bool compare_matches(const char *message, size_t len, const char *expected, size_t expected_len);

#endif
