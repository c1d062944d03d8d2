#include "mgmtd/model.h"

#include "mgmtd/link.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MERGE_FROM 256	/* objects of a kind in one batch */

struct ids { uint32_t *free; size_t count, room; uint32_t next; };

struct model {
	pthread_mutex_t lock;
	struct objects live[KIND_COUNT];
	struct object **by_id[KIND_COUNT];
	size_t by_id_room[KIND_COUNT];
	struct ids ids[KIND_COUNT];
	struct links *links;
	uint64_t revision;
};

/* ------------------------------------------------------------------ object */

void object_free(struct object *object)
{
	if (!object)
		return;
	if (object->record) {
		sodium_memzero(object->record, object->kind->record_size);
		free(object->record);
	}
	json_decref(object->canonical);
	json_decref(object->was);
	link_free(object->links);
	free(object->changed_by);
	free(object->document);
	free(object->rendered);
	free(object);
}

struct object *object_new(const struct kind *kind, const char *name)
{
	struct object *object = calloc(1, sizeof *object);

	if (object) {
		object->kind = kind;
		memcpy(object->name, name, strnlen(name, SCHEMA_NAME_MAX));
	}
	return object;
}

const char *object_operation(const struct object *object)
{
	return object->deleted ? "delete" : object->old ? "update" : "create";
}

/* ------------------------------------------------------------------ objects */

/* Index of name, or where it would stand. */
static size_t place_of(const struct objects *o, const char *name, bool *found)
{
	size_t low = 0, high = o->count;

	/* The usual bulk arrives in order. */
	if (high > 0 && strcmp(o->v[high - 1]->name, name) < 0)
		low = high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(o->v[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < o->count && strcmp(o->v[low]->name, name) == 0;
	return low;
}

struct object *objects_find(const struct objects *o, const char *name)
{
	bool found;
	size_t i = place_of(o, name, &found);
	return found ? o->v[i] : NULL;
}

/* Room for n entries of `size` bytes in *v; grows by doubling. */
static int reserve(void *v, size_t *room, size_t n, size_t size)
{
	void **array = v, *larger;
	size_t wanted = *room ? *room : 16;

	if (n <= *room)
		return 0;
	while (wanted < n)
		wanted *= 2;
	if (!(larger = reallocarray(*array, wanted, size)))
		return ENOMEM;
	memset((char *)larger + *room * size, 0, (wanted - *room) * size);
	*array = larger;
	*room = wanted;
	return 0;
}

int objects_put(struct objects *o, struct object *object, struct object **old)
{
	bool found;
	size_t i = place_of(o, object->name, &found);

	*old = NULL;
	if (found) {
		*old = o->v[i];
		o->v[i] = object;
		return 0;
	}
	if (reserve(&o->v, &o->room, o->count + 1, sizeof *o->v))
		return ENOMEM;
	memmove(o->v + i + 1, o->v + i, (o->count - i) * sizeof *o->v);
	o->v[i] = object;
	o->count++;
	return 0;
}

struct object *objects_take(struct objects *o, const char *name)
{
	bool found;
	size_t i = place_of(o, name, &found);

	if (!found)
		return NULL;
	struct object *object = o->v[i];
	o->count--;
	memmove(o->v + i, o->v + i + 1, (o->count - i) * sizeof *o->v);
	return object;
}

void objects_free(struct objects *o)
{
	for (size_t i = 0; i < o->count; i++)
		object_free(o->v[i]);
	free(o->v);
	*o = (struct objects){ 0 };
}

/* ------------------------------------------------------------------ model */

void model_free(struct model *m)
{
	if (!m)
		return;
	for (size_t k = 0; k < KIND_COUNT; k++) {
		objects_free(&m->live[k]);
		free(m->by_id[k]);
		free(m->ids[k].free);
	}
	links_free(m->links);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

int model_new(struct model **out)
{
	const struct kind *kind = &schema_kinds[KIND_PARAMETERS];
	struct model *m = calloc(1, sizeof *m);

	if (!m)
		return ENOMEM;
	pthread_mutex_init(&m->lock, NULL);
	if (!(m->links = links_new())) {
		model_free(m);
		return ENOMEM;
	}
	for (size_t i = 0; i < kind->nfields; i++) {
		struct object *parameter = object_new(kind, kind->fields[i].name), *old;
		if (!parameter || !(parameter->document = strdup("{}")) || objects_put(&m->live[KIND_PARAMETERS], parameter, &old)) {
			object_free(parameter);
			model_free(m);
			return ENOMEM;
		}
	}
	*out = m;
	return 0;
}

void model_lock(struct model *m)
{
	pthread_mutex_lock(&m->lock);
}

void model_unlock(struct model *m)
{
	pthread_mutex_unlock(&m->lock);
}

uint64_t model_revision(struct model *m)
{
	return m->revision;
}

uint64_t model_newest(struct model *m)
{
	model_lock(m);
	uint64_t revision = m->revision;
	model_unlock(m);
	return revision;
}

size_t model_count(struct model *m, enum kind_id kind)
{
	return m->live[kind].count;
}

const struct object *model_find(struct model *m, enum kind_id kind, const char *name)
{
	return objects_find(&m->live[kind], name);
}

const struct object *model_find_id(struct model *m, enum kind_id kind, uint32_t id)
{
	return id < m->by_id_room[kind] ? m->by_id[kind][id] : NULL;
}

const struct object *model_after(struct model *m, enum kind_id kind, const char *after)
{
	bool found;
	size_t i = place_of(&m->live[kind], after, &found) + found;
	return i < m->live[kind].count ? m->live[kind].v[i] : NULL;
}

/* ------------------------------------------------------------------ the writer's part */

struct links *model_links(struct model *m)
{
	return m->links;
}

uint32_t model_take_id(struct model *m, enum kind_id kind)
{
	struct ids *ids = &m->ids[kind];
	return ids->count ? ids->free[--ids->count] : ids->next++;
}

void model_return_id(struct model *m, enum kind_id kind, uint32_t id)
{
	struct ids *ids = &m->ids[kind];

	/* Without memory the id is lost until the next start, nothing worse. */
	if (reserve(&ids->free, &ids->room, ids->count + 1, sizeof *ids->free) == 0)
		ids->free[ids->count++] = id;
}

static int set_by_id(struct model *m, struct object *object)
{
	enum kind_id kind = object->kind->id;

	if (kind == KIND_PARAMETERS)
		return 0;
	if (reserve(&m->by_id[kind], &m->by_id_room[kind], (size_t)object->id + 1, sizeof *m->by_id[kind]))
		return ENOMEM;
	m->by_id[kind][object->id] = object;
	return 0;
}

/* What the model gives up, freed once its lock is. */
static void retire(struct object **retired, struct object *object)
{
	if (object) {
		object->old = *retired;	/* nobody else knows it any more */
		*retired = object;
	}
}

static int apply_one(struct model *m, struct object *object, struct object **retired)
{
	enum kind_id kind = object->kind->id;
	struct object *old;

	if (object->deleted) {
		if ((old = objects_take(&m->live[kind], object->name)))
			m->by_id[kind][old->id] = NULL;
		retire(retired, old);
		model_return_id(m, kind, object->id);	/* also of one created in the same batch */
		retire(retired, object);
		return 0;
	}
	if (set_by_id(m, object) || objects_put(&m->live[kind], object, &old))
		return ENOMEM;
	retire(retired, old);
	return 0;
}

/* Many at once: one walk through both, where each alone would move all that stand behind it. */
static int merge(struct model *m, const struct objects *staged, enum kind_id kind, struct object **retired)
{
	struct objects *live = &m->live[kind], merged = { 0 };
	size_t i = 0, j = 0;

	if (reserve(&merged.v, &merged.room, live->count + staged->count, sizeof *merged.v))
		return ENOMEM;
	while (i < live->count || j < staged->count) {
		int order = i == live->count ? 1 : j == staged->count ? -1 : strcmp(live->v[i]->name, staged->v[j]->name);
		struct object *old = order <= 0 ? live->v[i++] : NULL, *new = order >= 0 ? staged->v[j++] : NULL;
		if (!new || !new->deleted)
			merged.v[merged.count++] = new ? new : old;
		if (!new)
			continue;
		if (old && new->deleted)
			m->by_id[kind][old->id] = NULL;
		retire(retired, old);
		if (new->deleted) {
			model_return_id(m, kind, new->id);
			retire(retired, new);
		} else if (set_by_id(m, new)) {
			return ENOMEM;
		}
	}
	free(live->v);
	*live = merged;
	return 0;
}

int model_apply(struct model *m, struct objects staged[KIND_COUNT], uint64_t revision)
{
	struct object *retired = NULL;
	int error = 0;

	model_lock(m);
	for (size_t k = 0; k < KIND_COUNT && !error; k++) {
		bool many = staged[k].count > MERGE_FROM;
		if (many)
			error = merge(m, &staged[k], (enum kind_id)k, &retired);
		for (size_t i = 0; !many && i < staged[k].count && !error; i++)
			error = apply_one(m, staged[k].v[i], &retired);
		free(staged[k].v);
		staged[k] = (struct objects){ 0 };
	}
	m->revision = revision;
	model_unlock(m);
	while (retired) {
		struct object *next = (struct object *)(uintptr_t)retired->old;
		object_free(retired);
		retired = next;
	}
	return error;
}

int model_load(struct model *m, struct object *object)
{
	struct object *old;

	if (set_by_id(m, object) || link_object(object) || links_add(m->links, object) ||
	    objects_put(&m->live[object->kind->id], object, &old))
		return ENOMEM;
	object_free(old);
	return 0;
}

int model_loaded(struct model *m, uint64_t revision)
{
	m->revision = revision;
	for (size_t k = 0; k < KIND_COUNT; k++) {
		for (size_t id = m->by_id_room[k]; id-- > 0;) {
			if (m->by_id[k][id] && m->ids[k].next == 0)
				m->ids[k].next = (uint32_t)id + 1;
			else if (!m->by_id[k][id] && m->ids[k].next)
				model_return_id(m, (enum kind_id)k, (uint32_t)id);
		}
	}
	return 0;
}
