/* Passwords: argon2id.  A check takes about a tenth of a second and 64 MiB; only the hasher thread and the start do it. */
#ifndef MGMTD_PASSWORD_H
#define MGMTD_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#define PASSWORD_MIN 12		/* characters */
#define PASSWORD_MAX 1024	/* bytes */
#define PASSWORD_HASH 129	/* with NUL */

/* NULL = acceptable, else a sentence. */
const char *password_fault(const char *password, size_t len);

int password_hash(char hash[PASSWORD_HASH], const char *password);
/* hash NULL: takes the time of a check and is false, so that nobody can tell whether an account exists. */
bool password_matches(const char *hash, const char *password);

#endif
