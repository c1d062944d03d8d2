#include "mgmtd/registration.h"

#include "mgmtd/answer.h"
#include "mgmtd/model.h"
#include "mgmtd/resource.h"
#include "mgmtd/status.h"
#include "mgmtd/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct subject { uint32_t id; uint64_t incarnation, revision; };

/* False: there is none, and 404 was answered. */
static bool find(struct request *r, struct subject *subject)
{
	struct model *model = r->daemon->model;
	model_lock(model);
	const struct object *object = model_find(model, r->route->kind->id, r->argument);
	if (object)
		*subject = (struct subject){ object->id, object->incarnation, model_revision(model) };
	model_unlock(model);
	if (!object)
		resource_missing(r);
	return object != NULL;
}

struct report { struct registration_status status; bool known, stale; };

static void read_report(struct request *r, const struct subject *subject, struct report *report)
{
	struct core *core = watch_core(r->daemon->watch);
	int e = core_status(core, KIND_REGISTRATION, subject->id, &report->status);
	report->known = (e == 0 || e == EBUSY) && report->status.incarnation == subject->incarnation;
	report->stale = e == EBUSY || core_state(core) != CORE_UP;
}

static void answer_status(struct request *r, unsigned status, const struct subject *subject)
{
	struct buffer b = { 0 };
	struct report report;
	read_report(r, subject, &report);
	status_render(&b, r->argument, subject->incarnation, report.known ? &report.status : NULL, report.stale);
	answer_buffer(r, status, "application/json", &b);
}

void registration_status(struct request *r)
{
	struct subject subject;
	if (find(r, &subject))
		answer_status(r, 200, &subject);
}

void registration_attempts(struct request *r)
{
	struct subject subject;
	struct buffer b = { 0 };
	struct report report;
	if (!find(r, &subject))
		return;
	read_report(r, &subject, &report);
	buffer_text(&b, "{\"items\":");
	status_render_attempts(&b, report.known ? &report.status : NULL);
	buffer_format(&b, ",\"next\":null,\"revision\":%" PRIu64 ",\"stale\":%s}", subject.revision, report.stale ? "true" : "false");
	answer_buffer(r, 200, "application/json", &b);
}

/* ------------------------------------------------------------------ register now */

struct refresh { struct waiter waiter; struct subject subject; };

static void switch_answered(struct waiter *waiter)
{
	struct request *r = waiter->arg;
	r->error = waiter->error;
	request_wake(r);
}

static void answer_refreshed(struct request *r)
{
	const struct refresh *refresh = r->work;
	switch (r->error) {
	case 0:
		answer_status(r, request_query_given(r, Q_WAIT_OUTCOME) ? 200 : 202, &refresh->subject);
		break;
	case ECONNREFUSED:
		answer_problem(r, 503, "switchcore_down", NULL, "the switch is not running; the command was not kept");
		break;
	case ECANCELED:
		answer_problem(r, 503, NULL, NULL, "mgmtd is stopping");
		break;
	case ETIMEDOUT:
		answer_problem(r, 504, "switchcore_timeout", NULL, "the switch did not answer within %d s", WAITER_COMMAND_MS / 1000);
		break;
	case ETIME:
		answer_problem(r, 504, "switchcore_timeout", NULL, "the attempt has begun, but had no outcome within %d s",
		               (int)request_query_number(r, Q_OUTCOME_TIMEOUT));
		break;
	case EINVAL:
		answer_problem(r, 409, "disabled", NULL, "registration %s is disabled", r->argument);
		break;
	case ENOENT:
	case ESTALE:
		answer_problem(r, 409, NULL, NULL, "the switch has not taken up registration %s yet; try again", r->argument);
		break;
	default:
		answer_problem(r, 409, NULL, NULL, "the switch refused: %s", strerror(r->error));
	}
}

void registration_refresh(struct request *r)
{
	struct refresh *refresh = calloc(1, sizeof *refresh);
	if (!refresh)
		return;
	r->work = refresh;
	r->work_free = free;
	if (!find(r, &refresh->subject))
		return;
	int64_t outcome_ms = request_query_given(r, Q_WAIT_OUTCOME) ? request_query_number(r, Q_OUTCOME_TIMEOUT) * 1000 : 0;
	refresh->waiter = (struct waiter){ .done = switch_answered, .arg = r };
	request_wait(r, answer_refreshed);
	waiter_refresh(watch_waiters(r->daemon->watch), &refresh->waiter, refresh->subject.id, refresh->subject.incarnation,
	               outcome_ms);
}
