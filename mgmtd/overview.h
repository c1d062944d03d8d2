/* GET /status, /healthz and /readyz. */
#ifndef MGMTD_OVERVIEW_H
#define MGMTD_OVERVIEW_H

#include "mgmtd/request.h"

void overview_status(struct request *r);
void overview_health(struct request *r);
void overview_ready(struct request *r);

#endif
