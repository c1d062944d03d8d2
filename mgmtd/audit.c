#include "mgmtd/audit.h"

#include "mgmtd/answer.h"
#include "mgmtd/chain.h"
#include "mgmtd/history.h"
#include "mgmtd/problem.h"
#include "mgmtd/store_history.h"
#include "mgmtd/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct audit {
	struct job job;
	struct request *request;
	struct chain_head head;
	bool has_head;
	struct chain_result result;
	struct shm_why why;
};

static json_t *head_of(const struct chain_head *head)
{
	char hex[2 * STORE_HASH + 1];
	sodium_bin2hex(hex, sizeof hex, head->hash, STORE_HASH);
	return json_pack("{s:I, s:s}", "revision", (json_int_t)head->revision, "hash", hex);
}

static void start(struct request *r, struct audit *audit, struct worker *worker, void (*run)(struct job *job, bool cancelled),
                  void (*then)(struct request *r))
{
	audit->request = r;
	audit->job.run = run;
	r->work = audit;
	r->work_free = free;
	request_hand_over(r, worker, &audit->job, then);
}

/* ------------------------------------------------------------------ verify */

static void verify(struct job *job, bool cancelled)
{
	struct audit *audit = (struct audit *)((char *)job - offsetof(struct audit, job));
	const struct daemon *d = audit->request->daemon;
	char path[4096];
	snprintf(path, sizeof path, "%s/tandem.db", d->options.state);
	audit->request->error = cancelled ? ECANCELED :
		chain_verify(&audit->result, path, audit->has_head ? &audit->head : NULL, d->auditor, &audit->why);
	request_wake(audit->request);
}

static void answer_verified(struct request *r)
{
	struct audit *audit = r->work;
	const struct chain_result *result = &audit->result;
	if (r->error == EAGAIN) {
		answer_problem(r, 503, NULL, NULL, "the history is being verified for others already; try again");
		return;
	}
	if (r->error) {
		history_trouble(r);
		return;
	}
	answer_value(r, 200, json_pack("{s:b, s:I, s:o, s:o, s:o}", "valid", result->valid, "revisions", (json_int_t)result->revisions,
	                               "first_bad", result->valid ? json_null() : json_integer(result->first_bad),
	                               "why", result->valid ? json_null() : json_string(result->why), "head", head_of(&result->head)));
}

void audit_verify(struct request *r)
{
	const char *text = request_query_text(r, Q_HEAD);
	struct audit *audit = calloc(1, sizeof *audit);
	if (!audit)
		return;
	if (text && chain_head_read(&audit->head, text) != 0) {
		json_t *errors = json_array();
		json_t *v = problem_violation(errors, "", NULL, "bad_format", "must be REVISION:HASH with 64 hex digits, as of GET /audit/head");
		json_object_set_new(v, "parameter", json_string("head"));
		answer_problem(r, 422, NULL, errors, "the head is not as it must be");
		free(audit);
		return;
	}
	audit->has_head = text != NULL;
	start(r, audit, r->daemon->auditor, verify, answer_verified);
}

/* ------------------------------------------------------------------ head */

static void read_head(struct job *job, bool cancelled)
{
	struct audit *audit = (struct audit *)((char *)job - offsetof(struct audit, job));
	audit->request->error = cancelled ? ECANCELED :
		store_newest(audit->request->daemon->store, &audit->head.revision, audit->head.hash);
	request_wake(audit->request);
}

static void answer_head(struct request *r)
{
	struct audit *audit = r->work;
	if (r->error)
		history_trouble(r);
	else
		answer_value(r, 200, head_of(&audit->head));
}

void audit_head(struct request *r)
{
	struct audit *audit = calloc(1, sizeof *audit);
	if (audit)
		start(r, audit, r->daemon->reader, read_head, answer_head);
}

/* ------------------------------------------------------------------ offline */

int audit_file(const char *path, const char *text)
{
	struct chain_result result;
	struct chain_head head;
	struct shm_why why = { "" };
	char found[CHAIN_HEAD_TEXT];
	if (text && chain_head_read(&head, text) != 0) {
		fprintf(stderr, "mgmtd: --audit-head must be REVISION:HASH with 64 hex digits; got: %s; see --help\n", text);
		return 2;
	}
	int e = chain_verify(&result, path, text ? &head : NULL, NULL, &why);
	if (e) {
		fprintf(stderr, "mgmtd: %s\n", why.text);
		return 1;
	}
	chain_head_text(found, &result.head);
	if (result.valid)
		printf("valid: %" PRIu64 " revisions, head %s\n", result.revisions, found);
	else
		printf("not valid: first bad revision %" PRId64 ": %s\n", result.first_bad, result.why);
	return result.valid ? 0 : 1;
}
