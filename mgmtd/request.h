/*
 * A request.  Handlers run on the server's event thread and either answer at once (answer.h) or wait: request_wait(), then
 * hand the work to another thread, which calls request_wake(); the continuation then runs on the event thread again.  Only
 * that thread touches the request.
 */
#ifndef MGMTD_REQUEST_H
#define MGMTD_REQUEST_H

#include "mgmtd/buffer.h"
#include "mgmtd/daemon.h"
#include "mgmtd/head.h"
#include "mgmtd/query.h"
#include "mgmtd/route.h"
#include "mgmtd/token.h"
#include "mgmtd/worker.h"

#include <jansson.h>
#include <microhttpd.h>

#define REQUEST_BODY_MAX (1u << 20)
#define REQUEST_SECRET_BODY_MAX 8192u
#define REQUEST_LARGE_BODY_MAX (256u << 20)
#define REQUEST_ADDRESS_MAX 46		/* INET6_ADDRSTRLEN */

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
	char tried[SCHEMA_NAME_MAX + 1];	/* an account that exists, and that a log-in is for; "" = none */

	struct buffer body;
	size_t body_limit, body_seen;

	/* the answer */
	struct MHD_Response *response;
	bool lent;			/* the response is kept by another, for further answers */
	unsigned status;
	uint64_t sent;			/* bytes of the answer's body, so far */
	int64_t begun_us;		/* CLOCK_MONOTONIC: its head was there */
	bool hurried;			/* answer before the body is there; the connection then ends */

	/* waiting */
	bool suspended;
	void (*continuation)(struct request *r);
	int error;			/* of the work that was waited for; whoever wakes sets it before */
	void *work;			/* the handler's own */
	void (*work_free)(void *work);

	char id[HEAD_REQUEST_ID_MAX + 1];	/* the client's, or made when it is asked for; "" = not yet */
};

/* --- life, for the server */
void request_begin(struct request *r, struct MHD_Connection *connection, const char *method, const char *path,
                   const char *version);
int request_take_body(struct request *r, const char *bytes, size_t len);	/* EMSGSIZE: far too much: cut the connection */
void request_run(struct request *r);	/* the handler, or its continuation */
void request_end(struct request *r);

/* --- for handlers */
const char *request_id(struct request *r);

void request_wait(struct request *r, void (*continuation)(struct request *r));
/* Waits while the worker runs the job, whose end calls request_wake(); r->error when it cannot: EAGAIN, too many wait. */
void request_hand_over(struct request *r, struct worker *worker, struct job *job, void (*continuation)(struct request *r));
void request_wake(struct request *r);	/* any thread, exactly once per request_wait() */

/* The body as JSON, a new reference; NULL: it was refused, and answered. */
json_t *request_json(struct request *r);

struct json_fault;
void request_refuse_json(struct request *r, const struct json_fault *fault);	/* answers that the body is not JSON, and where */

bool request_query_given(const struct request *r, enum query_id id);
int64_t request_query_number(const struct request *r, enum query_id id);
const char *request_query_text(const struct request *r, enum query_id id);	/* or NULL */

/* The client has this revision already (If-None-Match): the same answer with status 304 tells it; the library leaves out
 * its body. */
bool request_has(const struct request *r, uint64_t revision);

#endif
