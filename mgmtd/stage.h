/*
 * One batch of change-sets on its way into the configuration: checked against what the batch has made of it so far,
 * written to the open transaction and to the unpublished segment, then committed as a whole or dropped as a whole.
 * A change-set that breaks a rule fails alone and leaves nothing behind.
 *
 * Belongs to the writer thread.
 */
#ifndef MGMTD_STAGE_H
#define MGMTD_STAGE_H

#include "mgmtd/change.h"
#include "mgmtd/secret.h"
#include "mgmtd/store.h"
#include "mgmtd/writer.h"
#include "shm/config.h"

struct stage;

/* Lends everything.  head: hash of the newest revision. */
int stage_new(struct stage **st, struct model *model, struct store *store, struct config_writer *segment,
              const struct secrets *secrets, const struct writer_hooks *hooks, const unsigned char head[STORE_HASH]);
void stage_free(struct stage *st);

/* Checks the change and adds it to the batch.  Its answer stands only after stage_commit(), also when it is a refusal or
 * changes nothing: what it was judged by may be changes of the same batch that are not durable yet. */
void stage_add(struct stage *st, struct change *change);

/* Opens the transaction if that was not done yet; any error dooms the batch. */
int stage_begin(struct stage *st);
void stage_doom(struct stage *st, int error);

/* Commits, updates the model and publishes: 0 = every change of the batch stands.  Else nothing of it does. */
int stage_commit(struct stage *st);

/* Completes the answer of a change of the batch; error: what stage_commit() said. */
void stage_answer(struct stage *st, struct change *change, int error);

#endif
