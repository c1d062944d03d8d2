/* The INVITE that a call would send now, and where to, made the way of a real one. */
#include "call.h"

#include "chance.h"
#include "control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the call would be so far, and the text that tells it: shm/control.h. */
struct preview {
	struct calls *calls;
	struct call_facts facts;
	struct routing_gateway *gateway;	/* once one is chosen */
	struct routing_gateway_record record;	/* its settings, with the mode that is tried */
	char *text;
	size_t size, len;
	uint32_t code;
};

__attribute__((format(printf, 2, 0)))
static void append(struct preview *p, const char *format, va_list arguments)
{
	int n = vsnprintf(p->text + p->len, p->size - p->len, format, arguments);

	if (n > 0)
		p->len += (size_t)n < p->size - p->len ? (size_t)n : p->size - p->len - 1;
}

/* A line of the head.  Nothing that is told holds a line feed: names, and numbers, which are checked where they come in. */
__attribute__((format(printf, 2, 3)))
static void tell(struct preview *p, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(p, format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 3, 4)))
static int refuse(struct preview *p, uint32_t code, const char *format, ...)
{
	va_list arguments;

	p->code = code;
	tell(p, "\n");
	va_start(arguments, format);
	append(p, format, arguments);
	va_end(arguments);
	return EACCES;
}

/* ------------------------------------------------------------------ the routing gateway */

static void skipped(void *arg, const struct routing_gateway *gateway, const char *why)
{
	struct preview *p = arg;

	call_note(&p->facts.skipped, gateway_name((const struct gateway *)(const void *)gateway), why);
}

/* facts.skipped is lines "name why". */
static void tell_skipped(struct preview *p)
{
	for (const char *line = p->facts.skipped; line && *line; line = strchr(line, '\n') + 1)
		tell(p, "skipped %.*s\n", (int)strcspn(line, "\n"), line);
}

/* "; name: why" of each. */
static int refuse_skipped(struct preview *p)
{
	int error = refuse(p, 503, "no gateway takes the call now");

	for (const char *line = p->facts.skipped; line && *line;) {
		int len = (int)strcspn(line, "\n"), name = (int)strcspn(line, " ");
		tell(p, "; %.*s: %.*s", name, line, len - name - 1, line + name + 1);
		line += len + 1;
	}
	return error;
}

static int choose(struct preview *p, int32_t use_contact)
{
	struct route route;

	route_begin(&route, p->calls->parts.gateways, p->facts.callee);
	p->gateway = route_next(&route, skipped, p);
	tell_skipped(p);
	if (!p->gateway && route_any(&route))
		return refuse_skipped(p);
	if (!p->gateway)
		return refuse(p, 404, "no routing gateway has a prefix of %s", p->facts.callee);
	p->record = *gateway_of_routing(p->gateway)->settings->routing;
	if (use_contact != INVITE_MODE_INHERIT)
		p->record.invite_use_contact = use_contact;
	tell(p, "gateway %s\n", gateway_name(gateway_of_routing(p->gateway)));
	tell(p, "prefix %.*s\n", (int)route_prefix(&route), p->facts.callee);
	return 0;
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

/* ------------------------------------------------------------------ the message */

/* Read back from the message's parts, so that it cannot say what they do not. */
static void tell_written(struct preview *p, const struct invite_identity *identity)
{
	char number[NUMBER_MAX + 1];

	tell(p, "invite_use_contact %s\n", identity->use_contact ? "on" : "off");
	if (number_from_user(number, sizeof number, identity->request_user) == 0)
		tell(p, "request_uri_out %s\n", number);
	tell(p, "to_out %s\n", identity->to_number);
}

static int write_message(struct preview *p, struct invite_plan *plan, const struct target *target)
{
	char address[TARGET_TEXT_MAX], random[17];
	size_t len = 0;
	int error;

	chance_hex(random, 16);
	snprintf(plan->call_id, sizeof plan->call_id, "g%08x-%s", gateway_of_routing(p->gateway)->id, random);
	calls_tag_for(p->calls, plan->tag, plan->call_id);
	plan->invite.call_id = plan->call_id;
	plan->invite.from_tag = plan->tag;
	plan->invite.cseq = 1;
	target_text(target, address, sizeof address);
	tell(p, "target %s\n", address);
	tell(p, "\n");
	error = sip_invite_text(p->calls->parts.sip, p->text + p->len, p->size - p->len, &len, &plan->invite);
	p->len += len;
	return error;
}

static int plan_invite(struct preview *p, const struct mapping_gateway_record *mapping, const struct numbers_in *in)
{
	bool named;
	const struct plan_source source = {
		.gateway = &p->record, .parameters = &p->calls->parameters, .registration = routing_registration(p->gateway, &named),
		.trusted = mapping->trusted != 0, .in = in, .original = p->facts.original, .callee = p->facts.callee,
		.caller = p->facts.caller,
	};
	const char *name = gateway_name(gateway_of_routing(p->gateway));
	const struct listener *listener;
	struct invite_plan plan;
	struct target target;
	int error = invite_plan_numbers(&plan, &source);

	if (error)
		return refuse(p, 414, "routing gateway %s: a number is longer than %d bytes", name, NUMBER_MAX);
	tell(p, "routed %s\n", plan.routed);
	tell(p, "caller_out %s\n", plan.caller_out);
	listener = find_way(p->calls, source.gateway, &target);
	if (!listener)
		return refuse(p, 503, "routing gateway %s: %s has no address that a listener reaches, or none yet", name, source.gateway->host);
	error = invite_plan_address(&plan, &source, listener, &target);
	if (error)
		return refuse(p, error == EMSGSIZE ? 414 : 503, "routing gateway %s: %s", name, strerror(error));
	tell_written(p, &plan.identity);
	return write_message(p, &plan, &target);
}

/* ------------------------------------------------------------------ the call */

static int preview(struct preview *p, const struct gateway *m, const struct control_call *call)
{
	const struct mapping_gateway_record *record = m->settings->mapping;
	const struct numbers_in in = { .request_user = call->callee, .to_user = call->callee, .from_user = call->caller,
	                               .diversion_user = call->callee };
	int error;

	if (!record->enabled || record->locked)
		return refuse(p, 403, "mapping gateway %s is %s", gateway_name(m), record->enabled ? "locked" : "disabled");
	error = call_numbers(&p->facts, record, record->caller, &in);
	tell(p, "callee_in %s\n", p->facts.callee_in);
	tell(p, "original %s\n", p->facts.original);
	if (error)
		return refuse(p, 414, "a number is longer than %d bytes", NUMBER_MAX);
	tell(p, "mapped %s\n", p->facts.callee);
	tell(p, "caller_in %s\n", p->facts.caller_in);
	tell(p, "caller_mapped %s\n", p->facts.caller);
	if (!mapping_allows(m->settings, p->facts.callee_in))
		return refuse(p, 403, "mapping gateway %s may not call %s", gateway_name(m), p->facts.callee_in);
	error = choose(p, call->use_contact);
	return error ? error : plan_invite(p, record, &in);
}

int calls_preview(struct calls *calls, uint32_t mapping, uint64_t incarnation, const struct control_call *call, char *text, size_t size,
                  size_t *len, uint32_t *code)
{
	const struct gateway *m = gateways_at(calls->parts.gateways, KIND_MAPPING_GATEWAY, mapping);
	struct preview p = { .calls = calls, .text = text, .size = size };
	int error;

	*len = 0;
	*code = 0;
	if (!m)
		return ENOENT;
	if (m->incarnation != incarnation)
		return ESTALE;
	error = preview(&p, m, call);
	explicit_bzero(&p.record, sizeof p.record);	/* it has a password */
	free(p.facts.skipped);
	*len = p.len;
	*code = p.code;
	return error;
}
