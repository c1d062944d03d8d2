/*
 * What the advisor knows of calls: each record is read once, when it has come, and counted for its gateways in stretches of five
 * minutes.  A look reads a bounded number of them; at the start those of the last hour, or the last hundred thousand.
 */
#include "mgmtd/advisor_private.h"

#include "mgmtd/store_advice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US UINT64_C(3600000000)
#define RECORDS_MOST 100000u
#define RECORDS_A_LOOK 20000u

uint32_t calls_in_hour(const struct calls *calls, enum call_fact fact, uint64_t now)
{
	uint64_t stretch = now / CALL_STRETCH_US;
	uint32_t sum = 0;

	for (unsigned i = 0; i < CALL_STRETCHES; i++)
		if (calls->stretch[i] + CALL_STRETCHES > stretch && calls->stretch[i] <= stretch)
			sum += calls->count[i][fact];
	return sum;
}

static void count(struct calls *calls, enum call_fact fact, uint64_t at)
{
	uint64_t stretch = at / CALL_STRETCH_US;
	unsigned i = (unsigned)(stretch % CALL_STRETCHES);

	if (calls->stretch[i] > stretch)
		return;
	if (calls->stretch[i] < stretch) {
		memset(calls->count[i], 0, sizeof calls->count[i]);
		calls->stretch[i] = stretch;
	}
	calls->count[i][fact]++;
}

/* NULL: the gateway is not there, or was made after the call. */
static struct calls *calls_of(struct advisor *a, enum kind_id kind, const char *name, const struct advice_record *record)
{
	struct seen *seen = advisor_seen_named(a, kind, name);

	if (!seen || record->ended_at < seen->created_at)
		return NULL;
	if (!seen->calls)
		seen->calls = calloc(1, sizeof *seen->calls);
	return seen->calls;
}

/* ------------------------------------------------------------------ which number was sent */

/* As the switch rewrites: the longest match, once. */
static void rewrite(const struct rewrites *rules, char number[CALL_NUMBER])
{
	const struct rewrite *best = NULL;
	char result[CALL_NUMBER + SCHEMA_PREFIX_MAX];

	for (int32_t i = 0; i < rules->count && i < SCHEMA_REWRITES_MAX; i++) {
		const struct rewrite *rule = &rules->rule[i];
		if (strncmp(number, rule->match, strlen(rule->match)) == 0 && (!best || strlen(rule->match) > strlen(best->match)))
			best = rule;
	}
	if (!best)
		return;
	snprintf(result, sizeof result, "%s%s", best->replace, number + strlen(best->match));
	memcpy(number, result, CALL_NUMBER - 1);
}

/* The record has the number that the last gateway was sent; what one before it was sent is known from its rules. */
static void number_sent(char number[CALL_NUMBER], struct advisor *a, const struct advice_record *record,
                        const struct routing_gateway_record *gateway, bool last)
{
	const struct mapping_gateway_record *mapping = (const void *)snapshot_find(a->snap, KIND_MAPPING_GATEWAY, record->mapping_gateway);

	memset(number, 0, CALL_NUMBER);
	snprintf(number, CALL_NUMBER, "%s", last ? record->routed : record->callee_in);
	if (last)
		return;
	if (mapping)
		rewrite(&mapping->callee_rewrite, number);
	rewrite(&gateway->callee_rewrite, number);
}

/* ------------------------------------------------------------------ one record */

static bool refused(uint32_t code)
{
	return code == 404 || code == 484;
}

static bool taken(const struct advice_record *record, uint32_t code, bool last)
{
	return code == 200 || code == 486 || code == 600 || code == 603 || (last && (record->ringing_at || record->answered_at));
}

static bool mode_on(struct advisor *a, const struct advice_record *record, const struct routing_gateway_record *gateway, bool last)
{
	const struct facts f = { .parameters = &a->parameters, .record = &gateway->head };

	return last ? strcmp(record->invite_use_contact, "on") == 0 : facts_mode_on(&f);
}

static void take_outcome(struct advisor *a, const struct advice_record *record, struct calls *calls,
                         const struct routing_gateway_record *gateway, uint32_t code, bool last)
{
	enum call_fact mode = mode_on(a, record, gateway, last) ? CALLS_ON : CALLS_OFF;
	char sent[CALL_NUMBER];

	number_sent(sent, a, record, gateway, last);
	bool rewritten = sent[0] && strncmp(sent, record->original, CALL_NUMBER - 1) != 0;
	if (refused(code)) {
		count(calls, mode + (rewritten ? CALLS_OFF_REWRITTEN_REFUSED : CALLS_OFF_PLAIN_REFUSED), record->ended_at);
	} else if (taken(record, code, last)) {
		count(calls, mode + (rewritten ? CALLS_OFF_REWRITTEN_TAKEN : CALLS_OFF_PLAIN_TAKEN), record->ended_at);
	}
	if (refused(code) && rewritten) {
		calls->refused = record->id;
		snprintf(calls->refused_original, sizeof calls->refused_original, "%s", record->original);
		memcpy(calls->refused_routed, sent, sizeof sent);
	}
}

static void take_tried(struct advisor *a, const struct advice_record *record, const char *name, uint32_t code, bool last)
{
	struct calls *calls = calls_of(a, KIND_ROUTING_GATEWAY, name, record);
	const struct routing_gateway_record *gateway = calls ? (const void *)snapshot_find(a->snap, KIND_ROUTING_GATEWAY, name) : NULL;

	if (!gateway)
		return;
	take_outcome(a, record, calls, gateway, code, last);
	if (last) {
		calls->last = record->id;
		snprintf(calls->mapping, sizeof calls->mapping, "%s", record->mapping_gateway);
	} else {
		calls->failover = record->id;
	}
}

/* Lines "GATEWAY what". */
static void take_lines(struct advisor *a, const struct advice_record *record, const char *lines, bool skipped)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n"), name_len = strcspn(lines, " \n");
		const char *next = lines + len + (lines[len] == '\n');
		char name[SCHEMA_NAME_MAX + 1] = "";
		if (name_len <= SCHEMA_NAME_MAX)
			memcpy(name, lines, name_len);
		if (!skipped) {
			take_tried(a, record, name, (uint32_t)strtoul(lines + name_len, NULL, 10), !*next);
		} else if (record->routing_gateway[0] && strcmp(record->routing_gateway, name) != 0) {
			struct calls *calls = calls_of(a, KIND_ROUTING_GATEWAY, name, record);
			if (calls)
				calls->failover = record->id;
		}
		lines = next;
	}
}

static void take_mapping(struct advisor *a, const struct advice_record *record)
{
	struct calls *calls = calls_of(a, KIND_MAPPING_GATEWAY, record->mapping_gateway, record);

	if (!calls)
		return;
	calls->last = record->id;
	if (!record->to_in[0] || strcmp(record->callee_in, record->to_in) != 0)
		return;
	count(calls, CALLS_READ_TO, record->ended_at);
	if (!record->request_uri_in[0] || strcmp(record->request_uri_in, record->to_in) == 0)
		return;
	count(calls, CALLS_OTHER_NUMBER, record->ended_at);
	calls->other = record->id;
	snprintf(calls->other_to, sizeof calls->other_to, "%s", record->to_in);
	snprintf(calls->other_request, sizeof calls->other_request, "%s", record->request_uri_in);
}

static void take_contact(struct advisor *a, const struct advice_record *record)
{
	struct lost_contact contact;
	struct seen *seen;

	if (!advisor_contact_of(a, record->call_id_in, &contact) ||
	    !(seen = advisor_seen_named(a, KIND_MAPPING_GATEWAY, record->mapping_gateway)) || contact.at < seen->created_at)
		return;
	if (seen->contact || (seen->contact = malloc(sizeof *seen->contact)))
		*seen->contact = contact;
}

static void take_record(void *arg, const struct advice_record *record)
{
	struct advisor *a = arg;

	take_mapping(a, record);
	take_contact(a, record);
	take_lines(a, record, record->tried, false);
	take_lines(a, record, record->skipped, true);
}

void advisor_calls(struct advisor *a)
{
	/* A database that cannot be read now is told by GET /cdrs; here the next look goes on. */
	if (!a->records_begun && store_advice_begin(a->records, time_now_us() - HOUR_US, RECORDS_MOST, &a->record_seq) != 0)
		return;
	a->records_begun = true;
	store_advice_read(a->records, &a->record_seq, RECORDS_A_LOOK, take_record, a);
}
