/*
 * One call, for the files it is made of:
 *
 *   calls.c          all calls: which one a message belongs to, slots, stopping
 *   call_origin.c    who calls: source, trunk, digest
 *   call.c           birth, report, end
 *   call_attempt.c   the way to a gateway: routing, INVITE, failover
 *   call_dialog.c    what passes between the legs once there are dialogs
 *   call_handshake.c from a 2xx to its ACK
 *   call_farewell.c  BYE
 *   call_session.c   session timers, each leg on its own
 *   call_preview.c   the same way, without sending
 */
#ifndef SWITCHCORE_CALL_H
#define SWITCHCORE_CALL_H

#include "calls.h"
#include "hash.h"
#include "identity.h"
#include "sip_invite.h"
#include "sip_leg.h"
#include "sip_server.h"
#include "sip_session.h"

#define CALL_FORKS_MAX 8		/* early dialogs of one INVITE that are told apart; more are ignored */
#define CALL_EXCHANGES_MAX 8		/* requests that pass a call at once */
#define CALLS_MAX (1u << CALL_SLOT_BITS)
#define CALL_LIST_MAX 2048		/* bytes of `tried` and `skipped` */

enum call_side { CALLER, CALLEE };
enum call_state {
	CALL_SEEKING,		/* no answer passed yet */
	CALL_UP,		/* the 2xx passed */
	CALL_OVER,
};
enum hung_up_by { HUNG_UP_BY_CALLER, HUNG_UP_BY_CALLEE, HUNG_UP_BY_SWITCH };

struct attempt_out;

/* Where a call comes from, and what that says of how it is treated. */
struct origin {
	struct mapping_gateway *mapping;
	struct registration *trunk;		/* through whose binding it came, or NULL */
	bool vouched;				/* known as a trunk or routing gateway: no account of its own */
	int32_t caller_source;			/* enum CALLER_SOURCE_option */
	int32_t reply_address, request_address;
	bool session_timer;
};

/* One early dialog downstream, or the one that was answered. */
struct fork {
	struct sip_leg *leg;
	char upstream_tag[SIP_TAG_MAX];		/* ours towards the caller */
	struct dialog_key *key;
};

/* A tag of ours in the table of dialogs. */
struct dialog_key {
	struct hash_link link;
	struct call *call;
	enum call_side side;
	char tag[SIP_TAG_MAX];
};

/* A request that passes from one leg to the other. */
struct exchange {
	struct exchange *next;
	struct call *call;
	enum call_side from;
	enum sip_method method;
	struct sip_leg *to, *to_from;		/* where it goes, where it came from; lent: of the call */
	const char *to_tag;			/* ours, in the answers; NULL = the request has it */
	struct sip_server *server;
	struct sip_client *client;
	bool challenged;			/* the other side asked for credentials, and got them */
};

struct farewell;

/* From a 2xx to an INVITE until its ACK: sent again meanwhile (RFC 3261 13.3.1.4). */
struct handshake {
	struct sip_server *server;		/* NULL = none */
	enum call_side from;			/* who sent the INVITE */
	uint32_t cseq;				/* of it, on that side */
	uint32_t onward_cseq;			/* of ours, on the other side */
	uint64_t interval, deadline;		/* µs */
};

/* The session timer (RFC 4028) of one leg. */
struct call_session {
	struct call *call;
	struct timer timer;			/* armed from the answer to the end of the call */
	uint64_t refresh_at, hang_up_at;	/* µs; TIMER_NEVER = not at all */
	struct session_terms terms;
	uint32_t min;				/* the greatest Min-SE that a 422 asked for */
	bool on;				/* sip.session_timer of the gateway */
	bool inviting, challenged;		/* of our refresh under way */
	bool update_taken, update_refused;	/* the peer answered one so: whatever its Allow said */
	uint8_t raises;				/* 422s obeyed since the last 2xx */
	struct sip_client *client;		/* our refresh under way */
	struct sip_content *said;		/* the session description that the peer knows of us, while a refresh may repeat it */
};

/* Everything the record of the call tells, as known so far. */
struct call_facts {
	uint64_t setup_at, ringing_at, answered_at;
	char request_uri_in[NUMBER_MAX + 1], to_in[NUMBER_MAX + 1], callee_in[NUMBER_MAX + 1], original[NUMBER_MAX + 1];
	char callee[NUMBER_MAX + 1];		/* after the mapping gateway's rewriting: what is routed */
	char routed[NUMBER_MAX + 1], to_out[NUMBER_MAX + 1];
	char caller_in[NUMBER_MAX + 1], caller[NUMBER_MAX + 1], caller_out[NUMBER_MAX + 1];
	char call_id_out[40];
	char mapping_gateway[SCHEMA_NAME_MAX + 1], routing_gateway[SCHEMA_NAME_MAX + 1], registration[SCHEMA_NAME_MAX + 1];
	int8_t use_contact;			/* -1 = no INVITE went out */
	uint16_t code;
	char phrase[SIP_PHRASE_MAX];
	char *tried, *skipped;			/* lines, or NULL */
};

struct call {
	struct calls *calls;
	uint32_t slot;
	uint64_t id;
	enum call_state state;
	enum call_phase phase;
	struct sip_server *invite;		/* the caller's, until its final answer */
	struct sip_leg *caller;
	struct mapping_gateway *mapping;	/* referenced, and claimed if `admitted` */
	struct gateway_settings *mapping_settings;
	bool admitted;
	struct registration_claims *trunk;
	struct sip_parameters parameters;
	struct route *route;			/* while seeking */
	struct attempt_out *attempt;		/* the present one, or the one that was answered */
	struct fork forks[CALL_FORKS_MAX];	/* of the present attempt */
	uint32_t fork_count;
	struct fork *answered;
	struct handshake handshake;
	struct exchange *exchanges;
	uint32_t exchange_count;
	struct timer timer;			/* seeking: the attempt's patience; up: the handshake */
	struct call_session sessions[2];	/* by enum call_side */
	uint64_t up_since;			/* of loop_now() */
	const char *why;			/* it is hung up: value of Reason in our BYEs, or NULL */
	bool sdp_passed;			/* the caller has heard a session description */
	const struct sip_message *reason;	/* the CANCEL or BYE that ends it, in that event only */
	int32_t reply_address;			/* of the caller: enum REPLY_ADDRESS_option */
	struct hash_link by_invite;		/* by the caller's Call-ID */
	char caller_call_id[256], caller_tag[128];
	uint32_t caller_cseq;
	struct call_facts facts;
};

struct calls {
	struct calls_parts parts;
	struct sip_parameters parameters;
	struct challenges *challenges;
	struct call **slots;
	uint64_t *last_id;			/* by slot: ids rise */
	uint32_t slot_limit, slot_room;
	uint32_t *free_slots;			/* a ring: the slot freed longest ago is used next */
	uint32_t free_head, free_count;
	uint32_t active;
	uint32_t second_new, last_second_new;
	uint64_t second;
	struct hash dialogs, invites;
	struct farewell *farewells;
	uint32_t farewell_count;
	uint64_t tag_key[2];
	uint64_t shed, shed_told;		/* refused because more comes in than can be handled */
	uint32_t shed_quiet_ticks;
	uint32_t expired;			/* hung up by session timers in this second */
	bool stopping, news, full_said, cdr_said;
};

/* ------------------------------------------------------------------ calls.c */

int calls_add(struct calls *calls, struct call *call);		/* gives it a slot and an id; ENFILE, ENOMEM */
void calls_remove(struct call *call);
int dialog_add(struct call *call, struct dialog_key **key, enum call_side side, const char *tag);
void dialog_remove(struct calls *calls, struct dialog_key *key);	/* NULL is allowed */
void calls_new_tag(char tag[SIP_TAG_MAX]);
/* The tag of our INVITEs: follows from the Call-ID, so that a late answer proves whose it is. */
void calls_tag_for(const struct calls *calls, char tag[SIP_TAG_MAX], const char *call_id);

/* ------------------------------------------------------------------ call_origin.c */

/* Who sent the INVITE.  EACCES: known, but it may not call; ENOENT: unknown.  *code is then what it gets. */
int origin_find(struct calls *calls, struct origin *origin, const struct sip_packet *packet, uint16_t *code);
/* Digest authentication where the gateway asks for it: true = it may go on; else the packet was answered. */
bool origin_authenticate(struct calls *calls, const struct origin *origin, struct sip_packet *packet);
/* What an unknown source gets: that code, or nothing. */
void origin_turn_away(struct calls *calls, struct sip_packet *packet, uint16_t code);
/* A request outside a dialog that begins no call: where its answer goes; a known source is answered as its gateway wants it. */
bool origin_known(struct calls *calls, const struct sip_packet *packet, union address *reply_to);

/* ------------------------------------------------------------------ call.c */

void call_begin(struct calls *calls, struct sip_packet *packet, const struct origin *origin);
/* What is read from the INVITE, by the mapping gateway's settings, and its rewriting; also for the preview.  EMSGSIZE, EINVAL. */
int call_numbers(struct call_facts *facts, const struct mapping_gateway_record *record, int32_t caller_source,
                 const struct numbers_in *in);
/* What any server asks of a request before it looks who is called (RFC 3261 8.2.2): 0, or the code that it gets, with headers. */
uint16_t call_check(const struct sip_message *m, bool session_timer, char *headers, size_t size);
/* Ends it: what is open is closed, both sides told as far as they need it, the record written, the memory freed. */
void call_end(struct call *call, enum hung_up_by by);
/* The final answer to the caller's INVITE, and the end. */
void call_refuse(struct call *call, uint16_t code, const char *phrase, const struct sip_message *relay, enum hung_up_by by);
void call_phase(struct call *call, enum call_phase phase);
void call_report(struct call *call);		/* its status record, between two phases */
void call_note(char **list, const char *name, const char *what);	/* adds a line */
int call_reply(struct call *call, uint16_t code, const char *phrase, const char *tag, const struct sip_message *relay);

/* ------------------------------------------------------------------ call_attempt.c */

void call_seek(struct call *call);			/* the next gateway, or the end */
/* Forgets the present attempt.  CANCELLED: the gateway is told, with the Reason of `why`, or NULL. */
enum drop { DROP_SILENTLY, DROP_CANCELLED };
void call_attempt_drop(struct call *call, enum drop how, const struct sip_message *why);
void call_attempt_timer(struct call *call);
uint32_t attempt_cseq(const struct attempt_out *attempt);	/* of the INVITE */
const struct gateway_settings *attempt_settings(const struct attempt_out *attempt);
struct routing_gateway *attempt_gateway(const struct attempt_out *attempt);
struct fork *call_fork(struct call *call, const char *remote_tag);

/* What an INVITE to a gateway is made of; also for the preview. */
struct invite_plan {
	struct sip_invite invite;
	struct invite_identity identity;
	char session[SESSION_LINES_MAX];
	char gateway[270], from_host[300], our_host[300], contact[800], call_id[40], tag[SIP_TAG_MAX];
	char routed[NUMBER_MAX + 1], caller_out[NUMBER_MAX + 1];
};
/* numbers: as read from the caller's INVITE.  EMSGSIZE: a number grew too long. */
struct plan_source {
	const struct routing_gateway_record *gateway;
	const struct sip_parameters *parameters;
	const struct registration *registration;	/* of the gateway, or NULL */
	bool trusted;
	const struct numbers_in *in;
	const char *original, *callee, *caller;		/* after the mapping gateway */
	uint32_t session_min;				/* Min-SE that it asked for by 422, or 0 */
};
int invite_plan_numbers(struct invite_plan *plan, const struct plan_source *source);
int invite_plan_address(struct invite_plan *plan, const struct plan_source *source, const struct listener *listener,
                        const struct target *target);

/* ------------------------------------------------------------------ call_dialog.c */

/* A request in a dialog.  Consumes the packet. */
void call_request(struct call *call, enum call_side side, struct fork *fork, struct sip_packet *packet);
void call_exchanges_drop(struct call *call);
/* An INVITE passes, or its ACK is awaited: no other may be sent (RFC 3261 14.1). */
bool call_inviting(const struct call *call);

/* ------------------------------------------------------------------ call_handshake.c */

void call_ack(struct call *call, enum call_side side, struct sip_packet *packet);
/* The answered fork's 2xx went up: now the ACK is awaited. */
void call_await_ack(struct call *call, struct sip_server *server, enum call_side from, uint32_t cseq, uint32_t onward_cseq);
void call_handshake_timer(struct call *call);

/* ------------------------------------------------------------------ call_farewell.c */

/* Tells that side, whose leg it takes, that the call is over. */
void call_bye(struct call *call, enum call_side to, const struct sip_message *relay);
void calls_farewells_drop(struct calls *calls);

/* ------------------------------------------------------------------ call_session.c */

int call_sessions_init(struct call *call);		/* ENOMEM */
void call_sessions_stop(struct call *call);		/* before the BYEs: a refresh under way is given up */
void call_sessions_destroy(struct call *call);
/* A gateway begins, or is left: on = its session timer is. */
void call_session_reset(struct call *call, enum call_side side, bool on);
void calls_expired_tick(struct calls *calls);		/* once a second */
/* A re-INVITE of ours is under way on some leg. */
bool call_session_inviting(const struct call *call);

/* That message's session description, if it has one, was passed to that side and accepted there. */
void call_session_said(struct call *call, enum call_side side, const struct sip_message *message);
/* Our INVITE or UPDATE to that side: its header lines, "" = none; a 422 to it that raises them: true = worth another try; the 2xx. */
void call_session_offer(const struct call *call, enum call_side side, char lines[SESSION_LINES_MAX]);
bool call_session_raise(struct call *call, enum call_side side, const struct sip_message *refusal);
void call_session_agreed(struct call *call, enum call_side side, const struct sip_message *answer);
/* The INVITE or UPDATE of that side gets a 2xx: its header lines, "" = none. */
void call_session_accept(struct call *call, enum call_side side, const struct sip_message *request, char lines[SESSION_LINES_MAX]);

static inline enum call_side call_other(enum call_side side)
{
	return side == CALLER ? CALLEE : CALLER;
}

static inline struct sip_leg *call_leg(const struct call *call, enum call_side side)
{
	return side == CALLER ? call->caller : call->answered ? call->answered->leg : NULL;
}

#endif
