/*
 * The dial plan: which routing gateways take numbers with which beginning.  A hash over all prefixes; finding looks at the
 * lengths that exist, 21 at most, however many prefixes there are.  The gateways of a prefix lie together, in order of
 * priority and id.
 */
#ifndef SWITCHCORE_PLAN_H
#define SWITCHCORE_PLAN_H

#include "schema/schema.h"

#include <stddef.h>
#include <stdint.h>

struct plan_entry { int32_t priority; uint32_t id; };

/* Valid until the plan changes. */
struct plan_match { const struct plan_entry *entries; uint32_t count, length; };	/* length: of the prefix */

struct plan_group;
struct plan_slot;

/* All zero = an empty plan. */
struct plan {
	struct plan_slot *slots;		/* open addressing */
	struct plan_group *groups;
	uint32_t slot_mask;			/* slots - 1; 0 = none yet */
	uint32_t group_count, group_room, free_group;	/* free_group: index + 1 of the first free one */
	uint32_t used;				/* groups in use */
	uint32_t lengths[SCHEMA_PREFIX_MAX + 1];	/* prefixes of each length */
};

/* 0, also when it is there already; ENOMEM: nothing changed; EINVAL: no prefix (of 0-9 * # +, SCHEMA_PREFIX_MAX at most). */
int plan_add(struct plan *plan, const char *prefix, int32_t priority, uint32_t id);
void plan_remove(struct plan *plan, const char *prefix, int32_t priority, uint32_t id);	/* not there: nothing */
/* Gives the prefixes that the callee begins with, the longest first. */
size_t plan_find(const struct plan *plan, const char *callee, struct plan_match matches[SCHEMA_PREFIX_MAX + 1]);
void plan_free(struct plan *plan);

#endif
