/*
 * Users, API tokens, ended sessions, and who changed them: their tables in tandem.db.  A read-only connection of their own
 * serves every thread (a mutex inside); writes are done by jobs of writer_run(), in its transaction.
 *
 * Errors as in store.h.
 */
#ifndef MGMTD_STORE_ACCOUNT_H
#define MGMTD_STORE_ACCOUNT_H

#include "mgmtd/store.h"

#include <sqlite3.h>

#define STORE_JTI 33				/* 32 hex digits and NUL */
#define STORE_ACTOR (SCHEMA_NAME_MAX + 8)	/* a user, or "token:" and the name of an API token, and NUL */
#define STORE_CHANGES_KEPT 10000		/* the newest account_changes */

struct store_user {
	char username[SCHEMA_NAME_MAX + 1];
	char role[16];
	char password_hash[129];	/* crypto_pwhash_str() */
	bool must_change_password;
	int64_t version;		/* grows with every change */
	char changed_at[25];		/* "" = not known */
	char changed_by[STORE_ACTOR];
};

struct store_api_token {
	char name[SCHEMA_NAME_MAX + 1];
	char jti[STORE_JTI];
	char role[16];
	char created_at[25];
	char created_by[STORE_ACTOR];
	int64_t expires_at;		/* s since the epoch */
	int64_t last_used_at;		/* microseconds since the epoch; 0 = never */
};

/* For one row: what was done to which account by whom. */
struct store_account_change {
	char at[25];
	char actor[STORE_ACTOR];
	char token[SCHEMA_NAME_MAX + 1];	/* "" = none */
	char address[46];
	char request_id[32];
	const char *kind, *op;
	char name[SCHEMA_NAME_MAX + 1];
	char fields[64];
};

/* For store_open() alone: the part of the database that this file serves. */
struct store_accounts;
int store_accounts_open(struct store_accounts **a, const char *path, sqlite3 *writer, struct shm_why *why);
void store_accounts_close(struct store_accounts *a);
struct store_accounts *store_accounts(struct store *s);

/* --- any thread, read-only: what is committed */
int store_user_get(struct store *s, const char *username, struct store_user *user);
int store_user_any(struct store *s);		/* ENOENT: there is no user at all */
/* Up to `limit` rows after the name `after`, by name; *more = there are others.  each() gets an array of its own. */
int store_users(struct store *s, const char *after, unsigned limit, void (*each)(void *arg, const struct store_user *user),
                void *arg, bool *more);
int store_api_token_get(struct store *s, const char *name, struct store_api_token *token);
int store_api_tokens(struct store *s, const char *after, unsigned limit,
                     void (*each)(void *arg, const struct store_api_token *token), void *arg, bool *more);
bool store_token_revoked(struct store *s, const char *jti);	/* also true when the database cannot tell */
/* Items {seq, at, actor, …} with seq < before (0 = from the newest), the newest first. */
int store_account_changes(struct store *s, uint64_t before, unsigned limit, json_t *items, bool *more);

/* --- inside a job of writer_run() only: what this transaction has made of it */
int store_user_find(struct store *s, const char *username, struct store_user *user);
int store_user_admins(struct store *s, unsigned *count);
int store_user_put(struct store *s, const struct store_user *user);
int store_user_delete(struct store *s, const char *username);
int store_token_revoke(struct store *s, const char *jti, int64_t expires_at);
int store_api_token_find(struct store *s, const char *name, struct store_api_token *token);
int store_api_token_count(struct store *s, unsigned *count);
int store_api_token_put(struct store *s, const struct store_api_token *token);
int store_api_token_delete(struct store *s, const char *name);
int store_api_token_used(struct store *s, const char *jti, int64_t at_us);
int store_account_note(struct store *s, const struct store_account_change *change);

/* The version, time and author of a change of this user that is made now. */
void store_user_touch(struct store_user *user, const char *by);

#endif
