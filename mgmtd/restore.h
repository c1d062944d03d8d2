/* POST /revisions/{n}/restore and …/confirm. */
#ifndef MGMTD_RESTORE_H
#define MGMTD_RESTORE_H

#include "mgmtd/request.h"

void restore_start(struct request *r);
void restore_confirm(struct request *r);

#endif
