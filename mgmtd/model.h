/*
 * The configuration in memory: every object by kind and name.  The writer thread changes it, any thread reads it, both
 * under the model's lock; what the functions below lend is valid until model_unlock().
 */
#ifndef MGMTD_MODEL_H
#define MGMTD_MODEL_H

#include "schema/schema.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define TIME_TEXT 25	/* "2026-01-02T03:04:05.678Z" and NUL */

struct object {
	const struct kind *kind;
	char name[SCHEMA_NAME_MAX + 1];
	uint32_t id;			/* among objects of its kind; 0 for parameters */
	uint64_t incarnation;		/* the revision that created it */
	uint64_t revision;		/* the revision that last changed it; 0 = a parameter that was never set */
	char changed_at[TIME_TEXT];	/* "" with revision 0 */
	char *changed_by;		/* NULL with revision 0 */
	char *document;			/* canonical JSON as stored (document.h) */
	char *rendered;			/* what GET answers, made on first use */
	size_t rendered_len;
	struct record *record;		/* only on its way to the segment */
	json_t *canonical;		/* only on its way: document, parsed; of a patch only what it names */
	json_t *was;			/* only on its way: old's document, parsed; likewise */
	const struct object *old;	/* only on its way: what it replaces, or NULL */
	const char *pointer;		/* only on its way: where its value stands in the body; lent by the operation */
	bool deleted;			/* only on its way: a tombstone */
	struct link *links;		/* what others may ask for it by (link.h); made by link_object() */
};

const char *object_operation(const struct object *object);	/* "create", "update", "delete": of one on its way */

struct object *object_new(const struct kind *kind, const char *name);	/* NULL = out of memory */
void object_free(struct object *object);	/* wipes the record, which holds secrets */

/* Objects sorted by name. */
struct objects { struct object **v; size_t count, room; };
struct object *objects_find(const struct objects *o, const char *name);
int objects_put(struct objects *o, struct object *object, struct object **old);	/* *old = the one replaced, or NULL */
struct object *objects_take(struct objects *o, const char *name);	/* removes it; NULL = none */
void objects_free(struct objects *o);	/* with the objects in it */

struct model;

int model_new(struct model **m);
void model_free(struct model *m);

void model_lock(struct model *m);
void model_unlock(struct model *m);

uint64_t model_revision(struct model *m);
uint64_t model_newest(struct model *m);		/* the same, for who does not hold the lock */
size_t model_count(struct model *m, enum kind_id kind);

/* NULL = none.  Parameters always exist. */
const struct object *model_find(struct model *m, enum kind_id kind, const char *name);
const struct object *model_find_id(struct model *m, enum kind_id kind, uint32_t id);

/* The object whose name follows `after` in byte order ("" = the first), or NULL: the order of lists and cursors. */
const struct object *model_after(struct model *m, enum kind_id kind, const char *after);

/* The object as GET answers it, as JSON text: own fields, secrets as {"set":…}, plus name, revision, changed_at,
 * changed_by.  For a parameter: the item of GET /sip-parameters. */
const char *model_render(struct model *m, const struct object *object, size_t *len);

/* The value an "inherit" field of this object takes now, {"register_period":{"value":"auto","from":"SS_…"}, …}, those of sip
 * in {"sip": {…}}.  from is "own" where the object has a value of its own, "registration NAME" or "default" where no parameter
 * stands behind the word.  A new reference. */
json_t *model_effective(struct model *m, const struct object *object);

/* --- the writer thread */

/* Who refers to whom, and what must be unique.  The stage keeps it ahead of the model by what is on its way. */
struct links *model_links(struct model *m);

/* Takes over the staged objects (tombstones remove), leaving `staged` empty.  Under the lock. */
int model_apply(struct model *m, struct objects staged[KIND_COUNT], uint64_t revision);

/* Ids of a kind, small and dense.  model_apply() gives back those of removed objects. */
uint32_t model_take_id(struct model *m, enum kind_id kind);
void model_return_id(struct model *m, enum kind_id kind, uint32_t id);

/* While loading: adds an object (which the model then owns); afterwards the free ids are known. */
int model_load(struct model *m, struct object *object);
int model_loaded(struct model *m, uint64_t revision);

#endif
