/* Server transactions of calls (RFC 3261 17.2): answers go where the gateway's reply_address says, retransmitted by the stack. */
#ifndef SWITCHCORE_SIP_SERVER_H
#define SWITCHCORE_SIP_SERVER_H

#include "sip.h"
#include "sip_message.h"

struct sip_server;

struct sip_reply {
	uint16_t code;
	const char *phrase;			/* NULL = that of the code */
	const char *to_tag;			/* our tag; NULL = the request has it, or the stack makes one */
	const char *contact;			/* value of Contact, or NULL */
	const struct sip_message *relay;	/* whose body and end-to-end headers it carries, or NULL */
	const char *headers;			/* further ones, each line ended by CR LF, or NULL */
};

/* Takes the packet, which must be a request other than ACK and CANCEL.  cancelled(): a CANCEL came for it and has its 200; the
 * final answer is still ours to give.  Errors: ENOMEM; the packet is consumed then too. */
int sip_server_open(struct sip_server **server, struct sip *sip, struct sip_packet *packet, const union address *reply_to,
                    void (*cancelled)(void *arg, const struct sip_message *cancel), void *arg);
/* NULL is allowed.  One that was not answered finally answers 500. */
void sip_server_close(struct sip_server *server);

const struct sip_message *sip_server_request(const struct sip_server *server);	/* lives as long as the server */
const struct sip_packet *sip_server_packet(const struct sip_server *server);	/* raw is not the caller's any more */

/* Any number of provisional answers, then one final one.  Errors: EINVAL, ENOMEM, ECANCELED there was a final one. */
int sip_server_reply(struct sip_server *server, const struct sip_reply *reply);
void sip_server_repeat(struct sip_server *server);	/* the 2xx to an INVITE, until its ACK comes (RFC 3261 13.3.1.4) */
uint16_t sip_server_status(const struct sip_server *server);

/* Where the answer to a CANCEL of some steered transaction must go.  `bytes` is the CANCEL as it came in.  False: no special
 * place. */
bool sip_server_cancel_address(const char *bytes, size_t length, union address *to);

#endif
