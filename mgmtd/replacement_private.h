/* What the files of a replacement share: replacement.c (the document), replacement_object.c (its objects). */
#ifndef MGMTD_REPLACEMENT_PRIVATE_H
#define MGMTD_REPLACEMENT_PRIVATE_H

#include "mgmtd/replacement.h"

struct sealing;

struct replacement {
	char *body;
	size_t len;
	struct sealing *sealing;	/* NULL: its secrets are in the clear, or not there */
};

struct stretch { const char *text; size_t len; };

/* What decoding asks for and gives; errors and fault are the thread's own. */
struct decoder {
	struct model *model;
	const struct secrets *secrets;
	const struct replacement *whole;
	json_t *errors;
	struct json_fault fault;
};

/* A stretch of the body.  EBADMSG: not JSON, or too long; the fault says where. */
int replacement_parse(struct decoder *d, json_t **value, const struct stretch *stretch);
int replacement_not_json(struct decoder *d, const char *at, const char *text);	/* EBADMSG */

/* Every operation that has a text: its name, and what comes of it.  Violations go to d->errors; EBADMSG, ENOMEM. */
int replacement_decode(struct decoder *d, struct operation *operations, size_t count);

#endif
