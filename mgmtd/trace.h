/* GET /trace: the SIP messages in the switch's trace ring, read on the reader thread, secrets masked. */
#ifndef MGMTD_TRACE_H
#define MGMTD_TRACE_H

#include "mgmtd/request.h"

#define TRACE_MESSAGE_MAX (128u << 10)	/* the switch takes no greater one */
#define TRACE_CALL_ID_MAX 256

void trace_list(struct request *r);

/* Its Call-ID, "" = none. */
void trace_call_id(char call_id[TRACE_CALL_ID_MAX + 1], const char *message, size_t len);

#endif
