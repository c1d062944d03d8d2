/* A command to the switch on behalf of a request. */
#ifndef MGMTD_COMMAND_H
#define MGMTD_COMMAND_H

#include "mgmtd/request.h"
#include "mgmtd/waiter.h"

/* Sends waiter->request, and runs `then` when the reply is there, with r->error.  outcome_ms as waiter_command(). */
void command_send(struct request *r, struct waiter *waiter, int64_t outcome_ms, void (*then)(struct request *r));

/* Runs `then` when waiter->look() says so, or the time is over (ETIME). */
void command_watch(struct request *r, struct waiter *waiter, int64_t timeout_ms, void (*then)(struct request *r));

/* Answers what no command is answered with by the switch itself: it is down, it is silent, mgmtd stops.  False: r->error is
 * none of these. */
bool command_failed(struct request *r);

#endif
