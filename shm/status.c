/* Words of the status records, and what makes two programs agree on their layout. */
#include "shm/status_layout.h"

#include <string.h>

#define WORD(id, word) word,
const char *const status_state_words[STATE_COUNT] = { REGISTRATION_STATES(WORD) };
const char *const status_reason_words[REASON_COUNT] = { REGISTRATION_REASONS(WORD) };
const char *const status_attempt_words[ATTEMPT_COUNT] = { ATTEMPT_KINDS(WORD) };
const char *const status_probe_words[PROBE_COUNT] = { PROBE_STATES(WORD) };
const char *const status_failure_words[FAILURE_COUNT] = { CALL_FAILURES(WORD) };
const char *const status_call_phase_words[CALL_PHASE_COUNT] = { CALL_PHASES(WORD) };

struct member { const char *name; uint32_t offset, size; };
#define MEMBER(owner, name) { #owner "." #name, offsetof(struct owner, name), sizeof(((struct owner *)0)->name) }
#define OF_STATUS(name) MEMBER(registration_status, name)
#define OF_ATTEMPT(name) MEMBER(registration_attempt, name)
#define OF_GATEWAY(name) MEMBER(gateway_status, name)
#define OF_CALL(name) MEMBER(call_status, name)
#define OF_EVENT(name) MEMBER(status_event, name)
#define OF_TRACE(name) MEMBER(trace_header, name)

static const struct member members[] = {
	OF_STATUS(incarnation), OF_STATUS(state), OF_STATUS(reason), OF_STATUS(refreshing), OF_STATUS(nat_detected),
	OF_STATUS(last_code), OF_STATUS(reserved), OF_STATUS(since), OF_STATUS(registered_at), OF_STATUS(binding_expires_at),
	OF_STATUS(next_attempt_at), OF_STATUS(requested_expiry), OF_STATUS(granted_expiry), OF_STATUS(raised_to),
	OF_STATUS(retry_after), OF_STATUS(rtt_us), OF_STATUS(consecutive_failures), OF_STATUS(attempts), OF_STATUS(failures),
	OF_STATUS(attempts_done), OF_STATUS(attempts_last_hour), OF_STATUS(attempt_count), OF_STATUS(detail),
	OF_STATUS(last_phrase), OF_STATUS(remote_address), OF_STATUS(listener), OF_STATUS(nat_local), OF_STATUS(nat_public),
	OF_STATUS(contact), OF_STATUS(call_id), OF_STATUS(attempt),
	OF_ATTEMPT(at), OF_ATTEMPT(since_previous_us), OF_ATTEMPT(planned_us), OF_ATTEMPT(target), OF_ATTEMPT(phrase),
	OF_ATTEMPT(code), OF_ATTEMPT(kind), OF_ATTEMPT(done), OF_ATTEMPT(rtt_us), OF_ATTEMPT(requested_expiry),
	OF_ATTEMPT(granted_expiry),
	OF_GATEWAY(incarnation), OF_GATEWAY(routable), OF_GATEWAY(probe), OF_GATEWAY(probe_code), OF_GATEWAY(probe_rtt_us),
	OF_GATEWAY(probe_at), OF_GATEWAY(probe_since), OF_GATEWAY(held_until), OF_GATEWAY(calls), OF_GATEWAY(capacity),
	OF_GATEWAY(max_cps), OF_GATEWAY(cps), OF_GATEWAY(calls_total), OF_GATEWAY(answered_total), OF_GATEWAY(calls_last_hour),
	OF_GATEWAY(answered_last_hour), OF_GATEWAY(ended_last_hour), OF_GATEWAY(code_count), OF_GATEWAY(seconds_last_hour),
	OF_GATEWAY(codes), OF_GATEWAY(failures), OF_GATEWAY(why),
	OF_CALL(id), OF_CALL(setup_at), OF_CALL(ringing_at), OF_CALL(answered_at), OF_CALL(ended_at), OF_CALL(phase), OF_CALL(code),
	OF_CALL(mapping_gateway), OF_CALL(routing_gateway), OF_CALL(registration), OF_CALL(caller_in), OF_CALL(callee_in),
	OF_CALL(caller_out), OF_CALL(routed), OF_CALL(call_id_in), OF_CALL(call_id_out),
	OF_EVENT(sequence), OF_EVENT(at), OF_EVENT(incarnation), OF_EVENT(id), OF_EVENT(kind), OF_EVENT(from), OF_EVENT(to),
	OF_EVENT(reason), OF_EVENT(code), OF_EVENT(reserved),
	OF_TRACE(sequence), OF_TRACE(at), OF_TRACE(length), OF_TRACE(direction), OF_TRACE(transport), OF_TRACE(reserved),
	OF_TRACE(local), OF_TRACE(remote),
};

static const struct { const char *name; uint32_t words; } counters[] = {
#define COUNTER(id, size) { #id, size },
	STATUS_COUNTERS(COUNTER)
};
static const uint32_t rtt_bounds[] = STATUS_RTT_BOUNDS;

static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t len)
{
	for (const unsigned char *p = bytes; len--; p++)
		hash = (hash ^ *p) * 0x100000001b3u;
	return hash;
}

static uint64_t layout_hash(void)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		hash = fnv1a(hash, members[i].name, strlen(members[i].name));
		hash = fnv1a(hash, &members[i].offset, 2 * sizeof(uint32_t));
	}
	/* The meaning of the numbers in them. */
	for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
		hash = fnv1a(hash, counters[i].name, strlen(counters[i].name) + 1);
		hash = fnv1a(hash, &counters[i].words, sizeof counters[i].words);
	}
	hash = fnv1a(hash, rtt_bounds, sizeof rtt_bounds);
	for (size_t i = 0; i < FAILURE_COUNT; i++)
		hash = fnv1a(hash, status_failure_words[i], strlen(status_failure_words[i]) + 1);
	for (size_t i = 0; i < PROBE_COUNT; i++)
		hash = fnv1a(hash, status_probe_words[i], strlen(status_probe_words[i]) + 1);
	for (size_t i = 0; i < CALL_PHASE_COUNT; i++)
		hash = fnv1a(hash, status_call_phase_words[i], strlen(status_call_phase_words[i]) + 1);
	for (size_t i = 0; i < STATE_COUNT; i++)
		hash = fnv1a(hash, status_state_words[i], strlen(status_state_words[i]) + 1);
	for (size_t i = 0; i < REASON_COUNT; i++)
		hash = fnv1a(hash, status_reason_words[i], strlen(status_reason_words[i]) + 1);
	for (size_t i = 0; i < ATTEMPT_COUNT; i++)
		hash = fnv1a(hash, status_attempt_words[i], strlen(status_attempt_words[i]) + 1);
	return hash;
}

void status_shape(struct shm_shape *shape)
{
	*shape = (struct shm_shape){
		.name = "status", .magic = 0x54534d45444e4154u /* "TANDEMST" */, .major = 1, .minor = 0,
		.header_size = sizeof(struct status_header), .page_size = STATUS_PAGE, .layout_hash = layout_hash(),
		.record_size = { sizeof(struct registration_status), sizeof(struct status_event), sizeof(struct trace_header) },
	};
}

enum call_failure status_failure(unsigned code)
{
	static const enum call_failure classes[] = { FAILURE_3XX, FAILURE_4XX, FAILURE_5XX, FAILURE_6XX };
	const char digits[] = { (char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10), (char)('0' + code % 10), '\0' };

	for (unsigned i = 0; i < FAILURE_COUNT; i++)
		if (strcmp(status_failure_words[i], digits) == 0)
			return (enum call_failure)i;
	return classes[code < 300 ? 0 : code < 700 ? code / 100 - 3 : 3];
}
