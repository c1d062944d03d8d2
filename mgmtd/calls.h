/* GET /calls, GET and DELETE /calls/{id}: the calls that the switch has now. */
#ifndef MGMTD_CALLS_H
#define MGMTD_CALLS_H

#include "mgmtd/request.h"
#include "shm/status.h"

void calls_list(struct request *r);
void calls_show(struct request *r);
void calls_hang_up(struct request *r);

/* The item of /calls as it is at that time (us): what is unknown is null. */
void call_render(struct buffer *b, const struct call_status *call, uint64_t now);

/* 16 hex digits, lower case as they are told or upper.  EINVAL. */
int call_id_read(uint64_t *id, const char *text);

/*
 * The oldest calls behind a place in the order of the list: begun earlier first, of those begun together the lower id first.
 */
struct call_key { uint64_t setup_at, id; };

struct call_page {
	struct call_key *keys;		/* room for limit + 1; a heap with the newest on top, until call_page_end() */
	size_t count, limit;
	struct call_key after;
};

int call_page_begin(struct call_page *page, size_t limit, struct call_key after);	/* ENOMEM */
void call_page_take(struct call_page *page, const struct call_status *call);		/* in any order */
/* Sorts; true: there are more behind the first `limit`. */
bool call_page_end(struct call_page *page);
void call_page_free(struct call_page *page);

#endif
