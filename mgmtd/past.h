/*
 * The configuration as it was: what lies between two revisions, read from their records, and the whole as of one.  On the
 * reader's thread: it may take long.
 */
#ifndef MGMTD_PAST_H
#define MGMTD_PAST_H

#include "mgmtd/buffer.h"
#include "mgmtd/model.h"
#include "mgmtd/store.h"

#include <jansson.h>

/* Every object that changed in from < revision <= to, as it was at either end; one that did not exist there is a tombstone
 * (deleted).  Only kind, name, document and deleted are set; documents may be older than a field of their kind. */
struct past { struct objects before[KIND_COUNT], after[KIND_COUNT]; };

/* The cheaper of the two below.  Errors as in store.h; EPROTO: a record cannot be read. */
int past_read(struct past *past, struct store *s, uint64_t from, uint64_t to);
int past_read_records(struct past *past, struct store *s, uint64_t from, uint64_t to);	/* O(changes between) */
int past_read_objects(struct past *past, struct store *s, uint64_t from, uint64_t to);	/* O(objects), two records for each */
void past_free(struct past *past);

/* [{kind, name, op, fields: [{pointer, from, to}]}] from one end to the other; `back`: from `after` to `before`. */
json_t *past_diff(const struct past *past, bool back);

/* Appends {"revision", "at", "sip-parameters": {those set}, "registrations": [in order of name], …} as of the revision.
 * ENOENT: there is no such revision. */
int past_render(struct buffer *b, struct store *s, uint64_t revision);

/* One object as of a revision.  *document (the caller frees it): NULL = it did not exist.  ENOENT: no such revision. */
int past_object(char **document, struct store *s, const struct kind *kind, const char *name, uint64_t revision);

#endif
