/* What the switch counts, as metrics; nothing of it while the switch is not up. */
#ifndef MGMTD_METRICS_SWITCH_H
#define MGMTD_METRICS_SWITCH_H

#include "mgmtd/buffer.h"
#include "mgmtd/daemon.h"

void metrics_switch(struct buffer *b, struct daemon *daemon);

#endif
