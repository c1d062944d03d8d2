#include "plan.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64u
#define FIRST_GROUPS 32u

/* A prefix in four bits a character, none of them 0: two different ones never have the same key. */
struct key { uint64_t first, rest; };		/* 16 characters, and the others */

struct plan_group {
	struct key key;
	uint32_t count;
	uint32_t room;			/* 1 = the entry lies here */
	union {
		struct plan_entry one;
		struct plan_entry *many;
		uint32_t next_free;
	};
};

struct plan_slot {
	uint32_t tag;			/* of the key's hash */
	uint32_t group;			/* index + 1; 0 = empty */
};

static unsigned code_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 1;
	return c == '*' ? 11 : c == '#' ? 12 : c == '+' ? 13 : 0;
}

static void extend(struct key *key, size_t length, unsigned code)
{
	if (length < 16)
		key->first |= (uint64_t)code << 4 * length;
	else
		key->rest |= (uint64_t)code << 4 * (length - 16);
}

static uint64_t hash_of(struct key key)
{
	uint64_t hash = (key.first ^ key.rest * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);

	hash = (hash ^ hash >> 32) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 29;
}

static int key_of(const char *prefix, struct key *key, size_t *length)
{
	*key = (struct key){ 0, 0 };
	for (*length = 0; prefix[*length]; ++*length) {
		unsigned code = code_of(prefix[*length]);
		if (!code || *length == SCHEMA_PREFIX_MAX)
			return EINVAL;
		extend(key, *length, code);
	}
	return 0;
}

/* ------------------------------------------------------------------ slots */

/* Where the key is, or where it would go. */
static uint32_t place_of(const struct plan *plan, struct key key, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & plan->slot_mask;

	for (; plan->slots[i].group; i = (i + 1) & plan->slot_mask) {
		const struct plan_group *g = &plan->groups[plan->slots[i].group - 1];
		if (plan->slots[i].tag == (uint32_t)(hash >> 32) && g->key.first == key.first && g->key.rest == key.rest)
			break;
	}
	return i;
}

static struct plan_group *group_of(const struct plan *plan, struct key key, uint64_t hash)
{
	uint32_t group = plan->slots ? plan->slots[place_of(plan, key, hash)].group : 0;

	return group ? &plan->groups[group - 1] : NULL;
}

/* At most half of the slots are used. */
static int reserve_slot(struct plan *plan)
{
	uint32_t size = plan->slots ? plan->slot_mask + 1 : 0, wider = size ? size * 2 : FIRST_SLOTS;
	struct plan_slot *old = plan->slots;

	if ((plan->used + 1) * 2 <= size)
		return 0;
	plan->slots = calloc(wider, sizeof *plan->slots);
	if (!plan->slots) {
		plan->slots = old;
		return ENOMEM;
	}
	plan->slot_mask = wider - 1;
	for (uint32_t i = 0; i < size; i++) {
		const struct plan_group *g;
		if (!old[i].group)
			continue;
		assert(plan->groups);
		g = &plan->groups[old[i].group - 1];
		plan->slots[place_of(plan, g->key, hash_of(g->key))] = old[i];
	}
	free(old);
	return 0;
}

/* What stands behind an emptied slot and could not stand where it belongs moves up. */
static void empty_slot(struct plan *plan, uint32_t hole)
{
	for (uint32_t i = (hole + 1) & plan->slot_mask; plan->slots[i].group; i = (i + 1) & plan->slot_mask) {
		uint32_t home = (uint32_t)hash_of(plan->groups[plan->slots[i].group - 1].key) & plan->slot_mask;
		if (((i - home) & plan->slot_mask) < ((i - hole) & plan->slot_mask))
			continue;
		plan->slots[hole] = plan->slots[i];
		hole = i;
	}
	plan->slots[hole].group = 0;
}

/* ------------------------------------------------------------------ groups */

static int reserve_group(struct plan *plan)
{
	uint32_t room = plan->group_room ? plan->group_room * 2 : FIRST_GROUPS;
	struct plan_group *groups;

	if (plan->free_group || plan->group_count < plan->group_room)
		return 0;
	groups = realloc(plan->groups, room * sizeof *groups);
	if (!groups)
		return ENOMEM;
	plan->groups = groups;
	plan->group_room = room;
	return 0;
}

static int new_group(struct plan *plan, struct key key, uint64_t hash, struct plan_group **group)
{
	uint32_t index, place;
	int error = reserve_slot(plan);

	if (!error)
		error = reserve_group(plan);
	if (error)
		return error;
	assert(plan->groups);
	index = plan->free_group ? plan->free_group - 1 : plan->group_count++;
	if (plan->free_group)
		plan->free_group = plan->groups[index].next_free;
	*group = &plan->groups[index];
	**group = (struct plan_group){ .key = key, .room = 1 };
	place = place_of(plan, key, hash);
	plan->slots[place] = (struct plan_slot){ .tag = (uint32_t)(hash >> 32), .group = index + 1 };
	plan->used++;
	return 0;
}

static const struct plan_entry *entries_of(const struct plan_group *g)
{
	return g->room == 1 ? &g->one : g->many;
}

static bool before(const struct plan_entry *a, const struct plan_entry *b)
{
	return a->priority < b->priority || (a->priority == b->priority && a->id < b->id);
}

/* Where the entry is, or belongs. */
static uint32_t find_entry(const struct plan_group *g, const struct plan_entry *entry)
{
	const struct plan_entry *entries = entries_of(g);
	uint32_t low = 0, high = g->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (before(&entries[middle], entry))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct plan_group *g, uint32_t at, const struct plan_entry *entry)
{
	return at < g->count && entries_of(g)[at].id == entry->id && entries_of(g)[at].priority == entry->priority;
}

static int widen(struct plan_group *g)
{
	struct plan_entry *many;

	if (g->count < g->room)
		return 0;
	many = g->room == 1 ? malloc(4 * sizeof *many) : realloc(g->many, 2 * (size_t)g->room * sizeof *many);
	if (!many)
		return ENOMEM;
	if (g->room == 1)
		many[0] = g->one;
	g->many = many;
	g->room = g->room == 1 ? 4 : g->room * 2;
	return 0;
}

static void drop_group(struct plan *plan, struct plan_group *g, uint64_t hash)
{
	uint32_t index = (uint32_t)(g - plan->groups);

	empty_slot(plan, place_of(plan, g->key, hash));
	if (g->room > 1)
		free(g->many);
	g->room = 1;
	g->next_free = plan->free_group;
	plan->free_group = index + 1;
	plan->used--;
}

/* ------------------------------------------------------------------ the plan */

int plan_add(struct plan *plan, const char *prefix, int32_t priority, uint32_t id)
{
	const struct plan_entry entry = { priority, id };
	struct plan_entry *entries;
	struct plan_group *g;
	struct key key;
	size_t length;
	uint64_t hash;
	uint32_t at;
	int error = key_of(prefix, &key, &length);

	if (error)
		return error;
	hash = hash_of(key);
	g = group_of(plan, key, hash);
	if (!g) {
		error = new_group(plan, key, hash, &g);
		if (error)
			return error;
		plan->lengths[length]++;
	}
	at = find_entry(g, &entry);
	if (is_at(g, at, &entry))
		return 0;
	error = widen(g);
	if (error)
		return error;
	entries = g->room == 1 ? &g->one : g->many;
	memmove(entries + at + 1, entries + at, (g->count - at) * sizeof *entries);
	entries[at] = entry;
	g->count++;
	return 0;
}

void plan_remove(struct plan *plan, const char *prefix, int32_t priority, uint32_t id)
{
	const struct plan_entry entry = { priority, id };
	struct plan_entry *entries;
	struct plan_group *g;
	struct key key;
	size_t length;
	uint32_t at;

	if (key_of(prefix, &key, &length) != 0 || !(g = group_of(plan, key, hash_of(key))))
		return;
	at = find_entry(g, &entry);
	if (!is_at(g, at, &entry))
		return;
	entries = g->room == 1 ? &g->one : g->many;
	memmove(entries + at, entries + at + 1, (g->count - at - 1) * sizeof *entries);
	if (--g->count > 0)
		return;
	drop_group(plan, g, hash_of(key));
	plan->lengths[length]--;
}

size_t plan_find(const struct plan *plan, const char *callee, struct plan_match matches[SCHEMA_PREFIX_MAX + 1])
{
	struct plan_match found[SCHEMA_PREFIX_MAX + 1];
	struct key key = { 0, 0 };
	size_t count = 0;

	for (size_t length = 0;; length++) {
		const struct plan_group *g = plan->lengths[length] ? group_of(plan, key, hash_of(key)) : NULL;
		unsigned code;
		if (g)
			found[count++] = (struct plan_match){ entries_of(g), g->count, (uint32_t)length };
		code = length < SCHEMA_PREFIX_MAX ? code_of(callee[length]) : 0;
		if (!code)
			break;
		extend(&key, length, code);
	}
	for (size_t i = 0; i < count; i++)
		matches[i] = found[count - 1 - i];
	return count;
}

void plan_free(struct plan *plan)
{
	/* Groups on the free list have room 1: nothing of theirs to free. */
	for (uint32_t i = 0; i < plan->group_count; i++)
		if (plan->groups[i].room > 1)
			free(plan->groups[i].many);
	free(plan->groups);
	free(plan->slots);
	memset(plan, 0, sizeof *plan);
}
