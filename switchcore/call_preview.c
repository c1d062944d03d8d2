/* The INVITE that a call would send now, and where to, made the way of a real one. */
#include "call.h"

#include "chance.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SKIPPED_TEXT_MAX 400

__attribute__((format(printf, 6, 7)))
static int refuse(char *text, size_t size, size_t *len, uint32_t *code, uint32_t what, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, size, format, arguments);
	va_end(arguments);
	*len = n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
	*code = what;
	return EACCES;
}

struct skips { char text[SKIPPED_TEXT_MAX]; size_t used; };

static void skipped(void *arg, const struct routing_gateway *gateway, const char *why)
{
	struct skips *skips = arg;
	const char *name = gateway_name((const struct gateway *)(const void *)gateway);
	int n = snprintf(skips->text + skips->used, sizeof skips->text - skips->used, "; %s: %s", name, why);

	if (n > 0 && (size_t)n < sizeof skips->text - skips->used)
		skips->used += (size_t)n;
}

static void nothing(struct resolver_wait *wait, const struct resolver_result *result)
{
	(void)wait;
	(void)result;
}

/* Where it would go: the first target that a listener reaches. */
static const struct listener *find_way(struct calls *calls, const struct routing_gateway_record *record, struct target *target)
{
	struct resolver_wait wait = { .done = nothing };
	struct resolver_result where;

	if (resolver_find(calls->parts.resolver, &wait, &where, record->host, (uint16_t)record->port, record->transport) != 0) {
		resolver_forget(&wait);
		return NULL;
	}
	for (size_t i = 0; i < where.count; i++) {
		const struct listener *listener = sip_listener(calls->parts.sip, record->listener, where.targets[i].transport,
		                                               where.targets[i].address.family);
		*target = where.targets[i];
		if (listener)
			return listener;
	}
	return NULL;
}

static int write_preview(struct calls *calls, struct routing_gateway *gateway, struct plan_source *source, const struct listener *listener,
                         const struct target *target, char *text, size_t size, size_t *len)
{
	struct invite_plan plan;
	char address[TARGET_TEXT_MAX], random[17];
	size_t at;
	int error = invite_plan_numbers(&plan, source);

	if (!error)
		error = invite_plan_address(&plan, source, listener, target);
	if (error)
		return error;
	chance_hex(random, 16);
	snprintf(plan.call_id, sizeof plan.call_id, "g%08x-%s", gateway_of_routing(gateway)->id, random);
	calls_tag_for(calls, plan.tag, plan.call_id);
	plan.invite.call_id = plan.call_id;
	plan.invite.from_tag = plan.tag;
	plan.invite.cseq = 1;
	target_text(target, address, sizeof address);
	at = (size_t)snprintf(text, size, "%s\n%s\n", gateway_name(gateway_of_routing(gateway)), address);
	error = sip_invite_text(calls->parts.sip, text + at, size - at, len, &plan.invite);
	*len += at;
	return error;
}

int calls_preview(struct calls *calls, uint32_t mapping, uint64_t incarnation, const char *callee, const char *caller, char *text,
                  size_t size, size_t *len, uint32_t *code)
{
	struct gateway *m = gateways_at(calls->parts.gateways, KIND_MAPPING_GATEWAY, mapping);
	const struct mapping_gateway_record *record;
	struct numbers_in in = { .request_user = callee, .to_user = callee, .from_user = caller, .diversion_user = callee };
	char callee_mapped[NUMBER_MAX + 1], caller_in[NUMBER_MAX + 1], caller_mapped[NUMBER_MAX + 1];
	struct plan_source source;
	struct routing_gateway *gateway;
	const struct listener *listener;
	struct target target;
	struct skips skips = { "", 0 };
	struct route route;
	bool named;

	*len = 0;
	*code = 0;
	if (!m)
		return ENOENT;
	if (m->incarnation != incarnation)
		return ESTALE;
	record = m->settings->mapping;
	if (!record->enabled || record->locked)
		return refuse(text, size, len, code, 403, "mapping gateway %s is %s", gateway_name(m), record->enabled ? "locked" : "disabled");
	if (numbers_caller(caller_in, sizeof caller_in, record->caller, &in) != 0 ||
	    numbers_rewrite(callee_mapped, sizeof callee_mapped, &record->callee_rewrite, callee) != 0 ||
	    numbers_rewrite(caller_mapped, sizeof caller_mapped, &record->caller_rewrite, caller_in) != 0)
		return refuse(text, size, len, code, 414, "a number is longer than %d bytes", NUMBER_MAX);
	if (!mapping_allows(m->settings, callee))
		return refuse(text, size, len, code, 403, "mapping gateway %s may not call %s", gateway_name(m), callee);
	route_begin(&route, calls->parts.gateways, callee_mapped);
	gateway = route_next(&route, skipped, &skips);
	if (!gateway && route_any(&route))
		return refuse(text, size, len, code, 503, "no gateway takes the call now%s", skips.text);
	if (!gateway)
		return refuse(text, size, len, code, 404, "no routing gateway has a prefix of %s", callee_mapped);
	source = (struct plan_source){
		.gateway = gateway_of_routing(gateway)->settings->routing, .parameters = &calls->parameters,
		.registration = routing_registration(gateway, &named), .trusted = record->trusted != 0, .in = &in, .original = callee,
		.callee = callee_mapped, .caller = caller_mapped,
	};
	listener = find_way(calls, source.gateway, &target);
	if (!listener)
		return refuse(text, size, len, code, 503, "routing gateway %s: %s has no address that a listener reaches, or none yet",
		              gateway_name(gateway_of_routing(gateway)), source.gateway->host);
	return write_preview(calls, gateway, &source, listener, &target, text, size, len);
}
