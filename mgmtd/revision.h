/*
 * The record of one revision: who changed what, when and why, as the canonical JSON text that the hash chain covers:
 *   {revision, at, actor, address, token, comment, request_id, changes: [{kind, name, op, before, after}]}
 * before and after are canonical documents, or null.
 */
#ifndef MGMTD_REVISION_H
#define MGMTD_REVISION_H

#include "mgmtd/change.h"

#include <jansson.h>

/* What GET /revisions lists of a record: each change as {kind, name, op}.  A new reference. */
json_t *revision_item(const json_t *record);

/* What GET /revisions/{n} tells: before and after presentable, and the fields that differ.  A new reference. */
json_t *revision_detail(const json_t *record);

/* The record (whole), or only the list item of it, of a change that does this to objects; the caller frees the text. */
char *revision_text(const struct change *change, const struct objects objects[KIND_COUNT], uint64_t revision, const char *at,
                    bool whole, size_t *len);

#endif
