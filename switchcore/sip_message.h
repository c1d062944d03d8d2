/*
 * A received message as the call logic sees it.  Nothing of it outlives the event that brought it, unless a
 * struct sip_server or struct sip_content keeps it.
 */
#ifndef SWITCHCORE_SIP_MESSAGE_H
#define SWITCHCORE_SIP_MESSAGE_H

#include "challenge.h"
#include "listener.h"
#include "numbers.h"

struct sip_message;		/* the parsed message; opaque */

enum sip_method {
	SIP_INVITE, SIP_ACK, SIP_CANCEL, SIP_BYE, SIP_PRACK, SIP_UPDATE, SIP_INFO, SIP_OPTIONS, SIP_REGISTER,
	SIP_KNOWN,		/* of some RFC, but not for this switch: 405 */
	SIP_UNKNOWN,		/* 501 */
};

/* A message from outside any of our transactions. */
struct sip;
struct sip_packet {
	struct sip *sip;
	const struct sip_message *message;
	struct target source;			/* where it came from */
	const struct listener *listener;	/* and to */
	void *raw;				/* the stack's message; owned by the packet until it is answered or dropped */
	void *connection;			/* the stack's transport that delivered it; lent */
};

enum sip_method sip_message_method(const struct sip_message *m);	/* of a request; of a response by its CSeq */
const char *sip_message_method_name(const struct sip_message *m);
uint16_t sip_message_code(const struct sip_message *m);		/* 0 = it is a request */
const char *sip_message_phrase(const struct sip_message *m);
const char *sip_message_call_id(const struct sip_message *m);
const char *sip_message_from_tag(const struct sip_message *m);	/* "" = none; so below */
const char *sip_message_to_tag(const struct sip_message *m);
const char *sip_message_branch(const struct sip_message *m);		/* of the topmost Via */
uint32_t sip_message_cseq(const struct sip_message *m);
const char *sip_message_request_user(const struct sip_message *m, char *text, size_t size);
int32_t sip_message_retry_after(const struct sip_message *m);	/* s, -1 = none */
uint32_t sip_message_max_forwards(const struct sip_message *m);	/* 70 = not said (RFC 3261 8.1.1.6) */
bool sip_message_has_sdp(const struct sip_message *m);
bool sip_message_has_body(const struct sip_message *m);
bool sip_message_reliable(const struct sip_message *m);		/* a provisional response with RSeq (RFC 3262) */
uint32_t sip_message_rack(const struct sip_message *m);		/* the response that a PRACK is for; 0 = none */
const char *sip_phrase(uint16_t code);					/* the RFC's words for a code */
/* Value of the Request-URI's parameter line=, "" = none. */
void sip_message_line(const struct sip_message *m, char *text, size_t size);
bool sip_message_scheme_known(const struct sip_message *m);	/* of the Request-URI: sip, sips, tel */
/* The Require header asks for something besides 100rel and, if that is known here, timer (RFC 4028): those tags, comma-separated;
 * "" = nothing. */
void sip_message_unsupported(const struct sip_message *m, bool timer, char *text, size_t size);

/* Everything numbers and identities are read from.  The texts lie in `store`; what does not fit counts as absent. */
struct numbers_store { char text[8192]; size_t used; };
void sip_message_numbers(const struct sip_message *m, struct numbers_in *in, struct numbers_store *store);

/* What the request answers to a challenge of our realm; false = nothing.  The texts lie in `store`, used by nothing else. */
bool sip_message_answer(const struct sip_message *m, struct challenge_answer *answer, struct numbers_store *store);
const char *sip_message_from_user(const struct sip_message *m, struct numbers_store *store);

/* Answers a request without keeping state (RFC 3261 8.2.7), to where it came from; or drops the packet.  Consume it. */
void sip_packet_refuse(struct sip_packet *packet, uint16_t code, const char *phrase);
/* The same with headers, "Name: value" lines each ended by CR LF, and sent to `to` (NULL = the source). */
void sip_packet_answer(struct sip_packet *packet, uint16_t code, const char *phrase, const char *headers,
                       const union address *to);
void sip_packet_drop(struct sip_packet *packet);

/* Where replies to a request go (both gateway kinds' sip.reply_address); mode: enum REPLY_ADDRESS_option.  A Via host that is
 * no address is not looked up: it counts as the source's. */
void sip_reply_address(union address *to, const struct sip_packet *packet, int32_t mode);
/* The same of what the topmost Via says: port 0 = none, host NULL = there is no Via. */
void sip_reply_place(union address *to, const struct target *source, int32_t mode, const char *host, uint16_t port);

#endif
