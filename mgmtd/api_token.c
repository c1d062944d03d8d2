#include "mgmtd/api_token.h"

#include "mgmtd/account.h"
#include "mgmtd/answer.h"
#include "mgmtd/events.h"
#include "mgmtd/log.h"
#include "mgmtd/page.h"
#include "mgmtd/problem.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400
#define CLOCK_SLACK_S 60	/* "in a year" by a client whose clock is a little ahead */

enum refusal { REFUSED_NOT, REFUSED_EXISTS, REFUSED_MISSING, REFUSED_TOO_MANY };

struct write {
	struct request *request;
	struct store_api_token row;
	char *token;
	struct store_account_change note;
	enum refusal refusal;		/* the writer's */
};

static void write_free(void *work)
{
	struct write *w = work;
	if (w->token)
		sodium_memzero(w->token, strlen(w->token));
	free(w->token);
	free(w);
}

static json_t *time_or_null(int64_t us)
{
	char text[25];
	if (us <= 0)
		return json_null();
	time_text(text, (uint64_t)us);
	return json_string(text);
}

static json_t *present(struct daemon *daemon, const struct store_api_token *row)
{
	int64_t used = token_uses_last(token_uses(daemon->tokens), row->jti);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", row->name, "role", row->role, "created_at", row->created_at,
	                 "created_by", row->created_by, "expires_at", time_or_null(row->expires_at * 1000000),
	                 "last_used_at", time_or_null(used > row->last_used_at ? used : row->last_used_at));
}

/* ------------------------------------------------------------------ the body */

static void take_name(struct store_api_token *row, json_t *value, json_t *errors)
{
	const char *text = json_string_value(value);
	const char *fault = text ? schema_name_fault(text, json_string_length(value)) : NULL;
	if (!text)
		problem_violation(errors, "", "name", "wrong_type", "must be a text");
	else if (fault)
		problem_violation(errors, "", "name", "bad_format", "%s", fault);
	else
		snprintf(row->name, sizeof row->name, "%s", text);
}

static void take_end(struct store_api_token *row, json_t *value, json_t *errors)
{
	const char *text = json_string_value(value);
	int64_t us, now = time(NULL);
	if (!text)
		problem_violation(errors, "", "expires_at", "wrong_type", "must be a time as text (RFC 3339)");
	else if (query_time(&us, text) != 0)
		problem_violation(errors, "", "expires_at", "bad_format", "must be a time, as 2026-01-02T03:04:05Z (RFC 3339)");
	else if (us / 1000000 <= now || us / 1000000 > now + API_TOKEN_DAYS_MAX * DAY_S + CLOCK_SLACK_S)
		problem_violation(errors, "", "expires_at", "out_of_range", "must be later than now, and %d days from now at most; got %.40s",
		                  API_TOKEN_DAYS_MAX, text);
	else
		row->expires_at = us / 1000000;
}

static void take_member(struct store_api_token *row, const char *key, json_t *value, json_t *errors)
{
	if (strcmp(key, "name") == 0)
		take_name(row, value, errors);
	else if (strcmp(key, "role") == 0)
		account_take_role(row->role, value, errors);
	else if (strcmp(key, "expires_at") == 0 && !json_is_null(value))
		take_end(row, value, errors);
	else if (strcmp(key, "expires_at") != 0)
		problem_violation(errors, "", key, "unknown_field", "no such field; there are name, role and expires_at");
}

/* False: refused, and answered. */
static bool take_body(struct request *r, struct store_api_token *row)
{
	static const char *const required[] = { "name", "role" };
	const char *key;
	json_t *value, *json = request_json(r), *errors = json_array();
	row->expires_at = time(NULL) + API_TOKEN_DAYS * DAY_S;
	if (json && !json_is_object(json))
		problem_violation(errors, "", NULL, "wrong_type", "must be a JSON object");
	json_object_foreach(json, key, value) {
		take_member(row, key, value, errors);
	}
	for (size_t i = 0; json_is_object(json) && i < 2; i++)
		if (!json_object_get(json, required[i]))
			problem_violation(errors, "", required[i], "required", "must be given");
	bool good = json && json_array_size(errors) == 0;
	if (json && !good)
		answer_problem(r, 422, NULL, json_incref(errors), "the token is not as it must be");
	json_decref(errors);
	json_decref(json);
	return good;
}

/* ------------------------------------------------------------------ on the writer's thread */

static int store_new(struct store *store, void *arg)
{
	struct write *w = arg;
	struct store_api_token other;
	unsigned count = 0;
	int e = store_api_token_find(store, w->row.name, &other);
	/* One that has run out has left its name. */
	if (!e && other.expires_at > time(NULL)) {
		w->refusal = REFUSED_EXISTS;
		return 0;
	}
	e = e ? e == ENOENT ? 0 : e : store_api_token_delete(store, w->row.name);
	if (!e)
		e = store_api_token_count(store, &count);
	if (!e && count >= API_TOKENS_MAX) {
		w->refusal = REFUSED_TOO_MANY;
		return 0;
	}
	if (!e)
		e = store_api_token_put(store, &w->row);
	return e ? e : store_account_note(store, &w->note);
}

static int store_end(struct store *store, void *arg)
{
	struct write *w = arg;
	int e = store_api_token_find(store, w->row.name, &w->row);
	if (e == ENOENT) {
		w->refusal = REFUSED_MISSING;
		return 0;
	}
	if (!e)
		e = store_api_token_delete(store, w->row.name);
	return e ? e : store_account_note(store, &w->note);
}

/* ------------------------------------------------------------------ the answer */

/* True: it was not done, and answered. */
static bool answer_refused(struct request *r, const struct write *w)
{
	if (r->error)
		answer_unavailable(r, NULL, "changes");
	else if (w->refusal == REFUSED_EXISTS)
		answer_problem(r, 409, "exists", NULL, "there is a token %s already", w->row.name);
	else if (w->refusal == REFUSED_MISSING)
		answer_problem(r, 404, NULL, NULL, "there is no token %s", w->row.name);
	else if (w->refusal == REFUSED_TOO_MANY)
		answer_problem(r, 409, "too_many_tokens", NULL, "there are %d tokens already, and no more are allowed; delete one", API_TOKENS_MAX);
	return r->error || w->refusal;
}

static void answer_created(struct request *r)
{
	const struct write *w = r->work;
	char location[128];
	if (answer_refused(r, w))
		return;
	log_info("token %s: made by %s from %s with the role %s", w->row.name, w->note.actor, r->address, w->row.role);
	json_t *body = present(r->daemon, &w->row);
	json_object_set_new(body, "token", json_string(w->token));
	answer_value(r, 201, body);
	snprintf(location, sizeof location, "/api/v1/tokens/%s", w->row.name);
	answer_header(r, "Location", location);
	answer_header(r, "Cache-Control", "no-store");
}

static void answer_deleted(struct request *r)
{
	const struct write *w = r->work;
	if (answer_refused(r, w))
		return;
	token_forget(r->daemon->tokens, w->row.jti);
	events_end_session(r->daemon->events, w->row.jti);
	log_info("token %s: revoked by %s from %s", w->row.name, w->note.actor, r->address);
	answer_empty(r, 204);
}

/* ------------------------------------------------------------------ the request */

static void stored(int error, void *arg)
{
	struct write *w = arg;
	w->request->error = error;
	request_wake(w->request);
}

static void submit(struct request *r, int (*job)(struct store *store, void *arg), void (*then)(struct request *r))
{
	request_wait(r, then);
	int e = writer_run(r->daemon->writer, job, stored, r->work);
	if (e)
		stored(e, r->work);
}

static struct write *write_new(struct request *r)
{
	struct write *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->request = r;
	r->work = w;
	r->work_free = write_free;
	return w;
}

void api_token_create(struct request *r)
{
	struct write *w = write_new(r);
	if (!w || !take_body(r, &w->row) || token_issue_api(r->daemon->tokens, &w->row, &w->token) != 0)
		return;
	account_note(&w->note, r, "tokens", w->row.name);
	w->note.op = "create";
	memcpy(w->row.created_at, w->note.at, sizeof w->row.created_at);
	memcpy(w->row.created_by, w->note.actor, sizeof w->row.created_by);
	submit(r, store_new, answer_created);
}

void api_token_delete(struct request *r)
{
	if (schema_name_fault(r->argument, strlen(r->argument))) {
		answer_problem(r, 404, NULL, NULL, "there is no token of that name");
		return;
	}
	struct write *w = write_new(r);
	if (!w)
		return;
	snprintf(w->row.name, sizeof w->row.name, "%s", r->argument);
	account_note(&w->note, r, "tokens", w->row.name);
	w->note.op = "delete";
	submit(r, store_end, answer_deleted);
}

/* ------------------------------------------------------------------ reading */

static void add_item(void *arg, const struct store_api_token *row)
{
	struct page *page = arg;
	json_array_append_new(page->items, present(page->daemon, row));
	snprintf(page->last, sizeof page->last, "%s", row->name);
}

static int read_tokens(struct page *page)
{
	return store_api_tokens(page->daemon->store, page->after, page->limit, add_item, page, &page->more);
}

void api_token_list(struct request *r)
{
	page_by_name(r, read_tokens);
}

/* One row by its key, as every check of a token reads it. */
void api_token_get(struct request *r)
{
	struct store_api_token row;
	r->error = store_api_token_get(r->daemon->store, r->argument, &row);
	if (r->error == ENOENT)
		answer_problem(r, 404, NULL, NULL, "there is no token %.80s", r->argument);
	else if (r->error)
		answer_unavailable(r, NULL, "readers");
	else
		answer_value(r, 200, present(r->daemon, &row));
}
