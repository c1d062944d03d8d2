/* What the files of the stage share: stage.c (the batch), operation.c (one operation), outcome.c (what is told). */
#ifndef MGMTD_STAGE_PRIVATE_H
#define MGMTD_STAGE_PRIVATE_H

#include "mgmtd/stage.h"

struct announcement { uint64_t revision; char *item; };

struct stage {
	struct model *model;
	struct store *store;
	struct config_writer *segment;
	const struct secrets *secrets;
	const struct writer_hooks *hooks;

	struct objects batch[KIND_COUNT];	/* accepted, not committed */
	struct objects mine[KIND_COUNT];	/* of the change at hand */
	struct sip_parameters parameters;	/* with the batch */
	uint64_t revision;			/* newest, with the batch */
	unsigned char hash[STORE_HASH];		/* of it */
	unsigned char committed_hash[STORE_HASH];
	struct announcement *announcements;
	size_t announced, announcement_room;
	bool open;				/* the transaction has begun */
	bool segment_open;			/* the segment's change has */
	int doom;
};

/* The object before the change at hand, and with what the change has done so far; NULL = there is none. */
const struct object *stage_before(struct stage *st, const struct kind *kind, const char *name);
const struct object *stage_now(struct stage *st, const struct kind *kind, const char *name);

/* operation.c: one operation onto `mine`.  0, also when it breaks a rule (then it is in errors); or 404, 409. */
unsigned stage_operation(struct stage *st, const struct change *change, const struct operation *op, json_t *errors);

/* outcome.c.  precondition: false = answered with 412.  resource: the object a single operation was about, as GET shows it
 * once the change stands; null when deleted or collective.  differences: of all in `mine`. */
bool outcome_precondition(struct stage *st, struct change *change);
void outcome_refused(struct change *change, unsigned status, json_t *errors);
void outcome_unchanged(struct stage *st, struct change *change);
void outcome_dry_run(struct stage *st, struct change *change);
json_t *outcome_differences(struct stage *st);
void outcome_resource(struct stage *st, struct change *change);

/* effects.c: [{pointer, code, detail}] about what is in `mine`: legal, but probably not meant.  A new reference. */
json_t *effects_warnings(struct stage *st);

#endif
