/* The configured object that a path names, and what the switch says of it. */
#ifndef MGMTD_SUBJECT_H
#define MGMTD_SUBJECT_H

#include "mgmtd/request.h"

struct subject {
	enum kind_id kind;
	uint32_t id;
	uint64_t incarnation;
	uint64_t revision;		/* of the configuration it was found in */
};

/* False: there is none of that name. */
bool subject_named(struct daemon *daemon, struct subject *subject, enum kind_id kind, const char *name);
/* That of the path; false: there is none, and 404 was answered. */
bool subject_find(struct request *r, struct subject *subject);

/* Answers 422: the query names an object that is not there.  what: as "registration". */
void subject_refuse(struct request *r, enum query_id query, const char *what, const char *name);

/* known: the record is this object's; else the switch has told nothing of it.  stale: the switch is down, or died while it
 * wrote: the record is the last that is known. */
struct subject_report { bool known, stale; };

/* status: of the kind's table; all of them begin with an incarnation. */
struct subject_report subject_read(struct daemon *daemon, const struct subject *subject, void *status);

#endif
