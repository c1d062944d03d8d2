/* The first account: made at first start. */
#ifndef MGMTD_ACCOUNT_H
#define MGMTD_ACCOUNT_H

#include "mgmtd/options.h"
#include "mgmtd/writer.h"

/* Makes the user "admin" if there is none: with the password in --admin-password-file, or with a random one that is left
 * in <state>/initial-admin-password (0600) and must be changed. */
int account_prepare(struct writer *writer, const struct options *options, struct shm_why *why);

/* After a change of password: the file has done its duty. */
void account_forget_initial_password(const char *state, const char *username);

#endif
