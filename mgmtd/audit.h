/* GET /audit/verify and /audit/head, and mgmtd --verify-audit. */
#ifndef MGMTD_AUDIT_H
#define MGMTD_AUDIT_H

#include "mgmtd/request.h"

void audit_verify(struct request *r);
void audit_head(struct request *r);

/* Verifies a database file and says in one line what it found.  head: REVISION:HASH, or NULL.  The exit code. */
int audit_file(const char *path, const char *head);

#endif
