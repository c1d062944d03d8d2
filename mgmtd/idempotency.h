/*
 * Idempotency-Key: a client that does not know whether its change was done asks again with the same key, and gets the answer of
 * then.  The answer is stored in the transaction of the change, so that there is never one without the other.
 */
#ifndef MGMTD_IDEMPOTENCY_H
#define MGMTD_IDEMPOTENCY_H

#include "mgmtd/request.h"
#include "mgmtd/stage.h"

/* --- the event thread */

/* Gives the change of a POST the request's key, if it has one.  False: it is no key, and that was answered; or no memory. */
bool idempotency_take(struct request *r, struct change *change);

/* What was answered in the end is not what was kept: keeps this. */
void idempotency_amend(struct writer *writer, const struct change *change, const char *answer);

/* --- the writer thread */

/* The change was answered already: with what was kept under its key, or because another request came with that key. */
bool idempotency_answered(struct stage *st, struct change *change);

/* Keeps the answer of a change that was done, or changes nothing; any error dooms the batch. */
void idempotency_keep(struct stage *st, struct change *change);

#endif
