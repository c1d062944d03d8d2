/* What the files around the SIP stack share.  Included by sip*.c only. */
#ifndef SWITCHCORE_SIP_STACK_H
#define SWITCHCORE_SIP_STACK_H

#include "sip.h"

struct sip;
struct sip_transaction;
#define NTA_AGENT_MAGIC_T struct sip
#define NTA_OUTGOING_MAGIC_T struct sip_transaction
#define TP_CLIENT_T struct sip_flow

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>

#define SIP_FLOW_BUCKETS 256u

struct sip_port {			/* a listener's transports in the agent */
	struct listener *listener;
	tport_t *tport;			/* lent by the agent */
	tport_t *unverified;		/* TLS: client transport that accepts any certificate, for tls_verify: false */
};

struct sip {
	nta_agent_t *agent;
	struct sip_port *ports;
	size_t port_count;
	struct sip_transaction *abandoned;
	struct sip_flow *flows[SIP_FLOW_BUCKETS], *named[SIP_FLOW_BUCKETS];
	void (*before)(void *arg);
	void *arg;
	bool tls;			/* some listener is TLS */
};

struct sip_transaction {
	struct sip *sip;
	nta_outgoing_t *request;
	sip_answer_f *answer;
	void *arg;
	uint64_t sent_at;
	bool released;
	bool handshake;			/* TLS: it waited for a connection of its own */
	struct sip_transaction *next;	/* among the abandoned */
	char tls_name[];
};

/* sip_flow.c */
struct sip_flow *sip_flow_of(struct sip *sip, tport_t *tport, const char *tls_name);
struct sip_flow *sip_flow_find(struct sip *sip, const struct sip_port *port, bool verified, const char *tls_name,
                               const union address *address);
tport_t *sip_flow_tport(struct sip_flow *flow);
void sip_flows_close(struct sip *sip);

/* sip_answer.c: the part of classification that needs no transaction; the fuzz target calls it too. */
struct sip_contact { const char *user, *host, *port, *line; };
void sip_answer_read(struct sip_answer *answer, su_home_t *home, const sip_t *sip, const struct sip_contact *ours);

/* sip_log.c */
void sip_log_start(void);
/* What the stack last said about a TLS connection, "" = nothing; reading it clears it. */
void sip_log_take_tls_fault(char *text, size_t size);

#endif
