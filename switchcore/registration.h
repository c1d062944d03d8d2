/*
 * Outbound registrations: the life cycle.  Pure logic: everything it needs of the world (time, chance, transport, name
 * resolution, reporting) comes through struct registration_world, so tests run it with a clock of their own.
 *
 * States are those of the status segment.  One table in registration.c makes every transition.
 */
#ifndef SWITCHCORE_REGISTRATION_H
#define SWITCHCORE_REGISTRATION_H

#include "account.h"
#include "hash.h"
#include "pacing.h"
#include "resolver.h"
#include "sip.h"
#include "timer.h"

#include "shm/status.h"

#define REGISTRATION_AUTO_EXPIRY 3600	/* what auto asks for */
#define REGISTRATION_HANDOVER_US (2 * SECOND_US)	/* a new binding waits so long for the old one to go */
#define REGISTRATION_TARGET_US (8 * SECOND_US)	/* a silent target has so long when there is another */
#define REGISTRATION_RETRY_AFTER_MAX 7200
#define REGISTRATION_RAISE_MAX 86400
#define REGISTRATION_REFRESH_MAX_US (43200 * SECOND_US)
#define REGISTRATION_RECENT 12
#define REGISTRATION_RECENT_US (300 * SECOND_US)
#define REGISTRATION_SWEEP_TURNS 60u	/* registrations_sweep() visits all in so many calls */

struct attempt;
struct registration;
struct registrations;

/* The outcome of an attempt, for the record. */
struct registration_outcome {
	enum registration_reason reason;	/* NONE = it succeeded */
	uint16_t code;				/* 0 = no answer */
	uint32_t rtt_us;
	int32_t granted;			/* -1 = nothing */
	char phrase[SIP_PHRASE_MAX];
	char detail[160];
};

struct registration_world {
	void *arg;
	uint64_t (*now)(void *arg);		/* µs, monotonic */
	uint64_t (*wall)(void *arg);		/* µs since the epoch */
	uint32_t (*random)(void *arg);
	const struct listener *(*listener)(void *arg, const char *name, int32_t transport, sa_family_t family);
	const char *(*listeners)(void *arg);	/* all of them, in words */
	int (*resolve)(void *arg, struct resolver_wait *wait, struct resolver_result *result, const char *host,
	               uint16_t port, int32_t transport);	/* as resolver_find() */
	int (*send)(void *arg, struct sip_transaction **transaction, const struct sip_register *request,
	            sip_answer_f *answer, void *answer_arg);	/* as sip_register_send() */
	void (*release)(void *arg, struct sip_transaction *transaction);
	void (*join)(void *arg, struct sip_flow_user *user, struct sip_transaction *transaction);
	void (*keep_alive)(void *arg, const struct listener *listener, const struct target *target, struct sip_flow *flow);
	/* Reporting.  Deleted registrations that still remove their binding are told too (orphan is set). */
	void (*transition)(void *arg, struct registration *r, enum registration_state from);
	void (*begun)(void *arg, const struct registration *r);
	void (*sent)(void *arg, const struct registration *r);	/* a REGISTER left: target, listener and Contact are known */
	void (*over)(void *arg, const struct registration *r, const struct registration_outcome *outcome);
	void (*changed)(void *arg, struct registration *r);
	/* Shown instead of sent: as sip_register_preview(). */
	int (*preview)(void *arg, const struct sip_register *request, char *text, size_t size, size_t *len);
	void (*filled)(void *arg, struct registration *r);	/* its capacity is used up, or no more; NULL = nobody asks */
};

struct registration {
	struct registrations *set;
	struct account *account;		/* as configured now */
	struct account *bound;			/* the old binding's, while it is removed after a move; else NULL */
	struct attempt *attempt;		/* its turn has come; NULL = none or still queued */
	struct pacing_entry turn;
	struct timer timer;			/* THE timer: see registration_timer in registration.c */
	struct timer pulse;			/* keep-alive; while not registered the end of a binding that lives on */
	struct sip_flow_user flow;
	struct registration *next_orphan;
	struct hash_link by_name, by_line, by_contact;	/* while configured */
	struct registration_claims *claims;
	struct target *others;			/* what the server's name had besides target, heap, NULL = nothing */
	size_t other_count;
	struct registration *successor;		/* waits for this orphan's binding to go */
	struct registration *predecessor;	/* the other way */
	char *old_contact_user;			/* to be taken back with the next REGISTER, or NULL */
	const struct listener *listener;	/* of the last REGISTER, or NULL */
	struct target target;			/* where it went; family AF_UNSPEC = never */
	union address public_address;
	uint64_t incarnation, revision;
	uint64_t binding_end;			/* µs of now(); 0 = none granted */
	uint64_t maybe_end;			/* until then a binding may exist, granted or not answered */
	uint64_t maybe_before;			/* the same, before the newest attempt */
	uint64_t failed_at;			/* the retry delay counts from here */
	uint64_t ended_at;			/* last attempt's outcome known */
	uint64_t planned_us;			/* the wait that was planned after it */
	uint64_t lost_at;			/* a connection closed last */
	uint64_t since, registered_at, expires_at, next_at;	/* of the wall clock, for status */
	uint64_t attempt_at;			/* of the wall clock: the newest attempt began */
	uint64_t attempt_since_us, attempt_planned_us;	/* of it */
	uint64_t attempts, attempts_done, failures;
	uint32_t id, cseq;
	uint32_t consecutive_failures;
	uint32_t retries;			/* in a row, the newest attempt included */
	uint32_t rtt_us;
	uint32_t recent_slot;			/* of the newest entry of recent[] */
	uint32_t told_last_hour;		/* attempts of the last hour, as reported */
	uint16_t recent[REGISTRATION_RECENT];	/* attempts in each 5 minutes of the last hour */
	int32_t requested, granted, raised_to;	/* s, -1 = none */
	int32_t retry_after;			/* s, as asked by the answer; -1 = none */
	uint16_t last_code;
	uint8_t state;				/* enum registration_state; written by the table only */
	uint8_t reason;				/* enum registration_reason */
	uint8_t kind;				/* enum attempt_kind of the attempt, queued or out */
	uint8_t next_kind;			/* of the attempt that EV_NOW starts */
	bool wanted;				/* enabled, not deleted, not stopping */
	bool queued;				/* an attempt waits for its turn */
	bool again;				/* a change came while one was out: send once more when it succeeds */
	bool orphan;				/* deleted; lives until its binding is removed */
	bool stopping;
	bool reported;				/* its status record is its own already */
	unsigned char unique[12];		/* of its Call-ID */
	char *detail;				/* heap, NULL = none */
	char *last_phrase;			/* heap, NULL = none */
};

uint32_t registration_attempts_last_hour(const struct registration *r);	/* to five minutes */
int32_t registration_retry_after(const struct registration *r);	/* s, when it is what is obeyed; else -1 */
uint64_t registration_expires_at(const struct registration *r);	/* of the wall clock; 0 = no live binding */
static inline bool registration_refreshing(const struct registration *r)
{
	return r->state == STATE_REGISTERED && (r->queued || r->attempt);
}

/* Calls may use it: registered, or a binding from before lives on. */
bool registration_usable(const struct registration *r);
/* "registration carrier-a waiting: 403, next attempt 12:00:30" (UTC). */
void registration_why(const struct registration *r, char *text, size_t size);
/* Whether that is an address, whatever the port, of the server that the last REGISTER went to, or that its name had then. */
bool registration_from(const struct registration *r, const union address *remote);
const char *registration_name(const struct registration *r);
const char *registration_inbound_mapping(const struct registration *r);	/* name, "" = none */

/* Calls through it, both directions.  The claim outlives the registration. */
struct registration_claims;
int registration_claim(struct registration *r, struct registration_claims **claim);	/* EBUSY: capacity */
void registration_release(struct registration_claims *claim);	/* once for each claim; NULL is allowed */
bool registration_full(const struct registration *r);
uint32_t registration_calls(const struct registration *r);

#define REGISTRATION_CALL_ID_MAX 40
void registration_call_id(const struct registration *r, char text[REGISTRATION_CALL_ID_MAX]);

int registrations_create(struct registrations **set, const struct registration_world *world, struct timers *timers,
                         struct pacing *pacing);
void registrations_destroy(struct registrations *set);	/* nothing is sent */

/* The global parameters; call before the first record.  Registrations whose effective values change act on it. */
void registrations_parameters(struct registrations *set, const struct sip_parameters *parameters);
/* One record of the configuration as it is now: adds, changes or keeps.  ENOMEM: the old one goes on. */
int registrations_put(struct registrations *set, const struct registration_record *record);
void registrations_delete(struct registrations *set, uint32_t id);	/* no such id: nothing */
struct registration *registrations_at(const struct registrations *set, uint32_t id);	/* or NULL */
uint32_t registrations_limit(const struct registrations *set);		/* no id at or above it */

/* REGISTER now, whatever the timer says.  *attempt = its number.  ENOENT, ESTALE other incarnation, EINVAL disabled. */
int registrations_refresh(struct registrations *set, uint32_t id, uint64_t incarnation, uint64_t *attempt);

/* "\ntarget\n" and the REGISTER that an attempt would begin with now, byte for byte but for the branch; nothing is sent and
 * nothing changes.  Also of one that is disabled: what it would send were it not.  On an error the reason in words, if
 * there are any.  ENOENT, ESTALE as above; EAGAIN its server's name is being looked up; EHOSTUNREACH it has no address;
 * EADDRNOTAVAIL there is no listener for it; ENOSPC; others from the stack. */
int registrations_preview(struct registrations *set, uint32_t id, uint64_t incarnation, char *text, size_t size, size_t *len);

/* Once a second: reports again those whose attempts of the last hour are fewer by now.  All are looked at in a minute. */
void registrations_sweep(struct registrations *set);

/* Those configured now; a deleted one is found no more, though its binding may still be there. */
struct registration *registrations_find(const struct registrations *set, const char *name);
/* Whose calls are let in: a disabled one is none. */
struct registration *registrations_by_line(const struct registrations *set, const char *line);
/* By the user part of its Contact; remote must be an address of its server.  ENOENT none, ENOTUNIQ several. */
int registrations_by_contact(const struct registrations *set, struct registration **r, const char *user,
                             const union address *remote);

/* Removes all bindings (rule 9); true once none is left to wait for. */
void registrations_stop(struct registrations *set);
bool registrations_stopped(const struct registrations *set);
uint64_t registrations_unconfirmed(const struct registrations *set);	/* removals that nobody confirmed */

#endif
