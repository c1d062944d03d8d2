#include "mgmtd/census.h"

#include "mgmtd/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define UNSEEN STATE_COUNT
#define STRETCH 256	/* objects per hold of the model's lock */

struct seen { uint64_t incarnation; uint8_t state; };

struct census {
	struct model *model;
	struct core *core;
	struct seen *seen;	/* by id */
	size_t room;
	uint32_t *dirty;	/* ids taken from the bitmap */
	size_t dirty_count, dirty_room;
	_Atomic uint64_t counts[STATE_COUNT];
};

int census_open(struct census **c, struct model *model, struct core *core)
{
	*c = calloc(1, sizeof **c);
	if (!*c)
		return ENOMEM;
	(*c)->model = model;
	(*c)->core = core;
	return 0;
}

void census_close(struct census *c)
{
	if (!c)
		return;
	free(c->seen);
	free(c->dirty);
	free(c);
}

static bool reach(struct census *c, uint32_t id)
{
	if (id < c->room)
		return true;
	size_t room = c->room ? c->room : 1024;
	while (room <= id)
		room *= 2;
	struct seen *grown = realloc(c->seen, room * sizeof *grown);
	if (!grown) {
		log_warnx("status: out of memory; the counts of states are incomplete");
		return false;
	}
	for (size_t i = c->room; i < room; i++)
		grown[i] = (struct seen){ .state = UNSEEN };
	c->seen = grown;
	c->room = room;
	return true;
}

static void note(struct census *c, uint32_t id, uint64_t incarnation, unsigned state)
{
	if (!reach(c, id))
		return;
	struct seen *seen = &c->seen[id];
	if (seen->state != UNSEEN)
		atomic_fetch_sub_explicit(&c->counts[seen->state], 1, memory_order_relaxed);
	if (state != UNSEEN)
		atomic_fetch_add_explicit(&c->counts[state], 1, memory_order_relaxed);
	*seen = (struct seen){ incarnation, (uint8_t)state };
}

/* The incarnation of the configured object, 0 = none. */
static uint64_t configured(struct census *c, uint32_t id)
{
	model_lock(c->model);
	const struct object *object = model_find_id(c->model, KIND_REGISTRATION, id);
	uint64_t incarnation = object ? object->incarnation : 0;
	model_unlock(c->model);
	return incarnation;
}

static void take(struct census *c, uint32_t id, uint64_t incarnation)
{
	struct registration_status status;
	if (core_status(c->core, KIND_REGISTRATION, id, &status) != 0)
		return;
	note(c, id, incarnation, incarnation && status.incarnation == incarnation ? status.state : UNSEEN);
}

static void collect(uint32_t id, void *arg)
{
	struct census *c = arg;
	if (c->dirty_count == c->dirty_room) {
		size_t room = c->dirty_room ? c->dirty_room * 2 : 256;
		uint32_t *grown = realloc(c->dirty, room * sizeof *grown);
		if (!grown) {
			log_warnx("status: out of memory; the counts of states are incomplete");
			return;
		}
		c->dirty = grown;
		c->dirty_room = room;
	}
	c->dirty[c->dirty_count++] = id;
}

static void take_dirty(struct status_reader *reader, void *arg)
{
	status_take_dirty(reader, KIND_REGISTRATION, collect, arg);
}

void census_take_changes(struct census *c)
{
	c->dirty_count = 0;
	if (!core_with_status(c->core, take_dirty, c))
		return;
	for (size_t i = 0; i < c->dirty_count; i++)
		take(c, c->dirty[i], configured(c, c->dirty[i]));
}

void census_take_all(struct census *c)
{
	struct { uint32_t id; uint64_t incarnation; } stretch[STRETCH];
	char after[SCHEMA_NAME_MAX + 1] = "";
	size_t n;
	for (size_t id = 0; id < c->room; id++)
		note(c, (uint32_t)id, 0, UNSEEN);
	do {
		const struct object *object;
		n = 0;
		model_lock(c->model);
		while (n < STRETCH && (object = model_after(c->model, KIND_REGISTRATION, after)) != NULL) {
			stretch[n].id = object->id;
			stretch[n++].incarnation = object->incarnation;
			memcpy(after, object->name, sizeof after);
		}
		model_unlock(c->model);
		for (size_t i = 0; i < n; i++)
			take(c, stretch[i].id, stretch[i].incarnation);
	} while (n == STRETCH);
}

void census_forget_removed(struct census *c)
{
	for (size_t begin = 0; begin < c->room; begin += STRETCH) {
		size_t end = begin + STRETCH < c->room ? begin + STRETCH : c->room;
		model_lock(c->model);
		for (size_t id = begin; id < end; id++) {
			if (c->seen[id].state == UNSEEN)
				continue;
			const struct object *object = model_find_id(c->model, KIND_REGISTRATION, (uint32_t)id);
			if (!object || object->incarnation != c->seen[id].incarnation)
				note(c, (uint32_t)id, 0, UNSEEN);
		}
		model_unlock(c->model);
	}
}

void census_counts(struct census *c, uint64_t counts[STATE_COUNT])
{
	for (size_t i = 0; i < STATE_COUNT; i++)
		counts[i] = atomic_load_explicit(&c->counts[i], memory_order_relaxed);
}
