/* Client transactions of calls (RFC 3261 17.1). */
#ifndef SWITCHCORE_SIP_CLIENT_H
#define SWITCHCORE_SIP_CLIENT_H

#include "sip.h"
#include "sip_message.h"

struct sip_client;

/* Valid during the callback only. */
struct sip_response {
	enum sip_result result;			/* SIP_ANSWERED: message is there, provisional or final */
	const struct sip_message *message;	/* or NULL */
	uint16_t code;				/* 0 = none */
	struct target source;			/* where it came from */
	void *connection;			/* the stack's transport that delivered it; lent */
	char detail[160];			/* SIP_BROKEN: what happened */
};

/* May come several times for an INVITE: provisional answers, then the final one; SILENT and BROKEN are final. */
typedef void sip_response_f(void *arg, const struct sip_response *response);

/* Of an INVITE, RFC 3261 9.1: at once if a provisional answer came, else as soon as one does.  The final answer still comes,
 * unless the client is released.  why: a CANCEL or BYE whose Reason (RFC 3326) it carries, or NULL. */
void sip_client_cancel(struct sip_client *client, const struct sip_message *why);
/* Owed for every client; no callback any more.  An INVITE that had no answer of any kind is sent no more after sip_turn(); one
 * that was cancelled runs to its end, and other requests do.  NULL is allowed. */
void sip_client_release(struct sip_client *client);


#endif
