/* GET /trace: the SIP messages in the switch's trace ring, read on the reader thread, secrets masked. */
#ifndef MGMTD_TRACE_H
#define MGMTD_TRACE_H

#include "mgmtd/request.h"

void trace_list(struct request *r);

#endif
