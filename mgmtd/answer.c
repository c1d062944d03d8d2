#include "mgmtd/answer.h"

#include "mgmtd/json_text.h"
#include "mgmtd/problem.h"
#include "mgmtd/refusal.h"
#include "mgmtd/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type_json[] = "application/json";
static const char type_problem[] = "application/problem+json";

static void answer(struct request *r, unsigned status, const char *type, struct MHD_Response *response, size_t len)
{
	if (r->response && !r->lent)
		MHD_destroy_response(r->response);
	r->status = status;
	r->response = response;
	r->lent = false;
	r->sent = len;
	if (response && type)
		MHD_add_response_header(response, "Content-Type", type);
}

void answer_json(struct request *r, unsigned status, const char *text, size_t len)
{
	answer(r, status, type_json, MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY), len);
}

void answer_static(struct request *r, unsigned status, const char *type, const char *text, size_t len)
{
	answer(r, status, type, MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT), len);
}

void answer_buffer(struct request *r, unsigned status, const char *type, struct buffer *b)
{
	size_t len = 0;
	char *text = buffer_take(b, &len);
	if (!text) {
		answer_no_memory(r);
		return;
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	answer(r, status, type, response, len);
}

static void answer_document(struct request *r, unsigned status, const char *type, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_TEXT) : NULL;
	json_decref(value);
	if (!text) {
		answer_no_memory(r);
		return;
	}
	size_t len = strlen(text);
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	answer(r, status, type, response, len);
}

void answer_value(struct request *r, unsigned status, json_t *value)
{
	answer_document(r, status, type_json, value);
}

void answer_lent(struct request *r, unsigned status, struct MHD_Response *response, size_t len)
{
	answer(r, status, NULL, response, len);
	r->lent = true;
}

void answer_empty(struct request *r, unsigned status)
{
	answer(r, status, NULL, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), 0);
}

void answer_problem_document(struct request *r, unsigned status, json_t *document)
{
	refusals_note(r->daemon->refusals, r, status, document);
	request_id(r);	/* told in the head, too */
	answer_document(r, status, type_problem, document);
}

void answer_problem(struct request *r, unsigned status, const char *code, json_t *errors, const char *format, ...)
{
	char detail[512];
	va_list args;
	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	answer_problem_document(r, status, problem_document(status, code, request_id(r), errors, "%s", detail));
	json_decref(errors);
}

void answer_no_memory(struct request *r)
{
	static const char text[] = "{\"type\":\"/problems/unavailable\",\"title\":\"Not available now\",\"status\":503,"
				   "\"detail\":\"out of memory\",\"request_id\":\"\"}";
	answer_static(r, 503, type_problem, text, sizeof text - 1);
}

void answer_unavailable(struct request *r, const char *code, const char *what)
{
	if (r->error == EAGAIN) {
		answer_problem(r, 503, code, NULL, "too many %s wait already; try again in a few seconds", what);
		answer_header(r, "Retry-After", "5");
	} else if (r->error == ECANCELED) {
		answer_problem(r, 503, NULL, NULL, "mgmtd is stopping");
	} else if (r->error == ENOMEM) {
		answer_no_memory(r);
	} else {
		answer_problem(r, 503, "store_unavailable", NULL, "the database cannot be used now: %s; nothing was changed",
		               store_explain(r->error));
	}
}

void answer_header(struct request *r, const char *name, const char *value)
{
	if (r->response)
		MHD_add_response_header(r->response, name, value);
}

void answer_etag(struct request *r, uint64_t revision)
{
	char text[32];
	snprintf(text, sizeof text, "\"r%" PRIu64 "\"", revision);
	answer_header(r, "ETag", text);
}
