/*
 * Requests out of a dialog and their transactions: the way they leave by, and from the stack's callback to a struct
 * sip_answer.  The ways and failures serve every request, in dialogs too.
 */
#include "sip_stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T1_US 500000u	/* RFC 3261 17.1.1.1: the first retransmission */

/* ------------------------------------------------------------------ ways */

void sip_way_write(char *text, size_t size, const struct sip_way *way)
{
	char address[64], host[64];

	address_host(&way->target.address, host, sizeof host);
	address_text(&way->target.address, address, sizeof address);
	if (way->target.transport == TRANSPORT_TLS)
		snprintf(text, size, "sip:%s:%u;transport=tls;maddr=%s", way->tls_name, address_port(&way->target.address), host);
	else
		snprintf(text, size, "sip:%s;transport=%s", address, target_transport_word(way->target.transport));
}

static const struct sip_port *port_of(const struct sip *sip, const struct listener *listener)
{
	for (size_t i = 0; i < sip->port_count; i++)
		if (sip->ports[i].listener == listener)
			return &sip->ports[i];
	return NULL;
}

tport_t *sip_way_tport(struct sip *sip, const struct sip_way *way, bool *fresh)
{
	const struct sip_port *port = port_of(sip, way->listener);
	struct sip_flow *flow;

	*fresh = false;
	if (!port)
		return NULL;
	if (way->target.transport != TRANSPORT_TLS)
		return port->tport;
	flow = sip_flow_find(sip, port, way->tls_verify, way->tls_name, &way->target.address);
	if (flow)
		return sip_flow_tport(flow);
	*fresh = true;
	return way->tls_verify ? port->tport : port->unverified;
}

void sip_way_taken(struct sip *sip, const struct sip_way *way, nta_outgoing_t *request)
{
	tport_t *used = way->target.transport == TRANSPORT_TLS ? nta_outgoing_transport(request) : NULL;

	if (!used)
		return;
	if (tport_is_secondary(used) && !tport_is_closed(used))
		sip_flow_of(sip, used, way->tls_name);
	tport_unref(used);
}

void sip_way_prepare(void)
{
	char stale[128];

	sip_log_take_tls_fault(stale, sizeof stale);
}

/* ------------------------------------------------------------------ failures */

/* Only the first packet may be judged by its refusal: with a retransmission out, an earlier one may have arrived.  A stream
 * is refused before anything is sent on it. */
static bool surely_lost(uint64_t sent_at, int error)
{
	bool refused = error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;

	return refused && loop_now() - sent_at < T1_US;
}

void sip_failure_read(struct sip_failure *failure, nta_outgoing_t *orq, const sip_t *sip, const struct sip_attempt *attempt)
{
	msg_t *request = nta_outgoing_getrequest(orq);
	int error = request ? msg_errno(request) : 0;
	char fault[128] = "";

	memset(failure, 0, sizeof *failure);
	if (!sip || sip->sip_status->st_status == 408) {
		failure->result = SIP_SILENT;
		snprintf(failure->detail, sizeof failure->detail, "no answer");
	} else {
		failure->result = SIP_BROKEN;
		if (attempt->tls)
			sip_log_take_tls_fault(fault, sizeof fault);
		failure->unsent = (attempt->handshake && fault[0]) || surely_lost(attempt->sent_at, error);
		if (fault[0])
			snprintf(failure->detail, sizeof failure->detail, "%s", fault);
		else if (error > 0 && error != EPIPE)
			snprintf(failure->detail, sizeof failure->detail, "%s", strerror(error));
		else
			snprintf(failure->detail, sizeof failure->detail, "connection closed by the peer");
	}
	msg_destroy(request);
}

/* ------------------------------------------------------------------ transactions */

static void describe_failure(struct sip_answer *answer, struct sip_transaction *t, const sip_t *sip)
{
	struct sip_failure failure;

	sip_failure_read(&failure, t->request, sip, &t->attempt);
	memset(answer, 0, sizeof *answer);
	answer->granted = answer->min_expires = answer->retry_after = -1;
	answer->result = failure.result;
	answer->unsent = failure.unsent;
	memcpy(answer->detail, failure.detail, sizeof answer->detail);
}

static int received(void *arg, nta_outgoing_t *orq, sip_t const *sip)
{
	struct sip_transaction *t = arg;
	struct sip_answer answer;
	uint64_t took;

	/* The configuration may change right here, and this transaction be released by that. */
	t->sip->before(t->sip->arg);
	if (t->released)
		return 0;
	if (sip && sip->sip_status->st_status < 200)
		return 0;
	if (!sip || nta_sip_is_internal(sip)) {
		describe_failure(&answer, t, sip);
		t->answer(t->arg, &answer);
	} else {
		su_home_t home[SU_HOME_AUTO_SIZE(2048)];
		su_home_auto(home, sizeof home);
		took = loop_now() - t->attempt.sent_at;
		t->read(&answer, home, orq, sip);
		answer.rtt_us = (uint32_t)(took > UINT32_MAX ? UINT32_MAX : took);
		t->answer(t->arg, &answer);
		su_home_deinit(home);
	}
	return 0;
}

static int start(struct sip *sip, struct sip_transaction *t, const struct sip_way *way, msg_t *message)
{
	char destination[400];
	bool fresh;
	tport_t *tport = sip_way_tport(sip, way, &fresh);

	if (!tport)
		return EINVAL;
	sip_way_write(destination, sizeof destination, way);
	t->attempt.tls = way->target.transport == TRANSPORT_TLS;
	t->attempt.handshake = fresh;
	t->attempt.sent_at = loop_now();
	if (fresh)
		sip_way_prepare();
	t->request = nta_outgoing_mcreate(sip->agent, received, t, URL_STRING_MAKE(destination), message,
	                                  NTATAG_TPORT(tport), NTATAG_USER_VIA(1), TAG_IF(fresh, TPTAG_FRESH(1)), TAG_END());
	if (!t->request)
		return EINVAL;
	if (fresh)
		sip_way_taken(sip, way, t->request);
	return 0;
}

int sip_transaction_send(struct sip *sip, struct sip_transaction **transaction, const struct sip_way *way, msg_t *message,
                         sip_read_f *read, sip_answer_f *answer, void *arg)
{
	const char *tls_name = way->target.transport == TRANSPORT_TLS ? way->tls_name : "";
	size_t size = strlen(tls_name) + 1;
	struct sip_transaction *t = calloc(1, sizeof *t + size);
	int error = ENOMEM;

	if (!t)
		goto out;
	t->sip = sip;
	t->read = read;
	t->answer = answer;
	t->arg = arg;
	memcpy(t->tls_name, tls_name, size);
	error = start(sip, t, way, message);
	if (!error) {
		*transaction = t;
		return 0;
	}
out:
	msg_destroy(message);
	free(t);
	return error;
}

static int ignored(void *none, nta_outgoing_t *orq, sip_t const *sip)
{
	(void)none;
	(void)orq;
	(void)sip;
	return 0;
}

void sip_transaction_release(struct sip_transaction *transaction)
{
	if (!transaction)
		return;
	/* The stack may be in the middle of delivering to it: sip_turn() does the rest. */
	nta_outgoing_bind(transaction->request, ignored, NULL);
	transaction->released = true;
	transaction->next = transaction->sip->abandoned;
	transaction->sip->abandoned = transaction;
}
