/*
 * Our own small view of the SIP stack (sofia-sip, NTA layer).  No type of the stack appears here; the files that
 * include its headers are sip*.c, resolver.c and loop.c.
 *
 * One agent, one transport for each listener.  Requests go where they are told: numeric target, chosen listener.
 */
#ifndef SWITCHCORE_SIP_H
#define SWITCHCORE_SIP_H

#include "account.h"
#include "digest.h"
#include "listener.h"
#include "loop.h"
#include "target.h"

struct sip;
struct sip_flow;
struct sip_transaction;

struct sip_options {
	const char *tls_ca;		/* PEM file of trusted authorities; NULL = the system's */
	const char *tls_certificate;	/* PEM; NULL = none, then no TLS listener can accept connections */
	const char *tls_key;		/* PEM; NULL = in the certificate's file */
	const char *tls_scratch;	/* directory for the short-lived files that the stack reads its TLS settings from */
	/* Before a message or timer of the stack is handled: the quiescent point at which the configuration is looked at. */
	void (*before)(void *arg);
	void *arg;
};

struct sip_why { char text[320]; };

/* Binds every listener (their ports are filled in when 0).  The listeners stay the caller's and must outlive it. */
int sip_open(struct sip **sip, struct loop *loop, struct listener *listeners, size_t count,
             const struct sip_options *options, struct sip_why *why);
void sip_close(struct sip *sip);
/* Ends the transactions whose owners released them; once in each turn of the loop. */
void sip_turn(struct sip *sip);

/* Who gets what belongs to no transaction: requests, ACKs to 2xx, late responses.  Each packet must be consumed (sip_message.h,
 * sip_server.h).  Without a handler all is dropped. */
struct sip_packet;
void sip_handle(struct sip *sip, void (*handler)(void *arg, struct sip_packet *packet), void *arg);
/* Whose UDP socket is bound there; NULL = nobody's. */
const struct listener *sip_listener_at(const struct sip *sip, const union address *local);

/* Retransmission of what is sent from now on (RFC 3261 17.1): T1, T2 and the time until an unanswered request is given up. */
void sip_set_timers(struct sip *sip, uint32_t t1_ms, uint32_t t2_ms, uint32_t timeout_ms);

/* The listener of that name and transport; name "" = the first of the transport; family AF_UNSPEC = any. */
const struct listener *sip_listener(const struct sip *sip, const char *name, int32_t transport, sa_family_t family);

/* How a request leaves: by which listener, to which address; for TLS the name that the certificate must carry. */
struct sip_way {
	const struct listener *listener;
	struct target target;
	const char *tls_name;		/* needed for TLS only */
	bool tls_verify;		/* off: any certificate will do */
};

/* ------------------------------------------------------------------ answers */

#define SIP_CHALLENGES_MAX 4
#define SIP_PHRASE_MAX 64

enum sip_result {
	SIP_ANSWERED,		/* a final response: code and all below */
	SIP_SILENT,		/* none within 64 T1 */
	SIP_BROKEN,		/* refused, unreachable, connection or TLS handshake failed: detail says which, unsent too */
};

enum sip_binding {		/* what a 2xx says of our Contact (RFC 3261 10.2.4) */
	SIP_BINDING_OURS,	/* listed, or no Contact listed at all */
	SIP_BINDING_OTHERS,	/* only others are listed */
};

/* Valid during the callback only. */
struct sip_answer {
	enum sip_result result;
	bool unsent;			/* BROKEN: the request surely did not arrive; else nobody knows */
	uint16_t code;
	enum sip_binding binding;
	int32_t granted;		/* s, from our Contact, else Expires; -1 = not said */
	int32_t min_expires;		/* s, -1 = not said */
	int32_t retry_after;		/* s, -1 = not said */
	uint32_t rtt_us;
	union address public_address;	/* received and rport of our Via; AF_UNSPEC = not said */
	char phrase[SIP_PHRASE_MAX];
	char detail[160];
	char redirect_host[254];	/* 3xx with a usable Contact, else "" */
	uint16_t redirect_port;		/* 0 = not said */
	struct digest_challenge challenges[SIP_CHALLENGES_MAX];	/* one each realm, the topmost supported */
	size_t challenge_count;
	size_t unsupported_challenges;
};

typedef void sip_answer_f(void *arg, const struct sip_answer *answer);

/* ------------------------------------------------------------------ REGISTER */

/* A challenge kept for the rest of an attempt, with our use count of its nonce. */
struct sip_credential {
	struct digest_challenge challenge;	/* its texts are copies */
	uint32_t count;
};
int sip_credential_copy(struct sip_credential *credential, const struct digest_challenge *challenge);
void sip_credential_free(struct sip_credential *credential);	/* wipes the nonce */

/* The challenges of any response.  ENOMEM. */
struct sip_message;
struct sip_challenge_list {
	struct digest_challenge challenges[SIP_CHALLENGES_MAX];
	size_t count;
	void *home;			/* holds the texts */
};
int sip_challenges_read(struct sip_challenge_list *list, const struct sip_message *message);
void sip_challenges_free(struct sip_challenge_list *list);

struct sip_register {
	const struct account *account;
	const struct listener *listener;
	struct target target;
	const char *tls_name;		/* the certificate must carry this name */
	const char *redirect_host;	/* Request-URI after a 3xx, NULL = the domain */
	uint16_t redirect_port;
	int32_t privacy;		/* enum PRIVACY_option */
	int32_t expires;
	uint32_t cseq;
	const char *call_id, *from_tag;
	const char *old_contact_user;	/* a Contact to take back in the same request, or NULL */
	struct sip_credential *credentials;
	size_t credential_count;
};

/* Sends it.  The callback comes later, once, never from inside this call, unless the transaction is released first.
 * Errors: ENOTSUP a digest that cannot be computed; EINVAL, ENOMEM; others from the stack. */
int sip_register_send(struct sip *sip, struct sip_transaction **transaction, const struct sip_register *request,
                      sip_answer_f *answer, void *arg);
/* The same message, byte for byte but for the branch, which is made anew for each; nothing is sent.  ENOSPC: it does not fit. */
int sip_register_preview(struct sip *sip, const struct sip_register *request, char *text, size_t size, size_t *len);
/* Owed for every transaction, answered or not: no callback any more, and what is still unanswered is retransmitted no
 * more after sip_turn().  NULL is allowed. */
void sip_transaction_release(struct sip_transaction *transaction);
/* "sip:alice@192.0.2.7:5060;line=…": the Contact that such a request carries. */
void sip_contact_text(char *text, size_t size, const struct account *account, const char *user,
                      const struct listener *listener, const struct target *target);

/* ------------------------------------------------------------------ OPTIONS */

/* An OPTIONS out of any dialog (RFC 3261 11.1): is somebody there? */
struct sip_probe {
	struct sip_way way;
	const char *host;		/* of Request-URI and To, as configured */
	uint16_t port;			/* 0 = none written */
	uint32_t cseq;
	const char *call_id, *from_tag;
};

/* As sip_register_send(). */
int sip_probe_send(struct sip *sip, struct sip_transaction **transaction, const struct sip_probe *probe,
                   sip_answer_f *answer, void *arg);

/* ------------------------------------------------------------------ flows: connections that carried a REGISTER */

struct sip_flow_user {
	struct sip_flow *flow;			/* NULL = not joined */
	struct sip_flow_user *next, *previous;
	void (*lost)(struct sip_flow_user *user);	/* the connection closed; it was left already */
};

/* Joins the connection that the transaction used; does nothing for UDP.  Leaves the one joined before. */
void sip_flow_join(struct sip_flow_user *user, struct sip_transaction *transaction);
void sip_flow_leave(struct sip_flow_user *user);

/* CRLFCRLF (RFC 5626 3.5.1) from the listener's socket to the target, or on the flow if there is one. */
void sip_keep_alive(struct sip *sip, const struct listener *listener, const struct target *target, struct sip_flow *flow);

#endif
