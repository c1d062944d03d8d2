/* /config: the whole configuration as one document; and what makes it move to another machine. */
#ifndef MGMTD_CONFIGURATION_H
#define MGMTD_CONFIGURATION_H

#include "mgmtd/request.h"

void configuration_show(struct request *r);
void configuration_export(struct request *r);
void configuration_replace(struct request *r);

#endif
