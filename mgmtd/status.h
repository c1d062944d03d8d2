/* The live status of a registration as the API tells it. */
#ifndef MGMTD_STATUS_H
#define MGMTD_STATUS_H

#include "mgmtd/buffer.h"
#include "shm/status.h"

/* The status object.  status NULL = the switch has not told any; every unknown member is null.  incarnation: of the
 * configured object. */
void status_render(struct buffer *b, const char *name, uint64_t incarnation, const struct registration_status *status,
                   bool stale);

/* Its attempts, newest first, as a JSON array. */
void status_render_attempts(struct buffer *b, const struct registration_status *status);

/* Makes a record of that table as it was read from shared memory safe to look at: texts end, indices are in range. */
void status_tame(unsigned table, void *status);

#endif
