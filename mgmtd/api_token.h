/* /tokens: what scripts log in with; named, of a role, for at most a year, shown once. */
#ifndef MGMTD_API_TOKEN_H
#define MGMTD_API_TOKEN_H

#include "mgmtd/request.h"

#define API_TOKEN_DAYS 90		/* where expires_at is left out */
#define API_TOKEN_DAYS_MAX 365

void api_token_list(struct request *r);
void api_token_get(struct request *r);
void api_token_create(struct request *r);
void api_token_delete(struct request *r);

#endif
