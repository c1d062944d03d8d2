/* Where a call may go: the next gateway of a route, decided anew at each look. */
#include "gateway_set.h"

#include <string.h>

void route_begin(struct route *route, struct gateways *set, const char *callee)
{
	size_t length = strnlen(callee, SCHEMA_PREFIX_MAX);

	route->set = set;
	route->given_count = route->told_count = 0;
	route->any = false;
	route->prefix = 0;
	memcpy(route->callee, callee, length);
	route->callee[length] = '\0';
}

bool route_any(const struct route *route)
{
	return route->any;
}

uint32_t route_prefix(const struct route *route)
{
	return route->prefix;
}

static bool listed(const uint64_t *serials, uint32_t count, uint64_t serial)
{
	for (uint32_t i = 0; i < count; i++)
		if (serials[i] == serial)
			return true;
	return false;
}

static void tell_skipped(struct route *route, struct routing_gateway *r, enum gateway_obstacle obstacle,
                         route_skipped_f *skipped, void *arg)
{
	char why[GATEWAY_WHY_MAX];

	if (!skipped || route->told_count == ROUTE_TOLD_MAX || listed(route->told, route->told_count, r->base.serial))
		return;
	route->told[route->told_count++] = r->base.serial;
	gateway_say(&r->base, obstacle, why, sizeof why);
	skipped(arg, r, why);
}

static bool given(const struct route *route, const struct routing_gateway *r)
{
	return route->given_count && listed(route->given, route->given_count, r->base.serial);
}

/* Looks itself, not at the rank, and says why not. */
static bool passable(struct route *route, struct routing_gateway *r, route_skipped_f *skipped, void *arg)
{
	gateway_look(&r->base);
	if (route->set->ranks[r->base.id] > RANK_RATE)
		return true;
	tell_skipped(route, r, r->base.obstacle ? (enum gateway_obstacle)r->base.obstacle : OBSTACLE_RATE, skipped, arg);
	return false;
}

/* Of gateways with the same prefix and priority the one of the greatest rank, of equals the first.  Ranks are kept up by
 * events; only the rate is let go by time alone.  So with thousands of gateways in the way of a call, all but those that are
 * told, or wait for the next second, cost a glance. */
static struct routing_gateway *best_of(struct route *route, const struct plan_entry *entries, uint32_t count,
                                       route_skipped_f *skipped, void *arg)
{
	const struct gateways *g = route->set;
	struct gateway **at = gateways_table(g, KIND_ROUTING_GATEWAY)->at;
	struct routing_gateway *best = NULL;
	uint32_t best_rank = RANK_RATE;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t id = entries[i].id, rank = g->ranks[id];
		if (rank <= RANK_RATE) {
			bool silent = !skipped || route->told_count == ROUTE_TOLD_MAX;
			if ((rank == RANK_OBSTACLE && silent) || given(route, as_routing(at[id])) ||
			    !passable(route, as_routing(at[id]), skipped, arg))
				continue;
			rank = g->ranks[id];
		}
		if (rank > best_rank && !given(route, as_routing(at[id]))) {
			best = as_routing(at[id]);
			best_rank = rank;
		}
	}
	return best;
}

static struct routing_gateway *choose(struct route *route, const struct plan_entry *entries, uint32_t count,
                                      route_skipped_f *skipped, void *arg)
{
	struct routing_gateway *best;

	do
		best = best_of(route, entries, count, skipped, arg);
	while (best && !passable(route, best, skipped, arg));
	return best;
}

static struct routing_gateway *choose_by_priority(struct route *route, const struct plan_match *match,
                                                  route_skipped_f *skipped, void *arg)
{
	for (uint32_t from = 0, to; from < match->count; from = to) {
		struct routing_gateway *r;
		for (to = from + 1; to < match->count && match->entries[to].priority == match->entries[from].priority; to++)
			;
		r = choose(route, match->entries + from, to - from, skipped, arg);
		if (r)
			return r;
	}
	return NULL;
}

struct routing_gateway *route_next(struct route *route, route_skipped_f *skipped, void *arg)
{
	struct plan_match matches[SCHEMA_PREFIX_MAX + 1];
	size_t count = plan_find(&route->set->plan, route->callee, matches);

	route->any = route->any || count > 0;
	for (size_t i = 0; i < count && route->given_count < ROUTE_GIVEN_MAX; i++) {
		struct routing_gateway *r = choose_by_priority(route, &matches[i], skipped, arg);
		if (!r)
			continue;
		route->given[route->given_count++] = r->base.serial;
		route->prefix = matches[i].length;
		return r;
	}
	return NULL;
}
