#include "sip_client_stack.h"

#include "chance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sip_via_text(char *text, size_t size, const struct listener *listener, const struct target *target)
{
	static const char *const protocols[] = { "UDP", "TCP", "TLS" };
	char host[300];

	listener_host_port(listener, &target->address, host, sizeof host);
	snprintf(text, size, "SIP/2.0/%s %s;rport", protocols[target->transport], host);
}

/* ------------------------------------------------------------------ answers */

static void read_source(struct sip_response *response, struct sip_client *client, nta_outgoing_t *orq)
{
	msg_t *raw = nta_outgoing_getresponse(orq);
	tport_t *tport = raw ? tport_delivered_by(nta_agent_tports(client->sip->agent), raw) : NULL;

	if (!raw)
		return;
	address_from(&response->source.address, &msg_addr(raw)->su_sa);
	response->source.transport = sip_tport_transport(tport);
	response->connection = tport;
	msg_destroy(raw);
}

static int ignored(void *none, nta_outgoing_t *orq, sip_t const *sip)
{
	(void)none;
	(void)orq;
	(void)sip;
	return 0;
}

/*
 * RFC 3261 9.1: not before a provisional answer.  The stack would take the CANCEL now and send it then, but until then an answer to
 * it, from a gateway that knows the branch, ends the process: assertion in outgoing_recv().
 */
static void cancel_when_allowed(struct sip_client *client)
{
	if (client->cancelled && client->provisional)
		/* With no callback of ours the stack frees it when it has its answer. */
		nta_outgoing_tcancel(client->transaction, NULL, NULL, TAG_IF(client->reason, SIPTAG_REASON_STR(client->reason)),
		                     TAG_END());
}

/* True: it is the first one. */
static bool note_provisional(struct sip_client *client, const sip_t *sip)
{
	bool first = !client->provisional && sip && sip->sip_status && sip->sip_status->st_status < 200;

	client->provisional = client->provisional || first;
	return first;
}

static int received(void *arg, nta_outgoing_t *orq, sip_t const *sip)
{
	struct sip_client *client = arg;
	struct sip_response response = { .result = SIP_ANSWERED };
	struct sip_failure failure;

	client->sip->before(client->sip->arg);
	if (client->released)
		return 0;
	if (note_provisional(client, sip))
		cancel_when_allowed(client);
	if (!sip || nta_sip_is_internal(sip)) {
		sip_failure_read(&failure, orq, sip, &client->attempt);
		response.result = failure.result;
		memcpy(response.detail, failure.detail, sizeof response.detail);
	} else {
		response.message = (const struct sip_message *)(const void *)sip;
		response.code = (uint16_t)sip->sip_status->st_status;
		read_source(&response, client, orq);
	}
	client->answered(client->arg, &response);
	return 0;
}

/* ------------------------------------------------------------------ sending */

static nta_outgoing_t *create(struct sip *sip, struct sip_client *client, msg_t *request, const struct sip_exit *exit,
                              bool stateless)
{
	bool open = exit->connection && !tport_is_closed(exit->connection) && tport_is_clear_to_send(exit->connection);
	bool fresh = false;
	tport_t *tport = open ? exit->connection : sip_way_tport(sip, &exit->way, &fresh);
	char destination[400];
	nta_outgoing_t *orq;

	if (!tport)
		return NULL;
	sip_way_write(destination, sizeof destination, &exit->way);
	if (fresh)
		sip_way_prepare();
	if (client) {
		client->attempt.tls = exit->way.target.transport == TRANSPORT_TLS;
		client->attempt.handshake = fresh;
		client->attempt.sent_at = loop_now();
	}
	orq = nta_outgoing_mcreate(sip->agent, stateless ? NULL : received, client, URL_STRING_MAKE(destination), request,
	                           NTATAG_TPORT(tport), NTATAG_USER_VIA(1), NTATAG_PASS_100(1), NTATAG_STATELESS(stateless),
	                           TAG_IF(exit->branch, NTATAG_BRANCH_KEY(exit->branch)), TAG_IF(fresh, TPTAG_FRESH(1)),
	                           TAG_END());
	if (orq && fresh && !stateless)
		sip_way_taken(sip, &exit->way, orq);
	return orq;
}

int sip_client_send(struct sip *sip, struct sip_client **out, msg_t *request, const struct sip_exit *exit,
                    sip_response_f *answered, void *arg)
{
	struct sip_client *client = calloc(1, sizeof *client);

	if (!client) {
		msg_destroy(request);
		return ENOMEM;
	}
	client->sip = sip;
	client->answered = answered;
	client->arg = arg;
	client->transaction = create(sip, client, request, exit, false);
	if (!client->transaction) {
		msg_destroy(request);
		free(client);
		return EINVAL;
	}
	*out = client;
	return 0;
}

int sip_client_send_ack(struct sip *sip, msg_t *ack, const struct sip_exit *exit)
{
	struct sip_exit own = *exit;
	char random[17], branch[32];

	/* The stack's own branch would be the same for every fork of an INVITE.  Sent again, it keeps the one it has. */
	if (!sip_object(ack)->sip_via->v_branch) {
		chance_hex(random, 16);
		snprintf(branch, sizeof branch, "z9hG4bK%s", random);
		own.branch = branch;
	}
	/* Without a callback the stack frees what is stateless at once. */
	if (create(sip, NULL, ack, &own, true))
		return 0;
	msg_destroy(ack);
	return EINVAL;
}

void sip_client_cancel(struct sip_client *client, const struct sip_message *why)
{
	const sip_t *reason_of = (const sip_t *)(const void *)why;
	su_home_t home[SU_HOME_AUTO_SIZE(512)];
	char *reason;

	if (client->cancelled)
		return;
	client->cancelled = true;
	su_home_auto(home, sizeof home);
	reason = reason_of && reason_of->sip_reason ? sip_header_as_string(home, (const sip_header_t *)reason_of->sip_reason) : NULL;
	client->reason = reason ? strdup(reason) : NULL;
	su_home_deinit(home);
	cancel_when_allowed(client);
}

static void bury(struct sip_client *client)
{
	client->released = true;
	nta_outgoing_bind(client->transaction, ignored, NULL);
	client->next = client->sip->released;
	client->sip->released = client;
}

static void leave_cancelling(struct sip_client *client)
{
	if (client->previous)
		client->previous->next = client->next;
	else
		client->sip->cancelling = client->next;
	if (client->next)
		client->next->previous = client->previous;
}

/* Of an INVITE that its owner cancelled and released before anything came.  A 2xx is a stray one then. */
static int received_late(void *arg, nta_outgoing_t *orq, sip_t const *sip)
{
	struct sip_client *client = arg;
	bool stray = sip && !nta_sip_is_internal(sip) && sip->sip_status->st_status >= 200 && sip->sip_status->st_status < 300;

	note_provisional(client, sip);
	cancel_when_allowed(client);
	leave_cancelling(client);
	bury(client);
	if (stray)
		sip_hand_over(client->sip, nta_outgoing_getresponse(orq), sip);
	return 0;
}

void sip_client_release(struct sip_client *client)
{
	if (!client)
		return;
	/* The stack may be in the middle of delivering to it. */
	if (!client->cancelled || client->provisional || nta_outgoing_status(client->transaction) >= 200) {
		bury(client);
		return;
	}
	nta_outgoing_bind(client->transaction, received_late, client);
	client->previous = NULL;
	client->next = client->sip->cancelling;
	if (client->next)
		client->next->previous = client;
	client->sip->cancelling = client;
}

void sip_clients_turn(struct sip *sip)
{
	while (sip->released) {
		struct sip_client *client = sip->released;
		sip->released = client->next;
		nta_outgoing_destroy(client->transaction);
		free(client->reason);
		free(client);
	}
}

void sip_clients_close(struct sip *sip)
{
	while (sip->cancelling) {
		struct sip_client *client = sip->cancelling;
		leave_cancelling(client);
		bury(client);
	}
}
