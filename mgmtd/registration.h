/* /registrations; …/registrations/{name}/status, /attempts and /refresh: what the switch does for a registration. */
#ifndef MGMTD_REGISTRATION_H
#define MGMTD_REGISTRATION_H

#include "mgmtd/request.h"

void registration_list(struct request *r);
void registration_status(struct request *r);
void registration_attempts(struct request *r);
void registration_refresh(struct request *r);

#endif
