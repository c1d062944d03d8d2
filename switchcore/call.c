#include "call.h"

#include "log.h"
#include "loop.h"

#include "shm/status_counter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

void call_note(char **list, const char *name, const char *what)
{
	size_t len = *list ? strlen(*list) : 0, more = strlen(name) + strlen(what) + 2;
	char *longer;

	if (len + more > CALL_LIST_MAX || !(longer = realloc(*list, len + more + 1)))
		return;
	snprintf(longer + len, more + 1, "%s %s\n", name, what);
	*list = longer;
}

/* ------------------------------------------------------------------ report */

void call_report(struct call *call)
{
	const struct call_facts *f = &call->facts;
	struct call_status s;

	memset(&s, 0, sizeof s);
	s.id = call->id;
	s.setup_at = f->setup_at;
	s.ringing_at = f->ringing_at;
	s.answered_at = f->answered_at;
	s.ended_at = call->phase == CALL_ENDED ? loop_wall() : 0;
	s.phase = (uint8_t)call->phase;
	s.code = f->code;
	copy(s.mapping_gateway, sizeof s.mapping_gateway, f->mapping_gateway);
	copy(s.routing_gateway, sizeof s.routing_gateway, f->routing_gateway);
	copy(s.registration, sizeof s.registration, f->registration);
	copy(s.caller_in, sizeof s.caller_in, f->caller_in);
	copy(s.callee_in, sizeof s.callee_in, f->callee_in);
	copy(s.caller_out, sizeof s.caller_out, f->caller_out);
	copy(s.routed, sizeof s.routed, f->routed);
	copy(s.call_id_in, sizeof s.call_id_in, call->caller_call_id);
	copy(s.call_id_out, sizeof s.call_id_out, f->call_id_out);
	status_put(call->calls->parts.status, STATUS_CALL, call->slot, &s);
}

void call_phase(struct call *call, enum call_phase phase)
{
	struct status_event event = {
		.at = loop_wall(), .incarnation = call->id, .id = call->slot, .kind = STATUS_CALL, .from = (uint8_t)call->phase,
		.to = (uint8_t)phase, .code = call->facts.code,
	};

	call->phase = phase;
	call_report(call);
	status_event(call->calls->parts.status, &event);
	call->calls->news = true;
}

static void write_record(struct call *call, enum hung_up_by by)
{
	static const char *const sides[] = { "caller", "callee", "switch" };
	const struct call_facts *f = &call->facts;
	const struct cdr cdr = {
		.id = call->id, .setup_at = f->setup_at, .ringing_at = f->ringing_at, .answered_at = f->answered_at,
		.ended_at = loop_wall(), .mapping_gateway = f->mapping_gateway, .routing_gateway = f->routing_gateway,
		.registration = f->registration, .request_uri_in = f->request_uri_in, .to_in = f->to_in, .callee_in = f->callee_in,
		.original = f->original, .routed = f->routed, .to_out = f->to_out,
		.invite_use_contact = f->use_contact < 0 ? "" : f->use_contact ? "on" : "off", .caller_in = f->caller_in,
		.caller_out = f->caller_out, .call_id_in = call->caller_call_id, .call_id_out = f->call_id_out, .code = f->code,
		.phrase = f->phrase, .hung_up_by = sides[by], .tried = f->tried ? f->tried : "", .skipped = f->skipped ? f->skipped : "",
	};
	struct calls *calls = call->calls;
	int error = cdr_write(calls->parts.cdr, &cdr);

	if (error && !calls->cdr_said)
		log_error("call %016" PRIx64 ": its record is lost: %s; said once until one is written again", call->id,
		          error == ENOBUFS ? "the spool is full (--cdr-spool-bytes) and mgmtd takes nothing" : strerror(error));
	calls->cdr_said = error != 0;
	status_count(calls->parts.status, error ? COUNT_CDRS_LOST : COUNT_CDRS, 1);
}

/* ------------------------------------------------------------------ end */

static void destroy(struct call *call)
{
	struct calls *calls = call->calls;

	call_exchanges_drop(call);
	sip_server_close(call->handshake.server);
	call_attempt_drop(call, DROP_CANCELLED, call->reason);
	sip_server_close(call->invite);
	sip_leg_free(call->caller);
	timer_destroy(calls->parts.timers, &call->timer);
	call_sessions_destroy(call);
	registration_release(call->trunk);
	if (call->admitted)
		mapping_release(call->mapping);
	gateway_settings_unref(call->mapping_settings);
	hash_remove(&calls->invites, &call->by_invite);
	free(call->route);
	free(call->facts.tried);
	free(call->facts.skipped);
	free(call);
}

void call_end(struct call *call, enum hung_up_by by)
{
	uint64_t talked = call->facts.answered_at ? (loop_wall() - call->facts.answered_at) / 1000 : 0;
	struct routing_gateway *gateway = attempt_gateway(call->attempt);
	bool answered = call->state == CALL_UP;

	if (call->state == CALL_OVER)
		return;
	call_sessions_stop(call);
	if (answered && by != HUNG_UP_BY_CALLER)
		call_bye(call, CALLER, call->reason);
	if (answered && by != HUNG_UP_BY_CALLEE)
		call_bye(call, CALLEE, call->reason);
	call->state = CALL_OVER;
	if (gateway && answered)
		gateway_ended(gateway_of_routing(gateway), talked);
	if (answered)
		gateway_ended(gateway_of_mapping(call->mapping), talked);
	write_record(call, by);
	call_phase(call, CALL_ENDED);
	calls_remove(call);
	destroy(call);
}

int call_reply(struct call *call, uint16_t code, const char *phrase, const char *tag, const struct sip_message *relay)
{
	char fresh[SIP_TAG_MAX];
	struct sip_reply reply = { .code = code, .phrase = phrase, .to_tag = tag, .relay = relay };
	char session[SESSION_LINES_MAX] = "";

	if (!tag && code > 100) {
		calls_new_tag(fresh);
		reply.to_tag = fresh;
	}
	if (tag && code < 300 && code > 100)
		reply.contact = sip_leg_contact(call->caller);
	if (code >= 200 && code < 300)
		call_session_accept(call, CALLER, sip_server_request(call->invite), session);
	reply.headers = session[0] ? session : NULL;
	return sip_server_reply(call->invite, &reply);
}

void call_refuse(struct call *call, uint16_t code, const char *phrase, const struct sip_message *relay, enum hung_up_by by)
{
	const char *words = phrase ? phrase : sip_phrase(code);

	call->facts.code = code;
	copy(call->facts.phrase, sizeof call->facts.phrase, words);
	/* The answer keeps the tag that the caller knows, if there is only one. */
	call_reply(call, code, words, call->fork_count == 1 ? call->forks[0].upstream_tag : NULL, relay);
	gateway_tried(gateway_of_mapping(call->mapping), code);
	call_end(call, by);
}

/* ------------------------------------------------------------------ beginning */

static void timer_due(struct timer *timer)
{
	struct call *call = TIMER_OWNER(timer, struct call, timer);

	if (call->state == CALL_SEEKING)
		call_attempt_timer(call);
	else
		call_handshake_timer(call);
}

static void cancelled(void *arg, const struct sip_message *cancel)
{
	struct call *call = arg;

	if (call->state != CALL_SEEKING)
		return;
	call->reason = cancel;
	call_refuse(call, 487, NULL, NULL, HUNG_UP_BY_CALLER);
}

/* The caller's side of the call.  ENOMEM. */
static int make_caller_leg(struct call *call, const struct origin *origin)
{
	const struct sip_packet *packet = sip_server_packet(call->invite);
	struct sip_leg_options options = {
		.resolver = call->calls->parts.resolver, .listener = packet->listener, .request_address = origin->request_address,
		.session_timer = origin->session_timer, .tag = "",
	};
	char user[NUMBER_ESCAPED_MAX + 1], host[300], contact[800];
	int error = sip_leg_of_caller(&call->caller, call->calls->parts.sip, call->invite, &options);

	if (error)
		return error;
	if (number_to_user(user, sizeof user, call->facts.callee_in) != 0)
		user[0] = '\0';
	listener_host_port(packet->listener, &packet->source.address, host, sizeof host);
	snprintf(contact, sizeof contact, "<sip:%s%s%s%s%s>", user, user[0] ? "@" : "", host,
	         packet->source.transport == TRANSPORT_UDP ? "" : ";transport=",
	         packet->source.transport == TRANSPORT_UDP ? "" : target_transport_word(packet->source.transport));
	sip_leg_set_contact(call->caller, contact);
	return 0;
}

int call_numbers(struct call_facts *f, const struct mapping_gateway_record *record, int32_t caller_source, const struct numbers_in *in)
{
	int error = in->unreadable;

	copy(f->request_uri_in, sizeof f->request_uri_in, in->request_user);
	copy(f->to_in, sizeof f->to_in, in->to_user);
	copy(f->callee_in, sizeof f->callee_in, numbers_callee(record->callee, in));
	copy(f->original, sizeof f->original, numbers_original(in, f->callee_in));
	if (!error)
		error = numbers_caller(f->caller_in, sizeof f->caller_in, caller_source, in);
	if (!error)
		error = numbers_rewrite(f->callee, sizeof f->callee, &record->callee_rewrite, f->callee_in);
	if (!error)
		error = numbers_rewrite(f->caller, sizeof f->caller, &record->caller_rewrite, f->caller_in);
	return error;
}

static int read_numbers(struct call *call, const struct origin *origin)
{
	struct numbers_store store;
	struct numbers_in in;

	sip_message_numbers(sip_server_request(call->invite), &in, &store);
	return call_numbers(&call->facts, call->mapping_settings->mapping, origin->caller_source, &in);
}

/* Whether the call may begin: 0, or the code that it gets. */
static uint16_t admit(struct call *call, const struct origin *origin, const char **phrase)
{
	int error;

	*phrase = NULL;
	if (!mapping_allows(call->mapping_settings, call->facts.callee_in)) {
		*phrase = "Forbidden Number";
		return 403;
	}
	error = mapping_admit(call->mapping);
	call->admitted = error == 0;
	if (error == EPERM)
		return 403;
	if (error) {
		*phrase = error == EAGAIN ? "Too Many Calls Per Second" : "No Capacity";
		return 503;
	}
	if (origin->trunk && registration_claim(origin->trunk, &call->trunk) != 0) {
		*phrase = "No Capacity";
		return 503;
	}
	return 0;
}

static struct call *create(struct calls *calls, const struct origin *origin)
{
	struct call *call = calloc(1, sizeof *call);

	if (!call)
		return NULL;
	call->calls = calls;
	call->route = calloc(1, sizeof *call->route);
	if (!call->route || timer_init(calls->parts.timers, &call->timer, timer_due) != 0)
		goto fail;
	if (call_sessions_init(call) != 0) {
		timer_destroy(calls->parts.timers, &call->timer);
		goto fail;
	}
	call_session_reset(call, CALLER, origin->session_timer);
	call->parameters = calls->parameters;
	call->reply_address = origin->reply_address;
	call->mapping = origin->mapping;
	call->mapping_settings = gateway_settings_ref(gateway_of_mapping(origin->mapping)->settings);
	call->facts.setup_at = loop_wall();
	call->facts.use_contact = -1;
	copy(call->facts.mapping_gateway, sizeof call->facts.mapping_gateway, gateway_name(gateway_of_mapping(origin->mapping)));
	if (origin->trunk)
		copy(call->facts.registration, sizeof call->facts.registration, registration_name(origin->trunk));
	return call;
fail:
	free(call->route);
	free(call);
	return NULL;
}

static void discard(struct call *call)
{
	gateway_settings_unref(call->mapping_settings);
	timer_destroy(call->calls->parts.timers, &call->timer);
	call_sessions_destroy(call);
	free(call->route);
	free(call);
}

uint16_t call_check(const struct sip_message *m, bool session_timer, char *headers, size_t size)
{
	struct session_words words;
	char unsupported[256];

	headers[0] = '\0';
	if (!sip_message_scheme_known(m))
		return 416;
	sip_message_unsupported(m, session_timer, unsupported, sizeof unsupported);
	if (unsupported[0]) {
		snprintf(headers, size, "Unsupported: %s\r\n", unsupported);
		return 420;
	}
	sip_session_read(&words, m);
	if (session_timer && session_too_small(&words)) {
		snprintf(headers, size, "Min-SE: %u\r\n", SESSION_FLOOR);
		return 422;
	}
	return 0;
}

void call_begin(struct calls *calls, struct sip_packet *packet, const struct origin *origin)
{
	struct call *call;
	union address reply_to;
	char headers[300];
	const char *phrase = NULL;
	uint16_t code = call_check(packet->message, origin->session_timer, headers, sizeof headers);
	int error;

	if (!code && sip_message_max_forwards(packet->message) == 0)
		code = 483;
	sip_reply_address(&reply_to, packet, origin->reply_address);
	if (code) {
		sip_packet_answer(packet, code, NULL, headers[0] ? headers : NULL, &reply_to);
		return;
	}
	call = create(calls, origin);
	if (!call || sip_server_open(&call->invite, calls->parts.sip, packet, &reply_to, cancelled, call) != 0) {
		if (call)
			discard(call);
		else
			sip_packet_answer(packet, 503, NULL, NULL, &reply_to);
		return;
	}
	copy(call->caller_call_id, sizeof call->caller_call_id, sip_message_call_id(sip_server_request(call->invite)));
	copy(call->caller_tag, sizeof call->caller_tag, sip_message_from_tag(sip_server_request(call->invite)));
	call->caller_cseq = sip_message_cseq(sip_server_request(call->invite));
	if (calls_add(calls, call) != 0) {
		if (!calls->full_said)
			log_error("calls: no room for another one beside %" PRIu32, calls->active);
		calls->full_said = true;
		sip_server_reply(call->invite, &(struct sip_reply){ .code = 503 });
		sip_server_close(call->invite);
		discard(call);
		return;
	}
	hash_add(&calls->invites, &call->by_invite, hash_text(call->caller_call_id));
	sip_server_reply(call->invite, &(struct sip_reply){ .code = 100 });
	if ((error = read_numbers(call, origin)) != 0)
		code = error == EMSGSIZE ? 414 : 400, phrase = error == EMSGSIZE ? "Number Too Long" : "Bad Number";
	else if (call->facts.callee_in[0] == '\0')
		code = 484;
	else
		code = admit(call, origin, &phrase);
	if (!code && make_caller_leg(call, origin) != 0)
		code = 503;
	if (code) {
		call_refuse(call, code, phrase, NULL, HUNG_UP_BY_SWITCH);
		return;
	}
	call_phase(call, CALL_SETUP);
	route_begin(call->route, calls->parts.gateways, call->facts.callee);
	call_seek(call);
}
