/* What a change means beyond itself: references to things outside the configuration, warnings, registrations it makes
 * register anew.  All on the writer thread. */
#ifndef MGMTD_EFFECTS_H
#define MGMTD_EFFECTS_H

#include "mgmtd/change.h"
#include "mgmtd/writer.h"

/* A listener that the running switch does not have is a violation, when the change sets it.  With the switch down
 * nobody can tell. */
void effects_check_references(const struct writer_hooks *hooks, const struct operation *op, const json_t *old,
                              const json_t *document, json_t *errors);

/* {"reregister": {"count", "names": [first 10]}}: enabled registrations that will send a REGISTER because of it. */
json_t *effects_reregister(struct model *model, struct config_writer *segment, const struct objects staged[KIND_COUNT]);

#endif
