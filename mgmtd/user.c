#include "mgmtd/user.h"

#include "mgmtd/account.h"
#include "mgmtd/answer.h"
#include "mgmtd/events.h"
#include "mgmtd/log.h"
#include "mgmtd/page.h"
#include "mgmtd/password.h"
#include "mgmtd/problem.h"
#include "mgmtd/user_body.h"
#include "mgmtd/worker.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG 32

enum verb { CREATE, PUT, PATCH, DELETE };

/* Why the writer did not do it; the transaction goes on, since others share it. */
enum refusal { REFUSED_NOT, REFUSED_EXISTS, REFUSED_MISSING, REFUSED_MOVED, REFUSED_INCOMPLETE, REFUSED_LAST_ADMIN };

/* A write on its way: checked, its password hashed, then judged and stored by the writer. */
struct write {
	struct job job;
	struct request *request;
	enum verb verb;
	struct user_body body;
	char username[SCHEMA_NAME_MAX + 1];
	char hash[PASSWORD_HASH];		/* "" = the password stays */
	char *if_match;
	bool if_none_match;
	struct store_account_change note;

	enum refusal refusal;
	bool existed, changed;
	struct store_user user;			/* as it is now, or as it was */
};

static void write_free(void *work)
{
	struct write *w = work;
	user_body_clear(&w->body);
	free(w->if_match);
	free(w);
}

static void tag_of(char tag[TAG], const struct store_user *user)
{
	snprintf(tag, TAG, "\"u%" PRId64 "\"", user->version);
}

static json_t *present(const struct store_user *user)
{
	return json_pack("{s:s, s:s, s:{s:b}, s:b, s:o, s:o}", "username", user->username, "role", user->role, "password", "set", 1,
	                 "must_change_password", user->must_change_password,
	                 "changed_at", user->changed_at[0] ? json_string(user->changed_at) : json_null(),
	                 "changed_by", user->changed_by[0] ? json_string(user->changed_by) : json_null());
}

/* ------------------------------------------------------------------ on the writer's thread */

static bool precondition_holds(const struct write *w)
{
	char tag[TAG];
	tag_of(tag, &w->user);
	if (w->if_none_match && w->existed)
		return false;
	return !w->if_match || (w->existed && (strcmp(w->if_match, "*") == 0 || strcmp(w->if_match, tag) == 0));
}

static enum refusal judge(const struct write *w)
{
	if (w->verb == CREATE && w->existed)
		return REFUSED_EXISTS;
	if (w->verb >= PATCH && !w->existed)
		return REFUSED_MISSING;
	if (!precondition_holds(w))
		return REFUSED_MOVED;
	if (w->verb <= PUT && ((!w->existed && !w->hash[0]) || !w->body.role[0]))
		return REFUSED_INCOMPLETE;
	return REFUSED_NOT;
}

static void add_field(struct write *w, const char *name)
{
	size_t len = strlen(w->note.fields);
	snprintf(w->note.fields + len, sizeof w->note.fields - len, "%s%s", len ? "," : "", name);
	w->changed = true;
}

/* What the body makes of the user that there is; the names of what changed go to the note. */
static void apply(struct write *w, struct store_user *user)
{
	bool must_change = w->body.must_change_given ? w->body.must_change_password : w->verb == PUT ? false : user->must_change_password;
	snprintf(user->username, sizeof user->username, "%s", w->username);
	if (w->body.role[0] && strcmp(user->role, w->body.role) != 0) {
		snprintf(user->role, sizeof user->role, "%s", w->body.role);
		add_field(w, "role");
	}
	if (w->hash[0]) {
		snprintf(user->password_hash, sizeof user->password_hash, "%s", w->hash);
		add_field(w, "password");
	}
	if (user->must_change_password != must_change) {
		user->must_change_password = must_change;
		add_field(w, "must_change_password");
	}
}

static int carry_out(struct store *store, struct write *w)
{
	struct store_user user = w->user;
	unsigned admins = 0;
	if (w->verb == DELETE)
		w->changed = true;
	else
		apply(w, &user);
	if (!w->changed)
		return 0;
	int e = store_user_admins(store, &admins);
	bool was_admin = w->existed && strcmp(w->user.role, "admin") == 0;
	bool stays_admin = w->verb != DELETE && strcmp(user.role, "admin") == 0;
	if (!e && was_admin && !stays_admin && admins <= 1) {
		w->refusal = REFUSED_LAST_ADMIN;
		return 0;
	}
	store_user_touch(&user, w->note.actor);
	if (!e)
		e = w->verb == DELETE ? store_user_delete(store, w->username) : store_user_put(store, &user);
	if (!e)
		e = store_account_note(store, &w->note);
	w->user = user;
	return e;
}

static int store_write(struct store *store, void *arg)
{
	struct write *w = arg;
	int e = store_user_find(store, w->username, &w->user);
	w->existed = e == 0;
	if (e && e != ENOENT)
		return e;
	if (e)
		w->user = (struct store_user){ 0 };
	w->note.op = w->verb == DELETE ? "delete" : w->existed ? "update" : "create";
	w->refusal = judge(w);
	return w->refusal ? 0 : carry_out(store, w);
}

/* ------------------------------------------------------------------ the answer */

static void answer_incomplete(struct request *r, const struct write *w)
{
	json_t *errors = json_array();
	if (!w->body.role[0])
		problem_violation(errors, "", "role", "required", "must be given: viewer, operator or admin");
	if (!w->existed && !w->hash[0])
		problem_violation(errors, "", "password", "required", "a new user must have a password");
	answer_problem(r, 422, NULL, errors, "the user is not as it must be");
}

static void answer_refused(struct request *r, const struct write *w)
{
	char tag[TAG];
	switch (w->refusal) {
	case REFUSED_EXISTS:
		answer_problem(r, 409, "exists", NULL, "there is a user %s already", w->username);
		break;
	case REFUSED_MISSING:
		answer_problem(r, 404, NULL, NULL, "there is no user %s", w->username);
		break;
	case REFUSED_MOVED:
		answer_problem(r, 412, NULL, NULL, w->existed ? "the user %s is not as If-Match or If-None-Match says" :
		               "there is no user %s", w->username);
		if (w->existed) {
			tag_of(tag, &w->user);
			answer_header(r, "ETag", tag);
		}
		break;
	case REFUSED_LAST_ADMIN:
		answer_problem(r, 409, "last_admin", NULL, "%s is the only user with the role admin; make another one first", w->username);
		break;
	default:
		answer_incomplete(r, w);
	}
}

/* Whoever is logged in as this user is not any more, nor listens. */
static void end_sessions(struct request *r, const struct write *w)
{
	token_forget_user(r->daemon->tokens, w->username);
	events_end_user(r->daemon->events, w->username, NULL);
	if (w->hash[0] || w->verb == DELETE)
		account_forget_initial_password(r->daemon->options.state, w->username);
	log_info("user %s: %sd by %s from %s%s%s", w->username, w->note.op, w->note.actor, r->address,
	         w->note.fields[0] ? ": " : "", w->note.fields);
}

static void answer_written(struct request *r)
{
	const struct write *w = r->work;
	char tag[TAG], location[128];
	if (r->error) {
		answer_unavailable(r, NULL, "changes");
		return;
	}
	if (w->refusal) {
		answer_refused(r, w);
		return;
	}
	if (w->changed)
		end_sessions(r, w);
	if (w->verb == DELETE) {
		answer_empty(r, 204);
		return;
	}
	answer_value(r, w->existed ? 200 : 201, present(&w->user));
	tag_of(tag, &w->user);
	answer_header(r, "ETag", tag);
	snprintf(location, sizeof location, "/api/v1/users/%s", w->username);
	if (!w->existed)
		answer_header(r, "Location", location);
}

/* ------------------------------------------------------------------ the request */

static void stored(int error, void *arg)
{
	struct write *w = arg;
	w->request->error = error;
	request_wake(w->request);
}

static void submit(struct request *r)
{
	struct write *w = r->work;
	request_wait(r, answer_written);
	int e = writer_run(r->daemon->writer, store_write, stored, w);
	if (e)
		stored(e, w);
}

static void hash_password(struct job *job, bool cancelled)
{
	struct write *w = (struct write *)((char *)job - offsetof(struct write, job));
	w->request->error = cancelled ? ECANCELED : password_hash(w->hash, w->body.password);
	request_wake(w->request);
}

static void answer_hashed(struct request *r)
{
	if (r->error)
		answer_unavailable(r, "too_many_logins", "passwords");
	else
		submit(r);
}

static void go_on(struct request *r, struct write *w)
{
	if (!w->body.password) {
		submit(r);
		return;
	}
	w->job.run = hash_password;
	request_hand_over(r, r->daemon->hasher, &w->job, answer_hashed);
}

/* A name that no user can have. */
static bool refuse_path_name(struct request *r, enum verb verb)
{
	const char *fault = schema_name_fault(r->argument, strlen(r->argument));
	if (fault && verb == PUT)
		answer_problem(r, 422, NULL, NULL, "the name in the path: %s", fault);
	else if (fault)
		answer_problem(r, 404, NULL, NULL, "there is no user of that name");
	return fault != NULL;
}

static void start(struct request *r, enum verb verb)
{
	struct write *w = calloc(1, sizeof *w);
	if (!w)
		return;
	r->work = w;
	r->work_free = write_free;
	w->request = r;
	w->verb = verb;
	if (verb != DELETE && !user_body_take(r, &w->body, verb == CREATE))
		return;
	snprintf(w->username, sizeof w->username, "%s", verb == CREATE ? w->body.username : r->argument);
	if (verb != CREATE && refuse_path_name(r, verb))
		return;
	if (verb == DELETE && strcmp(w->username, r->identity.username) == 0) {
		answer_problem(r, 409, "own_account", NULL, "nobody can delete the user that he is logged in as");
		return;
	}
	if (r->head.if_match.value && !(w->if_match = strdup(r->head.if_match.value)))
		return;
	w->if_none_match = r->head.if_none_match.value != NULL;
	account_note(&w->note, r, "users", w->username);
	go_on(r, w);
}

void user_create(struct request *r)
{
	start(r, CREATE);
}

void user_put(struct request *r)
{
	start(r, PUT);
}

void user_patch(struct request *r)
{
	start(r, PATCH);
}

void user_delete(struct request *r)
{
	start(r, DELETE);
}

/* ------------------------------------------------------------------ reading */

static void add_item(void *arg, const struct store_user *user)
{
	struct page *page = arg;
	json_array_append_new(page->items, present(user));
	snprintf(page->last, sizeof page->last, "%s", user->username);
}

static int read_users(struct page *page)
{
	return store_users(page->daemon->store, page->after, page->limit, add_item, page, &page->more);
}

void user_list(struct request *r)
{
	page_by_name(r, read_users);
}

/* One row by its key, as every check of a token reads it. */
void user_get(struct request *r)
{
	struct store_user user;
	char tag[TAG];
	int e = store_user_get(r->daemon->store, r->argument, &user);
	r->error = e;
	if (e == ENOENT) {
		answer_problem(r, 404, NULL, NULL, "there is no user %.80s", r->argument);
	} else if (e) {
		answer_unavailable(r, NULL, "readers");
	} else {
		answer_value(r, 200, present(&user));
		tag_of(tag, &user);
		answer_header(r, "ETag", tag);
	}
}
