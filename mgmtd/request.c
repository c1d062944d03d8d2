#include "mgmtd/request.h"

#include "mgmtd/answer.h"
#include "mgmtd/cookie.h"
#include "mgmtd/json_body.h"
#include "mgmtd/panel.h"
#include "mgmtd/problem.h"
#include "mgmtd/server.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* So much of a body that turned out too long on the way is still read, so that the client hears why. */
#define DRAIN_MAX (8u << 20)

void request_end(struct request *r)
{
	if (r->response && !r->lent)
		MHD_destroy_response(r->response);
	if (r->work_free)
		r->work_free(r->work);
	if (r->route && (r->route->flags & ROUTE_SECRET_BODY) && r->body.text)
		sodium_memzero(r->body.text, r->body.room);
	buffer_free(&r->body);
	query_clear(&r->query);
	r->response = NULL;
	r->work = NULL;
	r->work_free = NULL;
}

const char *request_id(struct request *r)
{
	static _Atomic uint64_t count;
	static _Atomic uint32_t boot;
	if (r->id[0])
		return r->id;
	if (atomic_load(&boot) == 0)
		atomic_store(&boot, randombytes_random() | 1);
	snprintf(r->id, sizeof r->id, "%08" PRIx32 "-%" PRIu64, atomic_load(&boot), atomic_fetch_add(&count, 1) + 1);
	return r->id;
}

/* ------------------------------------------------------------------ what refuses a request before its body is read */

static bool refuse_head(struct request *r, const char *version)
{
	char fault[160];
	unsigned status = head_fault(&r->head, r->connection, version, fault, sizeof fault);
	if (status)
		answer_problem(r, status, NULL, NULL, "%s", fault);
	return status != 0;
}

static bool refuse_method_of_panel(struct request *r)
{
	r->route = route_panel;
	if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
		return false;
	answer_problem(r, 405, NULL, NULL, "this path takes GET, HEAD");
	answer_header(r, "Allow", "GET, HEAD");
	return true;
}

static bool refuse_path(struct request *r)
{
	char allow[ROUTE_ALLOW_MAX];
	switch (route_find(&r->route, r->argument, allow, r->method, r->path)) {
	case 0:
		return false;
	case EOPNOTSUPP:
		answer_problem(r, 405, NULL, NULL, "this path takes %s", allow);
		answer_header(r, "Allow", allow);
		return true;
	case EINVAL:
		answer_problem(r, 400, NULL, NULL, "the path holds a broken percent escape or a NUL");
		return true;
	default:
		if (panel_has(r->daemon->panel, r->path))
			return refuse_method_of_panel(r);
		answer_problem(r, 404, NULL, NULL, "no such path");
		return true;
	}
}

/* Our own option says that whoever can reach loopback may look. */
static bool opens_on_loopback(const struct request *r)
{
	return (r->route->flags & ROUTE_METRICS) && r->daemon->options.metrics_open_on_loopback &&
	       (strncmp(r->address, "127.", 4) == 0 || strcmp(r->address, "::1") == 0);
}

/* Authorization goes before the cookie, which a browser sends unasked. */
static const char *find_token(const struct request *r, bool *by_cookie)
{
	static const char bearer[] = "Bearer ";
	const char *value = r->head.authorization.value;
	if (value && strncasecmp(value, bearer, sizeof bearer - 1) == 0)
		return value + sizeof bearer - 1;
	*by_cookie = r->head.cookie.value != NULL;
	return *by_cookie ? cookie_token(r) : NULL;
}

static bool refuse_token(struct request *r)
{
	bool by_cookie = false;
	const char *token = find_token(r, &by_cookie);
	if (!token) {
		answer_problem(r, 401, NULL, NULL, "a token is needed: POST /api/v1/session, then \"Authorization: Bearer TOKEN\"");
		answer_header(r, "WWW-Authenticate", "Bearer");
		return true;
	}
	if (token_check(r->daemon->tokens, token, &r->identity) != 0) {
		answer_problem(r, 401, NULL, NULL, "the token is not valid, or no longer; log in again");
		answer_header(r, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
		return true;
	}
	return by_cookie && cookie_refuse(r);
}

static bool refuse_identity(struct request *r)
{
	if (r->route->role == ROLE_PUBLIC || opens_on_loopback(r))
		return false;
	if (refuse_token(r))
		return true;
	if (r->identity.role < r->route->role) {
		answer_problem(r, 403, NULL, NULL, "this needs the role %s; %s has the role %s", role_words[r->route->role],
		               r->identity.username, role_words[r->identity.role]);
		return true;
	}
	if (r->identity.must_change_password && (r->route->flags & ROUTE_WRITES)) {
		answer_problem(r, 403, "password_change_required", NULL,
		               "the first password must be changed before anything else: PUT /api/v1/session/password");
		return true;
	}
	return false;
}

static enum MHD_Result take_argument(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	void **both = arg;
	struct request *r = both[0];
	(void)kind;
	query_take(&r->query, r->route->queries, name, value, both[1]);
	return MHD_YES;
}

static bool refuse_query(struct request *r)
{
	if (r->route == route_panel)	/* a file is the same whatever stands behind its name */
		return false;
	json_t *errors = json_array();
	void *both[] = { r, errors };
	MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, take_argument, both);
	if (json_array_size(errors) == 0) {
		json_decref(errors);
		return false;
	}
	answer_problem(r, 422, NULL, errors, "the query is not as this path takes it");
	return true;
}

static bool refuse_body(struct request *r)
{
	int64_t length = head_body_length(&r->head);
	if (r->route->body == BODY_NONE) {
		if (length == 0)
			return false;
		answer_problem(r, 400, NULL, NULL, "%s of this path takes no body", r->method);
		return true;
	}
	if (r->route->body == BODY_OPTIONAL && length == 0)
		return false;
	bool patch = r->route->body == BODY_PATCH;
	if (!head_is_type(&r->head, "application/json") && !(patch && head_is_type(&r->head, "application/merge-patch+json"))) {
		answer_problem(r, 415, NULL, NULL, "the body must be of Content-Type application/json%s",
		               patch ? " or application/merge-patch+json" : "");
		answer_header(r, patch ? "Accept-Patch" : "Accept", patch ? "application/merge-patch+json, application/json"
		                                                           : "application/json");
		return true;
	}
	r->body_limit = r->route->flags & ROUTE_SECRET_BODY ? REQUEST_SECRET_BODY_MAX
	              : r->route->flags & ROUTE_LARGE_BODY ? REQUEST_LARGE_BODY_MAX : REQUEST_BODY_MAX;
	if (length > (int64_t)r->body_limit) {
		answer_problem(r, 413, NULL, NULL, "the body must not exceed %zu bytes; got %lld", r->body_limit, (long long)length);
		return true;
	}
	if (length > 0)
		buffer_reserve(&r->body, (size_t)length);
	return false;
}

/* RFC 9112 3.2.2: a target may also be absolute.  There is one host here, whatever it is called. */
static const char *path_of(const char *target)
{
	size_t scheme = strncasecmp(target, "http://", 7) == 0 ? 7 : strncasecmp(target, "https://", 8) == 0 ? 8 : 0;
	const char *path = scheme ? strchr(target + scheme, '/') : target;
	return path ? path : "/";
}

void request_begin(struct request *r, struct MHD_Connection *connection, const char *method, const char *path,
                   const char *version)
{
	r->connection = connection;
	r->method = method;
	r->path = path_of(path);
	r->route = NULL;
	r->argument[0] = '\0';
	r->identity = (struct identity){ 0 };
	r->tried[0] = '\0';
	r->body = (struct buffer){ 0 };
	r->body_limit = r->body_seen = 0;
	r->status = 0;
	r->sent = 0;
	r->begun_us = time_monotonic_us();
	r->identity = (struct identity){ 0 };	/* the connection's last request may have had another */
	r->suspended = r->hurried = r->lent = false;
	r->continuation = NULL;
	r->error = 0;
	r->id[0] = '\0';
	query_init(&r->query);
	head_take(&r->head, connection);
	if (head_request_id(&r->head))
		snprintf(r->id, sizeof r->id, "%s", head_request_id(&r->head));
	if (server_closing(r->daemon->server))
		answer_problem(r, 503, NULL, NULL, "mgmtd is stopping");
	else if (refuse_head(r, version))
		r->hurried = true;
	else if (!refuse_path(r) && !refuse_identity(r) && !refuse_query(r))
		refuse_body(r);
	/* A body that would only be thrown away is not waited for. */
	if (r->response && head_body_length(&r->head) != 0)
		r->hurried = true;
}

int request_take_body(struct request *r, const char *bytes, size_t len)
{
	r->body_seen += len;
	if (r->response)
		return r->body_seen > DRAIN_MAX ? EMSGSIZE : 0;
	if (r->body_seen > r->body_limit) {
		size_t limit = r->body_limit;
		buffer_free(&r->body);
		answer_problem(r, 413, NULL, NULL, "the body must not exceed %zu bytes", limit);
		return 0;
	}
	buffer_append(&r->body, bytes, len);
	return 0;
}

void request_run(struct request *r)
{
	if (r->response)
		return;
	void (*next)(struct request *) = r->continuation ? r->continuation : r->route->handler;
	r->continuation = NULL;
	next(r);
	if (!r->response && !r->suspended)
		answer_no_memory(r);
}

/* ------------------------------------------------------------------ waiting */

void request_wait(struct request *r, void (*continuation)(struct request *r))
{
	r->continuation = continuation;
	r->suspended = true;
	r->error = 0;
	server_suspended(r->daemon->server, 1);
	MHD_suspend_connection(r->connection);
}

void request_hand_over(struct request *r, struct worker *worker, struct job *job, void (*continuation)(struct request *r))
{
	request_wait(r, continuation);
	int e = worker_submit(worker, job);
	if (e) {
		r->error = e;
		request_wake(r);
	}
}

void request_wake(struct request *r)
{
	struct server *server = r->daemon->server;
	MHD_resume_connection(r->connection);
	server_suspended(server, -1);
}

/* ------------------------------------------------------------------ what handlers read */

void request_refuse_json(struct request *r, const struct json_fault *fault)
{
	json_t *errors = json_array();
	json_t *v = problem_violation(errors, "", NULL, "not_json", "line %d, column %d: %s", fault->line, fault->column, fault->text);
	json_object_set_new(v, "line", json_integer(fault->line));
	json_object_set_new(v, "column", json_integer(fault->column));
	answer_problem(r, 400, "not_json", errors, "the body is not JSON: line %d, column %d: %s", fault->line, fault->column, fault->text);
}

json_t *request_json(struct request *r)
{
	struct json_fault fault;
	json_t *value = NULL;
	if (r->body.failed) {
		answer_no_memory(r);
		return NULL;
	}
	int e = json_body_parse(&value, r->body.text ? r->body.text : "", r->body.len, &fault);
	if (e == ENOMEM)
		answer_no_memory(r);
	if (e == EINVAL)
		request_refuse_json(r, &fault);
	return value;
}

bool request_query_given(const struct request *r, enum query_id id)
{
	return r->query.values[id].given;
}

int64_t request_query_number(const struct request *r, enum query_id id)
{
	return r->query.values[id].number;
}

const char *request_query_text(const struct request *r, enum query_id id)
{
	return r->query.values[id].text;
}

bool request_has(const struct request *r, uint64_t revision)
{
	char tag[32];
	snprintf(tag, sizeof tag, "\"r%" PRIu64 "\"", revision);
	return head_has_tag(&r->head, tag);
}
