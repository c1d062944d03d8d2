/* /users: who may log in, and as what. */
#ifndef MGMTD_USER_H
#define MGMTD_USER_H

#include "mgmtd/request.h"

void user_list(struct request *r);
void user_get(struct request *r);
void user_create(struct request *r);
void user_put(struct request *r);
void user_patch(struct request *r);
void user_delete(struct request *r);

#endif
