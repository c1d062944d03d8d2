/* The answer to a request. */
#ifndef MGMTD_ANSWER_H
#define MGMTD_ANSWER_H

#include "mgmtd/request.h"

/* One of these answers a request; headers are added afterwards. */
void answer_json(struct request *r, unsigned status, const char *text, size_t len);	/* copied */
void answer_buffer(struct request *r, unsigned status, const char *type, struct buffer *b);	/* taken */
void answer_static(struct request *r, unsigned status, const char *type, const char *text, size_t len);	/* lent for ever */
void answer_value(struct request *r, unsigned status, json_t *value);	/* taken */
void answer_empty(struct request *r, unsigned status);
/* errors (may be NULL) is taken; code NULL = the status's own */
void answer_problem(struct request *r, unsigned status, const char *code, json_t *errors, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void answer_problem_document(struct request *r, unsigned status, json_t *document);	/* taken */
void answer_no_memory(struct request *r);
/* What r->error of a worker or the writer means: EAGAIN (503 with `code` and Retry-After: too many `what` wait), ECANCELED,
 * ENOMEM, or one of store.h. */
void answer_unavailable(struct request *r, const char *code, const char *what);
void answer_lent(struct request *r, unsigned status, struct MHD_Response *response, size_t len);	/* no header may be added */

void answer_header(struct request *r, const char *name, const char *value);
void answer_etag(struct request *r, uint64_t revision);

#endif
