/* All gateways: what the configuration does to them. */
#include "gateway_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const enum kind_id kinds[] = { KIND_ROUTING_GATEWAY, KIND_MAPPING_GATEWAY };

/* ------------------------------------------------------------------ tables */

struct gateway *gateways_at(const struct gateways *g, enum kind_id kind, uint32_t id)
{
	const struct gateway_table *table = gateways_table(g, kind);

	return id < table->limit ? table->at[id] : NULL;
}

uint32_t gateways_limit(const struct gateways *g, enum kind_id kind)
{
	return gateways_table(g, kind)->limit;
}

static int reserve(struct gateways *g, enum kind_id kind, uint32_t id)
{
	struct gateway_table *table = gateways_table(g, kind);
	uint32_t limit = table->limit ? table->limit : 64;
	struct gateway **at;

	while (limit <= id)
		limit *= 2;
	if (limit == table->limit)
		return 0;
	if (kind == KIND_ROUTING_GATEWAY) {
		uint32_t *ranks = realloc(g->ranks, limit * sizeof *ranks);
		if (!ranks)
			return ENOMEM;
		memset(ranks + table->limit, 0, (limit - table->limit) * sizeof *ranks);
		g->ranks = ranks;
	}
	at = realloc(table->at, limit * sizeof(struct gateway *));
	if (!at)
		return ENOMEM;
	memset(at + table->limit, 0, (limit - table->limit) * sizeof(struct gateway *));
	table->at = at;
	table->limit = limit;
	return 0;
}

/* ------------------------------------------------------------------ the dial plan */

/* A gateway without prefixes takes every number; one that is disabled none. */
static int32_t prefix_count(const struct gateway_settings *s)
{
	if (!s || !s->routing->enabled)
		return 0;
	return s->routing->prefixes.count > 0 ? s->routing->prefixes.count : 1;
}

static const char *prefix_at(const struct gateway_settings *s, int32_t i)
{
	return s->routing->prefixes.count > 0 ? s->routing->prefixes.prefix[i] : "";
}

static bool plans(const struct gateway_settings *s, const char *prefix, int32_t priority)
{
	if (!s || s->routing->priority != priority)
		return false;
	for (int32_t i = 0; i < prefix_count(s); i++)
		if (strcmp(prefix_at(s, i), prefix) == 0)
			return true;
	return false;
}

/* Takes out what only `from` has. */
static void unplan(struct gateways *g, uint32_t id, const struct gateway_settings *from, const struct gateway_settings *kept)
{
	for (int32_t i = 0; i < prefix_count(from); i++)
		if (!plans(kept, prefix_at(from, i), from->routing->priority))
			plan_remove(&g->plan, prefix_at(from, i), from->routing->priority, id);
}

/* All or nothing: what is new comes first, what is gone goes when that worked. */
static int replan(struct gateways *g, uint32_t id, const struct gateway_settings *old, const struct gateway_settings *new)
{
	for (int32_t i = 0; i < prefix_count(new); i++)
		if (plan_add(&g->plan, prefix_at(new, i), new->routing->priority, id) == ENOMEM) {
			unplan(g, id, new, old);
			return ENOMEM;
		}
	unplan(g, id, old, new);
	return 0;
}

/* ------------------------------------------------------------------ listing */

static void list_name(struct gateway *gateway)
{
	struct hash *names = &gateway->set->names[gateway->kind == KIND_MAPPING_GATEWAY];

	hash_remove(names, &gateway->by_name);
	hash_add(names, &gateway->by_name, hash_text(gateway_name(gateway)));
}

static void list_registration(struct routing_gateway *r)
{
	const char *name = r->base.settings->routing->registration;

	hash_remove(&r->base.set->by_registration, &r->by_registration);
	if (name[0])
		hash_add(&r->base.set->by_registration, &r->by_registration, hash_text(name));
}

static void unlist_mapping(struct mapping_gateway *m)
{
	hash_remove(&m->base.set->users, &m->by_user);
	for (size_t i = 0; i < m->source_count; i++)
		source_remove(&m->base.set->sources, &m->sources[i]);
	free(m->sources);
	m->sources = NULL;
	m->source_count = 0;
}

static int read_sources(const struct mapping_gateway_record *record, struct source **sources, size_t *count)
{
	size_t most = record->sources.count > 0 ? (size_t)record->sources.count : 0;

	*sources = NULL;
	*count = 0;
	if (most == 0)
		return 0;
	*sources = calloc(most, sizeof **sources);
	if (!*sources)
		return ENOMEM;
	for (size_t i = 0; i < most; i++)
		if (source_parse(&(*sources)[*count], record->sources.source[i]) == 0)
			++*count;
	return 0;
}

static void list_mapping(struct mapping_gateway *m, struct source *sources, size_t count)
{
	const struct mapping_gateway_record *record = m->base.settings->mapping;

	unlist_mapping(m);
	m->sources = sources;
	m->source_count = count;
	for (size_t i = 0; i < count; i++) {
		sources[i].owner = m;
		source_add(&m->base.set->sources, &sources[i]);
	}
	if (record->enabled && record->authentication == AUTHENTICATION_DIGEST && record->sources.count == 0)
		hash_add(&m->base.set->users, &m->by_user, hash_text(mapping_digest_user(record)));
}

/* ------------------------------------------------------------------ birth, change, death */

static void begin(struct gateways *g, struct gateway *gateway, struct gateway_settings *settings)
{
	gateway->set = g;
	gateway_adopt(gateway, settings);
	gateway->id = settings->head->id;
	gateway->kind = (uint8_t)settings->kind;
	gateway->references = 1;
	gateway->serial = ++g->serial;
	gateways_table(g, (enum kind_id)settings->kind)->at[gateway->id] = gateway;
	list_name(gateway);
}

static void change(struct gateway *gateway, struct gateway_settings *settings)
{
	gateway_adopt(gateway, settings);
	list_name(gateway);
}

static struct routing_gateway *new_routing(struct gateways *g, struct gateway_settings *settings)
{
	struct routing_gateway *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	if (timer_init(g->timers, &r->hold, routing_hold_over) != 0) {
		free(r);
		return NULL;
	}
	r->lookup_at = TIMER_NEVER;
	begin(g, &r->base, settings);
	return r;
}

static int put_routing(struct gateways *g, struct routing_gateway *r, struct gateway_settings *settings)
{
	struct gateway_settings *old = r ? r->base.settings : NULL;
	int error = replan(g, settings->head->id, old, settings);

	if (error)
		return error;
	if (r) {
		change(&r->base, settings);
	} else if (!(r = new_routing(g, settings))) {
		unplan(g, settings->head->id, settings, NULL);
		return ENOMEM;
	}
	if (!settings->routing->enabled || !old || !routing_same_way(old, settings)) {
		r->held_until = 0;	/* somebody else, or asked to begin anew */
		timer_disarm(g->timers, &r->hold);
	}
	list_registration(r);
	routing_hosts_apply(r, old);
	routing_probe_apply(r, old);
	gateway_tell(&r->base);
	gateway_settings_unref(old);
	return 0;
}

static int put_mapping(struct gateways *g, struct mapping_gateway *m, struct gateway_settings *settings)
{
	struct gateway_settings *old = m ? m->base.settings : NULL;
	struct source *sources;
	size_t count;
	int error = read_sources(settings->mapping, &sources, &count);

	if (error)
		return error;
	if (m) {
		change(&m->base, settings);
	} else if (!(m = calloc(1, sizeof *m))) {
		free(sources);
		return ENOMEM;
	} else {
		begin(g, &m->base, settings);
	}
	list_mapping(m, sources, count);
	gateway_tell(&m->base);
	gateway_settings_unref(old);
	return 0;
}

static int put(struct gateways *g, enum kind_id kind, const struct record *record)
{
	struct gateway *gateway = gateways_at(g, kind, record->id);
	struct gateway_settings *settings;
	int error;

	if (gateway && gateway->incarnation == record->incarnation && gateway->revision == record->revision)
		return 0;
	if (gateway && gateway->incarnation != record->incarnation) {
		gateways_delete(g, kind, record->id);
		gateway = NULL;
	}
	error = reserve(g, kind, record->id);
	if (error)
		return error;
	settings = gateway_settings_create(kind, record);
	if (!settings)
		return ENOMEM;
	error = kind == KIND_ROUTING_GATEWAY ? put_routing(g, gateway ? as_routing(gateway) : NULL, settings)
	                                     : put_mapping(g, gateway ? as_mapping(gateway) : NULL, settings);
	if (error)
		gateway_settings_unref(settings);
	return error;
}

int gateways_put_routing(struct gateways *g, const struct routing_gateway_record *record)
{
	return put(g, KIND_ROUTING_GATEWAY, &record->head);
}

int gateways_put_mapping(struct gateways *g, const struct mapping_gateway_record *record)
{
	return put(g, KIND_MAPPING_GATEWAY, &record->head);
}

static void drop_routing(struct routing_gateway *r)
{
	struct gateways *g = r->base.set;

	unplan(g, r->base.id, r->base.settings, NULL);
	hash_remove(&g->by_registration, &r->by_registration);
	routing_hosts_drop(r);
	routing_probe_drop(r);
	timer_disarm(g->timers, &r->hold);
	g->ranks[r->base.id] = RANK_OBSTACLE;
}

void gateways_delete(struct gateways *g, enum kind_id kind, uint32_t id)
{
	struct gateway *gateway = gateways_at(g, kind, id);

	if (!gateway)
		return;
	gateways_table(g, kind)->at[id] = NULL;
	hash_remove(&g->names[kind == KIND_MAPPING_GATEWAY], &gateway->by_name);
	if (kind == KIND_ROUTING_GATEWAY)
		drop_routing(as_routing(gateway));
	else
		unlist_mapping(as_mapping(gateway));
	gateway->orphan = true;
	gateway_unref(gateway);
}

/* ------------------------------------------------------------------ the set */

int gateways_create(struct gateways **g, const struct gateway_world *world, struct timers *timers,
                    struct registrations *registrations)
{
	struct gateways *set = calloc(1, sizeof *set);

	if (!set)
		return ENOMEM;
	set->world = *world;
	set->timers = timers;
	set->registrations = registrations;
	set->dirty_end = &set->dirty;
	*g = set;
	return 0;
}

static void drop_dirty(struct gateways *g)
{
	while (g->dirty) {
		struct gateway *gateway = g->dirty;
		g->dirty = gateway->next_dirty;
		gateway_unref(gateway);
	}
}

void gateways_destroy(struct gateways *g)
{
	if (!g)
		return;
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		struct gateway_table *table = gateways_table(g, kinds[k]);
		for (uint32_t id = 0; id < table->limit; id++)
			gateways_delete(g, kinds[k], id);
		free(table->at);
		hash_free(&g->names[k]);
	}
	drop_dirty(g);
	plan_free(&g->plan);
	source_index_free(&g->sources);
	hash_free(&g->users);
	hash_free(&g->hosts);
	hash_free(&g->by_registration);
	free(g->ranks);
	free(g);
}

static void apply_probes(struct gateways *g)
{
	const struct gateway_table *table = gateways_table(g, KIND_ROUTING_GATEWAY);

	for (uint32_t id = 0; id < table->limit; id++)
		if (table->at[id])
			routing_probe_apply(as_routing(table->at[id]), table->at[id]->settings);
}

void gateways_parameters(struct gateways *g, const struct sip_parameters *parameters)
{
	int32_t period = g->parameters.SS_SIP_OPTIONS_CHECK_PERIOD;

	g->parameters = *parameters;
	if (period != parameters->SS_SIP_OPTIONS_CHECK_PERIOD)
		apply_probes(g);
}

void gateways_stop(struct gateways *g)
{
	g->stopping = true;
	apply_probes(g);
}

void gateways_registration(struct gateways *g, const struct registration *registration)
{
	const char *name = registration_name(registration);

	for (struct hash_link *l = hash_first(&g->by_registration, hash_text(name)); l; l = hash_next(l)) {
		struct routing_gateway *r = HASH_OWNER(l, struct routing_gateway, by_registration);
		if (strcmp(r->base.settings->routing->registration, name) != 0)
			continue;
		gateway_look(&r->base);
		if (r->base.obstacle == OBSTACLE_REGISTRATION)
			gateway_touch(&r->base);	/* the words about it may be others */
	}
}

static void sweep(struct gateways *g, enum kind_id kind, uint64_t now)
{
	struct gateway_table *table = gateways_table(g, kind);
	uint32_t count = table->limit / GATEWAY_SWEEP_TICKS + 1;
	uint32_t share = kind == KIND_ROUTING_GATEWAY ? gateways_probe_share(g) : 0;

	for (; count > 0 && table->limit > 0; count--) {
		struct gateway *gateway = table->at[table->swept];
		table->swept = (table->swept + 1) % table->limit;
		if (!gateway)
			continue;
		if (kind == KIND_ROUTING_GATEWAY) {
			routing_hosts_sweep(as_routing(gateway), now);
			share -= routing_probe_sweep(as_routing(gateway), now, share);
		}
		if (!gateway_look(gateway) && gateway_told_is_old(gateway))
			gateway_touch(gateway);
	}
}

uint64_t gateways_next(const struct gateways *g)
{
	return g->tables[0].limit || g->tables[1].limit ? g->tick_at : TIMER_NEVER;
}

void gateways_tick(struct gateways *g)
{
	uint64_t now = gateways_now(g);

	if (now < gateways_next(g))
		return;
	g->tick_at = now + GATEWAYS_TICK_US;
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		sweep(g, kinds[k], now);
	gateways_flush(g);
}
