/* The life cycle of an outbound registration, with a clock, a transport and a resolver of the test's own. */
#include "switchcore/attempt.h"
#include "switchcore/registration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SENT_MAX 200
#define WALL UINT64_C(1700000000000000)

struct sent {
	char server[64], domain[64], user[64], old_contact_user[64], call_id[REGISTRATION_CALL_ID_MAX];
	int32_t expires, privacy;
	uint32_t cseq;
	size_t credentials;
	uint64_t at;
	struct target target;
	sip_answer_f *answer;
	void *arg;
	bool released;
};

static struct {
	uint64_t now;
	uint32_t random;
	struct timers timers;
	struct pacing *pacing;
	struct registrations *set;
	struct sip_parameters parameters;
	struct sent sent[SENT_MAX];
	size_t count;
	size_t keep_alives;
	size_t transitions;
	size_t tellings;			/* and what the newest said */
	uint32_t told_last_hour;
	uint64_t told_expires_at;
	struct resolver_result names;		/* what "name.example" resolves to */
	int resolve_error;
	struct resolver_wait *waiting;
	struct registration_outcome last;
	uint64_t planned_us, since_us;
	struct listener listener;
	int send_error;
} lab;

/* ------------------------------------------------------------------ the world */

static uint64_t w_now(void *arg)
{
	(void)arg;
	return lab.now;
}

static uint64_t w_wall(void *arg)
{
	(void)arg;
	return WALL + lab.now;
}

static uint32_t w_random(void *arg)
{
	(void)arg;
	return lab.random;
}

static const struct listener *w_listener(void *arg, const char *name, int32_t transport, sa_family_t family)
{
	(void)arg;
	(void)family;
	return name[0] || transport != TRANSPORT_UDP ? NULL : &lab.listener;
}

static const char *w_listeners(void *arg)
{
	(void)arg;
	return "udp:127.0.0.1:5060";
}

static int w_resolve(void *arg, struct resolver_wait *wait, struct resolver_result *result, const char *host, uint16_t port,
                     int32_t transport)
{
	(void)arg;
	if (strcmp(host, "name.example") == 0) {
		*result = lab.names;
		if (lab.resolve_error == EINPROGRESS)
			lab.waiting = wait;
		return lab.resolve_error;
	}
	memset(result, 0, sizeof *result);
	result->count = 1;
	result->targets[0].transport = transport;
	assert_true(address_parse(&result->targets[0].address, host, port ? port : 5060));
	return 0;
}

static int w_send(void *arg, struct sip_transaction **transaction, const struct sip_register *r, sip_answer_f *answer,
                  void *answer_arg)
{
	struct sent *s = &lab.sent[lab.count];

	(void)arg;
	assert_true(lab.count < SENT_MAX);
	if (lab.send_error)
		return lab.send_error;
	memset(s, 0, sizeof *s);
	snprintf(s->server, sizeof s->server, "%s", account_text(r->account, ACCOUNT_SERVER));
	snprintf(s->domain, sizeof s->domain, "%s", account_domain(r->account));
	snprintf(s->user, sizeof s->user, "%s", account_text(r->account, ACCOUNT_USERNAME));
	snprintf(s->old_contact_user, sizeof s->old_contact_user, "%s", r->old_contact_user ? r->old_contact_user : "");
	snprintf(s->call_id, sizeof s->call_id, "%s", r->call_id);
	s->expires = r->expires;
	s->privacy = r->privacy;
	s->cseq = r->cseq;
	s->credentials = r->credential_count;
	s->at = lab.now;
	s->target = r->target;
	s->answer = answer;
	s->arg = answer_arg;
	lab.count++;
	*transaction = (struct sip_transaction *)(void *)s;
	return 0;
}

static int w_preview(void *arg, const struct sip_register *r, char *text, size_t size, size_t *len)
{
	int n = snprintf(text, size, "%s to %s: expires %d, cseq %u, Call-ID %s, credentials %zu, taking back %s",
	                 account_text(r->account, ACCOUNT_USERNAME), account_text(r->account, ACCOUNT_SERVER), r->expires, r->cseq,
	                 r->call_id, r->credential_count, r->old_contact_user ? r->old_contact_user : "nothing");

	(void)arg;
	*len = (size_t)n;
	return 0;
}

static void w_release(void *arg, struct sip_transaction *transaction)
{
	(void)arg;
	((struct sent *)(void *)transaction)->released = true;
}

static void w_join(void *arg, struct sip_flow_user *user, struct sip_transaction *transaction)
{
	(void)arg;
	(void)user;
	(void)transaction;
}

static void w_keep_alive(void *arg, const struct listener *listener, const struct target *target, struct sip_flow *flow)
{
	(void)arg;
	(void)listener;
	(void)target;
	(void)flow;
	lab.keep_alives++;
}

static void w_transition(void *arg, struct registration *r, enum registration_state from)
{
	(void)arg;
	assert_int_not_equal(r->state, from);
	lab.transitions++;
}

static void w_begun(void *arg, const struct registration *r)
{
	(void)arg;
	lab.planned_us = r->attempt_planned_us;
	lab.since_us = r->attempt_since_us;
}

static void w_sent(void *arg, const struct registration *r)
{
	(void)arg;
	(void)r;
}

static void w_over(void *arg, const struct registration *r, const struct registration_outcome *outcome)
{
	(void)arg;
	(void)r;
	lab.last = *outcome;
}

static void w_changed(void *arg, struct registration *r)
{
	(void)arg;
	lab.tellings++;
	lab.told_last_hour = registration_attempts_last_hour(r);
	lab.told_expires_at = registration_expires_at(r);
}

/* ------------------------------------------------------------------ acting */

static struct registration_record plain(const char *name)
{
	struct registration_record record;

	memset(&record, 0, sizeof record);
	record.head.present = 1;
	record.head.incarnation = record.head.revision = 1;
	snprintf(record.head.name, sizeof record.head.name, "%s", name);
	snprintf(record.line, sizeof record.line, "line-of-%s", name);
	record.enabled = 1;
	snprintf(record.server, sizeof record.server, "192.0.2.1");
	snprintf(record.username, sizeof record.username, "%s", name);
	snprintf(record.password, sizeof record.password, "secret");
	record.tls_verify = 1;
	record.register_period = KEYWORD(REGISTER_PERIOD_INHERIT);
	record.retry_delay = KEYWORD(RETRY_DELAY_INHERIT);
	record.privacy = TRUNK_PRIVACY_INHERIT;
	return record;
}

static void settle(void)
{
	for (int i = 0; i < 5; i++) {
		timers_run(&lab.timers, lab.now);
		pacing_run(lab.pacing, lab.now);
	}
}

static struct registration *put(struct registration_record *record)
{
	record->head.revision++;
	assert_int_equal(registrations_put(lab.set, record), 0);
	settle();
	return registrations_at(lab.set, record->head.id);
}

static void pass(uint64_t us)
{
	uint64_t end = lab.now + us;

	for (;;) {
		uint64_t next = timers_next(&lab.timers), turn = pacing_next(lab.pacing);
		if (turn < next)
			next = turn;
		if (next <= lab.now)
			next = lab.now + 1000;
		if (next > end)
			break;
		lab.now = next;
		settle();
	}
	lab.now = end;
	settle();
}

static struct sip_answer blank(uint16_t code)
{
	struct sip_answer answer;

	memset(&answer, 0, sizeof answer);
	answer.code = code;
	answer.granted = answer.min_expires = answer.retry_after = -1;
	return answer;
}

static struct sent *last_sent(void)
{
	assert_true(lab.count > 0);
	return &lab.sent[lab.count - 1];
}

static void give(const struct sip_answer *answer)
{
	struct sent *s = last_sent();

	assert_false(s->released);
	s->answer(s->arg, answer);
	settle();
}

static void reply(uint16_t code)
{
	struct sip_answer answer = blank(code);
	give(&answer);
}

static void grant(int32_t seconds)
{
	struct sip_answer answer = blank(200);
	answer.granted = seconds;
	give(&answer);
}

static void refuse_for(uint16_t code, int32_t retry_after)
{
	struct sip_answer answer = blank(code);
	answer.retry_after = retry_after;
	give(&answer);
}

static void challenge(const char *realm, bool stale)
{
	struct sip_answer answer = blank(401);
	answer.challenges[0] = (struct digest_challenge){ .stale = stale, .algorithm = DIGEST_MD5, .qop = DIGEST_QOP_AUTH,
	                                                  .realm = realm, .nonce = "abc" };
	answer.challenge_count = 1;
	give(&answer);
}

static void silence(void)
{
	struct sip_answer answer = blank(0);
	answer.result = SIP_SILENT;
	pass(32 * SECOND_US);
	give(&answer);
}

/* Deletes it: the binding is taken away, or nothing is sent. */
static void expect_removal(uint32_t id, bool removed)
{
	size_t before = lab.count;

	registrations_delete(lab.set, id);
	settle();
	assert_int_equal(lab.count, before + removed);
	if (removed) {
		assert_int_equal(last_sent()->expires, 0);
		reply(200);
	}
}

static int begin(void **state)
{
	const struct pacing_limits limits = { 0, 0, 1000, 50 };
	const struct registration_world world = {
		NULL, w_now, w_wall, w_random, w_listener, w_listeners, w_resolve, w_send, w_release, w_join, w_keep_alive,
		w_transition, w_begun, w_sent, w_over, w_changed, w_preview,
	};

	(void)state;
	memset(&lab, 0, sizeof lab);
	lab.now = 5000 * SECOND_US;
	address_parse(&lab.listener.bound.address, "127.0.0.1", 5060);
	lab.parameters = (struct sip_parameters){ .SS_SIP_USER_AGENT_EXPIRE = KEYWORD(EXPIRE_AUTO),
	                                          .SS_SIP_USER_AGENT_RETRY_DELAY = 60,
	                                          .SS_SIP_USER_AGENT_SEND_UNREGISTER = 1 };
	assert_int_equal(pacing_create(&lab.pacing, &limits), 0);
	assert_int_equal(registrations_create(&lab.set, &world, &lab.timers, lab.pacing), 0);
	registrations_parameters(lab.set, &lab.parameters);
	return 0;
}

static int end(void **state)
{
	(void)state;
	registrations_destroy(lab.set);
	pacing_destroy(lab.pacing);
	assert_int_equal(lab.timers.reserved, 0);
	assert_int_equal(lab.timers.count, 0);
	timers_free(&lab.timers);
	for (size_t i = 0; i < lab.count; i++)
		assert_true(lab.sent[i].released);
	return 0;
}

/* ------------------------------------------------------------------ 1, 2: expiry and refresh */

static void auto_asks_an_hour_every_time_and_adopts_what_is_granted(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	assert_int_equal(last_sent()->expires, 3600);
	grant(100);
	assert_int_equal(r->state, STATE_REGISTERED);
	assert_int_equal(r->granted, 100);
	assert_int_equal(r->binding_end - lab.now, 100 * SECOND_US);
	pass(50 * SECOND_US);
	assert_int_equal(lab.count, 2);
	assert_int_equal(last_sent()->expires, 3600);
	assert_int_equal(r->state, STATE_REGISTERED);
	assert_true(registration_refreshing(r));
}

static void a_refresh_comes_at_half_or_up_to_five_percent_earlier(void **state)
{
	static const struct { uint32_t random; uint64_t after; } cases[] = {
		{ 0, 500000000 }, { UINT32_MAX, 475000000 }, { 0x80000000, 487500000 },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct registration_record record = plain("a");
		struct registration *r;
		record.head.id = (uint32_t)i;
		lab.random = cases[i].random;
		r = put(&record);
		grant(1000);
		assert_in_range(r->timer.at - lab.now, cases[i].after, cases[i].after + 10);
	}
}

static void tiny_grants_are_refreshed_at_half_but_not_sooner_than_a_second(void **state)
{
	static const struct { int32_t granted; uint64_t after; } cases[] = {
		{ 1, 1000000 }, { 2, 1000000 }, { 5, 2500000 }, { 9, 4500000 }, { 10, 5000000 }, { 12, 5700000 },
	};

	(void)state;
	lab.random = UINT32_MAX;
	for (size_t i = 0; i < 6; i++) {
		struct registration_record record = plain("a");
		struct registration *r;
		record.head.id = (uint32_t)i;
		r = put(&record);
		grant(cases[i].granted);
		assert_in_range(r->timer.at - lab.now, cases[i].after, cases[i].after + 10);
	}
}

static void a_fixed_expiry_bounds_the_binding_by_the_smaller_of_both(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;

	(void)state;
	record.register_period = 200;
	r = put(&record);
	assert_int_equal(last_sent()->expires, 200);
	grant(500);
	assert_int_equal(r->binding_end - lab.now, 200 * SECOND_US);
	pass(100 * SECOND_US);
	grant(60);
	assert_int_equal(r->binding_end - lab.now, 60 * SECOND_US);
}

static void a_grant_without_end_is_shown_as_it_is_and_refreshed_twice_a_day(void **state)
{
	static const int32_t grants[] = { 86400, 86401, 1000000, INT32_MAX };

	(void)state;
	for (uint32_t i = 0; i < sizeof grants / sizeof grants[0]; i++)
		for (unsigned late = 0; late < 2; late++) {
			struct registration_record record = plain("a");
			struct registration *r;
			record.head.id = 2 * i + late;
			lab.random = late ? 0 : UINT32_MAX;
			r = put(&record);
			grant(grants[i]);
			assert_int_equal(r->granted, grants[i]);
			assert_int_equal(registration_expires_at(r) - WALL - lab.now, (uint64_t)grants[i] * SECOND_US);
			assert_in_range(r->timer.at - lab.now, (late ? 43200 : 41040) * SECOND_US, (late ? 43200 : 41041) * SECOND_US);
		}
}

static void a_grant_of_nothing_and_others_contacts_are_rejections(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);
	struct sip_answer answer = blank(200);

	(void)state;
	grant(0);
	assert_int_equal(r->state, STATE_WAITING);
	assert_int_equal(r->reason, REASON_REJECTED);
	pass(60 * SECOND_US);
	answer.binding = SIP_BINDING_OTHERS;
	give(&answer);
	assert_int_equal(r->reason, REASON_REJECTED);
	assert_int_equal(r->failures, 2);
}

/* ------------------------------------------------------------------ 3: 423 */

static void brief(int32_t min_expires)
{
	struct sip_answer answer = blank(423);
	answer.min_expires = min_expires;
	give(&answer);
}

static void too_brief_is_raised_once_and_remembered_until_the_setting_changes(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;

	(void)state;
	record.register_period = 60;
	r = put(&record);
	brief(600);
	assert_int_equal(lab.count, 2);
	assert_int_equal(last_sent()->expires, 600);
	grant(600);
	assert_int_equal(r->raised_to, 600);
	assert_int_equal(r->attempts, 1);
	pass(300 * SECOND_US);
	assert_int_equal(last_sent()->expires, 600);
	grant(600);
	record.register_period = 90;
	put(&record);
	assert_int_equal(r->raised_to, -1);
	assert_int_equal(last_sent()->expires, 90);
}

static void absurd_or_second_raises_are_rejections(void **state)
{
	static const int32_t absurd[] = { -1, 86401, 60, 0, INT32_MAX };

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		struct registration_record record = plain("a");
		struct registration *r;
		record.head.id = i;
		record.register_period = 60;
		r = put(&record);
		brief(absurd[i]);
		assert_int_equal(r->state, STATE_WAITING);
		assert_int_equal(r->reason, REASON_REJECTED);
	}
	struct registration_record record = plain("b");
	struct registration *r;
	record.head.id = 5;
	record.register_period = 60;
	r = put(&record);
	brief(100);
	brief(200);
	assert_int_equal(r->reason, REASON_REJECTED);
	assert_int_equal(r->raised_to, 100);
}

/* ------------------------------------------------------------------ 4: challenges */

static void a_challenge_is_answered_once_and_a_second_one_is_a_refusal(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	challenge("realm", false);
	assert_int_equal(lab.count, 2);
	assert_int_equal(last_sent()->credentials, 1);
	assert_int_equal(last_sent()->cseq, lab.sent[0].cseq + 1);
	challenge("realm", false);
	assert_int_equal(lab.count, 2);
	assert_int_equal(r->state, STATE_WAITING);
	assert_int_equal(r->reason, REASON_CREDENTIALS);
	assert_int_equal(r->attempts, 1);
}

static void stale_is_answered_once_more_and_never_in_a_loop(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	challenge("realm", false);
	challenge("realm", true);
	assert_int_equal(lab.count, 3);
	challenge("realm", true);
	assert_int_equal(lab.count, 3);
	assert_int_equal(r->reason, REASON_CREDENTIALS);
}

static void two_realms_are_each_answered(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	challenge("proxy", false);
	challenge("registrar", false);
	assert_int_equal(last_sent()->credentials, 2);
	grant(60);
	assert_int_equal(r->state, STATE_REGISTERED);
}

static void endless_new_realms_end_as_a_refusal(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);
	char realm[8];

	(void)state;
	for (int i = 0; i < 20 && r->state != STATE_WAITING; i++) {
		snprintf(realm, sizeof realm, "r%d", i);
		challenge(realm, false);
	}
	assert_int_equal(r->reason, REASON_CREDENTIALS);
	assert_in_range(lab.count, 2, SIP_CHALLENGES_MAX + 1);
}

static void without_a_password_a_challenge_is_about_the_credentials(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;

	(void)state;
	record.password[0] = '\0';
	r = put(&record);
	challenge("realm", false);
	assert_int_equal(lab.count, 1);
	assert_int_equal(r->reason, REASON_CREDENTIALS);
}

static void reasons_follow_the_code_and_what_was_answered_before(void **state)
{
	static const struct { uint16_t code; bool challenged; enum registration_reason reason; } cases[] = {
		{ 403, false, REASON_REJECTED }, { 403, true, REASON_CREDENTIALS }, { 404, true, REASON_REJECTED },
		{ 500, false, REASON_SERVER_ERROR }, { 503, false, REASON_SERVER_ERROR }, { 408, false, REASON_TIMEOUT },
		{ 302, false, REASON_REJECTED }, { 600, false, REASON_REJECTED }, { 699, false, REASON_REJECTED },
		{ 407, false, REASON_CREDENTIALS }, { 423, false, REASON_REJECTED },
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct registration_record record = plain("a");
		struct registration *r;
		record.head.id = i;
		r = put(&record);
		if (cases[i].challenged)
			challenge("realm", false);
		reply(cases[i].code);
		assert_int_equal(r->state, STATE_WAITING);
		assert_int_equal(r->reason, cases[i].reason);
		assert_int_equal(r->last_code, cases[i].code);
	}
}

/* ------------------------------------------------------------------ 5, 6: failure and retry */

static void retries_come_after_exactly_the_delay_the_same_every_time(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	for (int i = 0; i < 30; i++) {
		uint64_t failed = lab.now;
		size_t before = lab.count;
		reply(500);
		assert_int_equal(r->state, STATE_WAITING);
		pass(60 * SECOND_US - 1);
		assert_int_equal(lab.count, before);
		pass(1);
		assert_int_equal(lab.count, before + 1);
		assert_int_equal(last_sent()->at, failed + 60 * SECOND_US);
		assert_int_equal(r->kind, ATTEMPT_RETRY);
		assert_int_equal(lab.planned_us, 60 * SECOND_US);
		assert_int_equal(lab.since_us, 60 * SECOND_US);
	}
	assert_int_equal(r->retries, 30);
	assert_string_equal(last_sent()->call_id, lab.sent[0].call_id);
	assert_int_equal(last_sent()->cseq, lab.sent[0].cseq + 30);
}

static void silence_counts_from_when_it_is_known(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);
	uint64_t known;

	(void)state;
	silence();
	known = lab.now;
	assert_int_equal(r->reason, REASON_TIMEOUT);
	pass(60 * SECOND_US);
	assert_int_equal(last_sent()->at, known + 60 * SECOND_US);
}

static void a_longer_retry_after_is_obeyed_within_bounds(void **state)
{
	static const struct { int32_t asked, shown, waits; } cases[] = {
		{ 5, -1, 60 }, { 60, -1, 60 }, { 61, 61, 61 }, { 7200, 7200, 7200 }, { 7201, 7200, 7200 },
		{ INT32_MAX, 7200, 7200 }, { 0, -1, 60 },
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct registration_record record = plain("a");
		struct registration *r;
		record.head.id = i;
		r = put(&record);
		refuse_for(503, cases[i].asked);
		assert_int_equal(registration_retry_after(r), cases[i].shown);
		assert_int_equal(r->timer.at - lab.now, (uint64_t)cases[i].waits * SECOND_US);
	}
}

static void a_retry_after_is_weighed_against_the_delay_as_it_is_now(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;
	uint64_t failed = lab.now;

	(void)state;
	record.retry_delay = 600;
	r = put(&record);
	refuse_for(503, 120);
	assert_int_equal(registration_retry_after(r), -1);
	assert_int_equal(r->timer.at, failed + 600 * SECOND_US);
	pass(10 * SECOND_US);
	record.retry_delay = 30;
	put(&record);
	assert_int_equal(registration_retry_after(r), 120);
	assert_int_equal(r->timer.at, failed + 120 * SECOND_US);
	record.retry_delay = 200;
	put(&record);
	assert_int_equal(registration_retry_after(r), -1);
	assert_int_equal(r->timer.at, failed + 200 * SECOND_US);
}

static void a_binding_that_ends_while_waiting_is_told_at_that_moment(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		struct registration_record record = plain("a");
		struct registration *r;
		uint64_t end;
		record.head.id = i;
		record.retry_delay = 600;
		record.keep_alive = 20;
		lab.keep_alives = 0;
		r = put(&record);
		grant(100);
		end = r->binding_end;
		pass(50 * SECOND_US);
		reply(500);
		assert_int_equal(r->state, STATE_WAITING);
		assert_int_equal(lab.told_expires_at, WALL + end);
		if (i == 1) {	/* the keep-alive has the same timer */
			record.keep_alive = 0;
			put(&record);
		}
		pass(end - lab.now - 1);
		assert_int_equal(lab.told_expires_at, WALL + end);
		pass(1);
		assert_int_equal(lab.told_expires_at, 0);
		assert_int_equal(lab.keep_alives, 2);
		expect_removal(i, false);
	}
}

/* The same timer: a keep-alive must follow when the registration is back before its old binding ended. */
static void keep_alives_go_on_after_a_failure_that_the_binding_outlived(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	record.keep_alive = 20;
	put(&record);
	grant(1000);
	pass(500 * SECOND_US);
	reply(500);
	lab.keep_alives = 0;
	pass(60 * SECOND_US);
	assert_int_equal(lab.keep_alives, 0);
	grant(1000);
	pass(61 * SECOND_US);
	assert_int_equal(lab.keep_alives, 3);
}

static void a_failed_refresh_keeps_the_end_of_the_binding_and_has_one_timer(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);
	uint64_t binding_end;

	(void)state;
	grant(300);
	binding_end = r->binding_end;
	pass(150 * SECOND_US);
	reply(500);
	assert_int_equal(r->state, STATE_WAITING);
	assert_int_equal(r->binding_end, binding_end);
	assert_int_equal(r->timer.at, lab.now + 60 * SECOND_US);
	pass(59 * SECOND_US);
	assert_int_equal(lab.count, 2);
	pass(1 * SECOND_US);
	assert_int_equal(lab.count, 3);
	grant(300);
	assert_int_equal(r->consecutive_failures, 0);
	assert_int_equal(r->failures, 1);
}

static void a_binding_that_ends_during_its_refresh_shows_no_live_binding(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	grant(20);
	pass(10 * SECOND_US);
	assert_true(registration_refreshing(r));
	pass(11 * SECOND_US);
	assert_int_equal(r->state, STATE_REGISTERING);
	grant(20);
	assert_int_equal(r->state, STATE_REGISTERED);
}

/* ------------------------------------------------------------------ 8: changes */

static void a_changed_expiry_or_privacy_is_one_register_of_the_same_call(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	grant(3600);
	record.register_period = 600;
	put(&record);
	assert_int_equal(lab.count, 2);
	assert_int_equal(last_sent()->expires, 600);
	assert_string_equal(last_sent()->call_id, lab.sent[0].call_id);
	assert_int_equal(last_sent()->cseq, lab.sent[0].cseq + 1);
	grant(600);
	record.privacy = TRUNK_PRIVACY_ID;
	put(&record);
	assert_int_equal(lab.count, 3);
	assert_int_equal(last_sent()->privacy, PRIVACY_ID);
	grant(600);
	assert_int_equal(r->state, STATE_REGISTERED);
	assert_int_equal(lab.count, 3);
}

static void a_change_during_an_attempt_is_sent_after_it(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	put(&record);
	record.register_period = 600;
	put(&record);
	assert_int_equal(lab.count, 1);
	grant(3600);
	assert_int_equal(lab.count, 2);
	assert_int_equal(last_sent()->expires, 600);
	grant(600);
	assert_int_equal(lab.count, 2);
}

static void a_global_parameter_touches_only_who_inherits_it(void **state)
{
	struct registration_record inherits = plain("a"), own = plain("b");

	(void)state;
	own.head.id = 1;
	own.register_period = 900;
	put(&inherits);
	grant(3600);
	put(&own);
	grant(900);
	lab.parameters.SS_SIP_USER_AGENT_EXPIRE = 120;
	registrations_parameters(lab.set, &lab.parameters);
	settle();
	assert_int_equal(lab.count, 3);
	assert_string_equal(last_sent()->user, "a");
	assert_int_equal(last_sent()->expires, 120);
}

static void an_explicit_value_equal_to_the_inherited_one_sends_nothing(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	put(&record);
	grant(3600);
	record.privacy = TRUNK_PRIVACY_IGNORE;
	record.register_period = KEYWORD(REGISTER_PERIOD_AUTO);
	record.retry_delay = 60;
	snprintf(record.domain, sizeof record.domain, "%s", record.server);
	snprintf(record.auth_username, sizeof record.auth_username, "%s", record.username);
	snprintf(record.contact_user, sizeof record.contact_user, "%s", record.username);
	put(&record);
	pass(5 * SECOND_US);
	assert_int_equal(lab.count, 1);
}

static void another_server_gets_the_binding_after_the_old_one_lost_it(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	grant(3600);
	snprintf(record.server, sizeof record.server, "192.0.2.2");
	put(&record);
	assert_int_equal(lab.count, 2);
	assert_string_equal(last_sent()->server, "192.0.2.1");
	assert_int_equal(last_sent()->expires, 0);
	assert_int_equal(r->state, STATE_UNREGISTERING);
	reply(200);
	assert_int_equal(lab.count, 3);
	assert_string_equal(last_sent()->server, "192.0.2.2");
	assert_int_equal(last_sent()->expires, 3600);
	grant(3600);
	assert_int_equal(r->state, STATE_REGISTERED);
}

static void a_dead_old_server_is_waited_for_two_seconds(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	put(&record);
	grant(3600);
	snprintf(record.username, sizeof record.username, "other");
	put(&record);
	pass(2 * SECOND_US - 1);
	assert_int_equal(lab.count, 2);
	pass(1);
	assert_int_equal(lab.count, 3);
	assert_true(lab.sent[1].released);
	assert_string_equal(last_sent()->user, "other");
}

static void credentials_and_path_are_tried_at_once_even_under_retry_after(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	refuse_for(503, 3000);
	assert_int_equal(registration_retry_after(r), 3000);
	snprintf(record.password, sizeof record.password, "better");
	put(&record);
	assert_int_equal(lab.count, 2);
	reply(500);
	record.port = 5070;
	put(&record);
	assert_int_equal(lab.count, 3);
	assert_int_equal(address_port(&last_sent()->target.address), 5070);
	grant(60);
	snprintf(record.contact_user, sizeof record.contact_user, "me");
	put(&record);
	assert_int_equal(lab.count, 4);
	assert_string_equal(last_sent()->old_contact_user, "a");
}

static void a_changed_retry_delay_counts_from_the_failure(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);
	uint64_t failed;

	(void)state;
	reply(500);
	failed = lab.now;
	pass(10 * SECOND_US);
	record.retry_delay = 300;
	put(&record);
	assert_int_equal(r->timer.at, failed + 300 * SECOND_US);
	lab.parameters.SS_SIP_USER_AGENT_RETRY_DELAY = 45;
	registrations_parameters(lab.set, &lab.parameters);
	assert_int_equal(r->timer.at, failed + 300 * SECOND_US);
	record.retry_delay = KEYWORD(RETRY_DELAY_INHERIT);
	put(&record);
	assert_int_equal(r->timer.at, failed + 45 * SECOND_US);
	pass(40 * SECOND_US);
	assert_int_equal(lab.count, 2);
}

static void one_registrations_changes_never_touch_another(void **state)
{
	struct registration_record a = plain("a"), b = plain("b");
	struct registration *other;
	uint64_t timer;

	(void)state;
	b.head.id = 1;
	other = put(&b);
	grant(3600);
	timer = other->timer.at;
	put(&a);
	grant(60);
	snprintf(a.server, sizeof a.server, "192.0.2.9");
	put(&a);
	reply(200);
	reply(403);
	registrations_delete(lab.set, 0);
	settle();
	assert_int_equal(other->timer.at, timer);
	assert_int_equal(other->attempts, 1);
	assert_int_equal(other->state, STATE_REGISTERED);
}

/* ------------------------------------------------------------------ 9: removal */

static void a_deleted_registration_removes_its_binding_and_answers_the_challenge(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	put(&record);
	grant(3600);
	registrations_delete(lab.set, 0);
	settle();
	assert_null(registrations_at(lab.set, 0));
	assert_int_equal(last_sent()->expires, 0);
	challenge("realm", false);
	assert_int_equal(last_sent()->expires, 0);
	assert_int_equal(last_sent()->credentials, 1);
	reply(200);
	assert_true(registrations_stopped(lab.set));
	assert_int_equal(registrations_unconfirmed(lab.set), 0);
}

static void what_may_be_bound_is_removed_and_what_cannot_be_is_not(void **state)
{
	static const struct { uint16_t code; bool silent, removed; } cases[] = {
		{ 0, false, true }, { 403, false, false }, { 0, true, true },
	};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct registration_record record = plain("a");
		size_t before;
		record.head.id = i;
		put(&record);
		if (cases[i].silent)
			silence();
		else if (cases[i].code)
			reply(cases[i].code);
		before = lab.count;
		registrations_delete(lab.set, i);
		settle();
		assert_int_equal(lab.count, before + cases[i].removed);
		if (cases[i].removed) {
			assert_int_equal(last_sent()->expires, 0);
			reply(200);
		}
	}
}

static void broken(bool unsent)
{
	struct sip_answer answer = blank(0);

	answer.result = SIP_BROKEN;
	answer.unsent = unsent;
	give(&answer);
}

static void what_broke_is_removed_unless_it_surely_never_arrived(void **state)
{
	static const uint16_t behind[] = { 408, 504 };

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		struct registration_record record = plain("a");
		record.head.id = i;
		put(&record);
		broken(i == 1);
		expect_removal(i, i == 0);
	}
	for (uint32_t i = 0; i < 2; i++) {	/* a proxy's, about a registrar that may have obeyed */
		struct registration_record record = plain("a");
		record.head.id = 2 + i;
		put(&record);
		reply(behind[i]);
		expect_removal(2 + i, true);
	}
}

static void an_earlier_attempt_without_an_answer_is_not_forgotten(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	put(&record);
	silence();
	pass(60 * SECOND_US);
	assert_int_equal(lab.count, 2);
	reply(403);
	expect_removal(0, true);
	record.head.id = 1;	/* the first is given up for a better password */
	put(&record);
	snprintf(record.password, sizeof record.password, "better");
	put(&record);
	reply(403);
	expect_removal(1, true);
}

static void with_unregister_off_nothing_is_sent(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	grant(3600);
	lab.parameters.SS_SIP_USER_AGENT_SEND_UNREGISTER = 0;
	registrations_parameters(lab.set, &lab.parameters);
	record.enabled = 0;
	put(&record);
	assert_int_equal(r->state, STATE_DISABLED);
	pass(100 * SECOND_US);
	assert_int_equal(lab.count, 1);
}

static void disabled_and_enabled_again_it_comes_back(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	grant(3600);
	record.enabled = 0;
	put(&record);
	assert_int_equal(r->state, STATE_UNREGISTERING);
	record.enabled = 1;
	put(&record);
	reply(200);
	assert_int_equal(r->state, STATE_REGISTERING);
	grant(60);
	record.enabled = 0;
	put(&record);
	reply(200);
	assert_int_equal(r->state, STATE_DISABLED);
	assert_int_equal(r->binding_end, 0);
	pass(1000 * SECOND_US);
	assert_int_equal(lab.count, 4);
}

static void one_made_anew_under_the_same_contact_waits_for_the_old_binding_to_go(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	put(&record);
	grant(3600);
	record.head.incarnation = 7;
	lab.random = 99;
	put(&record);
	assert_int_equal(lab.count, 2);
	assert_int_equal(last_sent()->expires, 0);
	challenge("realm", false);
	reply(200);
	assert_int_equal(lab.count, 4);
	assert_int_equal(last_sent()->expires, 3600);
	assert_string_not_equal(last_sent()->call_id, lab.sent[0].call_id);
}

static void stopping_removes_all_and_counts_what_was_not_confirmed(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct registration_record record = plain("a");
		record.head.id = i;
		put(&record);
		grant(3600);
	}
	registrations_stop(lab.set);
	settle();
	assert_int_equal(lab.count, 6);
	assert_false(registrations_stopped(lab.set));
	for (size_t i = 3; i < 6; i++) {
		struct sip_answer answer = blank(i == 5 ? 500 : 200);
		lab.sent[i].answer(lab.sent[i].arg, &answer);
	}
	assert_true(registrations_stopped(lab.set));
	assert_int_equal(registrations_unconfirmed(lab.set), 1);
	assert_int_equal(registrations_at(lab.set, 0)->state, STATE_UNREGISTERED);
}

/* ------------------------------------------------------------------ 12: targets */

static void name_with_targets(const char *first, const char *second)
{
	memset(&lab.names, 0, sizeof lab.names);
	lab.names.count = 2;
	assert_true(address_parse(&lab.names.targets[0].address, first, 5060));
	assert_true(address_parse(&lab.names.targets[1].address, second, 5060));
}

static void a_target_that_is_busy_refuses_or_is_silent_is_left_within_the_attempt(void **state)
{
	(void)state;
	name_with_targets("192.0.2.1", "192.0.2.2");
	for (uint32_t i = 0; i < 3; i++) {
		struct registration_record record = plain("a");
		struct registration *r;
		struct sip_answer broken = blank(0);
		uint64_t began = lab.now;
		record.head.id = i;
		snprintf(record.server, sizeof record.server, "name.example");
		r = put(&record);
		broken.result = SIP_BROKEN;
		if (i == 0)
			reply(503);
		else if (i == 1)
			give(&broken);
		else
			pass(8 * SECOND_US);
		assert_int_equal(lab.count, 2 * i + 2);
		assert_true(lab.sent[2 * i].released);
		assert_int_equal(last_sent()->at, began + (i == 2 ? 8 * SECOND_US : 0));
		assert_int_equal(last_sent()->target.address.v4.sin_addr.s_addr, lab.names.targets[1].address.v4.sin_addr.s_addr);
		grant(60);
		assert_int_equal(r->attempts, 1);
		assert_int_equal(r->failures, 0);
		assert_int_equal(r->state, STATE_REGISTERED);
	}
}

static void a_target_left_without_an_answer_may_hold_a_binding(void **state)
{
	(void)state;
	name_with_targets("192.0.2.1", "192.0.2.2");
	for (uint32_t i = 0; i < 4; i++) {
		struct registration_record record = plain("a");
		record.head.id = i;
		snprintf(record.server, sizeof record.server, "name.example");
		put(&record);
		if (i == 0)
			pass(8 * SECOND_US);
		else if (i == 1)
			broken(false);
		else if (i == 2)
			broken(true);
		else
			reply(503);
		reply(403);
		expect_removal(i, i < 2);
	}
}

static void the_last_target_has_all_its_time(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;

	(void)state;
	name_with_targets("192.0.2.1", "192.0.2.2");
	snprintf(record.server, sizeof record.server, "name.example");
	r = put(&record);
	pass(8 * SECOND_US);
	assert_int_equal(lab.count, 2);
	silence();
	assert_int_equal(lab.count, 2);
	assert_int_equal(r->reason, REASON_TIMEOUT);
	assert_int_equal(r->failures, 1);
}

static void a_name_without_an_address_is_a_dns_failure_and_an_attempt(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;

	(void)state;
	lab.resolve_error = ENOENT;
	snprintf(record.server, sizeof record.server, "name.example");
	r = put(&record);
	assert_int_equal(r->state, STATE_WAITING);
	assert_int_equal(r->reason, REASON_DNS);
	assert_int_equal(r->attempts, 1);
	assert_int_equal(r->attempts_done, 1);
	pass(60 * SECOND_US);
	assert_int_equal(r->attempts, 2);
}

static void a_resolver_that_hangs_holds_no_turn(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;

	(void)state;
	lab.resolve_error = EINPROGRESS;
	snprintf(record.server, sizeof record.server, "name.example");
	r = put(&record);
	assert_int_equal(r->state, STATE_REGISTERING);
	assert_int_equal(pacing_in_flight(lab.pacing), 0);
	name_with_targets("192.0.2.1", "192.0.2.2");
	lab.waiting->done(lab.waiting, &lab.names);
	settle();
	assert_int_equal(lab.count, 1);
	grant(60);
	assert_int_equal(r->state, STATE_REGISTERED);
}

static void a_missing_listener_is_said_with_those_there_are(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;

	(void)state;
	snprintf(record.listener, sizeof record.listener, "outside");
	r = put(&record);
	assert_int_equal(r->reason, REASON_TRANSPORT);
	assert_string_equal(r->detail, "no udp listener named \"outside\"; this switch has udp:127.0.0.1:5060");
	record.listener[0] = '\0';
	put(&record);
	assert_int_equal(lab.count, 1);
}

/* ------------------------------------------------------------------ the rest */

static void a_redirect_is_followed_a_few_times_only(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	for (int i = 0; i < 10 && r->state != STATE_WAITING; i++) {
		struct sip_answer answer = blank(302);
		snprintf(answer.redirect_host, sizeof answer.redirect_host, "192.0.2.%d", i + 10);
		give(&answer);
	}
	assert_int_equal(r->reason, REASON_REJECTED);
	assert_int_equal(lab.count, 1 + ATTEMPT_REDIRECTS_MAX);
}

static void a_refresh_by_hand_is_an_attempt_whatever_the_timer_says(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);
	uint64_t attempt;

	(void)state;
	refuse_for(503, 3000);
	assert_int_equal(registrations_refresh(lab.set, 0, 1, &attempt), 0);
	assert_int_equal(attempt, 2);
	settle();
	assert_int_equal(lab.count, 2);
	assert_int_equal(r->kind, ATTEMPT_MANUAL);
	assert_int_equal(registrations_refresh(lab.set, 0, 1, &attempt), 0);
	assert_int_equal(attempt, 2);
	grant(60);
	assert_int_equal(r->attempts, 2);
	assert_int_equal(registrations_refresh(lab.set, 0, 2, &attempt), ESTALE);
	assert_int_equal(registrations_refresh(lab.set, 9, 1, &attempt), ENOENT);
	record.enabled = 0;
	put(&record);
	reply(200);
	assert_int_equal(registrations_refresh(lab.set, 0, 1, &attempt), EINVAL);
}

/* ------------------------------------------------------------------ previews */

static struct { char text[600]; size_t len; } shown;

static int preview(uint32_t id, uint64_t incarnation)
{
	memset(&shown, 0, sizeof shown);
	return registrations_preview(lab.set, id, incarnation, shown.text, sizeof shown.text, &shown.len);
}

static void a_preview_is_the_next_register_and_changes_nothing(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record), before;
	struct sent *s;
	char text[300];

	(void)state;
	grant(100);
	before = *r;
	assert_int_equal(preview(0, 1), 0);
	assert_memory_equal(&before, r, sizeof before);
	assert_int_equal(lab.count, 1);
	assert_int_equal(shown.len, strlen(shown.text));
	assert_int_equal(registrations_refresh(lab.set, 0, 1, &(uint64_t){ 0 }), 0);
	settle();
	s = last_sent();
	assert_int_equal(lab.count, 2);
	snprintf(text, sizeof text, "target udp:192.0.2.1:5060\n\na to 192.0.2.1: expires %d, cseq %u, Call-ID %s, credentials 0, taking back nothing",
	         s->expires, s->cseq, s->call_id);
	assert_string_equal(shown.text, text);
}

static void a_preview_of_one_that_is_disabled_shows_what_it_would_send(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	record.enabled = 0;
	put(&record);
	assert_int_equal(preview(0, 1), 0);
	assert_non_null(strstr(shown.text, "a to 192.0.2.1: expires 3600"));
	assert_int_equal(lab.count, 0);
}

static void a_preview_says_why_there_is_none(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	assert_int_equal(preview(0, 1), ENOENT);
	snprintf(record.server, sizeof record.server, "name.example");
	lab.resolve_error = EINPROGRESS;
	put(&record);
	assert_int_equal(preview(0, 2), ESTALE);
	assert_int_equal(preview(0, 1), EAGAIN);
	assert_non_null(strstr(shown.text, "looked up"));
	lab.resolve_error = ENOENT;
	snprintf(lab.names.fault, sizeof lab.names.fault, "no such name");
	assert_int_equal(preview(0, 1), EHOSTUNREACH);
	assert_string_equal(shown.text, "\nno such name");
	lab.resolve_error = 0;
	lab.names.count = 1;
	lab.names.targets[0].transport = TRANSPORT_UDP;
	assert_true(address_parse(&lab.names.targets[0].address, "192.0.2.9", 5070));
	assert_int_equal(preview(0, 1), 0);
	assert_non_null(strstr(shown.text, "target udp:192.0.2.9:5070\n\n"));
	snprintf(record.listener, sizeof record.listener, "wan");
	put(&record);
	assert_int_equal(preview(0, 1), EADDRNOTAVAIL);
	assert_non_null(strstr(shown.text, "no udp listener named \"wan\"; this switch has udp:127.0.0.1:5060"));
	assert_int_equal(shown.len, strlen(shown.text));
}

static void while_its_name_is_looked_up_a_live_binding_has_its_preview(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	snprintf(record.server, sizeof record.server, "name.example");
	lab.names.count = 1;
	lab.names.targets[0].transport = TRANSPORT_UDP;
	assert_true(address_parse(&lab.names.targets[0].address, "192.0.2.9", 5070));
	put(&record);
	grant(100);
	lab.resolve_error = EINPROGRESS;
	assert_int_equal(preview(0, 1), 0);
	assert_non_null(strstr(shown.text, "target udp:192.0.2.9:5070\n\n"));
	/* It is about to go elsewhere: where it went last is no answer. */
	record.port = 5080;
	put(&record);
	assert_int_equal(preview(0, 1), EAGAIN);
}

static void keep_alives_are_sent_while_registered_only(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	record.keep_alive = 10;
	put(&record);
	grant(3600);
	pass(35 * SECOND_US);
	assert_int_equal(lab.keep_alives, 3);
	record.keep_alive = 0;
	put(&record);
	pass(35 * SECOND_US);
	assert_int_equal(lab.keep_alives, 3);
	assert_int_equal(lab.count, 1);
}

static void a_lost_connection_registers_again_within_one_to_five_seconds_but_no_flood(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r = put(&record);

	(void)state;
	grant(3600);
	r->flow.lost(&r->flow);
	assert_in_range(r->timer.at - lab.now, SECOND_US, 5 * SECOND_US);
	pass(5 * SECOND_US);
	assert_int_equal(lab.count, 2);
	grant(3600);
	r->flow.lost(&r->flow);
	assert_true(r->timer.at - lab.now > 50 * SECOND_US);
}

static void attempts_of_the_last_hour_are_counted(void **state)
{
	struct registration_record record = plain("a");
	struct registration *r;

	(void)state;
	record.retry_delay = 600;
	r = put(&record);
	for (int i = 0; i < 20; i++) {
		reply(500);
		pass(600 * SECOND_US);
	}
	assert_in_range(registration_attempts_last_hour(r), 5, 7);
	pass(2 * 3600 * SECOND_US);
	assert_int_equal(registration_attempts_last_hour(r), 0);
}

static void in_the_first_hour_after_boot_no_attempt_counts_twice(void **state)
{
	struct registration_record record = plain("a");

	(void)state;
	lab.now = 650 * SECOND_US;
	assert_int_equal(registration_attempts_last_hour(put(&record)), 1);
}

static void fewer_attempts_in_the_last_hour_are_told_though_nothing_else_happens(void **state)
{
	struct registration_record record = plain("a");
	size_t tellings;

	(void)state;
	record.head.id = 70;	/* more than one turn of the sweep has to do */
	record.retry_delay = 600;
	put(&record);
	for (int i = 0; i < 3; i++) {
		reply(500);
		pass(600 * SECOND_US);
	}
	grant(86400);
	assert_int_equal(lab.told_last_hour, 4);
	pass(3300 * SECOND_US);
	assert_int_equal(lab.told_last_hour, 4);
	for (unsigned i = 0; i < REGISTRATION_SWEEP_TURNS; i++)
		registrations_sweep(lab.set);
	assert_int_equal(lab.told_last_hour, 1);
	pass(3600 * SECOND_US);
	tellings = lab.tellings;
	for (unsigned i = 0; i < 3 * REGISTRATION_SWEEP_TURNS; i++)
		registrations_sweep(lab.set);
	assert_int_equal(lab.told_last_hour, 0);
	assert_int_equal(lab.tellings, tellings + 1);
}

/* Every event in every state, many times over, in no order: nothing crashes, no timer is left without an owner, and at
 * rest every registration has exactly one way on. */
static void a_storm_of_events_leaves_every_registration_with_one_way_on(void **state)
{
	struct registration_record records[4];
	unsigned seed = 12345;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		records[i] = plain("a");
		records[i].head.id = i;
		snprintf(records[i].line, sizeof records[i].line, "line%u", i);
	}
	for (int round = 0; round < 20000; round++) {
		uint32_t i = (uint32_t)rand_r(&seed) % 4;
		uint64_t attempt;
		if (lab.count > SENT_MAX - 40) {	/* forget those that are over */
			size_t kept = 0;
			for (size_t k = 0; k < lab.count; k++)
				kept += !lab.sent[k].released;
			if (kept == 0)
				lab.count = 0;
		}
		switch (rand_r(&seed) % 10) {
		case 0: records[i].enabled = !records[i].enabled; put(&records[i]); break;
		case 1: snprintf(records[i].server, 64, "192.0.2.%u", rand_r(&seed) % 3 + 1); put(&records[i]); break;
		case 2: snprintf(records[i].password, 64, "p%d", rand_r(&seed) % 3); put(&records[i]); break;
		case 3: records[i].register_period = 20 + rand_r(&seed) % 100; put(&records[i]); break;
		case 4: registrations_delete(lab.set, i); records[i].head.incarnation++; break;
		case 5: registrations_refresh(lab.set, i, records[i].head.incarnation, &attempt); break;
		case 6: pass((uint64_t)(rand_r(&seed) % 40) * SECOND_US); break;
		default:
			for (size_t k = 0; k < lab.count; k++) {
				static const uint16_t codes[] = { 200, 200, 200, 401, 403, 423, 503, 0, 302 };
				struct sip_answer answer = blank(codes[rand_r(&seed) % 9]);
				if (lab.sent[k].released)
					continue;
				answer.granted = rand_r(&seed) % 30;
				answer.min_expires = 200;
				answer.result = answer.code ? SIP_ANSWERED : SIP_SILENT;
				answer.challenges[0] = (struct digest_challenge){ .stale = rand_r(&seed) % 2, .realm = "r", .nonce = "n",
				                                                  .algorithm = DIGEST_MD5 };
				answer.challenge_count = answer.code == 401;
				lab.sent[k].answer(lab.sent[k].arg, &answer);
				break;
			}
		}
		settle();
		for (uint32_t id = 0; id < 4; id++) {
			struct registration *r = registrations_at(lab.set, id);
			if (!r)
				continue;
			if (r->state == STATE_DISABLED)
				assert_true(!timer_armed(&r->timer) && !r->attempt && !r->queued);
			else
				assert_true(timer_armed(&r->timer) || r->attempt || r->queued);
			assert_int_equal(r->attempts - r->attempts_done, attempt_counted(r) ? 1 : 0);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(auto_asks_an_hour_every_time_and_adopts_what_is_granted),
		TEST(a_refresh_comes_at_half_or_up_to_five_percent_earlier),
		TEST(tiny_grants_are_refreshed_at_half_but_not_sooner_than_a_second),
		TEST(a_fixed_expiry_bounds_the_binding_by_the_smaller_of_both),
		TEST(a_grant_without_end_is_shown_as_it_is_and_refreshed_twice_a_day),
		TEST(a_grant_of_nothing_and_others_contacts_are_rejections),
		TEST(too_brief_is_raised_once_and_remembered_until_the_setting_changes),
		TEST(absurd_or_second_raises_are_rejections),
		TEST(a_challenge_is_answered_once_and_a_second_one_is_a_refusal),
		TEST(stale_is_answered_once_more_and_never_in_a_loop),
		TEST(two_realms_are_each_answered),
		TEST(endless_new_realms_end_as_a_refusal),
		TEST(without_a_password_a_challenge_is_about_the_credentials),
		TEST(reasons_follow_the_code_and_what_was_answered_before),
		TEST(retries_come_after_exactly_the_delay_the_same_every_time),
		TEST(silence_counts_from_when_it_is_known),
		TEST(a_longer_retry_after_is_obeyed_within_bounds),
		TEST(a_retry_after_is_weighed_against_the_delay_as_it_is_now),
		TEST(a_failed_refresh_keeps_the_end_of_the_binding_and_has_one_timer),
		TEST(a_binding_that_ends_while_waiting_is_told_at_that_moment),
		TEST(keep_alives_go_on_after_a_failure_that_the_binding_outlived),
		TEST(a_binding_that_ends_during_its_refresh_shows_no_live_binding),
		TEST(a_changed_expiry_or_privacy_is_one_register_of_the_same_call),
		TEST(a_change_during_an_attempt_is_sent_after_it),
		TEST(a_global_parameter_touches_only_who_inherits_it),
		TEST(an_explicit_value_equal_to_the_inherited_one_sends_nothing),
		TEST(another_server_gets_the_binding_after_the_old_one_lost_it),
		TEST(a_dead_old_server_is_waited_for_two_seconds),
		TEST(credentials_and_path_are_tried_at_once_even_under_retry_after),
		TEST(a_changed_retry_delay_counts_from_the_failure),
		TEST(one_registrations_changes_never_touch_another),
		TEST(a_deleted_registration_removes_its_binding_and_answers_the_challenge),
		TEST(what_may_be_bound_is_removed_and_what_cannot_be_is_not),
		TEST(what_broke_is_removed_unless_it_surely_never_arrived),
		TEST(an_earlier_attempt_without_an_answer_is_not_forgotten),
		TEST(with_unregister_off_nothing_is_sent),
		TEST(disabled_and_enabled_again_it_comes_back),
		TEST(one_made_anew_under_the_same_contact_waits_for_the_old_binding_to_go),
		TEST(stopping_removes_all_and_counts_what_was_not_confirmed),
		TEST(a_target_that_is_busy_refuses_or_is_silent_is_left_within_the_attempt),
		TEST(a_target_left_without_an_answer_may_hold_a_binding),
		TEST(the_last_target_has_all_its_time),
		TEST(a_name_without_an_address_is_a_dns_failure_and_an_attempt),
		TEST(a_resolver_that_hangs_holds_no_turn),
		TEST(a_missing_listener_is_said_with_those_there_are),
		TEST(a_redirect_is_followed_a_few_times_only),
		TEST(a_refresh_by_hand_is_an_attempt_whatever_the_timer_says),
		TEST(a_preview_is_the_next_register_and_changes_nothing),
		TEST(a_preview_of_one_that_is_disabled_shows_what_it_would_send),
		TEST(a_preview_says_why_there_is_none),
		TEST(while_its_name_is_looked_up_a_live_binding_has_its_preview),
		TEST(keep_alives_are_sent_while_registered_only),
		TEST(a_lost_connection_registers_again_within_one_to_five_seconds_but_no_flood),
		TEST(attempts_of_the_last_hour_are_counted),
		TEST(in_the_first_hour_after_boot_no_attempt_counts_twice),
		TEST(fewer_attempts_in_the_last_hour_are_told_though_nothing_else_happens),
		TEST(a_storm_of_events_leaves_every_registration_with_one_way_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
