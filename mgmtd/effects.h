/* What a change makes the switch do: the registrations it makes register anew.  On the writer thread. */
#ifndef MGMTD_EFFECTS_H
#define MGMTD_EFFECTS_H

#include "mgmtd/change.h"
#include "shm/config.h"

/* {"reregister": {"count", "names": [first 10]}}: enabled registrations that will send a REGISTER because of it. */
json_t *effects_reregister(struct model *model, struct config_writer *segment, const struct objects staged[KIND_COUNT]);

#endif
