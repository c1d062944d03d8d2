/*
 * POST /preview/register and /preview/invite: the message that the switch would send now, written by the switch itself.
 * POST /verify/call: the same, and then the next real INVITE beside it.
 */
#ifndef MGMTD_PREVIEW_H
#define MGMTD_PREVIEW_H

#include "mgmtd/request.h"

void preview_register(struct request *r);
void preview_invite(struct request *r);
void preview_verify(struct request *r);

#endif
