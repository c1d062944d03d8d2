#include "mgmtd/session.h"

#include "mgmtd/answer.h"
#include "mgmtd/account.h"
#include "mgmtd/cookie.h"
#include "mgmtd/events.h"
#include "mgmtd/log.h"
#include "mgmtd/password.h"
#include "mgmtd/problem.h"
#include "mgmtd/throttle.h"
#include "mgmtd/worker.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the hasher works on: a log-in, or a change of password. */
struct session {
	struct job job;
	struct request *request;
	struct tokens *tokens;
	struct store *store;
	char *typed;			/* the user name as it came */
	char username[SCHEMA_NAME_MAX + 1];
	bool exists;			/* the account */
	bool tried;			/* the throttle waits to hear how it ended */
	char *password, *new_password;	/* wiped when freed */
	struct store_user user;
	bool overtaken;			/* by another change of the user */
	struct identity identity;
	char *token;
};

static void wipe(char *text)
{
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}

/* How a try ended, to be told once. */
static void end_try(struct session *s, enum throttle_outcome outcome)
{
	struct request *r = s->request;
	if (s->tried)
		throttle_end(r->daemon->throttle, s->typed, r->address, outcome, s->exists, time_monotonic_ms());
	s->tried = false;
}

static void session_free(void *work)
{
	struct session *s = work;
	end_try(s, THROTTLE_UNDECIDED);
	wipe(s->typed);
	wipe(s->password);
	wipe(s->new_password);
	wipe(s->token);
	sodium_memzero(s, sizeof *s);
	free(s);
}

/* Puts a session to work for the request; NULL = out of memory. */
static struct session *session_new(struct request *r)
{
	struct session *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->request = r;
	s->tokens = r->daemon->tokens;
	s->store = r->daemon->store;
	r->work = s;
	r->work_free = session_free;
	return s;
}

/* Hands the work to the hasher; `then` runs with r->error. */
static void hash(struct request *r, void (*run)(struct job *job, bool cancelled), void (*then)(struct request *r))
{
	struct session *s = r->work;
	s->job.run = run;
	request_hand_over(r, r->daemon->hasher, &s->job, then);
}

static void finish(struct session *s, int error)
{
	s->request->error = error;
	request_wake(s->request);
}

static void answer_mishap(struct request *r)
{
	answer_unavailable(r, "too_many_logins", "log-ins");
}

/* False: refused, and answered. */
static bool may_try(struct request *r, struct session *s)
{
	char seconds[24];
	bool known;
	int64_t wait_ms = throttle_try(r->daemon->throttle, s->typed, r->address, time_monotonic_ms(), &known);
	s->tried = wait_ms == 0;
	if (known)
		snprintf(r->tried, sizeof r->tried, "%s", s->username);
	if (s->tried)
		return true;
	snprintf(seconds, sizeof seconds, "%" PRId64, (wait_ms + 999) / 1000);
	answer_problem(r, 429, NULL, NULL, "too many wrong passwords; try again in %s s", seconds);
	answer_header(r, "Retry-After", seconds);
	return false;
}

/* ------------------------------------------------------------------ bodies of texts */

struct text_field { const char *name; char **to; size_t max; };

static void take_field(struct text_field *field, const json_t *value, json_t *errors)
{
	if (!json_is_string(value))
		problem_violation(errors, "", field->name, "wrong_type", "must be a text");
	else if (json_string_length(value) > field->max)
		problem_violation(errors, "", field->name, "too_long", "must not exceed %zu bytes; got %zu", field->max,
		                  json_string_length(value));
	else
		*field->to = strdup(json_string_value(value));
}

/* Takes {name: text, …} with exactly these fields.  False: answered. */
static bool take_texts(struct request *r, struct text_field *fields, size_t count)
{
	const char *key;
	json_t *value, *errors = json_array(), *body = request_json(r);
	if (body && !json_is_object(body))
		problem_violation(errors, "", NULL, "wrong_type", "must be a JSON object");
	json_object_foreach(body, key, value) {
		size_t i = 0;
		while (i < count && strcmp(fields[i].name, key) != 0)
			i++;
		if (i < count)
			take_field(&fields[i], value, errors);
		else
			problem_violation(errors, "", key, "unknown_field", "no such field; there are %s and %s", fields[0].name,
			                  fields[1].name);
	}
	for (size_t i = 0; json_is_object(body) && i < count; i++)
		if (!json_object_get(body, fields[i].name))
			problem_violation(errors, "", fields[i].name, "required", "must be given");
	bool good = body && json_array_size(errors) == 0;
	if (body && !good)
		answer_problem(r, 422, NULL, json_incref(errors), "the body is not as it must be");
	json_decref(errors);
	json_decref(body);
	return good;
}

/* ------------------------------------------------------------------ logging in */

static void log_in(struct job *job, bool cancelled)
{
	struct session *s = (struct session *)((char *)job - offsetof(struct session, job));
	if (cancelled) {
		finish(s, ECANCELED);
		return;
	}
	int e = store_user_get(s->store, s->username, &s->user);
	if (e && e != ENOENT) {
		finish(s, e);
		return;
	}
	s->exists = e == 0;
	bool matches = password_matches(e ? NULL : s->user.password_hash, s->password);
	if (matches)
		e = token_issue(s->tokens, &s->user, &s->token, &s->identity);
	finish(s, matches ? e : EACCES);
}

static json_t *describe(const struct request *r, const struct identity *identity)
{
	char at[25], csrf[TOKEN_CSRF];
	time_text(at, (uint64_t)identity->expires_at * 1000000);
	token_csrf(r->daemon->tokens, csrf, identity->jti);
	return json_pack("{s:s, s:s, s:s, s:s, s:b}", "expires_at", at, "role", role_words[identity->role], "username",
	                 identity->username, "csrf_token", csrf, "must_change_password", identity->must_change_password);
}

/* What was typed as a name that nobody has may be a password: it is told to nobody. */
static void answer_wrong_password(struct request *r)
{
	const struct session *s = r->work;
	if (s->exists)
		snprintf(r->tried, sizeof r->tried, "%s", s->username);
	log_info("session: log-in of %s from %s refused", s->exists ? s->username : "an unknown user", r->address);
	answer_problem(r, 401, NULL, NULL, "wrong user name or password");
	answer_header(r, "WWW-Authenticate", "Bearer");
}

static void answer_log_in(struct request *r)
{
	struct session *s = r->work;
	if (r->error == EACCES) {
		end_try(s, THROTTLE_FAILED);
		answer_wrong_password(r);
		return;
	}
	if (r->error) {
		answer_mishap(r);
		return;
	}
	end_try(s, THROTTLE_PASSED);
	json_t *body = json_object();
	json_object_set_new(body, "token", json_string(s->token));
	json_t *rest = describe(r, &s->identity);
	json_object_update(body, rest);
	json_decref(rest);
	log_info("session: %s logged in from %s", s->identity.username, r->address);
	answer_value(r, 200, body);
	answer_header(r, "Cache-Control", "no-store");
	cookie_set(r, s->token);
}

void session_log_in(struct request *r)
{
	struct session *s = session_new(r);
	if (!s)
		return;
	struct text_field fields[] = { { "username", &s->typed, PASSWORD_MAX }, { "password", &s->password, PASSWORD_MAX } };
	if (!take_texts(r, fields, 2) || !s->typed || !s->password)
		return;
	/* A name that no account can have goes the same way as an unknown one. */
	snprintf(s->username, sizeof s->username, "%s", schema_name_fault(s->typed, strlen(s->typed)) ? "" : s->typed);
	if (may_try(r, s))
		hash(r, log_in, answer_log_in);
}

void session_show(struct request *r)
{
	answer_value(r, 200, describe(r, &r->identity));
	answer_header(r, "Cache-Control", "no-store");
}

/* ------------------------------------------------------------------ logging out */

static int revoke_token(struct store *store, void *arg)
{
	const struct identity *identity = &((struct request *)arg)->identity;
	return store_token_revoke(store, identity->jti, identity->expires_at);
}

static void stored(int error, void *arg)
{
	struct request *r = arg;
	r->error = error;
	request_wake(r);
}

static void answer_log_out(struct request *r)
{
	if (r->error) {
		answer_mishap(r);
		return;
	}
	token_forget(r->daemon->tokens, r->identity.jti);
	events_end_session(r->daemon->events, r->identity.jti);
	log_info("session: %s logged out", r->identity.username);
	answer_empty(r, 204);
	cookie_clear(r);
}

static bool refuse_api_token(struct request *r)
{
	if (r->identity.token[0])
		answer_problem(r, 403, "api_token", NULL, "the API token %s is no log-in; an administrator ends it with DELETE "
		               "/api/v1/tokens/%s", r->identity.token, r->identity.token);
	return r->identity.token[0] != '\0';
}

void session_log_out(struct request *r)
{
	if (refuse_api_token(r))
		return;
	request_wait(r, answer_log_out);
	int e = writer_run(r->daemon->writer, revoke_token, stored, r);
	if (e)
		stored(e, r);
}

/* ------------------------------------------------------------------ another password */

static void rehash(struct job *job, bool cancelled)
{
	struct session *s = (struct session *)((char *)job - offsetof(struct session, job));
	int e = cancelled ? ECANCELED : store_user_get(s->store, s->username, &s->user);
	if (!e && !password_matches(s->user.password_hash, s->password))
		e = EACCES;
	if (!e)
		e = password_hash(s->user.password_hash, s->new_password);
	finish(s, e);
}

/* An administrator may have changed the user while the new password was hashed: that change wins. */
static int store_password(struct store *store, void *arg)
{
	struct session *s = ((struct request *)arg)->work;
	struct store_user now;
	int e = store_user_find(store, s->username, &now);
	s->overtaken = e == ENOENT || (!e && now.version != s->user.version);
	if (e || s->overtaken)
		return e == ENOENT ? 0 : e;
	s->user.must_change_password = false;
	store_user_touch(&s->user, s->username);
	return store_user_put(store, &s->user);
}

static void answer_changed(struct request *r)
{
	struct session *s = r->work;
	if (r->error) {
		answer_mishap(r);
		return;
	}
	if (s->overtaken) {
		answer_problem(r, 409, NULL, NULL, "an administrator has changed this user just now; log in again");
		return;
	}
	/* Every other session of this user ends with the old password. */
	token_keep(r->daemon->tokens, &r->identity, &s->user);
	token_forget_user(r->daemon->tokens, s->username);
	events_end_user(r->daemon->events, s->username, r->identity.jti);
	account_forget_initial_password(r->daemon->options.state, s->username);
	log_info("session: %s changed the password", s->username);
	answer_empty(r, 204);
}

static void answer_rehashed(struct request *r)
{
	struct session *s = r->work;
	if (r->error == EACCES) {
		end_try(s, THROTTLE_FAILED);
		json_t *errors = json_array();
		problem_violation(errors, "", "current", "bad_format", "is not the password");
		answer_problem(r, 403, "wrong_password", errors, "the current password is wrong");
		return;
	}
	if (r->error) {
		answer_mishap(r);
		return;
	}
	end_try(s, THROTTLE_PASSED);
	request_wait(r, answer_changed);
	int e = writer_run(r->daemon->writer, store_password, stored, r);
	if (e)
		stored(e, r);
}

static bool refuse_new(struct request *r, const struct session *s)
{
	const char *fault = password_fault(s->new_password, strlen(s->new_password));
	if (!fault && strcmp(s->new_password, s->password) == 0)
		fault = "must be another than the current one";
	if (!fault)
		return false;
	json_t *errors = json_array();
	json_t *v = problem_violation(errors, "", "new", "bad_format", "%s", fault);
	json_object_set_new(v, "min", json_integer(PASSWORD_MIN));
	answer_problem(r, 422, NULL, errors, "the new password %s", fault);
	return true;
}

void session_change_password(struct request *r)
{
	struct session *s = refuse_api_token(r) ? NULL : session_new(r);
	if (!s)
		return;
	struct text_field fields[] = { { "current", &s->password, PASSWORD_MAX }, { "new", &s->new_password, PASSWORD_MAX } };
	if (!take_texts(r, fields, 2) || !s->password || !s->new_password || refuse_new(r, s))
		return;
	snprintf(s->username, sizeof s->username, "%s", r->identity.username);
	s->exists = true;
	s->typed = strdup(s->username);
	/* A session that somebody left open must not be a way to guess its password. */
	if (s->typed && may_try(r, s))
		hash(r, rehash, answer_rehashed);
}
