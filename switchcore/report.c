#include "report.h"

#include "attempt.h"
#include "log.h"

#include "shm/status_counter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Attempt lines a second; what is above is counted and told. */
#define LINES_PER_SECOND 100

struct report {
	struct status_writer *writer;
	bool news;
	bool full;			/* the segment could not grow: said already */
	uint64_t second;
	uint32_t lines;			/* in that second */
	uint64_t left_out;
};

/* The record is written in parts: what changes with every event, what changes when a REGISTER leaves, one attempt. */
#define CONTACT_PART offsetof(struct registration_status, contact)
#define ATTEMPT_PART offsetof(struct registration_status, attempt)

int report_create(struct report **report, struct status_writer *writer)
{
	struct report *r = calloc(1, sizeof *r);

	if (!r)
		return ENOMEM;
	r->writer = writer;
	*report = r;
	return 0;
}

void report_destroy(struct report *report)
{
	free(report);
}

bool report_take_news(struct report *report)
{
	bool news = report->news;

	report->news = false;
	return news;
}

int report_reserve(struct report *report, enum kind_id kind, uint32_t limit)
{
	int error = status_reserve(report->writer, kind, limit);

	if (error && !report->full) {
		report->full = true;
		log_error("status: no room for the status of %" PRIu32 " %s: %s; those beyond are not shown", limit,
		          schema_kinds[kind].path, strerror(error));
	}
	return error;
}

static void copy(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	memcpy(to, from ? from : "", len);
	to[len] = '\0';
}

static bool timer_shown(const struct registration *r)
{
	return r->state == STATE_WAITING || (r->state == STATE_REGISTERED && !registration_refreshing(r));
}

static void fill_nat(struct registration_status *s, const struct registration *r)
{
	union address local;

	if (!r->listener || r->public_address.family == AF_UNSPEC)
		return;
	local = r->listener->bound.address;
	address_text(&r->public_address, s->nat_public, sizeof s->nat_public);
	listener_host_port(r->listener, &r->target.address, s->nat_local, sizeof s->nat_local);
	if (!address_is_any(&local))
		address_text(&local, s->nat_local, sizeof s->nat_local);
	if (r->target.transport == TRANSPORT_UDP) {
		s->nat_detected = strcmp(s->nat_public, s->nat_local) != 0;
	} else {
		/* Our end of a connection has a port of its own: only the address tells. */
		char *colon = strrchr(s->nat_local, ':');
		size_t len = colon ? (size_t)(colon - s->nat_local) : 0;
		s->nat_detected = strncmp(s->nat_public, s->nat_local, len) != 0 || s->nat_public[len] != ':';
	}
}

static void fill(struct registration_status *s, const struct registration *r)
{
	memset(s, 0, CONTACT_PART);
	s->incarnation = r->incarnation;
	s->state = r->state;
	s->reason = r->reason;
	s->refreshing = registration_refreshing(r);
	s->last_code = r->last_code;
	s->since = r->since;
	s->registered_at = r->registered_at;
	s->binding_expires_at = registration_expires_at(r);
	s->next_attempt_at = timer_shown(r) ? r->next_at : 0;
	s->requested_expiry = r->requested;
	s->granted_expiry = r->granted;
	s->raised_to = r->raised_to;
	s->retry_after = r->state == STATE_WAITING ? registration_retry_after(r) : -1;
	s->rtt_us = r->rtt_us;
	s->consecutive_failures = r->consecutive_failures;
	s->attempts = r->attempts;
	s->failures = r->failures;
	s->attempts_done = r->attempts_done;
	s->attempts_last_hour = registration_attempts_last_hour(r);
	s->attempt_count = r->attempts < STATUS_ATTEMPTS ? (uint32_t)r->attempts : STATUS_ATTEMPTS;
	copy(s->detail, sizeof s->detail, r->detail);
	copy(s->last_phrase, sizeof s->last_phrase, r->last_phrase);
	target_text(&r->target, s->remote_address, sizeof s->remote_address);
	copy(s->listener, sizeof s->listener, r->listener ? r->listener->label : "");
	fill_nat(s, r);
}

/* The first report of a new object wipes what an earlier one of that id left behind. */
static void put_all(struct report *report, struct registration *r)
{
	static struct registration_status s;	/* 4 KiB; one thread */

	memset(&s, 0, sizeof s);
	fill(&s, r);
	registration_call_id(r, s.call_id);
	if (status_put(report->writer, KIND_REGISTRATION, r->id, &s) == 0)
		r->reported = true;
}

void report_changed(void *arg, struct registration *r)
{
	struct report *report = arg;
	struct registration_status s;

	if (r->orphan)
		return;
	report->news = true;
	if (!r->reported) {
		put_all(report, r);
		return;
	}
	fill(&s, r);
	status_put_part(report->writer, KIND_REGISTRATION, r->id, 0, CONTACT_PART, &s);
}

void report_sent(void *arg, const struct registration *r)
{
	struct report *report = arg;
	struct { char contact[256], call_id[96]; } part;
	const struct account *account = registration_account(r);

	_Static_assert(sizeof part == ATTEMPT_PART - CONTACT_PART, "contact and call_id stand together before the attempts");
	if (r->orphan)
		return;
	memset(&part, 0, sizeof part);
	sip_contact_text(part.contact, sizeof part.contact, account, account_contact_user(account), r->listener, &r->target);
	registration_call_id(r, part.call_id);
	status_put_part(report->writer, KIND_REGISTRATION, r->id, CONTACT_PART, sizeof part, &part);
}

static void put_attempt(struct report *report, const struct registration *r, const struct registration_outcome *outcome)
{
	struct registration_attempt a;
	size_t place = (size_t)((r->attempts - 1) % STATUS_ATTEMPTS);

	memset(&a, 0, sizeof a);
	a.at = r->attempt_at;
	a.since_previous_us = r->attempt_since_us;
	a.planned_us = r->attempt_planned_us;
	target_text(attempt_target(r), a.target, sizeof a.target);
	a.kind = r->kind;
	a.requested_expiry = attempt_expires(r);
	a.granted_expiry = -1;
	if (outcome) {
		a.done = 1;
		a.code = outcome->code;
		a.rtt_us = outcome->rtt_us;
		a.granted_expiry = outcome->granted;
		copy(a.phrase, sizeof a.phrase, outcome->phrase);
	}
	status_put_part(report->writer, KIND_REGISTRATION, r->id, ATTEMPT_PART + place * sizeof a, sizeof a, &a);
}

void report_begun(void *arg, const struct registration *r)
{
	if (!r->orphan)
		put_attempt(arg, r, NULL);
}

static bool line_allowed(struct report *report)
{
	uint64_t second = loop_now() / SECOND_US;

	if (second != report->second) {
		report_tick(report);
		report->second = second;
		report->lines = 0;
	}
	if (report->lines >= LINES_PER_SECOND) {
		report->left_out++;
		return false;
	}
	report->lines++;
	return true;
}

void report_tick(struct report *report)
{
	if (loop_now() / SECOND_US == report->second || report->left_out == 0)
		return;
	log_info("switchcore: %" PRIu64 " more attempts in that second, lines left out", report->left_out);
	report->left_out = 0;
}

static void log_attempt(struct report *report, const struct registration *r, const struct registration_outcome *outcome)
{
	char what[40], when[48] = "", how[300];

	if (!log_enabled(LOG_LEVEL_INFO) || !line_allowed(report))
		return;
	if (r->kind == ATTEMPT_RETRY)
		snprintf(what, sizeof what, "retry %" PRIu32, r->retries);
	else
		snprintf(what, sizeof what, "%s", r->kind == ATTEMPT_INITIAL ? "first attempt" : status_attempt_words[r->kind]);
	if (r->attempt_since_us)
		snprintf(when, sizeof when, ", %.1f s after the last", (double)r->attempt_since_us / 1e6);
	if (outcome->code && outcome->reason == REASON_NONE && outcome->granted > 0)
		snprintf(how, sizeof how, "%u %s, %" PRId32 " s granted", outcome->code, outcome->phrase, outcome->granted);
	else if (outcome->code && (outcome->reason == REASON_NONE || outcome->code >= 300))
		snprintf(how, sizeof how, "%u %s", outcome->code, outcome->phrase);
	else if (outcome->code)
		snprintf(how, sizeof how, "%u %s: %s", outcome->code, outcome->phrase, outcome->detail);
	else
		snprintf(how, sizeof how, "%s", outcome->detail[0] ? outcome->detail : outcome->phrase);
	log_info("registration %s: %s%s: %s", account_text(r->account, ACCOUNT_NAME), what, when, how);
}

static void count_outcome(struct report *report, const struct registration_outcome *outcome)
{
	/* One that was superseded has neither a reason nor an answer. */
	if (outcome->reason != REASON_NONE || outcome->code)
		status_count(report->writer, COUNT_REGISTER_ENDS + outcome->reason, 1);
	if (outcome->code && outcome->rtt_us)
		status_count_rtt(report->writer, outcome->rtt_us);
}

void report_over(void *arg, const struct registration *r, const struct registration_outcome *outcome)
{
	struct report *report = arg;

	count_outcome(report, outcome);
	log_attempt(report, r, outcome);
	if (r->orphan)
		return;
	put_attempt(report, r, outcome);
	report->news = true;
}

void report_transition(void *arg, struct registration *r, enum registration_state from)
{
	struct report *report = arg;
	struct status_event event = {
		.at = r->since, .incarnation = r->incarnation, .id = r->id, .kind = KIND_REGISTRATION, .from = (uint8_t)from,
		.to = r->state, .reason = r->reason, .code = r->last_code,
	};

	log_debug("registration %s: %s, was %s", account_text(r->account, ACCOUNT_NAME), status_state_words[r->state],
	          status_state_words[from]);
	if (r->orphan)
		return;
	status_count(report->writer, COUNT_TRANSITIONS + (unsigned)from * STATE_COUNT + r->state, 1);
	/* The record first: who is told of the event finds the state there. */
	report_changed(report, r);
	status_event(report->writer, &event);
}

void report_gateway(void *arg, enum kind_id kind, uint32_t id, const struct gateway_status *status)
{
	struct report *report = arg;

	status_put(report->writer, kind, id, status);
	report->news = true;
}

void report_event(void *arg, const struct status_event *event)
{
	status_event(((struct report *)arg)->writer, event);
}
