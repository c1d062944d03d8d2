/*
 * The configuration in memory: every object by kind and name.  The writer thread changes it, any thread reads it, both
 * under the model's lock; what the functions below lend is valid until model_unlock().
 */
#ifndef MGMTD_MODEL_H
#define MGMTD_MODEL_H

#include "schema/schema.h"

#include <stdbool.h>
#include <stddef.h>

#define TIME_TEXT 25	/* "2026-01-02T03:04:05.678Z" and NUL */

struct object {
	const struct kind *kind;
	char name[SCHEMA_NAME_MAX + 1];
	uint32_t id;			/* among objects of its kind; 0 for parameters */
	uint64_t incarnation;		/* the revision that created it */
	uint64_t revision;		/* the revision that last changed it; 0 = a parameter at its default, never set */
	char changed_at[TIME_TEXT];	/* "" with revision 0 */
	char *changed_by;		/* NULL with revision 0 */
	char *document;			/* canonical JSON as stored; secrets as references */
	char *rendered;			/* what GET answers, made on first use; NULL = not yet */
	size_t rendered_len;
	bool is_default;		/* a parameter that is not set */
	unsigned generation;		/* internal */
};

struct model;

void model_lock(struct model *m);
void model_unlock(struct model *m);

uint64_t model_revision(struct model *m);
size_t model_count(struct model *m, enum kind_id kind);

/* NULL = none.  Parameters always exist. */
const struct object *model_find(struct model *m, enum kind_id kind, const char *name);
const struct object *model_find_id(struct model *m, enum kind_id kind, uint32_t id);

/* The object whose name follows `after` in byte order ("" = the first), or NULL: the order of lists and cursors. */
const struct object *model_after(struct model *m, enum kind_id kind, const char *after);

/* The object as GET answers it, as JSON text: own fields, secrets as {"set":…}, plus name, revision, changed_at, changed_by.
 * For a parameter: the item of GET /sip-parameters. */
const char *model_render(struct model *m, const struct object *object, size_t *len);

/* The value an "inherit" field of this object takes now: {"register_period":{"value":"auto","from":"SS_…"}, …}; a new reference. */
struct json_t;
struct json_t *model_effective(struct model *m, const struct object *object);

#endif
