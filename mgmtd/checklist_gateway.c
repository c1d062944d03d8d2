/* Checklist "gateway-headers" (parameters.md, "Advice"): a routing gateway, and the mapping gateway whose calls go to it. */
#include "mgmtd/checklist_private.h"

#include "mgmtd/message.h"
#include "mgmtd/party.h"
#include "mgmtd/store_advice.h"
#include "mgmtd/trace.h"
#include "mgmtd/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MESSAGES_A_HOLD 256u
#define HOLDS_MOST 4096u

enum { READS, MODE, REPLY, REQUEST, CALLEE, CALLER, TRACED, BILLING, TEXTS };
static const char *const texts[TEXTS] = {
	[READS] = "Which field the gateway reads", [MODE] = "invite_use_contact is set accordingly", [REPLY] = "Reply address",
	[REQUEST] = "Request address", [CALLEE] = "Callee of the mapping gateway", [CALLER] = "Caller of the mapping gateway",
	[TRACED] = "The last traced INVITE matches what is expected", [BILLING] = "The call record shows the right number for billing",
};

/* NULL: there is none, or none was named. */
struct gateways { const struct facts *routing, *mapping; };

static json_t *item_of(json_t *items, int text, const struct facts *f, enum kind_id kind)
{
	json_t *item = check_item(items, texts[text]);

	if (f)
		advice_evidence(item, "/%s/%s", schema_kinds[kind].path, f->record->name);
	else
		CHECK(item, CHECK_TODO, kind == KIND_ROUTING_GATEWAY ? "Name a routing gateway with ?gateway=."
		                                                     : "Name the mapping gateway whose calls go there with ?mapping_gateway=, or make a call.");
	return item;
}

/* ------------------------------------------------------------------ which number */

static uint32_t taken(const struct facts *f, bool rewritten)
{
	enum call_fact mode = facts_mode_on(f) ? CALLS_ON : CALLS_OFF;

	return f->seen->calls ? calls_in_hour(f->seen->calls, mode + (rewritten ? CALLS_OFF_REWRITTEN_TAKEN : CALLS_OFF_PLAIN_TAKEN), f->now) : 0;
}

static void check_reads(json_t *items, const struct facts *f)
{
	json_t *item = item_of(items, READS, f, KIND_ROUTING_GATEWAY);

	if (!f)
		return;
	advice_evidence(item, "/cdrs?gateway=%s", f->record->name);
	if (reads_to_holds(f))
		CHECK(item, CHECK_WARNING, "It refuses rewritten numbers only, with the dialled number in To: it reads To.");
	else if (reads_dialled_holds(f))
		CHECK(item, CHECK_WARNING, "It refuses rewritten numbers only, with the routed number in To: it may look the dialled one up there.");
	else if (taken(f, true))
		CHECK(item, CHECK_DONE, "%u calls with a rewritten number were taken in the last hour.", taken(f, true));
	else
		CHECK(item, CHECK_MANUAL, "No call with a rewritten number was taken in the last hour: ask the provider, or make one.");
}

static void check_mode(json_t *items, const struct facts *f)
{
	json_t *item = item_of(items, MODE, f, KIND_ROUTING_GATEWAY);

	if (!f)
		return;
	const char *mode = facts_mode_on(f) ? "on" : "off";
	const char *from = facts_gateway(f)->invite_use_contact == INVITE_MODE_INHERIT ? "SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT" : "its own";
	if (reads_to_holds(f) || reads_dialled_holds(f)) {
		CHECK(item, CHECK_WARNING, "%s (%s), and it refuses rewritten numbers.", mode, from);
		check_fix(item, f, reads_to_holds(f) ? TROUBLE_READS_TO : TROUBLE_READS_DIALLED);
	} else if (taken(f, true)) {
		CHECK(item, CHECK_DONE, "%s (%s), and rewritten numbers are taken.", mode, from);
	} else {
		CHECK(item, CHECK_MANUAL, "%s (%s). Keep off unless the gateway must receive the dialled number in To.", mode, from);
	}
}

/* ------------------------------------------------------------------ addresses */

static void check_reply(json_t *items, const struct facts *f)
{
	static const char *const words[] = { [REPLY_ADDRESS_SOCKET] = "socket", [REPLY_ADDRESS_VIA_PORT] = "via_port", [REPLY_ADDRESS_VIA] = "via" };
	json_t *item = item_of(items, REPLY, f, KIND_ROUTING_GATEWAY);

	if (!f)
		return;
	int32_t address = facts_gateway(f)->reply_address;
	if (address == REPLY_ADDRESS_SOCKET)
		CHECK(item, CHECK_DONE, "socket, as recommended: replies go where the request came from.");
	else
		CHECK(item, CHECK_MANUAL, "%s: make sure that what the gateway writes into Via can be reached from here.", words[address]);
}

static void check_request(json_t *items, const struct facts *f)
{
	static const char *const words[] = { [REQUEST_ADDRESS_SOCKET] = "socket", [REQUEST_ADDRESS_CONTACT_PORT] = "contact_port",
	                                     [REQUEST_ADDRESS_CONTACT] = "contact" };
	json_t *item = item_of(items, REQUEST, f, KIND_ROUTING_GATEWAY);

	if (!f)
		return;
	int32_t address = facts_gateway(f)->request_address;
	if (address == REQUEST_ADDRESS_SOCKET) {
		CHECK(item, CHECK_DONE, "socket, as recommended: BYE and re-INVITE go where its messages come from.");
	} else if (routing_contact_holds(f)) {
		CHECK(item, CHECK_WARNING, "%s, and its Contact %s cannot be reached from here.", words[address], f->seen->contact->contact);
		check_fix(item, f, TROUBLE_ROUTING_CONTACT);
	} else {
		CHECK(item, CHECK_MANUAL, "%s: make sure that the Contact it sends can be reached from here.", words[address]);
	}
}

/* ------------------------------------------------------------------ the mapping gateway */

static void check_callee(json_t *items, const struct facts *f)
{
	static const char *const words[] = { [CALLEE_SOURCE_TO] = "to", [CALLEE_SOURCE_REQUEST_LINE] = "request_line",
	                                     [CALLEE_SOURCE_DIVERSION] = "diversion" };
	json_t *item = item_of(items, CALLEE, f, KIND_MAPPING_GATEWAY);

	if (!f)
		return;
	int32_t callee = facts_mapping(f)->callee;
	if (other_number_holds(f)) {
		CHECK(item, CHECK_WARNING, "to, but %u INVITEs of the last hour had another number in the request line.",
		      calls_in_hour(f->seen->calls, CALLS_OTHER_NUMBER, f->now));
		check_fix(item, f, TROUBLE_OTHER_NUMBER);
	} else if (callee == CALLEE_SOURCE_DIVERSION) {
		CHECK(item, CHECK_MANUAL, "diversion: make sure that every caller sends a Diversion header.");
	} else {
		CHECK(item, CHECK_DONE, "%s.", words[callee]);
	}
}

static void check_caller(json_t *items, const struct facts *f)
{
	json_t *item = item_of(items, CALLER, f, KIND_MAPPING_GATEWAY);

	if (f && facts_mapping(f)->caller == CALLER_SOURCE_FROM)
		CHECK(item, CHECK_DONE, "from, as recommended.");
	else if (f)
		CHECK(item, CHECK_MANUAL, "Another header than From: make sure that the callers send it; From is read when it is missing.");
}

/* ------------------------------------------------------------------ the last call */

struct search { struct advisor *a; const char *call_id; uint64_t cursor, sequence; bool end, found; char request[PARTY_TEXT], to[PARTY_TEXT]; };

static void take_invite(struct search *s, const struct trace_header *header, size_t len)
{
	const char *message = s->a->message;
	char call_id[TRACE_CALL_ID_MAX + 1];
	struct party party;

	if (header->direction != TRACE_OUT || !message_is(message, len, "INVITE"))
		return;
	trace_call_id(call_id, message, len);
	if (strcmp(call_id, s->call_id) != 0 || !party_of_request(&party, message, len))
		return;
	snprintf(s->request, sizeof s->request, "%s", party.user);
	if (!party_of_header(&party, message, len, "To", "t"))
		return;
	snprintf(s->to, sizeof s->to, "%s", party.user);
	s->sequence = header->sequence;
	s->found = true;
}

static void search_some(struct status_reader *reader, void *arg)
{
	struct search *s = arg;
	struct trace_header header;
	uint64_t lost;

	for (unsigned i = 0; i < MESSAGES_A_HOLD; i++) {
		int e = status_next_trace(reader, &s->cursor, &header, s->a->message, TRACE_MESSAGE_MAX, &lost);
		if (e == EOVERFLOW)
			continue;
		s->end = e != 0;
		if (e)
			return;
		size_t len = status_trace_kept(reader, header.length);
		take_invite(s, &header, len < TRACE_MESSAGE_MAX ? len : TRACE_MESSAGE_MAX);
		if (s->found)
			return;
	}
}

static void compare_traced(json_t *item, const struct facts *f, const struct advice_numbers *numbers)
{
	struct search s = { .a = f->advisor, .call_id = numbers->call_id_out };
	bool on = facts_mode_on(f);
	const char *to = on ? numbers->original : numbers->routed;

	for (unsigned i = 0; i < HOLDS_MOST && !s.end && !s.found; i++)
		if (!core_with_status(watch_core(f->advisor->daemon->watch), search_some, &s))
			break;
	if (!s.found) {
		CHECK(item, CHECK_TODO, "The INVITE of the last call is not in the trace any more: make a call.");
	} else if (strcmp(numbers->mode, on ? "on" : "off") != 0) {
		CHECK(item, CHECK_TODO, "invite_use_contact was changed since the last call: make a call.");
	} else {
		bool match = strcmp(s.request, numbers->routed) == 0 && strcmp(s.to, to) == 0;
		CHECK(item, match ? CHECK_DONE : CHECK_WARNING, "Request line: %s (expected %s); To: %s (expected %s).", s.request, numbers->routed,
		      s.to, to);
		advice_evidence(item, "/trace?call_id=%s", numbers->call_id_out);
	}
}

static void check_last_call(json_t *items, const struct facts *f)
{
	json_t *traced = item_of(items, TRACED, f, KIND_ROUTING_GATEWAY), *billing = item_of(items, BILLING, f, KIND_ROUTING_GATEWAY);
	struct advice_numbers numbers = { "" };

	if (!f)
		return;
	uint64_t id = f->seen->calls ? f->seen->calls->last : 0;
	if (!id || store_advice_numbers(f->advisor->records, id, &numbers) != 0) {
		CHECK(traced, CHECK_TODO, "No call went there in the last hour: make one.");
		CHECK(billing, CHECK_TODO, "No call went there in the last hour: make one.");
		return;
	}
	compare_traced(traced, f, &numbers);
	advice_evidence(billing, "/cdrs/%016" PRIx64, id);
	CHECK(billing, CHECK_MANUAL, "billing_callee of the last call is %s (%s dialled, %s routed): compare it with the carrier's bill.", numbers.to_out,
	      numbers.original, numbers.routed);
}

/* ------------------------------------------------------------------ which gateways */

static bool named(struct facts *f, struct advisor *a, enum kind_id kind, const char *name)
{
	const struct record *record = name && name[0] ? snapshot_find(a->snap, kind, name) : NULL;

	return record && advisor_facts(f, a, kind, record->id);
}

/* ENOENT: one of the names is of no gateway. */
static int find(struct gateways *g, struct advisor *a, struct checklist_names *names)
{
	static struct facts routing, mapping;	/* the advisor's thread's */

	g->routing = named(&routing, a, KIND_ROUTING_GATEWAY, names->gateway) ? &routing : NULL;
	if (names->mapping)
		g->mapping = named(&mapping, a, KIND_MAPPING_GATEWAY, names->mapping) ? &mapping : NULL;
	else if (g->routing && routing.seen->calls && named(&mapping, a, KIND_MAPPING_GATEWAY, routing.seen->calls->mapping))
		g->mapping = &mapping;
	else
		g->mapping = named(&mapping, a, KIND_MAPPING_GATEWAY, names->gateway) ? &mapping : NULL;
	if (names->gateway && !g->routing && (names->mapping || !g->mapping)) {
		names->missing = names->gateway;
		names->missing_kind = KIND_ROUTING_GATEWAY;
		return ENOENT;
	}
	if (names->mapping && !g->mapping) {
		names->missing = names->mapping;
		names->missing_kind = KIND_MAPPING_GATEWAY;
		return ENOENT;
	}
	return 0;
}

int advisor_check_gateway(struct advisor *a, struct checklist_names *names, json_t **items)
{
	struct gateways g;
	int error = advisor_look(a);

	if (!error && !names->gateway && !names->mapping) {
		*items = check_unnamed(texts, TEXTS, "gateway");
	} else if (!error && (error = find(&g, a, names)) == 0) {
		*items = json_array();
		check_reads(*items, g.routing);
		check_mode(*items, g.routing);
		check_reply(*items, g.routing);
		check_request(*items, g.routing);
		check_callee(*items, g.mapping);
		check_caller(*items, g.mapping);
		check_last_call(*items, g.routing);
	}
	advisor_idle(a);
	return error;
}
