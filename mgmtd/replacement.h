/*
 * The whole configuration as a document of a client's, on its way to take the place of the one there is.  It may be large, so it is
 * read and decoded before it comes to the writer, against the objects as they are then; the writer decodes anew only those that
 * changed meanwhile.
 *
 *   {"sip-parameters": {"SS_…": value}, "registrations": [{"name": …, fields}], …every kind…, "secrets": header (sealing.h)}
 */
#ifndef MGMTD_REPLACEMENT_H
#define MGMTD_REPLACEMENT_H

#include "mgmtd/change.h"
#include "mgmtd/json_body.h"
#include "mgmtd/secret.h"

#define REPLACEMENT_OBJECTS 1000000
#define REPLACEMENT_VALUE_MAX (1u << 20)	/* bytes of one object, and of all parameters */

struct replacement;	/* what the writer may need of the document; belongs to the change */

/* Takes `body`.  passphrase: of its sealed secrets, or NULL.  Blocks for as long as decoding takes: never on the event thread.
 * 0: *change, whose violations (if any) are in `errors` too; EINVAL: they are in errors, and nothing else can be found out;
 * EBADMSG: not JSON, *fault says where; ENOMEM. */
int replacement_read(struct change **change, struct model *model, const struct secrets *secrets, char *body, size_t len,
                     const char *passphrase, json_t *errors, struct json_fault *fault);
void replacement_free(struct replacement *r);

/* The value of one of its operations, parsed again and with its secrets opened.  A new reference. */
json_t *replacement_value(const struct replacement *r, const struct operation *op, json_t *errors);

#endif
