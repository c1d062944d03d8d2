/* Which gateway is meant: by name, source, or digest user. */
#include "gateway_set.h"

#include <string.h>

const char *mapping_digest_user(const struct mapping_gateway_record *m)
{
	return m->username[0] ? m->username : m->head.name;
}

static struct gateway *find(const struct gateways *g, enum kind_id kind, const char *name)
{
	const struct hash *names = &g->names[kind == KIND_MAPPING_GATEWAY];

	for (struct hash_link *l = hash_first(names, hash_text(name)); l; l = hash_next(l)) {
		struct gateway *gateway = HASH_OWNER(l, struct gateway, by_name);
		if (strcmp(gateway_name(gateway), name) == 0)
			return gateway;
	}
	return NULL;
}

struct mapping_gateway *gateways_mapping(const struct gateways *g, const char *name)
{
	struct gateway *gateway = find(g, KIND_MAPPING_GATEWAY, name);

	return gateway ? as_mapping(gateway) : NULL;
}

struct routing_gateway *gateways_routing(const struct gateways *g, const char *name)
{
	struct gateway *gateway = find(g, KIND_ROUTING_GATEWAY, name);

	return gateway ? as_routing(gateway) : NULL;
}

/* Of two with the same source the one that names the listener, then the lower id. */
static bool suits(const void *owner, const void *other, const void *listener_name)
{
	const struct mapping_gateway *m = owner, *best = other;
	const struct mapping_gateway_record *s = m->base.settings->mapping;

	if (!s->enabled || (s->listener[0] && strcmp(s->listener, listener_name) != 0))
		return false;
	if (!best)
		return true;
	if ((s->listener[0] != '\0') != (best->base.settings->mapping->listener[0] != '\0'))
		return s->listener[0] != '\0';
	return m->base.id < best->base.id;
}

struct mapping_gateway *gateways_by_source(const struct gateways *g, const union address *remote, const char *listener_name)
{
	return source_find(&g->sources, remote, suits, listener_name);
}

bool gateways_ask_anyone(const struct gateways *g)
{
	return g->users.count > 0;
}

struct mapping_gateway *gateways_by_username(const struct gateways *g, const char *username)
{
	struct mapping_gateway *best = NULL;

	for (struct hash_link *l = hash_first(&g->users, hash_text(username)); l; l = hash_next(l)) {
		struct mapping_gateway *m = HASH_OWNER(l, struct mapping_gateway, by_user);
		const struct mapping_gateway_record *s = m->base.settings->mapping;
		if (strcmp(mapping_digest_user(s), username) == 0 && (!best || m->base.id < best->base.id))
			best = m;
	}
	return best;
}
