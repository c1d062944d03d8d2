/* What passes between the two legs of a call once there are dialogs, early ones too. */
#include "call.h"

#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum call_side other(enum call_side side)
{
	return side == CALLER ? CALLEE : CALLER;
}

/* ------------------------------------------------------------------ exchanges */

static void exchange_free(struct exchange *e)
{
	struct exchange **at = &e->call->exchanges;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	e->call->exchange_count--;
	sip_client_release(e->client);
	sip_server_close(e->server);
	free(e);
}

void call_exchanges_drop(struct call *call)
{
	while (call->exchanges) {
		struct exchange *e = call->exchanges;
		/* What is asked for meanwhile has nobody left to answer it (RFC 3261 15.1.2). */
		sip_server_reply(e->server, &(struct sip_reply){ .code = 487, .to_tag = e->to_tag });
		if (e->client && e->method == SIP_INVITE)
			sip_client_cancel(e->client, NULL);
		exchange_free(e);
	}
}

static struct exchange *pending_invite(const struct call *call)
{
	struct exchange *e = call->exchanges;

	while (e && e->method != SIP_INVITE)
		e = e->next;
	return e;
}

static int send_onward(struct exchange *e, const struct sip_message *challenge);

static void exchange_reply(struct exchange *e, uint16_t code, const struct sip_message *relay)
{
	struct sip_reply reply = { .code = code, .phrase = relay ? sip_message_phrase(relay) : NULL, .to_tag = e->to_tag, .relay = relay };

	if (e->method == SIP_INVITE || e->method == SIP_UPDATE)
		reply.contact = sip_leg_contact(e->from == CALLER ? e->call->caller : e->to_from);
	sip_server_reply(e->server, &reply);
}

/* The other side accepted a re-INVITE: as with the first, its ACK is awaited. */
static void reinvite_accepted(struct exchange *e, const struct sip_response *response)
{
	struct call *call = e->call;
	struct sip_server *server = e->server;
	uint32_t cseq = sip_message_cseq(sip_server_request(server)), onward = sip_message_cseq(response->message);
	enum call_side from = e->from;

	exchange_reply(e, response->code, response->message);
	e->server = NULL;
	exchange_free(e);
	call_await_ack(call, server, from, cseq, onward);
}

static void answered(void *arg, const struct sip_response *response)
{
	struct exchange *e = arg;
	struct call *call = e->call;
	enum call_side from = e->from;
	uint16_t code = response->result == SIP_ANSWERED ? response->code : response->result == SIP_SILENT ? 408 : 503;
	bool gone = code == 481 || code == 408, refresh = e->method == SIP_INVITE || e->method == SIP_UPDATE;

	if (code == 100)
		return;
	if (response->message)
		sip_leg_heard(e->to, &response->source, response->connection, response->message, refresh && code >= 200 && code < 300);
	if (code < 200) {
		exchange_reply(e, code, response->message);
		return;
	}
	if ((code == 401 || code == 407) && !e->challenged) {
		e->challenged = true;
		sip_client_release(e->client);
		e->client = NULL;
		if (send_onward(e, response->message) == 0)
			return;
	}
	if (e->method == SIP_INVITE && code < 300) {
		reinvite_accepted(e, response);
		return;
	}
	exchange_reply(e, code, response->message);
	exchange_free(e);
	/* RFC 3261 12.2.1.2: the dialog is gone there. */
	if (gone && call->state == CALL_UP)
		call_end(call, from == CALLER ? HUNG_UP_BY_CALLEE : HUNG_UP_BY_CALLER);
}

static void cancelled(void *arg, const struct sip_message *cancel)
{
	struct exchange *e = arg;

	if (e->client)
		sip_client_cancel(e->client, cancel);
}

/* RAck names the response that it acknowledges by the INVITE's number, which is another one on the other side (RFC 3262 7.2). */
static void write_rack(char *headers, size_t size, const struct sip_message *m, uint32_t invite_cseq)
{
	uint32_t rseq = sip_message_rack(m);

	headers[0] = '\0';
	if (rseq)
		snprintf(headers, size, "RAck: %u %u INVITE\r\n", rseq, invite_cseq);
}

/* challenge: the answer that asks for credentials, or NULL. */
static int send_onward(struct exchange *e, const struct sip_message *challenge)
{
	const struct sip_message *m = sip_server_request(e->server);
	char headers[64];
	struct sip_leg_request request = {
		.method = e->method, .name = sip_message_method_name(m), .cseq = sip_leg_next_cseq(e->to), .relay = m,
		.challenge = challenge,
	};

	if (e->method == SIP_PRACK) {
		write_rack(headers, sizeof headers, m, e->from == CALLER ? attempt_cseq(e->call->attempt) : e->call->caller_cseq);
		request.headers = headers[0] ? headers : NULL;
	}
	return sip_leg_send(e->to, &e->client, &request, answered, e);
}

/* Passes the request to the other side.  Consumes the packet. */
static void pass(struct call *call, enum call_side side, struct fork *fork, struct sip_packet *packet, const union address *reply_to)
{
	struct exchange *e = calloc(1, sizeof *e);

	if (!e || call->exchange_count >= CALL_EXCHANGES_MAX) {
		free(e);
		sip_packet_answer(packet, 500, NULL, "Retry-After: 2\r\n", reply_to);
		return;
	}
	e->call = call;
	e->from = side;
	e->method = sip_message_method(packet->message);
	e->to = side == CALLER ? fork->leg : call->caller;
	e->to_from = side == CALLER ? call->caller : fork->leg;
	if (sip_server_open(&e->server, call->calls->parts.sip, packet, reply_to, e->method == SIP_INVITE ? cancelled : NULL, e) != 0) {
		free(e);
		return;
	}
	e->next = call->exchanges;
	call->exchanges = e;
	call->exchange_count++;
	if (side == CALLEE)
		sip_leg_set_tag(call->caller, fork->upstream_tag);
	if (e->method == SIP_INVITE)
		sip_server_reply(e->server, &(struct sip_reply){ .code = 100 });
	if (send_onward(e, NULL) != 0) {
		exchange_reply(e, 500, NULL);
		exchange_free(e);
	}
}

/* ------------------------------------------------------------------ requests */

/* By a transaction of its own: sent again, the request gets the same answer. */
static void answer(struct call *call, struct sip_packet *packet, uint16_t code, const char *phrase, const char *headers,
                   const union address *reply_to)
{
	struct sip_server *server;

	if (sip_server_open(&server, call->calls->parts.sip, packet, reply_to, NULL, NULL) != 0)
		return;
	sip_server_reply(server, &(struct sip_reply){ .code = code, .phrase = phrase, .headers = headers });
	sip_server_close(server);
}

static void where_to_reply(const struct call *call, enum call_side side, const struct sip_packet *packet, union address *reply_to)
{
	int32_t mode = side == CALLER ? call->reply_address : attempt_settings(call->attempt)->routing->reply_address;

	sip_reply_address(reply_to, packet, mode);
}

static void bye(struct call *call, enum call_side side, struct sip_packet *packet, const union address *reply_to)
{
	enum hung_up_by by = side == CALLER ? HUNG_UP_BY_CALLER : HUNG_UP_BY_CALLEE;
	struct sip_server *server;

	/* In an early dialog only the caller may (RFC 3261 15); it then gives up as with CANCEL. */
	if (call->state == CALL_SEEKING && side == CALLEE) {
		answer(call, packet, 481, "Call/Transaction Does Not Exist", NULL, reply_to);
		return;
	}
	if (sip_server_open(&server, call->calls->parts.sip, packet, reply_to, NULL, NULL) != 0)
		return;
	sip_server_reply(server, &(struct sip_reply){ .code = 200 });
	if (call->state == CALL_SEEKING) {
		sip_server_close(server);
		call_refuse(call, 487, NULL, NULL, by);
		return;
	}
	call->reason = sip_server_request(server);
	call_end(call, by);
	sip_server_close(server);
}

/* RFC 3261 14.2: one INVITE at a time. */
static bool busy(struct call *call, enum call_side side, struct sip_packet *packet, const union address *reply_to)
{
	struct exchange *e = pending_invite(call);
	enum call_side from = e ? e->from : call->handshake.from;

	if (!e && !call->handshake.server)
		return false;
	if (from == side)
		answer(call, packet, 500, NULL, "Retry-After: 3\r\n", reply_to);
	else
		answer(call, packet, 491, "Request Pending", NULL, reply_to);
	return true;
}

static bool unsupported(struct call *call, struct sip_packet *packet, const union address *reply_to)
{
	char tags[256], headers[300];

	sip_message_unsupported(packet->message, tags, sizeof tags);
	if (!tags[0])
		return false;
	snprintf(headers, sizeof headers, "Unsupported: %s\r\n", tags);
	answer(call, packet, 420, "Bad Extension", headers, reply_to);
	return true;
}

void call_request(struct call *call, enum call_side side, struct fork *fork, struct sip_packet *packet)
{
	const struct sip_message *m = packet->message;
	enum sip_method method = sip_message_method(m);
	struct sip_leg *leg = side == CALLER ? call->caller : fork->leg;
	bool refresh = method == SIP_INVITE || method == SIP_UPDATE;
	union address reply_to;

	where_to_reply(call, side, packet, &reply_to);
	if (!sip_leg_in_order(leg, sip_message_cseq(m))) {
		answer(call, packet, 500, NULL, NULL, &reply_to);
		return;
	}
	if (unsupported(call, packet, &reply_to))
		return;
	switch (method) {
	case SIP_BYE:
		bye(call, side, packet, &reply_to);
		return;
	case SIP_INVITE:
		if (call->state != CALL_UP) {
			answer(call, packet, 491, "Request Pending", NULL, &reply_to);
			return;
		}
		if (busy(call, side, packet, &reply_to))
			return;
		break;
	case SIP_PRACK:
	case SIP_UPDATE:
	case SIP_INFO:
		break;
	case SIP_OPTIONS:
		answer(call, packet, 200, "OK", NULL, &reply_to);
		return;
	case SIP_UNKNOWN:
		answer(call, packet, 501, "Not Implemented", NULL, &reply_to);
		return;
	default:
		answer(call, packet, 405, "Method Not Allowed", NULL, &reply_to);
		return;
	}
	sip_leg_heard(leg, &packet->source, packet->connection, m, refresh);
	pass(call, side, fork, packet, &reply_to);
}

/* ------------------------------------------------------------------ BYE */

/* A BYE of ours outlives its call: it is sent until it is answered, and answers a challenge. */
struct farewell {
	struct calls *calls;
	struct sip_leg *leg;
	struct sip_client *client;
	bool challenged;
	struct farewell *next, *previous;
};

static void farewell_end(struct farewell *f)
{
	struct calls *calls = f->calls;

	if (f->previous)
		f->previous->next = f->next;
	else
		calls->farewells = f->next;
	if (f->next)
		f->next->previous = f->previous;
	calls->farewell_count--;
	sip_client_release(f->client);
	sip_leg_free(f->leg);
	free(f);
}

void calls_farewells_drop(struct calls *calls)
{
	while (calls->farewells)
		farewell_end(calls->farewells);
}

static void farewell_answered(void *arg, const struct sip_response *response)
{
	struct farewell *f = arg;
	struct sip_leg_request request = { .method = SIP_BYE, .name = "BYE", .challenge = response->message };

	if (response->result == SIP_ANSWERED && response->code < 200)
		return;
	if ((response->code == 401 || response->code == 407) && !f->challenged) {
		f->challenged = true;
		sip_client_release(f->client);
		f->client = NULL;
		request.cseq = sip_leg_next_cseq(f->leg);
		if (sip_leg_send(f->leg, &f->client, &request, farewell_answered, f) == 0)
			return;
	}
	farewell_end(f);
}

/* Takes the leg. */
static void say_farewell(struct calls *calls, struct sip_leg *leg, const struct sip_message *relay)
{
	struct sip_leg_request request = { .method = SIP_BYE, .name = "BYE", .relay = relay, .cseq = sip_leg_next_cseq(leg) };
	struct farewell *f = calloc(1, sizeof *f);

	if (!f) {
		sip_leg_free(leg);
		return;
	}
	f->calls = calls;
	f->leg = leg;
	f->next = calls->farewells;
	if (f->next)
		f->next->previous = f;
	calls->farewells = f;
	calls->farewell_count++;
	if (sip_leg_send(leg, &f->client, &request, farewell_answered, f) != 0)
		farewell_end(f);
}

void call_bye(struct call *call, enum call_side to, const struct sip_message *relay)
{
	struct sip_leg *leg = call_leg(call, to);
	struct sip_leg_request ack = { .method = SIP_ACK, .name = "ACK" };

	if (!leg)
		return;
	/* The callee's 2xx still waits for an ACK: it would be sent again and again. */
	if (call->handshake.server && call->handshake.from != to) {
		ack.cseq = call->handshake.onward_cseq;
		sip_leg_send(leg, NULL, &ack, NULL, NULL);
	}
	call_exchanges_drop(call);
	if (to == CALLER)
		call->caller = NULL;
	else
		call->answered->leg = NULL;
	say_farewell(call->calls, leg, relay);
}

/* ------------------------------------------------------------------ ACK */

/* T1, T2 and the time after which nothing is awaited any more, as for everything that is sent again. */
static uint64_t t1(const struct call *call)
{
	return (uint64_t)call->parameters.SS_SIP_RESEND_INTERVAL.ms[0] * 1000;
}

static uint64_t greatest_or_sum(const struct call *call, bool sum)
{
	uint64_t total = 0, greatest = 0;

	for (int32_t i = 0; i < call->parameters.SS_SIP_RESEND_INTERVAL.count; i++) {
		uint64_t us = (uint64_t)call->parameters.SS_SIP_RESEND_INTERVAL.ms[i] * 1000;
		total += us;
		greatest = us > greatest ? us : greatest;
	}
	return sum ? total : greatest;
}

void call_await_ack(struct call *call, struct sip_server *server, enum call_side from, uint32_t cseq, uint32_t onward_cseq)
{
	struct handshake *h = &call->handshake;

	sip_server_close(h->server);
	*h = (struct handshake){ .server = server, .from = from, .cseq = cseq, .onward_cseq = onward_cseq, .interval = t1(call),
	                         .deadline = loop_now() + greatest_or_sum(call, true) };
	timer_arm(call->calls->parts.timers, &call->timer, loop_now() + h->interval);
}

/* Over a stream too: the proxies behind it may not be reliable (RFC 3261 13.3.1.4). */
void call_handshake_timer(struct call *call)
{
	struct handshake *h = &call->handshake;

	if (!h->server)
		return;
	if (loop_now() >= h->deadline) {
		call_end(call, HUNG_UP_BY_SWITCH);
		return;
	}
	sip_server_repeat(h->server);
	h->interval = h->interval * 2 < greatest_or_sum(call, false) ? h->interval * 2 : greatest_or_sum(call, false);
	timer_arm(call->calls->parts.timers, &call->timer, loop_now() + h->interval);
}

void call_ack(struct call *call, enum call_side side, struct sip_packet *packet)
{
	struct handshake *h = &call->handshake;
	const struct sip_message *m = packet->message;
	struct sip_leg *to = call_leg(call, other(side)), *from = call_leg(call, side);
	struct sip_leg_request ack = { .method = SIP_ACK, .name = "ACK", .cseq = h->onward_cseq, .relay = m };

	if (from)
		sip_leg_heard(from, &packet->source, packet->connection, m, false);
	if (h->server && h->from == side && h->cseq == sip_message_cseq(m) && to) {
		timer_disarm(call->calls->parts.timers, &call->timer);
		sip_leg_send(to, NULL, &ack, NULL, NULL);
		sip_server_close(h->server);
		h->server = NULL;
	}
	sip_packet_drop(packet);
}
