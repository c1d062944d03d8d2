/* What the files of the stage share: stage.c (the batch), operation.c (one operation), outcome.c (what is told). */
#ifndef MGMTD_STAGE_PRIVATE_H
#define MGMTD_STAGE_PRIVATE_H

#include "mgmtd/stage.h"

#define STAGE_NO_ID UINT32_MAX	/* of what was refused before it needed one */

struct announcement { uint64_t revision; char *item; };

struct stage {
	struct model *model;
	struct store *store;
	struct config_writer *segment;
	const struct secrets *secrets;
	const struct writer_hooks *hooks;

	struct objects batch[KIND_COUNT];	/* accepted, not committed */
	struct objects mine[KIND_COUNT];	/* of the change at hand */
	struct objects faulty[KIND_COUNT];	/* of it: what was refused, for the rules between objects to be judged too */
	struct sip_parameters parameters;	/* with the batch */
	uint64_t revision;			/* newest, with the batch */
	unsigned char hash[STORE_HASH];		/* of it */
	unsigned char committed_hash[STORE_HASH];
	struct announcement *announcements;
	size_t announced, announcement_room;
	bool open;				/* the transaction has begun */
	bool segment_open;			/* the segment's change has */
	const struct change *replacing;		/* the change at hand when it is a replacement, or NULL */
	int doom;
};

/* The object before the change at hand, and with what the change has done so far; NULL = there is none. */
const struct object *stage_before(struct stage *st, const struct kind *kind, const char *name);
const struct object *stage_now(struct stage *st, const struct kind *kind, const char *name);

/* Its record: on its way, or as published; NULL = there is none, or no object.  Valid until something is staged. */
const struct record *stage_record(struct stage *st, const struct object *object);

/* operation.c: one operation onto `mine`.  0, also when it breaks a rule (then it is in errors); or 404, 409. */
unsigned stage_operation(struct stage *st, const struct change *change, struct operation *op, json_t *errors);
void stage_operation_broken(struct stage *st, struct operation *op);	/* keeps what passed of it, to be judged */
void stage_delete_others(struct stage *st, const struct change *change);	/* of a replacement: what it does not name */

/* outcome.c.  precondition: false = answered with 412.  resource: the object a single operation was about, as GET shows it
 * once the change stands; null when deleted or collective.  differences: of all in `mine`. */
bool outcome_precondition(struct stage *st, struct change *change);
/* status: 404, 409 exists, or 0; takes the conflicts into errors. */
void outcome_refused(struct change *change, unsigned status, json_t *errors, json_t *conflicts);
void outcome_unchanged(struct stage *st, struct change *change);
void outcome_dry_run(struct stage *st, struct change *change);
void outcome_taken(struct stage *st, struct change *change);	/* its revision stands */
json_t *outcome_differences(struct stage *st);
void outcome_resource(struct stage *st, struct change *change);

/* operation.c: what was refused goes to `mine`, which is then only judged. */
void stage_take_faulty(struct stage *st);

/* rule.c: the links (link.h) become those of the result of `mine`; or, of one object of it, those of what was before, or NULL. */
void rule_links_in(struct stage *st);
void rule_links_back(struct stage *st, struct object *object, const struct object *before);

/* Violations between the objects of the result.  conflicts: those that are a 409 (in_use, not_unique); errors: 422. */
void rule_check(struct stage *st, json_t *errors, json_t *conflicts);

/* warning.c: [{pointer, code, detail}] about what is in `mine`.  A new reference. */
json_t *warning_list(struct stage *st);

#endif
