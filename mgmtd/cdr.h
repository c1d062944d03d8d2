/* GET /cdrs, read from the database on the reader thread. */
#ifndef MGMTD_CDR_H
#define MGMTD_CDR_H

#include "mgmtd/request.h"
#include "shm/cdr.h"

void cdr_list(struct request *r);
void cdr_show(struct request *r);

/* One record as JSON. */
void cdr_render(struct buffer *b, const struct cdr *cdr);

#endif
