/* The values of a canonical document as stretches of its text: what a change leaves alone need not be parsed. */
#ifndef MGMTD_MEMBERS_H
#define MGMTD_MEMBERS_H

#include "schema/schema.h"

#define MEMBERS_MAX 64		/* fields of a kind */

struct member { const char *value; size_t len; };

/* Fills one member for each field of the kind, in the schema's order.
 * EINVAL: the text is not what document_decode() makes now, for example because it is older than a field. */
int members_find(struct member members[MEMBERS_MAX], const struct kind *kind, const char *text);

/* From the first character of a JSON value, written without blanks: the comma or bracket behind it; NULL = the text ends before. */
const char *members_skip(const char *value);

#endif
