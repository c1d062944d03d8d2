/* The BYEs of a call. */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>

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
static void say_farewell(struct calls *calls, struct sip_leg *leg, const struct sip_message *relay, const char *why)
{
	struct sip_leg_request request = { .method = SIP_BYE, .name = "BYE", .relay = relay, .cseq = sip_leg_next_cseq(leg) };
	char reason[128];
	struct farewell *f = calloc(1, sizeof *f);

	if (!f) {
		sip_leg_free(leg);
		return;
	}
	if (why) {
		snprintf(reason, sizeof reason, "Reason: %s\r\n", why);
		request.headers = reason;
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
	say_farewell(call->calls, leg, relay, call->why);
}
