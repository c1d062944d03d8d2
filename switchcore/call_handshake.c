/* Between a 2xx to an INVITE and its ACK. */
#include "call.h"

#include "loop.h"

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
	struct sip_leg *to = call_leg(call, call_other(side)), *from = call_leg(call, side);
	struct sip_leg_request ack = { .method = SIP_ACK, .name = "ACK", .cseq = h->onward_cseq, .relay = m };

	if (from)
		sip_leg_heard(from, &packet->source, packet->connection, m, false);
	if (h->server && h->from == side && h->cseq == sip_message_cseq(m) && to) {
		timer_disarm(call->calls->parts.timers, &call->timer);
		call_session_said(call, call_other(side), m);
		sip_leg_send(to, NULL, &ack, NULL, NULL);
		sip_server_close(h->server);
		h->server = NULL;
	}
	sip_packet_drop(packet);
}
