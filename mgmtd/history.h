/* GET /revisions, read from the database on the reader thread. */
#ifndef MGMTD_HISTORY_H
#define MGMTD_HISTORY_H

#include "mgmtd/request.h"

void history_list(struct request *r);
void history_show(struct request *r);

#endif
