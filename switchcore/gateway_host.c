/* The addresses of routing gateways, to know a call that comes from one of them. */
#include "gateway_set.h"

#include <errno.h>
#include <string.h>

static uint32_t hash_of(const union address *a)
{
	return a->family == AF_INET6 ? hash_bytes(&a->v6.sin6_addr, 16) : hash_bytes(&a->v4.sin_addr, 4);
}

static void forget_hosts(struct routing_gateway *r)
{
	for (size_t i = 0; i < r->host_count; i++)
		hash_remove(&r->base.set->hosts, &r->hosts[i].link);
	r->host_count = 0;
}

static void add_host(struct routing_gateway *r, const union address *address)
{
	struct host_entry *e = &r->hosts[r->host_count++];

	e->address = *address;
	e->gateway = r;
	hash_add(&r->base.set->hosts, &e->link, hash_of(address));
}

/* The addresses of a name that is not found just now are kept: an outage of the DNS must not turn calls away. */
static void take(struct routing_gateway *r, const struct resolver_result *result)
{
	if (result->count == 0)
		return;
	forget_hosts(r);
	for (size_t i = 0; i < result->count; i++)
		add_host(r, &result->targets[i].address);
}

static void looked_up(struct resolver_wait *wait, const struct resolver_result *result)
{
	struct routing_gateway *r = (struct routing_gateway *)(void *)((char *)wait - offsetof(struct routing_gateway, wait));

	r->base.set->lookups_out--;
	take(r, result);
}

static void stop_lookup(struct routing_gateway *r)
{
	if (r->wait.lookup) {
		resolver_forget(&r->wait);
		r->base.set->lookups_out--;
	}
	r->lookup_at = TIMER_NEVER;
}

void routing_hosts_drop(struct routing_gateway *r)
{
	stop_lookup(r);
	forget_hosts(r);
}

static bool same_place(const struct routing_gateway_record *a, const struct routing_gateway_record *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port && a->transport == b->transport;
}

void routing_hosts_apply(struct routing_gateway *r, const struct gateway_settings *old)
{
	const struct routing_gateway_record *s = r->base.settings->routing;
	uint16_t port = (uint16_t)(s->port ? s->port : target_default_port(s->transport));
	union address address;

	if (!s->enabled || !old || !same_place(old->routing, s))
		routing_hosts_drop(r);
	if (!s->enabled)
		return;
	if (address_parse(&address, s->host, port)) {
		union address plain;
		address_from(&plain, &address.any);	/* as received ones are told */
		if (r->host_count == 0)
			add_host(r, &plain);
	} else if (!s->inbound_mapping[0]) {
		routing_hosts_drop(r);
	} else if (r->lookup_at == TIMER_NEVER) {
		r->lookup_at = 0;
		routing_hosts_sweep(r, gateways_now(r->base.set));
	}
}

void routing_hosts_sweep(struct routing_gateway *r, uint64_t now)
{
	const struct routing_gateway_record *s = r->base.settings->routing;
	struct gateways *g = r->base.set;
	struct resolver_result result;
	int error;

	if (now < r->lookup_at || r->wait.lookup || g->lookups_out >= GATEWAY_LOOKUPS_MAX)
		return;
	r->lookup_at = now + GATEWAY_LOOKUP_US;
	r->wait.done = looked_up;
	error = g->world.resolve(g->world.arg, &r->wait, &result, s->host, (uint16_t)s->port, s->transport);
	if (error == 0)
		take(r, &result);
	else if (error == EINPROGRESS)
		g->lookups_out++;
}

static bool mapped(const struct routing_gateway *r)
{
	return r->base.settings->routing->inbound_mapping[0] != '\0';
}

/* With the port before others, then with an inbound mapping, then the lower id. */
static bool better(const struct host_entry *a, const struct host_entry *b, uint16_t port)
{
	bool port_a = address_port(&a->address) == port, port_b = address_port(&b->address) == port;

	if (port_a != port_b)
		return port_a;
	if (mapped(a->gateway) != mapped(b->gateway))
		return mapped(a->gateway);
	return a->gateway->base.id < b->gateway->base.id;
}

int gateways_by_host(const struct gateways *g, struct routing_gateway **r, const union address *remote)
{
	uint16_t port = address_port(remote);
	const struct host_entry *best = NULL;
	bool several = false;

	for (struct hash_link *l = hash_first(&g->hosts, hash_of(remote)); l; l = hash_next(l)) {
		const struct host_entry *e = HASH_OWNER(l, struct host_entry, link);
		if (!address_same_host(&e->address, remote))
			continue;
		if (best && mapped(e->gateway) && mapped(best->gateway) &&
		    strcmp(e->gateway->base.settings->routing->inbound_mapping,
		           best->gateway->base.settings->routing->inbound_mapping) != 0)
			several = true;
		if (!best || better(e, best, port))
			best = e;
	}
	if (!best)
		return ENOENT;
	if (several && address_port(&best->address) != port)
		return ENOTUNIQ;
	*r = best->gateway;
	return 0;
}
