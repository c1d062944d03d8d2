#include "mgmtd/command.h"

#include "mgmtd/answer.h"
#include "mgmtd/watch.h"

#include <errno.h>

static void switch_answered(struct waiter *waiter)
{
	struct request *r = waiter->arg;
	r->error = waiter->error;
	request_wake(r);
}

void command_send(struct request *r, struct waiter *waiter, int64_t outcome_ms, void (*then)(struct request *r))
{
	waiter->done = switch_answered;
	waiter->arg = r;
	request_wait(r, then);
	waiter_command(watch_waiters(r->daemon->watch), waiter, outcome_ms);
}

void command_watch(struct request *r, struct waiter *waiter, int64_t timeout_ms, void (*then)(struct request *r))
{
	waiter->done = switch_answered;
	waiter->arg = r;
	request_wait(r, then);
	waiter_look(watch_waiters(r->daemon->watch), waiter, timeout_ms);
}

bool command_failed(struct request *r)
{
	switch (r->error) {
	case ECONNREFUSED:
		answer_problem(r, 503, "switchcore_down", NULL, "the switch is not running; the command was not kept");
		return true;
	case ECANCELED:
		answer_problem(r, 503, NULL, NULL, "mgmtd is stopping");
		return true;
	case ETIMEDOUT:
		answer_problem(r, 504, "switchcore_timeout", NULL, "the switch did not answer within %d s", WAITER_COMMAND_MS / 1000);
		return true;
	case ENOTSUP:
		answer_problem(r, 503, NULL, NULL, "this switch does not know that command");
		return true;
	default:
		return false;
	}
}
