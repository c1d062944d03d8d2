/*
 * Between the files of the gateways: gateways.c (the set: what the configuration does to it), gateway_find.c, gateway.c (one:
 * obstacles, calls), gateway_status.c (what is told), gateway_settings.c, gateway_host.c (addresses of routing gateways),
 * gateway_probe.c and route.c.  Nobody else includes this.
 */
#ifndef SWITCHCORE_GATEWAY_SET_H
#define SWITCHCORE_GATEWAY_SET_H

#include "gateway.h"
#include "hash.h"
#include "plan.h"
#include "source.h"

#define GATEWAY_PROBES_MAX 256u			/* OPTIONS out at once */
#define GATEWAY_LOOKUPS_MAX 32u			/* names being looked up at once */
#define GATEWAY_LOOKUP_US (60 * SECOND_US)	/* a name is looked up again; the resolver obeys its TTL */
#define GATEWAY_SWEEP_TICKS 10u			/* all gateways are looked at in so many ticks */

/* Why a gateway takes no new call; in the order in which they are told. */
enum gateway_obstacle {
	OBSTACLE_NONE, OBSTACLE_DISABLED, OBSTACLE_LOCKED, OBSTACLE_LISTENER, OBSTACLE_PROBE, OBSTACLE_HELD, OBSTACLE_REGISTRATION,
	OBSTACLE_CAPACITY, OBSTACLE_RATE,
};

struct mapping_gateway {
	struct gateway base;
	struct hash_link by_user;
	struct source *sources;			/* those of its settings */
	size_t source_count;
};

struct host_entry {
	struct hash_link link;
	union address address;
	struct routing_gateway *gateway;
};

struct probe;

struct routing_gateway {
	struct gateway base;
	struct hash_link by_registration;
	/* gateway_host.c */
	struct host_entry hosts[RESOLVER_TARGETS_MAX];
	size_t host_count;
	struct resolver_wait wait;
	uint64_t lookup_at;			/* TIMER_NEVER = it has no name to look up */
	/* holds */
	struct timer hold;
	uint64_t held_until;			/* µs of now(); 0 = not held */
	/* gateway_probe.c */
	struct probe *probe;			/* while one is out */
	uint64_t probe_due;
	uint64_t probe_at, probe_since;		/* of the wall clock */
	uint32_t probe_rtt_us;
	uint32_t probe_cseq;
	uint16_t probe_code;
	uint8_t probe_state;			/* enum probe_state */
};

/* What choosing among many looks at, packed, by id: the greatest rank is chosen.  Above RANK_RATE: with a limit, what is
 * free of it; without one above all these, the fewer calls the higher. */
enum { RANK_OBSTACLE = 0, RANK_RATE = 1 };
#define RANK_NO_LIMIT 0x80000000u

struct gateways {
	struct gateway_world world;
	struct timers *timers;
	struct registrations *registrations;
	struct sip_parameters parameters;
	struct gateway_table { struct gateway **at; uint32_t limit, swept; } tables[2];	/* routing, mapping; by id */
	uint32_t *ranks;			/* as many as the routing table has */
	struct plan plan;
	struct sources_index sources;
	struct hash users, names[2], hosts, by_registration;
	struct gateway *dirty, **dirty_end;
	uint64_t serial;
	uint64_t tick_at;
	uint32_t probed;			/* gateways that are to be probed */
	uint32_t probes_out, lookups_out;
	bool stopping;
};

static inline uint64_t gateways_now(const struct gateways *g) { return g->world.now(g->world.arg); }
static inline uint64_t gateways_wall(const struct gateways *g) { return g->world.wall(g->world.arg); }
static inline struct mapping_gateway *as_mapping(struct gateway *g) { return (struct mapping_gateway *)(void *)g; }
static inline struct routing_gateway *as_routing(struct gateway *g) { return (struct routing_gateway *)(void *)g; }
static inline struct gateway_table *gateways_table(const struct gateways *g, enum kind_id kind)
{
	return (struct gateway_table *)&g->tables[kind == KIND_MAPPING_GATEWAY];
}

static inline uint64_t gateway_second(const struct gateway *g) { return gateways_now(g->set) / SECOND_US; }
static inline uint32_t gateway_slot(const struct gateway *g) { return (uint32_t)(gateways_now(g->set) / GATEWAY_SLOT_US); }

/* gateway_settings.c */
bool routing_same_way(const struct gateway_settings *a, const struct gateway_settings *b);	/* the same address, by the same way */

/* gateway.c */
void gateway_adopt(struct gateway *gateway, struct gateway_settings *settings);
enum gateway_obstacle gateway_obstacle(const struct gateway *gateway);	/* now, the rate left out */
bool gateway_rate_spent(const struct gateway *gateway);
void gateway_say(const struct gateway *gateway, enum gateway_obstacle obstacle, char *why, size_t size);
bool gateway_look(struct gateway *gateway);	/* takes note of its obstacle; true: it changed */
void routing_hold_over(struct timer *timer);

/* gateway_status.c */
void gateway_touch(struct gateway *gateway);	/* something of it is to be told */
void gateway_tell(struct gateway *gateway);	/* now */
void gateways_flush(struct gateways *g);
bool gateway_told_is_old(const struct gateway *gateway);	/* what was told of the last second or hour is true no more */

/* gateway_find.c */
const char *mapping_digest_user(const struct mapping_gateway_record *m);	/* its name when it has none */

/* gateway_host.c */
void routing_hosts_apply(struct routing_gateway *r, const struct gateway_settings *old);	/* its settings are new */
void routing_hosts_drop(struct routing_gateway *r);
void routing_hosts_sweep(struct routing_gateway *r, uint64_t now);

/* gateway_probe.c */
void routing_probe_apply(struct routing_gateway *r, const struct gateway_settings *old);	/* likewise, or the parameters */
void routing_probe_drop(struct routing_gateway *r);
uint32_t routing_probe_sweep(struct routing_gateway *r, uint64_t now, uint32_t allowed);	/* how many it began */
uint32_t gateways_probe_share(const struct gateways *g);	/* that one tick may begin */

#endif
