/*
 * The status segment: switchcore writes, mgmtd and tools read.  One fixed record per object, of the same id as in the
 * configuration, guarded by a change count; a dirty bitmap; an event ring; a trace ring.
 */
#ifndef SHM_STATUS_H
#define SHM_STATUS_H

#include "schema/schema.h"
#include "shm/shm.h"

#include <netinet/in.h>

/* Times are microseconds of CLOCK_REALTIME since the epoch, 0 = unknown or none. */

#define REGISTRATION_STATES(S) \
	S(DISABLED, "disabled") S(QUEUED, "queued") S(REGISTERING, "registering") S(REGISTERED, "registered") \
	S(WAITING, "waiting") S(UNREGISTERING, "unregistering") S(UNREGISTERED, "unregistered")
#define REGISTRATION_REASONS(R) \
	R(NONE, "") R(CREDENTIALS, "credentials") R(REJECTED, "rejected") R(SERVER_ERROR, "server_error") \
	R(TIMEOUT, "timeout") R(TRANSPORT, "transport") R(DNS, "dns")
#define ATTEMPT_KINDS(K) \
	K(INITIAL, "initial") K(REFRESH, "refresh") K(RETRY, "retry") K(MANUAL, "manual") K(UNREGISTER, "unregister")

#define STATE_CONSTANT(id, word) STATE_##id,
#define REASON_CONSTANT(id, word) REASON_##id,
#define ATTEMPT_CONSTANT(id, word) ATTEMPT_##id,
enum registration_state { REGISTRATION_STATES(STATE_CONSTANT) STATE_COUNT };
enum registration_reason { REGISTRATION_REASONS(REASON_CONSTANT) REASON_COUNT };
enum attempt_kind { ATTEMPT_KINDS(ATTEMPT_CONSTANT) ATTEMPT_COUNT };

extern const char *const status_state_words[STATE_COUNT];
extern const char *const status_reason_words[REASON_COUNT];
extern const char *const status_attempt_words[ATTEMPT_COUNT];

#define STATUS_ATTEMPTS 20
#define STATUS_TARGET_MAX 64	/* "udp:[2001:db8::1]:5060" and NUL */

struct registration_attempt {
	uint64_t at;
	uint64_t since_previous_us;	/* 0 = first */
	uint64_t planned_us;		/* the wait that was planned, 0 = none */
	char target[STATUS_TARGET_MAX];	/* "" = never left, e.g. no address */
	char phrase[36];
	uint16_t code;			/* 0 = no answer yet or none */
	uint8_t kind;			/* enum attempt_kind */
	uint8_t done;			/* 0 while the answer is awaited */
	uint32_t rtt_us;		/* 0 = unknown */
	int32_t requested_expiry, granted_expiry;	/* -1 = unknown */
};

struct registration_status {
	/* what every listing needs */
	uint64_t incarnation;		/* of the config record this is about; another one = a stranger's state */
	uint8_t state;			/* enum registration_state */
	uint8_t reason;			/* enum registration_reason */
	uint8_t refreshing;
	uint8_t nat_detected;
	uint16_t last_code;		/* 0 = none */
	uint16_t reserved;
	uint64_t since;			/* of the state */
	uint64_t registered_at, binding_expires_at, next_attempt_at;
	int32_t requested_expiry, granted_expiry;	/* s, -1 = unknown */
	int32_t raised_to;		/* by 423; -1 = not raised */
	int32_t retry_after;		/* s obeyed; -1 = none */
	uint32_t rtt_us;		/* of the last answer, 0 = unknown */
	uint32_t consecutive_failures;
	uint64_t attempts, failures;	/* since the core started */
	uint64_t attempts_done;		/* attempts whose outcome is known; equal to attempts when none is out */
	uint32_t attempts_last_hour;
	uint32_t attempt_count;		/* valid entries of attempt[], newest at (attempts - 1) % STATUS_ATTEMPTS */
	char detail[160];
	char last_phrase[64];
	char remote_address[STATUS_TARGET_MAX];
	char listener[SCHEMA_NAME_MAX + 1];
	char nat_local[STATUS_TARGET_MAX], nat_public[STATUS_TARGET_MAX];	/* ip:port */
	char contact[256];
	char call_id[96];
	struct registration_attempt attempt[STATUS_ATTEMPTS];
};

/* ------------------------------------------------------------------ gateways */

#define PROBE_STATES(P) P(OFF, "off") P(UNKNOWN, "unknown") P(UP, "up") P(DOWN, "down")
#define PROBE_CONSTANT(id, word) PROBE_##id,
enum probe_state { PROBE_STATES(PROBE_CONSTANT) PROBE_COUNT };
extern const char *const status_probe_words[PROBE_COUNT];

#define STATUS_CODES 8

/* Final codes that are no success, each alone or with its neighbours: as finely as failures are counted. */
#define CALL_FAILURES(F) \
	F(3XX, "3xx") F(400, "400") F(401, "401") F(403, "403") F(404, "404") F(407, "407") F(408, "408") F(480, "480") F(484, "484") \
	F(486, "486") F(487, "487") F(488, "488") F(4XX, "4xx") F(500, "500") F(502, "502") F(503, "503") F(504, "504") F(5XX, "5xx") \
	F(603, "603") F(6XX, "6xx")
#define FAILURE_CONSTANT(id, word) FAILURE_##id,
enum call_failure { CALL_FAILURES(FAILURE_CONSTANT) FAILURE_COUNT };
extern const char *const status_failure_words[FAILURE_COUNT];
/* Of a final code of 300 and above: its own word, or that of its class. */
enum call_failure status_failure(unsigned code);

/* Of a routing gateway, and of a mapping gateway (whose probe is OFF and which is never held). */
struct gateway_status {
	uint64_t incarnation;
	uint8_t routable;		/* takes a new call now */
	uint8_t probe;			/* enum probe_state */
	uint16_t probe_code;		/* of the last answer, 0 = none */
	uint32_t probe_rtt_us;		/* 0 = unknown */
	uint64_t probe_at, probe_since;	/* of the last answer or time-out; of the probe's state */
	uint64_t held_until;		/* by Retry-After; 0 = not held */
	uint32_t calls;			/* now */
	uint32_t capacity;		/* 0 = no limit */
	uint32_t max_cps;		/* 0 = no limit */
	uint32_t cps;			/* new calls in the last whole second */
	uint64_t calls_total, answered_total;	/* since the core started */
	uint32_t calls_last_hour, answered_last_hour, ended_last_hour;	/* exact to five minutes; ended: after an answer */
	uint32_t code_count;		/* valid entries of codes[], the newest first */
	uint64_t seconds_last_hour;	/* talked, of those ended */
	struct { uint64_t at; uint16_t code; uint16_t reserved[3]; } codes[STATUS_CODES];	/* final codes; 408 = time-out */
	uint64_t failures[FAILURE_COUNT];	/* since the core started, by enum call_failure */
	char why[192];			/* not routable: the reason in words; "" = routable */
};

/* What the events of a gateway are about: from and to hold its probe's state, whether it is routable, and whether it is held. */
#define GATEWAY_EVENT(probe, routable, held) ((uint8_t)((probe) | (routable) << 2 | (held) << 3))
#define GATEWAY_EVENT_PROBE(word) ((enum probe_state)((word) & 3))
#define GATEWAY_EVENT_ROUTABLE(word) ((word) >> 2 & 1)
#define GATEWAY_EVENT_HELD(word) ((word) >> 3 & 1)

/* ------------------------------------------------------------------ calls */

#define CALL_PHASES(P) \
	P(SETUP, "setup") P(RINGING, "ringing") P(ANSWERED, "answered") P(ENDED, "ended")
#define CALL_PHASE_CONSTANT(id, word) CALL_##id,
enum call_phase { CALL_PHASES(CALL_PHASE_CONSTANT) CALL_PHASE_COUNT };
extern const char *const status_call_phase_words[CALL_PHASE_COUNT];

#define STATUS_NUMBER_MAX 64

/* In the table STATUS_CALL, by the call's slot.  The id of a call, in the API as 16 hex digits, has its slot in the lower
 * CALL_SLOT_BITS. */
#define CALL_SLOT_BITS 20
struct call_status {
	uint64_t id;			/* never used again; 0 = none yet */
	uint64_t setup_at, ringing_at, answered_at, ended_at;
	uint8_t phase;			/* enum call_phase */
	uint8_t reserved0;
	uint16_t code;			/* final, 0 = none yet */
	uint32_t reserved1;
	char mapping_gateway[SCHEMA_NAME_MAX + 1];
	char routing_gateway[SCHEMA_NAME_MAX + 1];	/* that is being tried or has answered; "" = none yet */
	char registration[SCHEMA_NAME_MAX + 1];		/* through which it came in or goes out; "" = none */
	char caller_in[STATUS_NUMBER_MAX], callee_in[STATUS_NUMBER_MAX], caller_out[STATUS_NUMBER_MAX], routed[STATUS_NUMBER_MAX];
	char call_id_in[128], call_id_out[128];
};

/* Tables of status records: those of the configuration's kinds, by their enum kind_id, and the calls. */
#define STATUS_CALL KIND_COUNT
#define STATUS_TABLES (KIND_COUNT + 1)

struct status_event {			/* one transition of an object's state */
	uint64_t sequence;		/* filled in by the ring, from 1 */
	uint64_t at;
	uint64_t incarnation;
	uint32_t id;
	uint8_t kind;			/* enum kind_id; of gateways from and to are GATEWAY_EVENT()s, code that of the last probe;
					 * or STATUS_CALL: from and to are then enum call_phase */
	uint8_t from, to;
	uint8_t reason;
	uint16_t code;
	uint16_t reserved;
};

enum trace_direction { TRACE_IN, TRACE_OUT };
enum trace_transport { TRACE_UDP, TRACE_TCP, TRACE_TLS };
struct trace_header {
	uint64_t sequence;		/* filled in by the ring, from 1 */
	uint64_t at;
	uint32_t length;		/* bytes of the message that follow */
	uint8_t direction, transport;
	uint16_t reserved;
	struct sockaddr_in6 local, remote;	/* IPv4 as ::ffff:a.b.c.d */
};

/* ------------------------------------------------------------------ writer: the one loop of switchcore */

struct status_writer;
struct status_options {
	const char *version;		/* of the program */
	const char *listeners;		/* names, comma-separated */
	uint64_t trace_bytes;		/* 0 = 16 MiB */
};

/* Makes DIR/status anew (the old file is replaced, never shrunk).  Errors as config_writer_open(). */
int status_writer_open(struct status_writer **w, const char *dir, const struct status_options *options,
                       struct shm_why *why);
void status_writer_close(struct status_writer *w);
/* table: enum kind_id, or STATUS_CALL.  Room for records with ids below limit.  ENOSPC: the file cannot grow; nothing changed. */
int status_reserve(struct status_writer *w, unsigned table, uint32_t limit);
/* Replaces the record and marks it dirty.  ENOENT: no room was reserved. */
int status_put(struct status_writer *w, unsigned table, uint32_t id, const void *record);
/* Replaces `size` bytes at `offset` of it (both multiples of 8) and marks it dirty; the rest stays as it was put
 * before. */
int status_put_part(struct status_writer *w, unsigned table, uint32_t id, size_t offset, size_t size,
                    const void *part);
void status_event(struct status_writer *w, const struct status_event *event);
/* One copy; callable from the I/O path.  message: the parts of one datagram or one stream write. */
void status_trace(struct status_writer *w, const struct trace_header *header, const void *message, size_t length);
void status_trace_enable(struct status_writer *w, bool on);
/* Calls now, and new ones in the last whole second. */
void status_calls(struct status_writer *w, uint32_t active, uint32_t per_second);
/* Every 500 ms.  Also makes DIR/status again, with all it holds, when somebody removed it. */
void status_heartbeat(struct status_writer *w);

/* ------------------------------------------------------------------ reader */

struct status_reader;
struct status_info {
	char version[32];
	char listeners[1024];
	int32_t pid;
	uint64_t started_at;
	int64_t heartbeat_age_ms;
	uint32_t calls_active, calls_per_second;
};
/* Errors as config_reader_open(). */
int status_reader_open(struct status_reader **r, const char *dir, struct shm_why *why);
void status_reader_close(struct status_reader *r);
/* True when DIR/status is no longer the file this reader maps (switchcore restarted, or the file or DIR/readers was
 * replaced): open anew and read every record, the dirty bits say nothing about what came before. */
bool status_reader_replaced(struct status_reader *r);
void status_info(struct status_reader *r, struct status_info *info);

/* Copies one record.  0; ENOENT no record was ever put there; EBUSY after 16 tries: the writer died in the middle or
 * keeps writing, *out is torn then and its state must not be shown as fresh.  Thread-safe. */
int status_get(struct status_reader *r, unsigned table, uint32_t id, void *out);

/* How often the record was written, twice; 0 = never.  Of one segment the same count means the same record.  Thread-safe. */
uint64_t status_changes(struct status_reader *r, unsigned table, uint32_t id);

/* No record of the table has an id at or above it. */
uint32_t status_limit(struct status_reader *r, unsigned table);

/* Takes and clears the dirty bits: each(id) for every record put since the last call.  There is one set of bits, so
 * only mgmtd takes them. */
void status_take_dirty(struct status_reader *r, unsigned table, void (*each)(uint32_t id, void *arg), void *arg);

/* Next event after *cursor (0 = the oldest held).  0 and *cursor moved; EAGAIN none; EOVERFLOW: *lost were overwritten,
 * *cursor moved to the oldest held. */
int status_next_event(struct status_reader *r, uint64_t *cursor, struct status_event *event, uint64_t *lost);

/* Next traced message after *cursor, likewise; at most size bytes are copied to buffer, header->length is the whole
 * length.  Thread-safe: the cursor is the caller's. */
int status_next_trace(struct status_reader *r, uint64_t *cursor, struct trace_header *header, void *buffer, size_t size,
                      uint64_t *lost);
uint64_t status_trace_newest(const struct status_reader *r);	/* its sequence number; 0 = none yet */
/* So much of a message of that length is kept in the ring. */
size_t status_trace_kept(const struct status_reader *r, size_t length);

#endif
