/*
 * Tokens of log-ins and of the API's scripts: JWT, HS256, with a random key in <state>/jwt.key (0600) made at first start.
 * What was verified once is kept by hash until it ends or is dropped.
 */
#ifndef MGMTD_TOKEN_H
#define MGMTD_TOKEN_H

#include "mgmtd/route.h"
#include "mgmtd/store_account.h"
#include "mgmtd/token_use.h"
#include "shm/shm.h"

#include <stdint.h>

#define TOKEN_LIFE_S (8 * 3600)
#define TOKEN_CSRF 65		/* 64 hex digits and NUL */
#define TOKEN_MAX 2048		/* bytes of a token we look at */

struct identity {
	char username[STORE_ACTOR];		/* of an API token "token:" and its name, which no user can have */
	char token[SCHEMA_NAME_MAX + 1];	/* name of the API token; "" = a log-in */
	enum role role;
	bool must_change_password;
	char jti[STORE_JTI];
	int64_t expires_at;	/* s since the epoch */
};

struct tokens;

int tokens_open(struct tokens **t, const char *state, struct store *store, struct shm_why *why);
void tokens_close(struct tokens *t);

/* Any thread.  The token is bound to the password as it is now: a new password ends it. */
int token_issue(struct tokens *t, const struct store_user *user, char **token, struct identity *identity);

/* The token of this row, whose jti is filled in; name, role and expires_at are the caller's.  Any thread. */
int token_issue_api(struct tokens *t, struct store_api_token *row, char **token);

/* What a write that comes by cookie must show: bound to the session, and worth nothing without it. */
void token_csrf(const struct tokens *t, char csrf[TOKEN_CSRF], const char *jti);

/* On one thread only, with the three below.  EACCES: not valid, or no longer. */
int token_check(struct tokens *t, const char *token, struct identity *identity);
void token_forget(struct tokens *t, const char *jti);
void token_forget_user(struct tokens *t, const char *username);
/* This one session outlives the change of its user's password. */
void token_keep(struct tokens *t, const struct identity *identity, const struct store_user *user);

struct token_uses *token_uses(struct tokens *t);

enum role role_of(const char *word);	/* ROLE_PUBLIC = no such role */

/* Why the header of a token does not fit our key, before anything decodes it: NULL = {"alg":"HS256"} and nothing critical. */
const char *token_header_fault(const char *token);

#endif
