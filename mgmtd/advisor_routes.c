/*
 * Which other ways there are for the calls of a gateway, and so what a registration is to its calls.
 *
 * A call takes the gateways of the longest prefix that fits, by priority, then those of the shorter ones (signalling.md 3).  So a
 * prefix has no backup when it has one gateway only and no shorter prefix of it has any.
 */
#include "mgmtd/advisor_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct way { char prefix[SCHEMA_PREFIX_MAX + 1]; int32_t priority; uint32_t gateway; };
struct ways { struct way *v; size_t count, room; };

static int add(struct ways *ways, const char *prefix, const struct routing_gateway_record *gateway)
{
	if (ways->count == ways->room) {
		size_t room = ways->room ? 2 * ways->room : 256;
		struct way *grown = realloc(ways->v, room * sizeof *grown);
		if (!grown)
			return ENOMEM;
		ways->v = grown;
		ways->room = room;
	}
	struct way *way = &ways->v[ways->count++];
	*way = (struct way){ .priority = gateway->priority, .gateway = gateway->head.id };
	memcpy(way->prefix, prefix, strnlen(prefix, SCHEMA_PREFIX_MAX));
	return 0;
}

static int collect(struct ways *ways, struct advisor *a)
{
	int error = 0;

	for (uint32_t id = 0, left = snapshot_count(a->snap, KIND_ROUTING_GATEWAY); left > 0 && id < ADVISOR_IDS_MAX && !error; id++) {
		const struct routing_gateway_record *gateway = (const void *)snapshot_record(a->snap, KIND_ROUTING_GATEWAY, id);
		if (!gateway)
			continue;
		left--;
		if (!gateway->enabled || gateway->locked)
			continue;
		if (gateway->prefixes.count == 0)
			error = add(ways, "", gateway);
		for (int32_t i = 0; i < gateway->prefixes.count && i < SCHEMA_PREFIXES_MAX && !error; i++)
			error = add(ways, gateway->prefixes.prefix[i], gateway);
	}
	return error;
}

static int by_prefix(const void *one, const void *other)
{
	const struct way *a = one, *b = other;
	int order = strcmp(a->prefix, b->prefix);

	return order ? order : a->priority < b->priority ? -1 : a->priority > b->priority;
}

static int same_prefix(const void *prefix, const void *way)
{
	return strcmp(prefix, ((const struct way *)way)->prefix);
}

/* A gateway of a shorter prefix takes over; false also when it is the same one. */
static bool has_shorter(const struct ways *ways, const struct way *way)
{
	char prefix[SCHEMA_PREFIX_MAX + 1];

	memcpy(prefix, way->prefix, sizeof prefix);
	for (size_t len = strlen(prefix); len-- > 0;) {
		prefix[len] = '\0';
		const struct way *found = bsearch(prefix, ways->v, ways->count, sizeof *ways->v, same_prefix);
		/* bsearch may find any of several: one of them is another gateway's. */
		if (found && (found->gateway != way->gateway || (found > ways->v && same_prefix(prefix, found - 1) == 0) ||
		              (found + 1 < ways->v + ways->count && same_prefix(prefix, found + 1) == 0)))
			return true;
	}
	return false;
}

static void give_role(struct advisor *a, const struct way *way, enum route_role role)
{
	const struct routing_gateway_record *gateway = (const void *)snapshot_record(a->snap, KIND_ROUTING_GATEWAY, way->gateway);
	struct seen *seen = gateway ? advisor_seen(a, KIND_ROUTING_GATEWAY, way->gateway) : NULL;
	if (seen)
		advisor_adopt(a, KIND_ROUTING_GATEWAY, seen, &gateway->head);
	struct seen *trunk = gateway ? advisor_seen_named(a, KIND_REGISTRATION, gateway->registration) : NULL;

	if (seen && role == ROLE_ONLY) {
		seen->alone = true;
		memcpy(seen->prefix, way->prefix, sizeof seen->prefix);
	}
	if (!trunk || trunk->role >= role)
		return;
	trunk->role = (uint8_t)role;
	trunk->role_gateway = way->gateway;
	memcpy(trunk->prefix, way->prefix, sizeof trunk->prefix);
	trunk->basis = a->basis - 1;	/* it is judged anew */
}

static void forget_roles(struct advisor *a)
{
	for (uint32_t id = 0; id < a->seen[KIND_ROUTING_GATEWAY].room; id++)
		a->seen[KIND_ROUTING_GATEWAY].v[id].alone = false;
	for (uint32_t id = 0; id < a->seen[KIND_REGISTRATION].room; id++) {
		struct seen *seen = &a->seen[KIND_REGISTRATION].v[id];
		if (seen->role != ROLE_UNUSED)
			seen->basis = a->basis - 1;
		seen->role = ROLE_UNUSED;
	}
}

int advisor_routes(struct advisor *a)
{
	struct ways ways = { 0 };
	int error = collect(&ways, a);

	if (!error && ways.count)
		qsort(ways.v, ways.count, sizeof *ways.v, by_prefix);
	if (!error)
		forget_roles(a);
	for (size_t from = 0, to; from < ways.count && !error; from = to) {
		for (to = from + 1; to < ways.count && strcmp(ways.v[to].prefix, ways.v[from].prefix) == 0; to++)
			;
		for (size_t i = from; i < to; i++) {
			bool first = ways.v[i].priority == ways.v[from].priority;
			bool only = to - from == 1 && !has_shorter(&ways, &ways.v[i]);
			give_role(a, &ways.v[i], only ? ROLE_ONLY : first ? ROLE_FIRST : ROLE_LATER);
		}
	}
	free(ways.v);
	return error;
}
