/* GET /revisions, one revision, the configuration as of one, and what differs between two: read from the database on the
 * reader thread. */
#ifndef MGMTD_HISTORY_H
#define MGMTD_HISTORY_H

#include "mgmtd/request.h"

void history_list(struct request *r);
void history_show(struct request *r);
void history_config(struct request *r);
void history_diff(struct request *r);

/* The number in the path.  EINVAL: answered. */
int history_number(struct request *r, uint64_t *number);
void history_missing(struct request *r, uint64_t number);	/* answers 404 */

/* Answers what a job of the reader left in r->error. */
void history_trouble(struct request *r);

#endif
