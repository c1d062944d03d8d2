/*
 * Secrets in an exported configuration: sealed with a key that argon2id makes of a passphrase (XChaCha20-Poly1305), each bound to
 * the kind, name and field that it belongs to.  The header object says how the key is made and proves that a passphrase is right:
 *
 *   {"kdf": "argon2id13", "opslimit": 3, "memlimit": 67108864, "salt": "…", "check": "…"}
 *
 * Texts are base64, URL-safe and without padding.
 */
#ifndef MGMTD_SEALING_H
#define MGMTD_SEALING_H

#include "mgmtd/buffer.h"
#include "mgmtd/secret.h"

#include <jansson.h>

#define SEALING_PASSPHRASE_MIN 12
#define SEALING_PASSPHRASE_MAX 1024	/* bytes */
#define SEALING_TEXT 225		/* of a sealed secret: 4/3 of nonce, tag and text; and NUL */

/* What opens and seals; any thread may read it. */
struct sealing;

/* Both take some tenths of a second and 64 MiB, of a header up to 256 MiB: never on the event thread.
 * new: with a salt of its own.  ENOMEM.
 * open: as the header says.  EINVAL: it is malformed, or the passphrase is not the one; the violation is in errors, its pointer
 * below prefix.  passphrase NULL: none was given, a violation likewise. */
int sealing_new(struct sealing **s, const char *passphrase);
int sealing_open(struct sealing **s, const json_t *header, const char *prefix, const char *passphrase, json_t *errors);
void sealing_free(struct sealing *s);

void sealing_header(const struct sealing *s, struct buffer *out);	/* appended as JSON */

void sealing_seal(const struct sealing *s, char text[SEALING_TEXT], const char *kind, const char *name, const char *field, const char *plain);
/* EBADMSG: no sealed text, of another key or another place, or damaged. */
int sealing_unseal(const struct sealing *s, char plain[SECRET_PLAIN_MAX + 1], const char *kind, const char *name, const char *field,
                   const char *text);

#endif
