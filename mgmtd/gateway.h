/* /routing-gateways and /mapping-gateways, and their …/{name}/status: what the switch does with a gateway now. */
#ifndef MGMTD_GATEWAY_H
#define MGMTD_GATEWAY_H

#include "mgmtd/request.h"
#include "shm/status.h"

void gateway_list(struct request *r);
void gateway_status(struct request *r);

/* The status object.  kind: the kind's path, told as a member, or NULL.  status NULL = the switch has told none; every unknown
 * member is null.  incarnation: of the configured object. */
void gateway_render(struct buffer *b, const char *kind, const char *name, uint64_t incarnation, const struct gateway_status *status,
                    bool stale);

#endif
