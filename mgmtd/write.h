/* Every request that changes the configuration: body → change-set → writer thread → answer. */
#ifndef MGMTD_WRITE_H
#define MGMTD_WRITE_H

#include "mgmtd/change.h"
#include "mgmtd/request.h"

void write_create(struct request *r);
void write_put(struct request *r);
void write_patch(struct request *r);
void write_delete(struct request *r);
void write_parameters(struct request *r);
void write_set(struct request *r);

struct change;

/* For handlers that make a change-set in another way.  refused: by the preconditions in its head, and answered.  change: takes it,
 * to the writer and to the answer; nothing else may be the request's work. */
bool write_refused(struct request *r);
void write_change(struct request *r, struct change *change);

#endif
