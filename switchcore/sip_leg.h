/*
 * One side of a call: a dialog (RFC 3261 12) with its own tags, sequence numbers and route set, or what will become one, and
 * where requests in it go (the gateways' sip.request_address).
 */
#ifndef SWITCHCORE_SIP_LEG_H
#define SWITCHCORE_SIP_LEG_H

#include "resolver.h"
#include "sip_client.h"
#include "sip_content.h"
#include "sip_server.h"

#define SIP_TAG_MAX 24

struct sip_leg;

struct sip_leg_options {
	struct resolver *resolver;	/* for Contacts that are names; results known at once only */
	const struct listener *listener;
	int32_t request_address;	/* enum REQUEST_ADDRESS_option */
	const char *tls_name;		/* of the gateway; "" or NULL = the address */
	bool tls_verify;
	bool session_timer;		/* RFC 4028 is known here: its requests say so */
	const char *tag;		/* ours */
};

/* From an INVITE that came in: we are its server. */
int sip_leg_of_caller(struct sip_leg **leg, struct sip *sip, const struct sip_server *invite,
                      const struct sip_leg_options *options);
/* From a response, with a tag, to an INVITE of ours. */
int sip_leg_of_callee(struct sip_leg **leg, struct sip *sip, const struct sip_response *response,
                      const struct sip_leg_options *options);
void sip_leg_free(struct sip_leg *leg);

const char *sip_leg_tag(const struct sip_leg *leg);		/* ours */
void sip_leg_set_tag(struct sip_leg *leg, const char *tag);
const char *sip_leg_remote_tag(const struct sip_leg *leg);
const char *sip_leg_call_id(const struct sip_leg *leg);
bool sip_leg_is(const struct sip_leg *leg, const char *call_id, const char *remote_tag);
bool sip_leg_session_timer(const struct sip_leg *leg);
bool sip_leg_takes_update(const struct sip_leg *leg);		/* the peer's last Allow lists UPDATE (RFC 3311) */
/* What a Contact of ours in this leg says. */
const char *sip_leg_contact(const struct sip_leg *leg);
void sip_leg_set_contact(struct sip_leg *leg, const char *contact);

/* A message of the peer in this dialog came: where from, and what its Contact says if it refreshes the target (re-INVITE,
 * UPDATE and their 2xx, RFC 3261 12.2). */
void sip_leg_heard(struct sip_leg *leg, const struct target *source, void *connection, const struct sip_message *message,
                   bool refresh);
/* The CSeq of a request in this dialog: false = older than the last (RFC 3261 12.2.2: 500). */
bool sip_leg_in_order(struct sip_leg *leg, uint32_t cseq);
uint32_t sip_leg_next_cseq(struct sip_leg *leg);
void sip_leg_set_cseq(struct sip_leg *leg, uint32_t cseq);	/* of our INVITE, which made the dialog */

struct sip_leg_request {
	enum sip_method method;
	const char *name;
	uint32_t cseq;
	const struct sip_message *relay;	/* body and end-to-end headers, or NULL */
	const char *headers;			/* further lines, each ended by CR LF, or NULL */
	const struct sip_content *content;	/* a body that no message brought, or NULL */
	const struct sip_message *challenge;	/* a 401 or 407 to answer with the leg's account, or NULL */
};
/* The account that answers challenges in this dialog. */
void sip_leg_set_account(struct sip_leg *leg, const char *username, const char *password);

/* Sends a request in the dialog.  ACK: no client, no callback.  EACCES: a challenge that cannot be answered. */
int sip_leg_send(struct sip_leg *leg, struct sip_client **client, const struct sip_leg_request *request,
                 sip_response_f *answered, void *arg);
/* Keeps the ACK that was sent last, so that sip_leg_repeat_ack() can send it again (RFC 3261 13.2.2.4). */
void sip_leg_repeat_ack(struct sip_leg *leg, uint32_t cseq);

#endif
