/* The body of a write of a user, checked. */
#ifndef MGMTD_USER_BODY_H
#define MGMTD_USER_BODY_H

#include "mgmtd/request.h"

struct user_body {
	char username[SCHEMA_NAME_MAX + 1];	/* "" = not given */
	char role[16];				/* "" = not given */
	char *password;				/* NULL = not given, or {"set": true}; wiped by user_body_clear() */
	bool must_change_given, must_change_password;
};

/* named: the username must be given; else it may be, and must be that of the path.  False: refused, and answered. */
bool user_body_take(struct request *r, struct user_body *body, bool named);
void user_body_clear(struct user_body *body);

#endif
