/*
 * The record of one revision: who changed what, when and why, as the canonical JSON text that the hash chain covers:
 *   {revision, at, actor, address, token, comment, request_id, changes: [{kind, name, op, before, after}]}
 * before and after are canonical documents, or null.
 */
#ifndef MGMTD_REVISION_H
#define MGMTD_REVISION_H

#include "mgmtd/buffer.h"
#include "mgmtd/change.h"
#include "mgmtd/members.h"

#include <jansson.h>

/* One change in the text of a record; the texts lie in it. */
struct revision_change {
	char path[SCHEMA_NAME_MAX + 1];	/* its kind */
	const struct kind *kind;	/* NULL = of none that this program knows */
	char name[SCHEMA_NAME_MAX + 1];
	struct member op;		/* without its quotation marks */
	struct member before, after;	/* documents, or null */
};
bool revision_absent(const struct member *document);	/* it is null */

/* Each change in a record's text, in order and without parsing what the objects were and are.  Ends with the first error of
 * each(); EINVAL: this is not the text of a record. */
int revision_each_change(const char *record, int (*each)(void *arg, const struct revision_change *change), void *arg);

/* Of a record's text: when, and the number it gives itself.  EINVAL: this is none. */
int revision_at(char at[TIME_TEXT], uint64_t *number, const char *record);

/* Whose record it is.  EINVAL. */
int revision_actor(char actor[SCHEMA_NAME_MAX + 1], const char *record);

/* Appends what GET /revisions lists of a record's text: each change as {kind, name, op}.  EINVAL: this is not the text of a record. */
int revision_item(struct buffer *b, const char *record);

/* The words q, in any case, stand in its comment or in the name of an object that it touches. */
bool revision_mentions(const char *record, const char *q);

/* What GET /revisions/{n} tells: before and after presentable, and the fields that differ.  A new reference. */
json_t *revision_detail(const json_t *record);

/* The record (whole), or only the list item of it, of a change that does this to objects; the caller frees the text. */
char *revision_text(const struct change *change, const struct objects objects[KIND_COUNT], uint64_t revision, const char *at,
                    bool whole, size_t *len);

#endif
