/* What passes between the two legs of a call once there are dialogs, early ones too. */
#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool call_inviting(const struct call *call)
{
	return call->handshake.server || pending_invite(call);
}

static int send_onward(struct exchange *e, const struct sip_message *challenge);

/* It refreshes the session as well (RFC 4028 7.4). */
static bool refreshes(const struct exchange *e)
{
	return (e->method == SIP_INVITE || e->method == SIP_UPDATE) && e->call->state == CALL_UP;
}

static void exchange_reply(struct exchange *e, uint16_t code, const struct sip_message *relay)
{
	struct sip_reply reply = { .code = code, .phrase = relay ? sip_message_phrase(relay) : NULL, .to_tag = e->to_tag, .relay = relay };
	char session[SESSION_LINES_MAX] = "";

	if (refreshes(e) && code >= 200 && code < 300)
		call_session_accept(e->call, e->from, sip_server_request(e->server), session);
	reply.headers = session[0] ? session : NULL;
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

/* A description in the request was an offer that is accepted now, one in the 2xx is the answer (RFC 3261 13.2.1, RFC 3262 5, RFC 3311). */
static void accepted(struct exchange *e, const struct sip_message *answer)
{
	if (e->method != SIP_INFO) {
		call_session_said(e->call, call_other(e->from), sip_server_request(e->server));
		call_session_said(e->call, e->from, answer);
	}
	if (refreshes(e))
		call_session_agreed(e->call, call_other(e->from), answer);
}

/* The other side refused it for something that is ours to mend.  True: it is sent again. */
static bool try_again(struct exchange *e, uint16_t code, const struct sip_message *refusal)
{
	bool asked = (code == 401 || code == 407) && !e->challenged;
	bool raised = code == 422 && refreshes(e) && sip_leg_session_timer(e->to) && call_session_raise(e->call, call_other(e->from), refusal);

	if (!asked && !raised)
		return false;
	e->challenged = e->challenged || asked;
	sip_client_release(e->client);
	e->client = NULL;
	return send_onward(e, asked ? refusal : NULL) == 0;
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
	if (response->message && code >= 300 && try_again(e, code, response->message))
		return;
	if (code < 300)
		accepted(e, response->message);
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
	char headers[SESSION_LINES_MAX] = "";
	struct sip_leg_request request = {
		.method = e->method, .name = sip_message_method_name(m), .cseq = sip_leg_next_cseq(e->to), .relay = m,
		.challenge = challenge,
	};

	if (e->method == SIP_PRACK)
		write_rack(headers, sizeof headers, m, e->from == CALLER ? attempt_cseq(e->call->attempt) : e->call->caller_cseq);
	else if (refreshes(e))
		call_session_offer(e->call, call_other(e->from), headers);
	request.headers = headers[0] ? headers : NULL;
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

	if (!e && !call->handshake.server && !call_session_inviting(call))
		return false;
	if (from == side && (e || call->handshake.server))
		answer(call, packet, 500, NULL, "Retry-After: 3\r\n", reply_to);
	else
		answer(call, packet, 491, "Request Pending", NULL, reply_to);
	return true;
}

static bool unsupported(struct call *call, enum call_side side, struct sip_packet *packet, const union address *reply_to)
{
	char tags[256], headers[300];

	sip_message_unsupported(packet->message, call->sessions[side].on, tags, sizeof tags);
	if (!tags[0])
		return false;
	snprintf(headers, sizeof headers, "Unsupported: %s\r\n", tags);
	answer(call, packet, 420, "Bad Extension", headers, reply_to);
	return true;
}

/* A refresh that asks for less than any interval may be (RFC 4028 9). */
static bool too_small(struct call *call, enum call_side side, struct sip_packet *packet, const union address *reply_to)
{
	enum sip_method method = sip_message_method(packet->message);
	struct session_words words;
	char headers[32];

	if ((method != SIP_INVITE && method != SIP_UPDATE) || call->state != CALL_UP || !call->sessions[side].on)
		return false;
	sip_session_read(&words, packet->message);
	if (!session_too_small(&words))
		return false;
	snprintf(headers, sizeof headers, "Min-SE: %u\r\n", SESSION_FLOOR);
	answer(call, packet, 422, NULL, headers, reply_to);
	return true;
}

/* An UPDATE without a body concerns this leg alone.  Where the other side takes none it is answered here: it would be refused there,
 * and the session of this leg not be refreshed. */
static bool answer_update(struct call *call, enum call_side side, struct sip_packet *packet, const union address *reply_to)
{
	struct sip_leg *leg = call_leg(call, side), *far = call_leg(call, call_other(side));
	char session[SESSION_LINES_MAX];
	struct sip_server *server;

	if (call->state != CALL_UP || !call->sessions[side].on || sip_message_has_body(packet->message) || sip_leg_takes_update(far))
		return false;
	if (sip_server_open(&server, call->calls->parts.sip, packet, reply_to, NULL, NULL) != 0)
		return true;
	sip_leg_heard(leg, &sip_server_packet(server)->source, sip_server_packet(server)->connection, sip_server_request(server), true);
	call_session_accept(call, side, sip_server_request(server), session);
	sip_server_reply(server, &(struct sip_reply){ .code = 200, .contact = sip_leg_contact(leg), .headers = session[0] ? session : NULL });
	sip_server_close(server);
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
	if (unsupported(call, side, packet, &reply_to) || too_small(call, side, packet, &reply_to))
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
	case SIP_UPDATE:
		/* RFC 3311 5.2: one offer at a time. */
		if (call_session_inviting(call) && sip_message_has_body(m)) {
			answer(call, packet, 491, "Request Pending", NULL, &reply_to);
			return;
		}
		if (answer_update(call, side, packet, &reply_to))
			return;
		break;
	case SIP_PRACK:
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
