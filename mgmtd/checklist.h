/* GET /checklists/{which}: what to look at before a trunk is put into service, and how far it is. */
#ifndef MGMTD_CHECKLIST_H
#define MGMTD_CHECKLIST_H

#include "mgmtd/request.h"

void checklist_show(struct request *r);

#endif
