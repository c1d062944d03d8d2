/* /session: logging in and out, changing one's password. */
#ifndef MGMTD_SESSION_H
#define MGMTD_SESSION_H

#include "mgmtd/request.h"

void session_log_in(struct request *r);
void session_show(struct request *r);
void session_log_out(struct request *r);
void session_change_password(struct request *r);

#endif
