#include "call.h"

#include "chance.h"
#include "log.h"
#include "loop.h"

#include "shm/snapshot.h"
#include "shm/status_counter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHED_TOLD_S 10

/* ------------------------------------------------------------------ slots */

static int grow_slots(struct calls *calls)
{
	uint32_t room = calls->slot_room ? calls->slot_room * 2 : 256;
	struct call **slots;
	uint64_t *ids;
	uint32_t *ring;

	if (room > CALLS_MAX)
		return ENFILE;
	if (!(slots = realloc(calls->slots, room * sizeof(struct call *))))
		return ENOMEM;
	calls->slots = slots;
	if (!(ids = realloc(calls->last_id, room * sizeof *ids)))
		return ENOMEM;
	calls->last_id = ids;
	/* Called only when the ring is empty. */
	if (!(ring = realloc(calls->free_slots, room * sizeof *ring)))
		return ENOMEM;
	calls->free_slots = ring;
	for (uint32_t i = calls->slot_room; i < room; i++) {
		slots[i] = NULL;
		ids[i] = 0;
		ring[i - calls->slot_room] = i;
	}
	calls->free_head = 0;
	calls->free_count = room - calls->slot_room;
	calls->slot_room = room;
	/* Without room in the segment the calls beyond go unreported, nothing worse. */
	status_reserve(calls->parts.status, STATUS_CALL, room);
	return 0;
}

int calls_add(struct calls *calls, struct call *call)
{
	uint64_t id;
	int error;

	if (calls->free_count == 0 && (error = grow_slots(calls)) != 0)
		return error;
	call->slot = calls->free_slots[calls->free_head];
	calls->free_head = (calls->free_head + 1) % calls->slot_room;
	calls->free_count--;
	id = loop_wall() / 1000 << CALL_SLOT_BITS | call->slot;
	if (id <= calls->last_id[call->slot])
		id = calls->last_id[call->slot] + (1u << CALL_SLOT_BITS);
	calls->last_id[call->slot] = call->id = id;
	calls->slots[call->slot] = call;
	calls->active++;
	calls->second_new++;
	status_count(calls->parts.status, COUNT_CALLS, 1);
	return 0;
}

void calls_remove(struct call *call)
{
	struct calls *calls = call->calls;

	calls->slots[call->slot] = NULL;
	calls->free_slots[(calls->free_head + calls->free_count) % calls->slot_room] = call->slot;
	calls->free_count++;
	calls->active--;
}

/* ------------------------------------------------------------------ dialogs */

int dialog_add(struct call *call, struct dialog_key **out, enum call_side side, const char *tag)
{
	struct dialog_key *key = calloc(1, sizeof *key);

	if (!key)
		return ENOMEM;
	key->call = call;
	key->side = side;
	snprintf(key->tag, sizeof key->tag, "%s", tag);
	hash_add(&call->calls->dialogs, &key->link, hash_text(tag));
	*out = key;
	return 0;
}

void dialog_remove(struct calls *calls, struct dialog_key *key)
{
	if (!key)
		return;
	hash_remove(&calls->dialogs, &key->link);
	free(key);
}

static struct dialog_key *dialog_find(const struct calls *calls, const char *tag)
{
	for (struct hash_link *l = hash_first(&calls->dialogs, hash_text(tag)); l; l = hash_next(l)) {
		struct dialog_key *key = HASH_OWNER(l, struct dialog_key, link);
		if (strcmp(key->tag, tag) == 0)
			return key;
	}
	return NULL;
}

void calls_new_tag(char tag[SIP_TAG_MAX])
{
	chance_hex(tag, 16);
}

void calls_tag_for(const struct calls *calls, char tag[SIP_TAG_MAX], const char *call_id)
{
	snprintf(tag, SIP_TAG_MAX, "%016llx", (unsigned long long)snapshot_hash(calls->tag_key, call_id));
}

/* ------------------------------------------------------------------ which call is it for */

static struct fork *fork_of_tag(struct call *call, const char *upstream_tag)
{
	for (uint32_t i = 0; i < call->fork_count; i++)
		if (strcmp(call->forks[i].upstream_tag, upstream_tag) == 0)
			return &call->forks[i];
	return NULL;
}

/* The dialog that a request says it is in: both tags and the Call-ID must fit. */
static struct call *find_dialog(struct calls *calls, const struct sip_message *m, enum call_side *side, struct fork **fork)
{
	struct dialog_key *key = dialog_find(calls, sip_message_to_tag(m));
	const char *remote_tag = sip_message_from_tag(m);

	if (!key)
		return NULL;
	*side = key->side;
	*fork = key->side == CALLER ? fork_of_tag(key->call, key->tag) : call_fork(key->call, remote_tag);
	if (!*fork)
		return NULL;
	if (!sip_leg_is(key->side == CALLER ? key->call->caller : (*fork)->leg, sip_message_call_id(m), remote_tag))
		return NULL;
	return key->call;
}

/* A 2xx to an INVITE outside its transaction: sent again because our ACK was lost, or of another fork, or too late. */
static void stray_answer(struct calls *calls, struct sip_packet *packet)
{
	const struct sip_message *m = packet->message;
	const char *tag = sip_message_from_tag(m), *call_id = sip_message_call_id(m);
	struct dialog_key *key = dialog_find(calls, tag);
	struct sip_leg *leg = key ? call_leg(key->call, key->side) : NULL;
	char ours[SIP_TAG_MAX];

	if (leg && sip_leg_is(leg, call_id, sip_message_to_tag(m))) {
		sip_leg_repeat_ack(leg, sip_message_cseq(m));
	} else {
		calls_tag_for(calls, ours, call_id);
		if (strcmp(ours, tag) == 0 && sip_message_to_tag(m)[0])
			sip_invite_end_stray(packet->sip, packet);
	}
	sip_packet_drop(packet);
}

static void in_dialog(struct calls *calls, struct sip_packet *packet)
{
	enum sip_method method = sip_message_method(packet->message);
	union address reply_to;
	enum call_side side;
	struct fork *fork;
	struct call *call = find_dialog(calls, packet->message, &side, &fork);
	bool known;

	if (call && method == SIP_ACK) {
		call_ack(call, side, packet);
	} else if (call) {
		call_request(call, side, fork, packet);
	} else {
		known = origin_known(calls, packet, &reply_to);
		if (method == SIP_ACK || (!known && !calls->parameters.SS_REPLY_UNAUTHORIZED))
			sip_packet_drop(packet);
		else
			sip_packet_answer(packet, 481, "Call/Transaction Does Not Exist", NULL, &reply_to);
	}
}

/* Without a call: to where the answers to that gateway go. */
static void refuse(struct calls *calls, struct sip_packet *packet, uint16_t code, const char *phrase)
{
	union address reply_to;

	origin_known(calls, packet, &reply_to);
	sip_packet_answer(packet, code, phrase, NULL, &reply_to);
}

/* The INVITE of a call that is there already: a retransmission past its transaction, or another way here (RFC 3261 8.2.2.2). */
static bool merged(struct calls *calls, struct sip_packet *packet)
{
	const struct sip_message *m = packet->message;
	const char *call_id = sip_message_call_id(m), *tag = sip_message_from_tag(m);
	struct call *call = NULL;
	union address reply_to;

	for (struct hash_link *l = hash_first(&calls->invites, hash_text(call_id)); l && !call; l = hash_next(l)) {
		call = HASH_OWNER(l, struct call, by_invite);
		if (call->caller_cseq != sip_message_cseq(m) || strcmp(call->caller_call_id, call_id) != 0 ||
		    strcmp(call->caller_tag, tag) != 0)
			call = NULL;
	}
	if (!call)
		return false;
	if (!call->invite || strcmp(sip_message_branch(m), sip_message_branch(sip_server_request(call->invite))) == 0) {
		sip_packet_drop(packet);
		return true;
	}
	sip_reply_address(&reply_to, packet, call->reply_address);
	sip_packet_answer(packet, 482, "Loop Detected", NULL, &reply_to);
	return true;
}

/* Without Retry-After: this one call goes another way, while the next may find room (RFC 6357 7: one that turns everything off
 * for a while makes the load swing). */
static bool overloaded(struct calls *calls)
{
	bool too_much = calls->parts.overloaded && calls->parts.overloaded();

	calls->shed += too_much;
	status_count(calls->parts.status, COUNT_CALLS_SHED, too_much);
	return too_much;
}

static void invite(struct calls *calls, struct sip_packet *packet)
{
	struct origin origin;
	uint16_t code = 0;
	int error;

	if (merged(calls, packet))
		return;
	error = origin_find(calls, &origin, packet, &code);
	if (error == ENOENT)
		origin_turn_away(calls, packet, code);
	else if (error)
		refuse(calls, packet, code, NULL);
	else if (calls->stopping || overloaded(calls))
		refuse(calls, packet, 503, "Service Unavailable");
	else if (origin_authenticate(calls, &origin, packet))
		call_begin(calls, packet, &origin);
}

static void out_of_dialog(struct calls *calls, struct sip_packet *packet)
{
	static const struct { uint16_t code; const char *phrase; } answers[] = {
		[SIP_OPTIONS] = { 200, "OK" }, [SIP_REGISTER] = { 403, "Forbidden" },
		[SIP_KNOWN] = { 405, "Method Not Allowed" }, [SIP_UNKNOWN] = { 501, "Not Implemented" },
	};
	enum sip_method method = sip_message_method(packet->message);
	union address reply_to;
	bool known = origin_known(calls, packet, &reply_to);
	char headers[300];
	uint16_t code = method == SIP_OPTIONS ? call_check(packet->message, true, headers, sizeof headers) : 0;

	if (method == SIP_ACK || (!known && !calls->parameters.SS_REPLY_UNAUTHORIZED))
		sip_packet_drop(packet);
	else if (method < SIP_OPTIONS)
		sip_packet_answer(packet, 481, "Call/Transaction Does Not Exist", NULL, &reply_to);
	else if (code)
		sip_packet_answer(packet, code, NULL, headers[0] ? headers : NULL, &reply_to);
	else
		sip_packet_answer(packet, answers[method].code, answers[method].phrase, NULL, &reply_to);
}

void calls_received(void *arg, struct sip_packet *packet)
{
	struct calls *calls = arg;
	const struct sip_message *m = packet->message;
	uint16_t code = sip_message_code(m);

	if (code >= 200 && code < 300 && sip_message_method(m) == SIP_INVITE)
		stray_answer(calls, packet);
	else if (code)
		sip_packet_drop(packet);
	else if (sip_message_to_tag(m)[0])
		in_dialog(calls, packet);
	else if (sip_message_method(m) == SIP_INVITE)
		invite(calls, packet);
	else
		out_of_dialog(calls, packet);
}

/* ------------------------------------------------------------------ the set */

int calls_create(struct calls **out, const struct calls_parts *parts)
{
	struct calls *calls = calloc(1, sizeof *calls);

	if (!calls)
		return ENOMEM;
	calls->parts = *parts;
	calls->parameters.SS_REPLY_UNAUTHORIZED = 1;	/* until the configuration comes: nobody is known */
	for (size_t i = 0; i < 4; i++) {
		uint32_t word = chance_word();
		memcpy((char *)calls->tag_key + 4 * i, &word, 4);
	}
	if (challenges_create(&calls->challenges) != 0 || grow_slots(calls) != 0) {
		calls_destroy(calls);
		return ENOMEM;
	}
	*out = calls;
	return 0;
}

void calls_destroy(struct calls *calls)
{
	if (!calls)
		return;
	for (uint32_t i = 0; i < calls->slot_room; i++)
		if (calls->slots[i])
			call_end(calls->slots[i], HUNG_UP_BY_SWITCH);
	calls_farewells_drop(calls);
	challenges_destroy(calls->challenges);
	hash_free(&calls->dialogs);
	hash_free(&calls->invites);
	free(calls->slots);
	free(calls->last_id);
	free(calls->free_slots);
	free(calls);
}

void calls_parameters(struct calls *calls, const struct sip_parameters *parameters)
{
	const struct intervals *interval = &parameters->SS_SIP_RESEND_INTERVAL;
	uint32_t greatest = 0, sum = 0;

	for (int32_t i = 0; i < interval->count; i++) {
		sum += (uint32_t)interval->ms[i];
		greatest = (uint32_t)interval->ms[i] > greatest ? (uint32_t)interval->ms[i] : greatest;
	}
	if (interval->count > 0 && memcmp(interval, &calls->parameters.SS_SIP_RESEND_INTERVAL, sizeof *interval) != 0)
		sip_set_timers(calls->parts.sip, (uint32_t)interval->ms[0], greatest, sum);
	calls->parameters = *parameters;
}

static void tell_shed(struct calls *calls)
{
	if (calls->shed_quiet_ticks > 0)
		calls->shed_quiet_ticks--;
	if (calls->shed == calls->shed_told || calls->shed_quiet_ticks > 0)
		return;
	log_warning("switchcore: overloaded: %" PRIu64 " new calls refused with 503; said every %d s", calls->shed - calls->shed_told,
	            SHED_TOLD_S);
	calls->shed_told = calls->shed;
	calls->shed_quiet_ticks = SHED_TOLD_S;
}

void calls_tick(struct calls *calls)
{
	tell_shed(calls);
	calls_expired_tick(calls);
	status_calls(calls->parts.status, calls->active, calls->second_new);
	if (calls->second_new != calls->last_second_new)
		calls->news = true;
	calls->last_second_new = calls->second_new;
	calls->second_new = 0;
}

bool calls_take_news(struct calls *calls)
{
	bool news = calls->news;

	calls->news = false;
	return news;
}

uint32_t calls_active(const struct calls *calls)
{
	return calls->active;
}

bool calls_stopped(const struct calls *calls)
{
	return calls->farewell_count == 0;
}

void calls_stop(struct calls *calls)
{
	calls->stopping = true;
	for (uint32_t i = 0; i < calls->slot_room; i++)
		if (calls->slots[i])
			calls_hang_up(calls, i, calls->slots[i]->id);
}

int calls_hang_up(struct calls *calls, uint32_t slot, uint64_t id)
{
	struct call *call = slot < calls->slot_room ? calls->slots[slot] : NULL;

	if (!call || call->id != id)
		return ENOENT;
	if (call->state == CALL_SEEKING)
		call_refuse(call, calls->stopping ? 503 : 480, NULL, NULL, HUNG_UP_BY_SWITCH);
	else
		call_end(call, HUNG_UP_BY_SWITCH);
	return 0;
}
