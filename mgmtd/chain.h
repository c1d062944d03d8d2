/*
 * Is the history what was written?  Each record's hash covers the hash before it and the exact stored text, so one that was
 * altered, removed, inserted or moved breaks the chain there.  What the chain says must be what the tables beside it hold: the
 * index of changes, and the objects as they are now.  A chain that was cut short or written anew as a whole is consistent: only a
 * head that was kept elsewhere shows it.
 *
 * Secrets stand in records as keyed references, so nothing of them is needed, and one that was removed leaves the chain whole.
 */
#ifndef MGMTD_CHAIN_H
#define MGMTD_CHAIN_H

#include "mgmtd/store.h"
#include "mgmtd/worker.h"

#define CHAIN_HEAD_TEXT (20 + 1 + 2 * STORE_HASH + 1)	/* "REVISION:HASH" and NUL */

struct chain_head { uint64_t revision; unsigned char hash[STORE_HASH]; };

/* REVISION:HASH, with 64 hex digits.  EINVAL. */
int chain_head_read(struct chain_head *head, const char *text);
void chain_head_text(char text[CHAIN_HEAD_TEXT], const struct chain_head *head);

struct chain_result {
	bool valid;
	uint64_t revisions;		/* that follow each other as they must */
	int64_t first_bad;		/* the oldest revision at which something is wrong; unless valid */
	char why[320];			/* what, in words; unless valid */
	struct chain_head head;		/* the last good one */
};

/* Reads the database file at path from end to end.  kept: or NULL.  worker: whose job this is, or NULL.
 * Memory grows with the objects that were ever there, not with the revisions.  ECANCELED; others, with why: it cannot be read. */
int chain_verify(struct chain_result *result, const char *path, const struct chain_head *kept, struct worker *worker, struct shm_why *why);

#endif
