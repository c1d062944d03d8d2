/*
 * The gateways as the switch runs them: routing gateways (where calls go) and mapping gateways (where calls come from).
 * What is configured (struct gateway_settings: immutable, shared by reference with the calls that began with it) is kept
 * apart from what happens (struct gateway: calls, rates, holds, probes).  Pure logic: everything it needs of the world comes
 * through struct gateway_world, so tests run it with a clock of their own.
 *
 * A call holds a reference to the settings it began with and to each gateway it counts on.  A deleted gateway lives on as an
 * orphan, found by no look-up, until the last of these references is gone.
 */
#ifndef SWITCHCORE_GATEWAY_H
#define SWITCHCORE_GATEWAY_H

#include "registration.h"
#include "resolver.h"
#include "sip.h"
#include "timer.h"

#include "shm/status.h"

#define GATEWAYS_TICK_US (SECOND_US / 10)
#define GATEWAY_TELL_US (SECOND_US / 4)		/* a gateway's status is written so often at most */
#define GATEWAY_HOLD_MAX 7200			/* s */
#define GATEWAY_HOUR_SLOTS 12u
#define GATEWAY_SLOT_US (300 * SECOND_US)
#define GATEWAY_WHY_MAX sizeof((struct gateway_status *)0)->why
#define ROUTE_GIVEN_MAX 32			/* gateways that one call is sent to, one after the other */
#define ROUTE_TOLD_MAX 32			/* gateways of one call whose skipping is told */

struct gateways;
struct mapping_gateway;
struct routing_gateway;

/* ------------------------------------------------------------------ settings */

struct gateway_settings {
	uint32_t references;
	uint32_t kind;				/* KIND_ROUTING_GATEWAY or KIND_MAPPING_GATEWAY */
	const struct record *head;		/* of the record below */
	const struct routing_gateway_record *routing;	/* or NULL */
	const struct mapping_gateway_record *mapping;	/* or NULL */
};

struct gateway_settings *gateway_settings_create(enum kind_id kind, const struct record *record);	/* NULL: no memory */
struct gateway_settings *gateway_settings_ref(struct gateway_settings *settings);
void gateway_settings_unref(struct gateway_settings *settings);	/* the last one wipes the password; NULL is allowed */

/* The longer match of allowed and denied prefixes wins, of equals denied; no allowed prefixes = all are. */
bool mapping_allows(const struct gateway_settings *settings, const char *callee);
/* Whether a final code of that gateway ends the search for another one: its stop codes, and every 6xx (RFC 3261 16.7). */
bool routing_stops(const struct gateway_settings *settings, unsigned code);

/* ------------------------------------------------------------------ one gateway */

/* The beginning of both kinds.  Read by others, written by gateway*.c. */
struct gateway {
	struct gateways *set;
	struct gateway_settings *settings;	/* as configured now; of an orphan: as configured last */
	uint64_t incarnation;
	uint32_t id;
	uint32_t references;
	uint32_t calls;				/* now */
	uint8_t kind;				/* enum kind_id */
	bool orphan;
	/* The rest is for gateway*.c.  First what every call looks at, of the settings too. */
	bool enabled, locked, listening, trunked;	/* listening: its listener exists; trunked: it names a registration */
	bool dirty;				/* waits to be told */
	uint8_t obstacle;			/* enum gateway_obstacle, as seen last */
	uint8_t told_event;			/* GATEWAY_EVENT() as told last */
	uint32_t capacity, max_cps;		/* 0 = no limit */
	uint64_t serial;			/* never used again */
	struct gateway *next_dirty;
	uint64_t second;			/* of the clock, that `started` is of */
	uint32_t started, started_before;	/* new calls in it, and in the one before */
	uint32_t told_cps, told_hour;		/* as told last */
	uint64_t calls_total, answered_total;
	uint64_t told_at;			/* 0 = never */
	uint64_t revision;
	struct hash_link by_name;
	struct gateway_hour {			/* the last hour in stretches of five minutes */
		uint32_t slot;			/* of the newest */
		struct { uint32_t calls, answered, ended; uint64_t talked_ms; } five[GATEWAY_HOUR_SLOTS];
	} hour;
	struct { uint64_t at; uint16_t code; } codes[STATUS_CODES];	/* a ring */
	uint32_t code_count;			/* so far */
	uint64_t failures[FAILURE_COUNT];	/* since the core started */
};

static inline struct gateway *gateway_of_mapping(struct mapping_gateway *m) { return (struct gateway *)(void *)m; }
static inline struct gateway *gateway_of_routing(struct routing_gateway *r) { return (struct gateway *)(void *)r; }
static inline const char *gateway_name(const struct gateway *g) { return g->settings->head->name; }

struct gateway *gateway_ref(struct gateway *gateway);
void gateway_unref(struct gateway *gateway);		/* NULL is allowed */

/* Why it takes no new call now, in words: "" when it does.  The rate (max_cps) is no part of it: it changes by the moment. */
void gateway_why(struct gateway *gateway, char *why, size_t size);

/*
 * A call's way through a gateway.  claim counts it and a new call of the second, and takes a reference that release gives
 * back; every claim is released once, an orphan's too.  max_cps: so many in each whole second of the clock.
 * Errors: EPERM locked or disabled; EBUSY capacity; EAGAIN max_cps.  Then nothing was counted.
 */
int mapping_admit(struct mapping_gateway *m);
void mapping_release(struct mapping_gateway *m);
int routing_claim(struct routing_gateway *r);		/* a route just gave it: cannot fail then */
void routing_release(struct routing_gateway *r);

/* For the record, both kinds: the final code of an attempt (408 = time-out, 503 = transport); it was answered; a call that had
 * been answered ended after so long. */
void gateway_tried(struct gateway *gateway, unsigned code);
void gateway_answered(struct gateway *gateway);
void gateway_ended(struct gateway *gateway, uint64_t talked_ms);

/* 503 with Retry-After: out of routing for so many seconds, GATEWAY_HOLD_MAX at most. */
void routing_hold(struct routing_gateway *r, int32_t seconds);
/* The registration that calls to it leave through, or NULL: none is named, or none of that name exists (*named tells). */
struct registration *routing_registration(const struct routing_gateway *r, bool *named);

/* ------------------------------------------------------------------ who is it */

/* The mapping gateway whose source that is: address:port first, then the longest CIDR; of the enabled ones, and only where
 * the listener fits.  listener_name "" = one without a name.  NULL: an unknown source. */
struct mapping_gateway *gateways_by_source(const struct gateways *g, const union address *remote, const char *listener_name);
/* The enabled mapping gateway with digest authentication and no sources of that user name (its name when it has none). */
struct mapping_gateway *gateways_by_username(const struct gateways *g, const char *username);
/* There are such gateways: a call from anywhere may be one of theirs. */
bool gateways_ask_anyone(const struct gateways *g);
struct mapping_gateway *gateways_mapping(const struct gateways *g, const char *name);		/* enabled or not; or NULL */
struct routing_gateway *gateways_routing(const struct gateways *g, const char *name);		/* likewise */
struct gateway *gateways_at(const struct gateways *g, enum kind_id kind, uint32_t id);		/* likewise */
/* The enabled routing gateway whose own address that is: its numeric host, or what its name resolves to.  One of that port
 * first, then one with an inbound_mapping.
 * Errors: ENOENT none; ENOTUNIQ several, none has the port, and they name different inbound mappings. */
int gateways_by_host(const struct gateways *g, struct routing_gateway **r, const union address *remote);

/* ------------------------------------------------------------------ where may it go */

/* `why` in the words of the API: "locked", "no capacity", "cps limit", "probe failed", "held until 12:00:30 (Retry-After)",
 * "registration carrier-a waiting: 403, next attempt 12:00:30", …  Each gateway is told once in a route. */
typedef void route_skipped_f(void *arg, const struct routing_gateway *r, const char *why);

/* Lives in the call; needs no end.  Holds no gateway: they may come, change and go between two looks. */
struct route {
	struct gateways *set;
	uint32_t given_count, told_count;
	uint64_t given[ROUTE_GIVEN_MAX], told[ROUTE_TOLD_MAX];	/* serial numbers of gateways */
	bool any;
	uint32_t prefix;			/* length, of the one given last */
	char callee[SCHEMA_PREFIX_MAX + 1];	/* as much of it as a prefix can match */
};

void route_begin(struct route *route, struct gateways *set, const char *callee);
/* The next gateway that takes the call now: longest prefix, then lowest priority, then most free capacity (no limit = most; of
 * equals the one with fewest calls); none that was given before.  NULL: no more, or ROUTE_GIVEN_MAX were.  skipped may be
 * NULL.  The gateway is lent: claim it before anything else happens. */
struct routing_gateway *route_next(struct route *route, route_skipped_f *skipped, void *arg);
/* After the first route_next(): did any gateway have a prefix that matches (503), or none (404). */
bool route_any(const struct route *route);
/* Of the gateway that route_next() gave: so many characters of the callee are the prefix it was found by; 0 = it catches all. */
uint32_t route_prefix(const struct route *route);

/* ------------------------------------------------------------------ the set */

struct gateway_world {
	void *arg;
	uint64_t (*now)(void *arg);		/* µs, monotonic */
	uint64_t (*wall)(void *arg);		/* µs since the epoch */
	uint32_t (*random)(void *arg);
	const struct listener *(*listener)(void *arg, const char *name, int32_t transport, sa_family_t family);
	int (*resolve)(void *arg, struct resolver_wait *wait, struct resolver_result *result, const char *host,
	               uint16_t port, int32_t transport);	/* as resolver_find() */
	int (*probe)(void *arg, struct sip_transaction **transaction, const struct sip_probe *request,
	             sip_answer_f *answer, void *answer_arg);	/* as sip_probe_send() */
	void (*release)(void *arg, struct sip_transaction *transaction);
	void (*report)(void *arg, enum kind_id kind, uint32_t id, const struct gateway_status *status);
	void (*event)(void *arg, const struct status_event *event);
};

int gateways_create(struct gateways **g, const struct gateway_world *world, struct timers *timers,
                    struct registrations *registrations);
/* No call may hold one any more. */
void gateways_destroy(struct gateways *g);

/* As the configuration has it.  A record that did not change (id, incarnation, revision) is left alone.  ENOMEM: try again. */
int gateways_put_routing(struct gateways *g, const struct routing_gateway_record *record);
int gateways_put_mapping(struct gateways *g, const struct mapping_gateway_record *record);
void gateways_delete(struct gateways *g, enum kind_id kind, uint32_t id);
uint32_t gateways_limit(const struct gateways *g, enum kind_id kind);	/* no id is at or above it */
void gateways_parameters(struct gateways *g, const struct sip_parameters *parameters);

/* A registration changed, came or went: the gateways that use it follow. */
void gateways_registration(struct gateways *g, const struct registration *r);
/* Sends due probes, looks names up, tells changed states; does nothing before gateways_next() (TIMER_NEVER: no gateways). */
void gateways_tick(struct gateways *g);
uint64_t gateways_next(const struct gateways *g);
void gateways_stop(struct gateways *g);		/* no more probes */

#endif
