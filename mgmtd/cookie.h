/*
 * The session as a cookie, for browsers.  A browser sends it whoever made it ask, so a write that comes by cookie must come
 * from our own pages and show the session's csrf_token, which no other page can read.
 */
#ifndef MGMTD_COOKIE_H
#define MGMTD_COOKIE_H

#include "mgmtd/request.h"

const char *cookie_token(const struct request *r);	/* of the request; NULL = none */

/* True: the request, which r->identity made by cookie, is refused, and answered. */
bool cookie_refuse(struct request *r);

void cookie_set(struct request *r, const char *token);	/* after the answer stands */
void cookie_clear(struct request *r);

#endif
