/*
 * Going back: change-sets whose operations come from the history instead of a body.  A restore (POST /revisions/{n}/restore)
 * is planned by its reader and completed by the writer thread, which alone knows what is on its way; the undoing of a change
 * that was not confirmed is made there as a whole.
 */
#ifndef MGMTD_REVERSAL_H
#define MGMTD_REVERSAL_H

#include "mgmtd/change.h"
#include "mgmtd/members.h"
#include "mgmtd/store_confirmation.h"

struct stage;

/* A change-set of no operations yet; NULL = out of memory. */
struct change *reversal_new(void);

/* Adds the operation that makes the object what the document says: a canonical one, or null.  ENOMEM, EPROTO. */
int reversal_append(struct change *change, const struct kind *kind, const char *name, const struct member *document);

/* The change that undoes one which was not confirmed; NULL = its record cannot be read. */
struct change *reversal_of(struct store *store, const struct confirmation *confirmation);

/* --- for the stage */

/* Completes the operations.  False: there is nothing to judge, or the batch is doomed. */
bool reversal_prepare(struct stage *st, struct change *change);

/* A change made with confirm_within, just written: from now on it goes back unless it is confirmed. */
int reversal_arm(struct stage *st, struct change *change);

/* Of an undoing that breaks rules: leaves out what does, for it to be judged again.  False: nothing can be left out. */
bool reversal_leave_out(struct change *change, const json_t *violations);

/* Of an undoing: notes what became of it. */
void reversal_settle(struct stage *st, struct change *change);

#endif
