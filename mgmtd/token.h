/*
 * Log-in tokens: JWT, HS256, with a random key in <state>/jwt.key (0600) made at first start.  What was verified once is
 * kept by hash until it ends or is dropped.
 */
#ifndef MGMTD_TOKEN_H
#define MGMTD_TOKEN_H

#include "mgmtd/route.h"
#include "mgmtd/store.h"
#include "shm/shm.h"

#include <stdint.h>

#define TOKEN_LIFE_S (8 * 3600)
#define TOKEN_JTI 33		/* 32 hex digits and NUL */
#define TOKEN_MAX 2048		/* bytes of a token we look at */

struct identity {
	char username[SCHEMA_NAME_MAX + 1];
	char token[SCHEMA_NAME_MAX + 1];	/* name of the API token; "" = a log-in */
	enum role role;
	bool must_change_password;
	char jti[TOKEN_JTI];
	int64_t expires_at;	/* s since the epoch */
};

struct tokens;

int tokens_open(struct tokens **t, const char *state, struct store *store, struct shm_why *why);
void tokens_close(struct tokens *t);

/* Any thread.  The token is bound to the password as it is now: a new password ends it. */
int token_issue(struct tokens *t, const struct store_user *user, char **token, struct identity *identity);

/* On one thread only, with the three below.  EACCES: not valid, or no longer. */
int token_check(struct tokens *t, const char *token, struct identity *identity);
void token_forget(struct tokens *t, const char *jti);
void token_forget_user(struct tokens *t, const char *username);
/* This one session outlives the change of its user's password. */
void token_keep(struct tokens *t, const struct identity *identity, const struct store_user *user);

enum role role_of(const char *word);	/* ROLE_PUBLIC = no such role */

/* Why the header of a token does not fit our key, before anything decodes it: NULL = {"alg":"HS256"} and nothing critical. */
const char *token_header_fault(const char *token);

#endif
