/* GET /metrics: what there is to count and measure, for Prometheus. */
#ifndef MGMTD_METRICS_H
#define MGMTD_METRICS_H

#include "mgmtd/request.h"

void metrics_get(struct request *r);

#endif
