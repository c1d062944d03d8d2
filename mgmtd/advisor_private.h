/*
 * The advisor's parts: what is known of each object, the table of troubles, and who recognises them.
 *
 * All of it belongs to the advisor's own thread.
 */
#ifndef MGMTD_ADVISOR_PRIVATE_H
#define MGMTD_ADVISOR_PRIVATE_H

#include "mgmtd/advice_item.h"
#include "mgmtd/advisor.h"
#include "mgmtd/core.h"
#include "mgmtd/daemon.h"
#include "mgmtd/worker.h"
#include "shm/config.h"

#include <netinet/in.h>

/* In the order of the answer: the worst first. */
#define TROUBLES(T) \
	/* id                 word                   severity  kind                  family of functions */ \
	T(CREDENTIALS,        "credentials",         CRITICAL, KIND_REGISTRATION,    credentials) \
	T(BLOCKED,            "address_blocked",     CRITICAL, KIND_REGISTRATION,    blocked) \
	T(TRUNK_DOWN,         "registration_down",   CRITICAL, KIND_ROUTING_GATEWAY, trunk_down) \
	T(NAT_BINDING,        "nat_binding",         WARNING,  KIND_REGISTRATION,    nat_binding) \
	T(SHORT_EXPIRY,       "short_expiry",        WARNING,  KIND_REGISTRATION,    short_expiry) \
	T(MANY_FAILURES,      "many_failures",       WARNING,  KIND_REGISTRATION,    many_failures) \
	T(SLOW_RETRY,         "slow_retry",          WARNING,  KIND_REGISTRATION,    slow_retry) \
	T(LATE_RETRY,         "late_retry",          WARNING,  KIND_REGISTRATION,    late_retry) \
	T(READS_TO,           "gateway_reads_to",    WARNING,  KIND_ROUTING_GATEWAY, reads_to) \
	T(READS_DIALLED,      "gateway_wants_dialled", WARNING, KIND_ROUTING_GATEWAY, reads_dialled) \
	T(ROUTING_CONTACT,    "private_contact",     WARNING,  KIND_ROUTING_GATEWAY, routing_contact) \
	T(MAPPING_CONTACT,    "private_contact",     WARNING,  KIND_MAPPING_GATEWAY, mapping_contact) \
	T(NO_UNREGISTER,      "unregister_off",      WARNING,  KIND_PARAMETERS,      no_unregister) \
	T(EXPIRY_RAISED,      "expiry_raised",       INFO,     KIND_REGISTRATION,    expiry_raised) \
	T(EXPIRY_CUT,         "expiry_cut",          INFO,     KIND_REGISTRATION,    expiry_cut) \
	T(NO_BACKUP,          "no_backup",           INFO,     KIND_ROUTING_GATEWAY, no_backup) \
	T(OTHER_NUMBER,       "request_line_differs", INFO,    KIND_MAPPING_GATEWAY, other_number)

#define TROUBLE_CONSTANT(id, word, severity, kind, family) TROUBLE_##id,
enum trouble { TROUBLES(TROUBLE_CONSTANT) TROUBLE_COUNT };
#define TROUBLE_BIT(id) (UINT32_C(1) << TROUBLE_##id)
_Static_assert(TROUBLE_COUNT <= 32, "bits of one word");

/* ------------------------------------------------------------------ what is known of an object */

/* Calls of a gateway in the last hour, in stretches of five minutes; see advisor_calls.c. */
enum call_fact {
	CALLS_OFF,			/* of a routing gateway in mode off: */
	CALLS_OFF_REWRITTEN_REFUSED,	/* 404 or 484 to a rewritten number */
	CALLS_OFF_REWRITTEN_TAKEN,	/* rung, answered or busy */
	CALLS_OFF_PLAIN_REFUSED, CALLS_OFF_PLAIN_TAKEN,
	CALLS_ON,			/* the same in mode on */
	CALLS_ON_REWRITTEN_REFUSED, CALLS_ON_REWRITTEN_TAKEN, CALLS_ON_PLAIN_REFUSED, CALLS_ON_PLAIN_TAKEN,
	CALLS_READ_TO,			/* of a mapping gateway: its To was read */
	CALLS_OTHER_NUMBER,		/* and the request line had another number */
	CALL_FACTS
};
#define CALL_STRETCHES 12
#define CALL_STRETCH_US (300 * UINT64_C(1000000))
#define CALL_NUMBER 64

struct calls {
	uint64_t stretch[CALL_STRETCHES];	/* which five minutes the column counts, since the epoch */
	uint32_t count[CALL_STRETCHES][CALL_FACTS];
	uint64_t refused, other, last, failover;	/* ids of the newest such records; 0 = none */
	char refused_original[CALL_NUMBER], refused_routed[CALL_NUMBER];
	char other_to[CALL_NUMBER], other_request[CALL_NUMBER];
	char mapping[SCHEMA_NAME_MAX + 1];	/* of a routing gateway: where its last call came from */
};

/* A Contact that cannot be reached from here, seen in what a gateway sent. */
struct lost_contact { uint64_t at; char contact[64], source[64]; };

struct seen {
	uint64_t incarnation, revision, changes;	/* that it was judged by */
	uint32_t basis;					/* likewise */
	uint32_t bits;					/* TROUBLE_BIT()s */
	uint64_t *since;				/* by trouble; NULL while there was none */
	uint64_t created_at;				/* what is older is of another one of its name, or id */
	/* of a registration */
	bool known;
	uint8_t state, role;				/* role: enum route_role */
	uint16_t last_answer;				/* code of the last attempt that got an answer; 0 = none seen */
	uint64_t binding_end, state_since;
	uint32_t role_gateway;				/* id of the gateway that gives it the role */
	/* of a gateway */
	bool alone;					/* a prefix has no other gateway */
	char prefix[SCHEMA_PREFIX_MAX + 1];		/* that one, or the one that gives the role */
	struct calls *calls;
	struct lost_contact *contact;
};

struct seen_table { struct seen *v; uint32_t room; };

/* What the calls that go through a registration have besides it. */
enum route_role { ROLE_UNUSED, ROLE_LATER, ROLE_FIRST, ROLE_ONLY };

struct waiting_contact { uint64_t call_hash; struct lost_contact contact; };
#define WAITING_CONTACTS 256

struct advisor {
	struct daemon *daemon;
	struct worker *worker;
	struct config_reader *config;
	const struct snapshot *snap;		/* pinned; NULL while idle */
	struct store_advice *records;
	struct seen_table seen[KIND_COUNT];
	uint64_t generation;			/* judged last */
	uint64_t status_started_at;
	uint32_t basis;				/* moves when all must be judged anew */
	struct sip_parameters parameters;	/* of `basis` */
	uint64_t at, took_us;			/* the last look */
	bool looked;				/* there was one */
	uint64_t counts[TROUBLE_COUNT];
	/* calls and messages taken in */
	bool records_begun;
	uint64_t record_seq, trace_cursor;
	uint64_t steered_generation;		/* `steered` is of it */
	bool steered;				/* a gateway's in-dialog requests go to its Contact */
	char *message;
	struct waiting_contact waiting[WAITING_CONTACTS];
	unsigned waiting_next;
};

#define ADVISOR_IDS_MAX (1u << 24)

/* The places move when a kind's table grows: none may be kept over a call that names another object of the kind. */
struct seen *advisor_seen(struct advisor *a, enum kind_id kind, uint32_t id);	/* NULL = no memory */
struct seen *advisor_seen_named(struct advisor *a, enum kind_id kind, const char *name);	/* NULL = no such object */
/* The record is, from now on, what the place is about. */
void advisor_adopt(struct advisor *a, enum kind_id kind, struct seen *seen, const struct record *record);
void advisor_forget(struct advisor *a, struct seen *seen);
void advisor_note(struct advisor *a, struct seen *seen, uint32_t bits, uint64_t now);	/* the verdict */

/* ------------------------------------------------------------------ judging */

struct facts {
	struct advisor *advisor;
	uint64_t now;				/* us */
	const struct sip_parameters *parameters;
	const struct record *record;
	const struct seen *seen;
	/* of a registration */
	bool known;				/* the switch has told its status */
	struct registration_status status;
	/* of a routing gateway with a registration */
	const struct registration_record *trunk;
	const struct seen *trunk_seen;
};

struct trouble_kind {
	const char *word;
	enum advice_severity severity;
	enum kind_id kind;
	bool (*holds)(const struct facts *f);
	void (*tell)(const struct facts *f, json_t *item);
};
extern const struct trouble_kind troubles[TROUBLE_COUNT];

#define TROUBLE_FUNCTIONS(id, word, severity, kind, family) \
	bool family##_holds(const struct facts *f); \
	void family##_tell(const struct facts *f, json_t *item);
TROUBLES(TROUBLE_FUNCTIONS)

/* The facts of an object; f->status is only read for a registration.  False: there is none. */
bool advisor_facts(struct facts *f, struct advisor *a, enum kind_id kind, uint32_t id);
/* Takes a snapshot, and a new look where the last one does not do.  ENOENT: nothing is published yet. */
int advisor_look(struct advisor *a);
void advisor_idle(struct advisor *a);

/* --- registrations */
int32_t facts_fixed_expiry(const struct facts *f);	/* s asked for; 0 = auto */
int32_t facts_expiry(const struct facts *f);		/* that is in force, s; 0 = none is */
int32_t facts_retry_delay(const struct facts *f);
bool facts_nat(const struct facts *f);
const struct registration_record *facts_registration(const struct facts *f);

/* --- gateways */
const struct routing_gateway_record *facts_gateway(const struct facts *f);
const struct mapping_gateway_record *facts_mapping(const struct facts *f);
bool facts_mode_on(const struct facts *f);
bool facts_trunk_usable(const struct facts *f);

/* ------------------------------------------------------------------ what is taken in */

/* Roles of registrations, and gateways that stand alone, from the gateways of the snapshot. */
int advisor_routes(struct advisor *a);

void advisor_calls(struct advisor *a);			/* the records that have come */
uint32_t calls_in_hour(const struct calls *calls, enum call_fact fact, uint64_t now);

void advisor_contacts(struct advisor *a);		/* the messages that have been traced */
/* The Contact of that call's INVITE, when it was a lost one; taken out. */
bool advisor_contact_of(struct advisor *a, const char *call_id, struct lost_contact *contact);
/* Whether a peer that sends from `source` cannot be reached at the address in its Contact. */
bool contact_lost(const char *contact_host, const struct in6_addr *source);

#endif
