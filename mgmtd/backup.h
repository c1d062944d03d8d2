/* POST /backup: a copy of the database in use. */
#ifndef MGMTD_BACKUP_H
#define MGMTD_BACKUP_H

#include "mgmtd/request.h"

void backup_make(struct request *r);

#endif
