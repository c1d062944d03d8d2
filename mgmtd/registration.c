#include "mgmtd/registration.h"

#include "mgmtd/answer.h"
#include "mgmtd/command.h"
#include "mgmtd/resource.h"
#include "mgmtd/status.h"
#include "mgmtd/subject.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void append_status(struct buffer *b, struct daemon *daemon, const char *name, const struct subject *subject)
{
	struct registration_status registration;
	struct subject_report report = subject_read(daemon, subject, &registration);
	status_render(b, name, subject->incarnation, report.known ? &registration : NULL, report.stale);
}

void registration_list(struct request *r)
{
	resource_list(r, append_status);
}

static void answer_status(struct request *r, unsigned status, const struct subject *subject)
{
	struct buffer b = { 0 };
	append_status(&b, r->daemon, r->argument, subject);
	answer_buffer(r, status, "application/json", &b);
}

void registration_status(struct request *r)
{
	struct subject subject;
	if (subject_find(r, &subject))
		answer_status(r, 200, &subject);
}

void registration_attempts(struct request *r)
{
	struct subject subject;
	struct buffer b = { 0 };
	struct registration_status registration;
	if (!subject_find(r, &subject))
		return;
	struct subject_report report = subject_read(r->daemon, &subject, &registration);
	buffer_text(&b, "{\"items\":");
	status_render_attempts(&b, report.known ? &registration : NULL);
	buffer_format(&b, ",\"next\":null,\"revision\":%" PRIu64 ",\"stale\":%s}", subject.revision, report.stale ? "true" : "false");
	answer_buffer(r, 200, "application/json", &b);
}

/* ------------------------------------------------------------------ register now */

struct refresh { struct waiter waiter; struct subject subject; };

static void refresh_free(void *work)
{
	struct refresh *refresh = work;
	buffer_free(&refresh->waiter.text);
	free(refresh);
}

static void answer_refreshed(struct request *r)
{
	const struct refresh *refresh = r->work;
	if (command_failed(r))
		return;
	switch (r->error) {
	case 0:
		answer_status(r, request_query_given(r, Q_WAIT_OUTCOME) ? 200 : 202, &refresh->subject);
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
	r->work_free = refresh_free;
	if (!subject_find(r, &refresh->subject))
		return;
	int64_t outcome_ms = request_query_given(r, Q_WAIT_OUTCOME) ? request_query_number(r, Q_OUTCOME_TIMEOUT) * 1000 : 0;
	refresh->waiter.request = (struct control_request){ .command = CONTROL_REFRESH, .kind = KIND_REGISTRATION,
	                                                    .object = refresh->subject.id,
	                                                    .incarnation = refresh->subject.incarnation };
	command_send(r, &refresh->waiter, outcome_ms, answer_refreshed);
}
