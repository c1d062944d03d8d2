/* One gateway: what stands in the way of a call, and its counts. */
#include "gateway_set.h"

#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ life */

static bool listener_exists(const struct gateway *gateway)
{
	const struct gateway_settings *s = gateway->settings;
	const struct gateway_world *w = &gateway->set->world;

	if (s->routing)
		return w->listener(w->arg, s->routing->listener, s->routing->transport, AF_UNSPEC) != NULL;
	for (int32_t transport = 0; transport < TRANSPORT_COUNT && s->mapping->listener[0]; transport++)
		if (w->listener(w->arg, s->mapping->listener, transport, AF_UNSPEC))
			return true;
	return !s->mapping->listener[0];
}

void gateway_adopt(struct gateway *gateway, struct gateway_settings *settings)
{
	const struct routing_gateway_record *r = settings->routing;
	const struct mapping_gateway_record *m = settings->mapping;

	gateway->settings = settings;
	gateway->incarnation = settings->head->incarnation;
	gateway->revision = settings->head->revision;
	gateway->enabled = r ? r->enabled : m->enabled;
	gateway->locked = r ? r->locked : m->locked;
	gateway->capacity = (uint32_t)(r ? r->capacity : m->capacity);
	gateway->max_cps = (uint32_t)(r ? r->max_cps : m->max_cps);
	gateway->trunked = r && r->registration[0];
	gateway->listening = listener_exists(gateway);
}

struct gateway *gateway_ref(struct gateway *gateway)
{
	gateway->references++;
	return gateway;
}

void gateway_unref(struct gateway *gateway)
{
	if (!gateway || --gateway->references > 0)
		return;
	if (gateway->kind == KIND_ROUTING_GATEWAY)
		timer_destroy(gateway->set->timers, &as_routing(gateway)->hold);
	else
		free(as_mapping(gateway)->sources);
	gateway_settings_unref(gateway->settings);
	free(gateway);
}


/* ------------------------------------------------------------------ obstacles */

struct registration *routing_registration(const struct routing_gateway *r, bool *named)
{
	const char *name = r->base.settings->routing->registration;

	if (named)
		*named = name[0] != '\0';
	return name[0] ? registrations_find(r->base.set->registrations, name) : NULL;
}

static bool registration_ready(const struct routing_gateway *r)
{
	const struct registration *registration = r->base.trunked ? routing_registration(r, NULL) : NULL;

	return !r->base.trunked || (registration && registration_usable(registration) && !registration_full(registration));
}

static enum gateway_obstacle routing_obstacle(const struct routing_gateway *r)
{
	if (r->probe_state == PROBE_DOWN)
		return OBSTACLE_PROBE;
	if (r->held_until > gateways_now(r->base.set))
		return OBSTACLE_HELD;
	return registration_ready(r) ? OBSTACLE_NONE : OBSTACLE_REGISTRATION;
}

static bool full(const struct gateway *gateway)
{
	return gateway->capacity && gateway->calls >= gateway->capacity;
}

enum gateway_obstacle gateway_obstacle(const struct gateway *gateway)
{
	enum gateway_obstacle obstacle = OBSTACLE_NONE;

	if (!gateway->enabled || gateway->orphan)
		return OBSTACLE_DISABLED;
	if (gateway->locked)
		return OBSTACLE_LOCKED;
	if (!gateway->listening)
		return OBSTACLE_LISTENER;
	if (gateway->kind == KIND_ROUTING_GATEWAY)
		obstacle = routing_obstacle((const struct routing_gateway *)(const void *)gateway);
	return obstacle == OBSTACLE_NONE && full(gateway) ? OBSTACLE_CAPACITY : obstacle;
}

bool gateway_rate_spent(const struct gateway *gateway)
{
	return gateway->max_cps && gateway->started >= gateway->max_cps && gateway->second == gateway_second(gateway);
}

static void say_registration(const struct routing_gateway *r, char *why, size_t size)
{
	const struct registration *registration = routing_registration(r, NULL);

	if (registration)
		registration_why(registration, why, size);
	else
		snprintf(why, size, "registration %s does not exist", r->base.settings->routing->registration);
}

static void say_held(const struct routing_gateway *r, char *why, size_t size)
{
	uint64_t end = gateways_wall(r->base.set) + (r->held_until - gateways_now(r->base.set));
	time_t seconds = (time_t)(end / SECOND_US);
	char clock[16];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(clock, sizeof clock, "%H:%M:%S", &tm);
	snprintf(why, size, "held until %s (Retry-After)", clock);
}

static void say_listener(const struct gateway *gateway, char *why, size_t size)
{
	const struct gateway_settings *s = gateway->settings;

	if (!s->routing)
		snprintf(why, size, "no listener %s", s->mapping->listener);
	else if (s->routing->listener[0])
		snprintf(why, size, "no %s listener %s", target_transport_word(s->routing->transport), s->routing->listener);
	else
		snprintf(why, size, "no %s listener", target_transport_word(s->routing->transport));
}

void gateway_say(const struct gateway *gateway, enum gateway_obstacle obstacle, char *why, size_t size)
{
	static const char *const words[] = {
		[OBSTACLE_NONE] = "", [OBSTACLE_DISABLED] = "disabled", [OBSTACLE_LOCKED] = "locked",
		[OBSTACLE_PROBE] = "probe failed", [OBSTACLE_CAPACITY] = "no capacity", [OBSTACLE_RATE] = "cps limit",
	};
	const struct routing_gateway *r = (const struct routing_gateway *)(const void *)gateway;

	switch (obstacle) {
	case OBSTACLE_LISTENER:
		say_listener(gateway, why, size);
		break;
	case OBSTACLE_HELD:
		say_held(r, why, size);
		break;
	case OBSTACLE_REGISTRATION:
		say_registration(r, why, size);
		break;
	default:
		snprintf(why, size, "%s", words[obstacle]);
	}
}

void gateway_why(struct gateway *gateway, char *why, size_t size)
{
	gateway_say(gateway, gateway_obstacle(gateway), why, size);
}

static void set_rank(const struct gateway *gateway)
{
	uint32_t rank;

	if (gateway->kind != KIND_ROUTING_GATEWAY || gateway->orphan)
		return;
	if (gateway->obstacle != OBSTACLE_NONE)
		rank = RANK_OBSTACLE;
	else if (gateway_rate_spent(gateway))
		rank = RANK_RATE;
	else if (gateway->capacity)
		rank = RANK_RATE + gateway->capacity - gateway->calls;
	else
		rank = RANK_NO_LIMIT + (RANK_NO_LIMIT - 1 - gateway->calls);
	gateway->set->ranks[gateway->id] = rank;
}

bool gateway_look(struct gateway *gateway)
{
	uint8_t before = gateway->obstacle;

	gateway->obstacle = (uint8_t)gateway_obstacle(gateway);
	set_rank(gateway);
	if (gateway->obstacle != before)
		gateway_touch(gateway);
	return gateway->obstacle != before;
}

/* ------------------------------------------------------------------ counts */

static void roll_second(struct gateway *gateway)
{
	uint64_t second = gateway_second(gateway);

	if (second == gateway->second)
		return;
	gateway->started_before = second == gateway->second + 1 ? gateway->started : 0;
	gateway->started = 0;
	gateway->second = second;
}

static void roll_hour(struct gateway *gateway)
{
	struct gateway_hour *hour = &gateway->hour;
	uint32_t slot = gateway_slot(gateway), passed = slot - hour->slot;

	if (passed > GATEWAY_HOUR_SLOTS)
		passed = GATEWAY_HOUR_SLOTS;
	for (uint32_t i = 0; i < passed; i++)
		memset(&hour->five[(slot - i) % GATEWAY_HOUR_SLOTS], 0, sizeof hour->five[0]);
	hour->slot = slot;
}

static void begin_call(struct gateway *gateway)
{
	roll_second(gateway);
	roll_hour(gateway);
	gateway->started++;
	gateway->calls++;
	gateway->calls_total++;
	gateway->hour.five[gateway->hour.slot % GATEWAY_HOUR_SLOTS].calls++;
	gateway_ref(gateway);
	gateway_look(gateway);
	gateway_touch(gateway);
}

static int claim(struct gateway *gateway)
{
	if (gateway->orphan || !gateway->enabled || gateway->locked)
		return EPERM;
	if (full(gateway))
		return EBUSY;
	if (gateway_rate_spent(gateway))
		return EAGAIN;
	begin_call(gateway);
	return 0;
}

static void release(struct gateway *gateway)
{
	gateway->calls--;
	gateway_look(gateway);
	gateway_touch(gateway);
	gateway_unref(gateway);
}

int mapping_admit(struct mapping_gateway *m)
{
	return claim(&m->base);
}

void mapping_release(struct mapping_gateway *m)
{
	release(&m->base);
}

int routing_claim(struct routing_gateway *r)
{
	return claim(&r->base);
}

void routing_release(struct routing_gateway *r)
{
	release(&r->base);
}

void gateway_tried(struct gateway *gateway, unsigned code)
{
	uint32_t place = gateway->code_count++ % STATUS_CODES;

	gateway->codes[place].at = gateways_wall(gateway->set);
	gateway->codes[place].code = (uint16_t)code;
	if (code >= 300)
		gateway->failures[status_failure(code)]++;
	gateway_touch(gateway);
}

void gateway_answered(struct gateway *gateway)
{
	roll_hour(gateway);
	gateway->answered_total++;
	gateway->hour.five[gateway->hour.slot % GATEWAY_HOUR_SLOTS].answered++;
	gateway_touch(gateway);
}

void gateway_ended(struct gateway *gateway, uint64_t talked_ms)
{
	roll_hour(gateway);
	gateway->hour.five[gateway->hour.slot % GATEWAY_HOUR_SLOTS].ended++;
	gateway->hour.five[gateway->hour.slot % GATEWAY_HOUR_SLOTS].talked_ms += talked_ms;
	gateway_touch(gateway);
}

/* ------------------------------------------------------------------ holds */

void routing_hold(struct routing_gateway *r, int32_t seconds)
{
	uint64_t until;

	if (seconds <= 0 || r->base.orphan)
		return;
	if (seconds > GATEWAY_HOLD_MAX)
		seconds = GATEWAY_HOLD_MAX;
	until = gateways_now(r->base.set) + (uint64_t)seconds * SECOND_US;
	log_info("routing gateway %s: held for %" PRId32 " s (Retry-After)", gateway_name(&r->base), seconds);
	r->held_until = until;
	timer_arm(r->base.set->timers, &r->hold, until);
	gateway_look(&r->base);
	gateway_touch(&r->base);
}

void routing_hold_over(struct timer *timer)
{
	struct routing_gateway *r = TIMER_OWNER(timer, struct routing_gateway, hold);

	r->held_until = 0;
	log_info("routing gateway %s: no longer held", gateway_name(&r->base));
	gateway_look(&r->base);
	gateway_touch(&r->base);
}
