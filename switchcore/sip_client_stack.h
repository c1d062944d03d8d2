/* What the files that send requests of calls share.  Included by sip*.c only. */
#ifndef SWITCHCORE_SIP_CLIENT_STACK_H
#define SWITCHCORE_SIP_CLIENT_STACK_H

#include "sip_client.h"
#include "sip_stack.h"

struct sip_client {
	struct sip *sip;
	nta_outgoing_t *transaction;
	sip_response_f *answered;
	void *arg;
	struct sip_attempt attempt;
	bool released, cancelled;
	bool provisional;		/* a provisional answer came */
	char *reason;			/* Reason of a CANCEL that waits for one, or NULL */
	struct sip_client *next, *previous;	/* among the released, or (both ways) those that wait to be cancelled */
};

/* How a request of a call leaves. */
struct sip_exit {
	struct sip_way way;
	tport_t *connection;		/* to use while it is open; NULL = any to the target */
	const char *branch;		/* of a request that goes on where another transaction ended; NULL = a new one */
};

/* Sends a complete request, which it takes, also when it fails. */
int sip_client_send(struct sip *sip, struct sip_client **client, msg_t *request, const struct sip_exit *exit,
                    sip_response_f *answered, void *arg);
/* The same without a transaction: ACK to a 2xx. */
int sip_client_send_ack(struct sip *sip, msg_t *ack, const struct sip_exit *exit);

/* "SIP/2.0/UDP host:port;rport" of the listener towards the target. */
void sip_via_text(char *text, size_t size, const struct listener *listener, const struct target *target);

/* Frees those that were released. */
void sip_clients_turn(struct sip *sip);
/* The others too, which wait for an answer before they can be cancelled. */
void sip_clients_close(struct sip *sip);

#endif
