/*
 * A request and its answer.  Handlers run on the server's event thread and either answer at once or wait: request_wait(), then hand
 * the work to another thread, which calls request_wake(); the continuation then runs on the event thread again.  Only that
 * thread touches the request.
 */
#ifndef MGMTD_REQUEST_H
#define MGMTD_REQUEST_H

#include "mgmtd/buffer.h"
#include "mgmtd/daemon.h"
#include "mgmtd/query.h"
#include "mgmtd/route.h"
#include "mgmtd/token.h"

#include <jansson.h>
#include <microhttpd.h>

#define REQUEST_BODY_MAX (1u << 20)
#define REQUEST_SECRET_BODY_MAX 8192u
#define REQUEST_HEAD_MAX (16u << 10)
#define REQUEST_ADDRESS_MAX 46		/* INET6_ADDRSTRLEN */

/* What of the head we look at; the texts live as long as the request. */
struct head {
	const char *host, *authorization, *content_type, *if_match, *if_none_match, *accept, *last_event_id;
	const char *content_length, *transfer_encoding;
	unsigned hosts, content_lengths, authorizations, if_matches;
};

struct request {
	struct daemon *daemon;
	struct MHD_Connection *connection;
	const char *address;		/* of the client */
	const char *method, *path;
	struct head head;
	const struct route *route;
	char argument[ROUTE_ARGUMENT_MAX];
	struct query query;
	struct identity identity;

	struct buffer body;
	size_t body_limit, body_seen;

	/* the answer */
	struct MHD_Response *response;
	unsigned status;
	bool hurried;			/* answer before the body is there; the connection then ends */

	/* waiting */
	bool suspended;
	void (*continuation)(struct request *r);
	int error;			/* of the work that was waited for; whoever wakes sets it before */
	void *work;			/* the handler's own */
	void (*work_free)(void *work);

	char id[32];			/* "" = not asked for yet */
};

/* --- life, for the server */
void request_begin(struct request *r, struct MHD_Connection *connection, const char *method, const char *path, const char *version);
int request_take_body(struct request *r, const char *bytes, size_t len);	/* EMSGSIZE: far too much: cut the connection */
void request_run(struct request *r);	/* the handler, or its continuation */
void request_end(struct request *r);

/* --- for handlers */
const char *request_id(struct request *r);

void request_wait(struct request *r, void (*continuation)(struct request *r));
void request_wake(struct request *r);	/* any thread, exactly once per request_wait() */

/* The body as JSON, a new reference; NULL: it was refused, and answered. */
json_t *request_json(struct request *r);

bool request_query_given(const struct request *r, enum query_id id);
int64_t request_query_number(const struct request *r, enum query_id id);
const char *request_query_text(const struct request *r, enum query_id id);	/* or NULL */

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

void answer_header(struct request *r, const char *name, const char *value);
void answer_etag(struct request *r, uint64_t revision);
/* True: the client has this revision already, and 304 was answered. */
bool answer_not_modified(struct request *r, uint64_t revision);

#endif
