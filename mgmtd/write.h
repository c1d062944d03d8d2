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

/* --- for handlers that make a change-set of their own */

bool write_refused(struct request *r);	/* its conditions are not as they must be: answered */

/* Hands the change-set over, with what head and query say about it, and answers.  r->work must be free. */
void write_submit(struct request *r, struct change *change);

#endif
