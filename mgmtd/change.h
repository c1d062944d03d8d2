/*
 * A change-set on its way: asked by the HTTP side, carried out by the writer thread, all or nothing.
 */
#ifndef MGMTD_CHANGE_H
#define MGMTD_CHANGE_H

#include "mgmtd/model.h"

#include <jansson.h>

#define CHANGE_COMMENT_MAX 1024	/* bytes */
#define CHANGE_FINGERPRINT 32

enum operation_verb {
	VERB_CREATE,	/* POST: 409 exists */
	VERB_PUT,	/* create or replace */
	VERB_PATCH,	/* RFC 7396; 404 when missing */
	VERB_DELETE,	/* 404 when missing; a parameter goes back to its default */
	VERB_RESTORE,	/* create or replace; the value is a canonical document of the history */
};

struct operation {
	enum operation_verb verb;
	const struct kind *kind;
	char name[SCHEMA_NAME_MAX + 1];
	json_t *value;		/* object of the kind, or a parameter's bare value (null = default); NULL for VERB_DELETE */
	char *pointer;		/* where the value stands in the body, the prefix of its errors' pointers: "", "/value",
				 * "/SS_X", "/changes/3/value", … */
	bool broken;		/* beyond checking: the violation is told already */

	/* of a replacement (replacement.h): decoded before it came to the writer, which stands while the object is at `seen` */
	bool decoded;
	struct object *ready;	/* what came of it; NULL = the object as it is */
	uint64_t seen;		/* revision of the object then; 0 = there was none */
	uint64_t kept;		/* its secrets, as bits, that the body leaves as they are: ready's record lacks them */
	const char *text;	/* the value in the body */
	size_t len;
};

struct change {
	/* asked: filled in by the caller, untouched by the writer */
	struct operation *operations;
	size_t count;
	bool collective;	/* came as a set (/changes, PATCH /sip-parameters): the answer's resource is null and its
				 * ETag the revision */
	struct replacement *whole;	/* the operations, sorted, are all there is to be: what they do not name is deleted; or NULL */
	json_t *violations;	/* found while it was built; NULL = none.  The writer adds its own and refuses all at once */
	bool dry_run;
	char *if_match;		/* the header's value, or NULL; against the object of a single operation, else the revision */
	bool if_none_match;	/* If-None-Match: * */
	char *actor;		/* user name; never NULL */
	char *address;		/* of the client; never NULL */
	char *token;		/* name of the API token, or NULL for a session */
	char *comment;		/* why, or NULL */
	char *key;		/* the Idempotency-Key, or NULL */
	unsigned char fingerprint[CHANGE_FINGERPRINT];	/* of what came with the key */
	char *request_id;	/* never NULL */
	unsigned confirm_within;	/* seconds until it goes back unless it is confirmed; 0 = it stands */
	/* of a reversal (reversal.h) */
	uint64_t restores;	/* the revision whose configuration comes back as a whole; 0 = none */
	uint64_t planned;	/* the operations are complete as of this revision */
	uint64_t undoes;	/* the unconfirmed revision that goes back, after confirm_within; 0 = none */
	char *obstacle;		/* why a part of it cannot; NULL = nothing stood in the way */

	/* answered */
	unsigned status;	/* 200, 201 or that of a problem */
	json_t *body;		/* the answer to a write, without its members `applied` and `resource`; or a problem document */
	char *resource;		/* the member `resource` as JSON text; NULL = null */
	uint64_t revision;	/* for the ETag "rN"; set also with 412 */
	bool tagged;		/* there is one; "r0" is that of a parameter never set */
	uint64_t generation;	/* published, with this change in it; 0 = refused or a dry run */
	char *answer;		/* with a key: the answer's body, whole, as it is kept for who asks again */
	bool repeated;		/* it is the kept one of an earlier change: nothing was done */
	const char *applied;	/* with a key: the word in `answer` */
	bool taken;		/* internal: it is a new revision */
	bool created;		/* 201: Location is kind->path "/" name of operations[0] */

	/* Called once, on the writer thread, when the answer stands; the change is then the caller's again. */
	void (*done)(struct change *change);
	void *arg;
	int64_t queued_us;	/* CLOCK_MONOTONIC */
	struct change *next;	/* the writer's queue */
};

struct change *change_new(size_t count);	/* operations zeroed; NULL = out of memory */
void change_free(struct change *change);
void change_shed(struct change *change);	/* frees what only the writer needed: the operations, and what they came of */

/* By kind and name: the order of a replacement's operations.  find: of a sorted change; NULL = it has none. */
int change_order(const void *a, const void *b);
void change_sort(struct change *change);
const struct operation *change_find(const struct change *change, const struct kind *kind, const char *name);

/* Gives the operation its name, checked; false: it is none, which is told at prefix/name. */
bool change_name(struct operation *op, const char *prefix, const json_t *name, json_t *errors);

/* The answer to a write that was done, as JSON text; applied: the word for that member, NULL = null.  NULL = out of memory. */
char *outcome_text(const struct change *change, const char *applied);

/* Builders from a parsed request body, which they borrow.  Violations go to `errors`, which the change then also holds, to
 * be told together with those that the writer finds.  NULL: nothing in the body can be checked further, or no memory.
 *   single:     POST (name from the body), PUT, PATCH, DELETE of one object; name NULL for POST; body NULL for DELETE
 *   parameters: PATCH /sip-parameters {"SS_…": value}
 *   set:        POST /changes {comment, changes: [{op, kind, name, value}]}
 * A parameter's PUT body is {"value": …}. */
struct change *change_single(enum operation_verb verb, const struct kind *kind, const char *name, json_t *body, json_t *errors);
struct change *change_parameters(json_t *body, json_t *errors);
struct change *change_set(json_t *body, json_t *errors);

#endif
