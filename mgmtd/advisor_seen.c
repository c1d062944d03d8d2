/* What the advisor knows of each object, by kind and id. */
#include "mgmtd/advisor_private.h"

#include "mgmtd/model.h"
#include "mgmtd/query.h"

#include <stdlib.h>
#include <string.h>

struct seen *advisor_seen(struct advisor *a, enum kind_id kind, uint32_t id)
{
	struct seen_table *t = &a->seen[kind];

	if (id >= t->room) {
		uint32_t room = t->room ? t->room : 64;
		while (room <= id)
			room *= 2;
		struct seen *grown = id < ADVISOR_IDS_MAX ? realloc(t->v, room * sizeof *grown) : NULL;
		if (!grown)
			return NULL;
		memset(grown + t->room, 0, (room - t->room) * sizeof *grown);
		t->v = grown;
		t->room = room;
	}
	return &t->v[id];
}

void advisor_note(struct advisor *a, struct seen *seen, uint32_t bits, uint64_t now)
{
	if (bits && !seen->since && !(seen->since = calloc(TROUBLE_COUNT, sizeof *seen->since)))
		return;
	for (unsigned t = 0; (bits | seen->bits) >> t; t++) {
		bool was = seen->bits >> t & 1, is = bits >> t & 1;
		if (is && !was)
			seen->since[t] = now;
		a->counts[t] += (uint64_t)is - was;
	}
	seen->bits = bits;
}

/* It is gone, or another one has its id. */
void advisor_forget(struct advisor *a, struct seen *seen)
{
	advisor_note(a, seen, 0, 0);
	free(seen->since);
	free(seen->calls);
	free(seen->contact);
	*seen = (struct seen){ 0 };
}

/* When the object was made.  Of one that has been changed since, that is not told: the change will do, unless it may be long ago. */
static uint64_t created_at(struct advisor *a, enum kind_id kind, const struct record *record)
{
	struct model *model = a->daemon->model;
	int64_t at = 0;

	model_lock(model);
	const struct object *object = model_find_id(model, kind, record->id);
	if (object && object->incarnation == record->incarnation && (a->looked || object->revision == object->incarnation) &&
	    query_time(&at, object->changed_at) != 0)
		at = 0;
	model_unlock(model);
	return at > 0 ? (uint64_t)at : 0;
}

/* The record is, from now on, what the place is about. */
void advisor_adopt(struct advisor *a, enum kind_id kind, struct seen *seen, const struct record *record)
{
	if (seen->incarnation == record->incarnation)
		return;
	if (seen->incarnation)
		advisor_forget(a, seen);
	seen->incarnation = record->incarnation;
	seen->created_at = created_at(a, kind, record);
}

struct seen *advisor_seen_named(struct advisor *a, enum kind_id kind, const char *name)
{
	const struct record *record = name[0] ? snapshot_find(a->snap, kind, name) : NULL;
	struct seen *seen = record ? advisor_seen(a, kind, record->id) : NULL;

	if (seen)
		advisor_adopt(a, kind, seen, record);
	return seen;
}
