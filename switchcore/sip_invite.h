/* The INVITE that begins a call to a routing gateway, and its preview. */
#ifndef SWITCHCORE_SIP_INVITE_H
#define SWITCHCORE_SIP_INVITE_H

#include "identity.h"
#include "sip_client.h"

struct sip_invite {
	struct sip_way way;
	const char *gateway;		/* host or host:port of Request-URI and To, as configured */
	const struct invite_identity *identity;
	const char *from_host;		/* of From */
	const char *contact;		/* URI of Contact */
	const char *call_id, *from_tag;
	const char *branch;		/* NULL = a new one */
	uint32_t cseq;
	uint32_t max_forwards;
	const char *session;		/* header lines of the session timer (RFC 4028); "" = there is none */
	const struct sip_message *original;	/* whose body and end-to-end headers it carries; NULL = none */
	const char *username, *password;	/* that answer the challenges */
	struct sip_credential *credentials;
	size_t credential_count;
};

/* Errors: ENOTSUP a digest that cannot be computed; EINVAL, ENOMEM. */
int sip_invite_send(struct sip *sip, struct sip_client **client, const struct sip_invite *invite, sip_response_f *answered,
                    void *arg);
/* The same bytes, unsent. */
int sip_invite_text(struct sip *sip, char *text, size_t size, size_t *length, const struct sip_invite *invite);

/* The branch of the INVITE, for one that goes on after the stack's own time-out. */
void sip_invite_branch(const struct sip_client *client, char *text, size_t size);

/* A 2xx that fits no call any more (RFC 3261 13.2.2.4): it gets an ACK and a BYE where it came from, if its tag proves that the
 * INVITE was ours. */
void sip_invite_end_stray(struct sip *sip, const struct sip_packet *packet);

#endif
