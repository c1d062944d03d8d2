/*
 * Keys and secrets at rest.  One master key, <state>/secret.key (0600, made at first start), from which a key per purpose
 * is derived.  A document holds a secret only as a reference: a keyed hash of it, bound to its place.  The sealed
 * secret itself lies beside, under that reference; history thus stays verifiable when a secret is removed.
 */
#ifndef MGMTD_SECRET_H
#define MGMTD_SECRET_H

#include "schema/schema.h"
#include "shm/shm.h"

#define SECRET_REFERENCE 65	/* 64 hex digits and NUL */
#define SECRET_PLAIN_MAX 128
#define SECRET_BOX_MAX (24 + 16 + SECRET_PLAIN_MAX)	/* nonce, tag, text */

struct secrets;

/* Errors: from the system; EPERM the key file can be read by others or belongs to another user; EINVAL wrong size.
 * create: make the key when there is none (a new state directory); else ENOENT: without it the stored secrets are lost. */
int secrets_open(struct secrets **s, const char *state, bool create, struct shm_why *why);
void secrets_close(struct secrets *s);

void secret_reference(const struct secrets *s, char reference[SECRET_REFERENCE], const char *kind, const char *name,
                      const char *field, const char *plain);
void secret_seal(const struct secrets *s, unsigned char box[SECRET_BOX_MAX], size_t *size, const char *plain);
/* plain: at least SECRET_PLAIN_MAX + 1 bytes.  EBADMSG: not sealed with this key, or damaged. */
int secret_open(const struct secrets *s, char *plain, const unsigned char *box, size_t size);

/* The line= token of a registration's Contact: HMAC of its name, the same as long as the state directory lives. */
void secret_line_token(const struct secrets *s, char token[SCHEMA_LINE_LEN + 1], const char *name);

#endif
