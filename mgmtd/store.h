/*
 * The database: the only file with SQL.  One connection belongs to the writer thread; another, read-only, serves history
 * and users to the rest (guarded by a mutex inside).
 */
#ifndef MGMTD_STORE_H
#define MGMTD_STORE_H

#include "mgmtd/model.h"

#include <jansson.h>

struct store;

struct store_user {
	char username[SCHEMA_NAME_MAX + 1];
	char role[16];
	char password_hash[129];	/* crypto_pwhash_str() */
	bool must_change_password;
};

/* --- any thread, read-only.  Errors: ENOENT; EIO for the database. */
int store_user_get(struct store *s, const char *username, struct store_user *user);
bool store_token_revoked(struct store *s, const char *jti);

struct revision_filter { uint64_t before; unsigned limit; };	/* before: cursor, 0 = from the newest */
/* Appends list items of GET /revisions to `items`; *next = cursor of the next page, 0 = none. */
int store_revisions(struct store *s, const struct revision_filter *filter, json_t *items, uint64_t *next);
/* One revision with before, after and fields of each change; a new reference in *revision. */
int store_revision(struct store *s, uint64_t number, json_t **revision);

/* --- inside a job of writer_run() only */
int store_user_put(struct store *s, const struct store_user *user);
int store_token_revoke(struct store *s, const char *jti, int64_t expires_at);

#endif
