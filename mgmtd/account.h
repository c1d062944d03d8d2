/* The first account, made at first start; and the record of what is done to accounts. */
#ifndef MGMTD_ACCOUNT_H
#define MGMTD_ACCOUNT_H

#include "mgmtd/options.h"
#include "mgmtd/request.h"
#include "mgmtd/store_account.h"
#include "mgmtd/writer.h"

/* Makes the user "admin" if there is no user at all: with the password in --admin-password-file, or with a random one that is left
 * in <state>/initial-admin-password (0600) and must be changed. */
int account_prepare(struct writer *writer, const struct options *options, struct shm_why *why);

/* After a change of password: the file has done its duty. */
void account_forget_initial_password(const char *state, const char *username);

/* What the request does to the account `name` of `kind` ("users", "tokens"); op and fields are the caller's. */
void account_note(struct store_account_change *note, struct request *r, const char *kind, const char *name);

/* The member `role` of a body; what is wrong with it goes to errors. */
void account_take_role(char role[16], const json_t *value, json_t *errors);

void account_list_changes(struct request *r);	/* GET /account-changes */

#endif
