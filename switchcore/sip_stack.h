/* What the files around the SIP stack share.  Included by sip*.c only. */
#ifndef SWITCHCORE_SIP_STACK_H
#define SWITCHCORE_SIP_STACK_H

#include "sip.h"

struct sip;
struct sip_client;
struct sip_transaction;
#define NTA_AGENT_MAGIC_T struct sip
/* Registrations, gateways and calls each have transactions of their own. */
#define NTA_OUTGOING_MAGIC_T void
#define NTA_INCOMING_MAGIC_T void
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
	struct sip_client *released, *cancelling;
	struct sip_flow *flows[SIP_FLOW_BUCKETS], *named[SIP_FLOW_BUCKETS];
	void (*before)(void *arg);
	void *arg;
	void (*received)(void *arg, struct sip_packet *packet);
	void *received_arg;
	bool tls;			/* some listener is TLS */
};

/* sip.c */
/* To the handler, as what belongs to no transaction; takes the message. */
void sip_hand_over(struct sip *sip, msg_t *message, const sip_t *parsed);
int32_t sip_tport_transport(const tport_t *tport);	/* enum TRANSPORT_option */

/* sip_transaction.c: ways.  For every request that we send, in dialogs too. */
/* The way as the stack wants it: for TLS the name that is to be verified, with the address in maddr. */
void sip_way_write(char *text, size_t size, const struct sip_way *way);
/* For NTATAG_TPORT: a connection that was verified for the name, or the listener's transport; NULL: not one of ours.  *fresh:
 * TLS without such a connection; give TPTAG_FRESH(1), call sip_way_prepare() before and sip_way_taken() after. */
tport_t *sip_way_tport(struct sip *sip, const struct sip_way *way, bool *fresh);
void sip_way_prepare(void);		/* forgets TLS faults of others */
void sip_way_taken(struct sip *sip, const struct sip_way *way, nta_outgoing_t *request);	/* remembers whom it verified */

/* The same: why a request got no answer from outside, to be asked when the stack calls back without a message or with one
 * of its own (nta_sip_is_internal). */
struct sip_attempt {
	uint64_t sent_at;		/* µs of loop_now() */
	bool tls;
	bool handshake;			/* it waited for a connection of its own: *fresh */
};
struct sip_failure {
	enum sip_result result;		/* SILENT or BROKEN */
	bool unsent;			/* BROKEN: it surely did not arrive */
	char detail[160];
};
void sip_failure_read(struct sip_failure *failure, nta_outgoing_t *orq, const sip_t *sip, const struct sip_attempt *attempt);

/* Makes a struct sip_answer of a final response; texts in it may lie in home. */
typedef void sip_read_f(struct sip_answer *answer, su_home_t *home, nta_outgoing_t *orq, const sip_t *sip);

struct sip_transaction {
	struct sip *sip;
	nta_outgoing_t *request;
	sip_read_f *read;
	sip_answer_f *answer;
	void *arg;
	struct sip_attempt attempt;
	bool released;
	struct sip_transaction *next;	/* among the abandoned */
	char tls_name[];
};

/* Sends a complete message, which it takes, also when it fails. */
int sip_transaction_send(struct sip *sip, struct sip_transaction **transaction, const struct sip_way *way, msg_t *message,
                         sip_read_f *read, sip_answer_f *answer, void *arg);

/* sip_credentials.c: answers to the challenges, by digest; they count the uses of each nonce.  ENOTSUP, EINVAL. */
int sip_add_credentials(msg_t *message, const char *method, const char *uri, const char *username, const char *password,
                        struct sip_credential *credentials, size_t count);

/* sip_flow.c */
struct sip_flow *sip_flow_of(struct sip *sip, tport_t *tport, const char *tls_name);
struct sip_flow *sip_flow_find(struct sip *sip, const struct sip_port *port, bool verified, const char *tls_name,
                               const union address *address);
tport_t *sip_flow_tport(struct sip_flow *flow);
void sip_flows_close(struct sip *sip);

/* sip_answer.c: the part of classification that needs no transaction; the fuzz target calls it too. */
struct sip_contact { const char *user, *host, *port, *line; };
void sip_answer_read(struct sip_answer *answer, su_home_t *home, const sip_t *sip, const struct sip_contact *ours);

/* sip_preview.c: the bytes of a request as the stack would send it, with a branch that no transaction has.  The message stays
 * the caller's, and is good for nothing else afterwards.  ENOSPC, EINVAL, ENOMEM. */
int sip_preview(msg_t *message, char *text, size_t size, size_t *len);

/* sip_log.c */
void sip_log_start(void);
/* What the stack last said about a TLS connection, "" = nothing; reading it clears it. */
void sip_log_take_tls_fault(char *text, size_t size);

#endif
