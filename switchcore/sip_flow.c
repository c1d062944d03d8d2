/*
 * Connections that carried a REGISTER.  The stack reports a closed connection once, to whoever pends on it; a flow
 * passes that on to every registration that came through it.  For TLS a flow also remembers the name that its
 * certificate was verified for: the stack itself reuses a connection by address alone.
 */
#include "sip_stack.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct sip_flow {
	struct sip *sip;
	struct sip_flow *next;		/* in its bucket */
	struct sip_flow *next_named;	/* of the flows to that TLS name */
	tport_t *tport;			/* referenced */
	int pending;
	bool dead;
	struct sip_flow_user *users;
	char tls_name[];
};

static size_t bucket_of(const tport_t *tport)
{
	return ((uintptr_t)tport >> 6) % SIP_FLOW_BUCKETS;
}

static size_t bucket_of_name(const char *name)
{
	uint32_t hash = 2166136261u;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)(*name | 0x20)) * 16777619u;	/* host names ignore case */
	return hash % SIP_FLOW_BUCKETS;
}

static void destroy(struct sip_flow *flow)
{
	struct sip_flow **at = &flow->sip->flows[bucket_of(flow->tport)];

	while (*at != flow)
		at = &(*at)->next;
	*at = flow->next;
	if (flow->tls_name[0]) {
		for (at = &flow->sip->named[bucket_of_name(flow->tls_name)]; *at != flow; at = &(*at)->next_named)
			;
		*at = flow->next_named;
	}
	if (flow->pending > 0)
		tport_release(flow->tport, flow->pending, NULL, NULL, flow, 0);
	tport_unref(flow->tport);
	free(flow);
}

/* Called by the stack while it closes the connection.  Users only set their timers: nothing is sent from here. */
static void closed(nta_agent_t *agent, struct sip_flow *flow, tport_t *tport, msg_t *message, int error)
{
	(void)agent;
	(void)tport;
	(void)message;
	(void)error;
	flow->dead = true;
	while (flow->users) {
		struct sip_flow_user *user = flow->users;
		flow->users = user->next;
		if (user->next)
			user->next->previous = NULL;
		user->flow = NULL;
		user->next = user->previous = NULL;
		user->lost(user);
	}
	destroy(flow);
}

struct sip_flow *sip_flow_of(struct sip *sip, tport_t *tport, const char *tls_name)
{
	size_t bucket = bucket_of(tport), size = strlen(tls_name) + 1;
	struct sip_flow *flow;

	for (flow = sip->flows[bucket]; flow; flow = flow->next)
		if (flow->tport == tport)
			return flow;
	flow = calloc(1, sizeof *flow + size);
	if (!flow)
		return NULL;
	flow->sip = sip;
	memcpy(flow->tls_name, tls_name, size);
	flow->tport = tport_ref(tport);
	flow->pending = tport_pend(tport, NULL, (tport_pending_error_f *)closed, flow);
	flow->next = sip->flows[bucket];
	sip->flows[bucket] = flow;
	if (tls_name[0]) {
		flow->next_named = sip->named[bucket_of_name(tls_name)];
		sip->named[bucket_of_name(tls_name)] = flow;
	}
	return flow;
}

struct sip_flow *sip_flow_find(struct sip *sip, const struct sip_port *port, bool verified, const char *tls_name,
                               const union address *address)
{
	tport_t *parent = verified ? port->tport : port->unverified;

	for (struct sip_flow *flow = sip->named[bucket_of_name(tls_name)]; flow; flow = flow->next_named) {
		su_addrinfo_t const *ai;
		union address remote;
		if (tport_parent(flow->tport) != parent || strcasecmp(flow->tls_name, tls_name) != 0 ||
		    !tport_is_clear_to_send(flow->tport) || !(ai = tport_get_address(flow->tport)))
			continue;
		address_from(&remote, ai->ai_addr);
		if (address_equal(&remote, address))
			return flow;
	}
	return NULL;
}

tport_t *sip_flow_tport(struct sip_flow *flow)
{
	return flow->tport;
}

void sip_flow_leave(struct sip_flow_user *user)
{
	struct sip_flow *flow = user->flow;

	if (!flow)
		return;
	if (user->previous)
		user->previous->next = user->next;
	else
		flow->users = user->next;
	if (user->next)
		user->next->previous = user->previous;
	user->flow = NULL;
	user->next = user->previous = NULL;
	if (!flow->users && !flow->dead) {
		/* Nobody needs it any more: it may go idle like any other. */
		tport_set_params(flow->tport, TPTAG_IDLE(600000), TAG_END());
		destroy(flow);
	}
}

void sip_flow_join(struct sip_flow_user *user, struct sip_transaction *transaction)
{
	tport_t *tport = transaction->request ? nta_outgoing_transport(transaction->request) : NULL;
	struct sip_flow *flow = NULL;

	if (tport && tport_is_secondary(tport) && !tport_is_closed(tport))
		flow = sip_flow_of(transaction->sip, tport, transaction->tls_name);
	if (flow && flow != user->flow) {
		sip_flow_leave(user);
		/* The stack would close it after the idle time that is meant for strangers; this one lives as long as
		 * the binding. */
		if (!flow->users)
			tport_set_params(tport, TPTAG_IDLE(UINT_MAX), TAG_END());
		user->flow = flow;
		user->previous = NULL;
		user->next = flow->users;
		if (flow->users)
			flow->users->previous = user;
		flow->users = user;
	} else if (!flow) {
		sip_flow_leave(user);
	}
	tport_unref(tport);
}

void sip_flows_close(struct sip *sip)
{
	for (size_t i = 0; i < SIP_FLOW_BUCKETS; i++)
		while (sip->flows[i]) {
			while (sip->flows[i]->users) {
				struct sip_flow_user *user = sip->flows[i]->users;
				sip->flows[i]->users = user->next;
				user->flow = NULL;
			}
			destroy(sip->flows[i]);
		}
}
