/* Every request that changes the configuration: body → change-set → writer thread → answer. */
#ifndef MGMTD_WRITE_H
#define MGMTD_WRITE_H

#include "mgmtd/request.h"

void write_create(struct request *r);
void write_put(struct request *r);
void write_patch(struct request *r);
void write_delete(struct request *r);
void write_parameters(struct request *r);
void write_set(struct request *r);

#endif
