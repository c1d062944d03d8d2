/* Session timers: the tables of RFC 4028, and a leg's timer with a clock that is turned by hand. */
#include "switchcore/call.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO REFRESHER_UNSAID
#define UAC REFRESHER_UAC
#define UAS REFRESHER_UAS

/* ------------------------------------------------------------------ what is said */

static void a_2xx_names_the_refresher_that_table_2_asks_for(void **state)
{
	static const struct { bool supported; enum session_refresher asked; const char *answer; } rows[] = {
		{ false, NO, "uas" }, { true, NO, "uas" }, { true, UAC, "uac" }, { true, UAS, "uas" }, { false, UAC, "uas" },
	};
	char lines[SESSION_LINES_MAX], expected[SESSION_LINES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct session_words request = { .expires = 300, .refresher = rows[i].asked, .supported = rows[i].supported };
		struct session_terms terms = { 0 };
		session_accept(&terms, lines, &request, 600);
		snprintf(expected, sizeof expected, "Supported: timer\r\nSession-Expires: 300;refresher=%s\r\n%s", rows[i].answer,
		         rows[i].supported ? "Require: timer\r\n" : "");
		assert_string_equal(lines, expected);
		assert_int_equal(terms.interval, 300);
		assert_int_equal(terms.ours, strcmp(rows[i].answer, "uas") == 0);
	}
}

static void the_interval_granted_is_ours_within_what_the_request_allows(void **state)
{
	static const struct { struct session_words request; uint32_t ttl, granted; } rows[] = {
		{ { .expires = 1800, .supported = true }, 600, 600 },
		{ { .expires = 1800, .min = 900, .supported = true }, 600, 900 },
		{ { .expires = 120, .supported = true }, 600, 120 },
		{ { .expires = 120, .min = 300, .supported = true }, 600, 120 },	/* never more than asked */
		{ { .supported = true }, 600, 600 },
		{ { .min = 1000, .supported = true }, 600, 1000 },
		{ { .expires = UINT32_MAX, .supported = true }, 90, 90 },
		{ { .expires = 30 }, 600, 0 },						/* of a proxy: no interval is so short */
		{ { 0 }, 600, 0 },
	};
	char lines[SESSION_LINES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct session_terms terms = { 0 };
		session_accept(&terms, lines, &rows[i].request, rows[i].ttl);
		assert_int_equal(terms.interval, rows[i].granted);
		assert_int_equal(lines[0] != '\0', rows[i].granted != 0);
	}
}

static void a_request_in_the_dialog_keeps_the_roles_it_does_not_name(void **state)
{
	char lines[SESSION_LINES_MAX];
	struct session_terms terms = { .interval = 300, .ours = false };

	(void)state;
	session_accept(&terms, lines, &(struct session_words){ .expires = 300, .supported = true }, 600);
	assert_false(terms.ours);
	session_accept(&terms, lines, &(struct session_words){ .expires = 300, .refresher = UAS, .supported = true }, 600);
	assert_true(terms.ours);
	terms.ours = false;
	session_accept(&terms, lines, &(struct session_words){ 0 }, 600);
	assert_true(terms.ours && terms.interval == 300);
	assert_null(strstr(lines, "Require"));
}

static void only_a_peer_that_knows_422_gets_one(void **state)
{
	(void)state;
	assert_true(session_too_small(&(struct session_words){ .expires = 89, .supported = true }));
	assert_false(session_too_small(&(struct session_words){ .expires = 90, .supported = true }));
	assert_false(session_too_small(&(struct session_words){ .expires = 89 }));
	assert_false(session_too_small(&(struct session_words){ .supported = true }));
}

static void an_offer_names_the_refresher_only_within_the_dialog(void **state)
{
	static const struct { struct session_terms now; uint32_t ttl, min; const char *lines; } rows[] = {
		{ { 0 }, 600, 0, "Session-Expires: 600\r\nMin-SE: 90\r\n" },
		{ { 0 }, 600, 1800, "Session-Expires: 1800\r\nMin-SE: 1800\r\n" },
		{ { 0 }, 0, 0, "Session-Expires: 90\r\nMin-SE: 90\r\n" },
		{ { 120, true }, 600, 0, "Session-Expires: 120;refresher=uac\r\nMin-SE: 90\r\n" },
		{ { 120, false }, 600, 0, "Session-Expires: 120;refresher=uas\r\nMin-SE: 90\r\n" },
		{ { 120, true }, 600, 200, "Session-Expires: 200;refresher=uac\r\nMin-SE: 200\r\n" },
	};
	char lines[SESSION_LINES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		session_write_offer(lines, &rows[i].now, rows[i].ttl, rows[i].min);
		assert_string_equal(lines, rows[i].lines);
	}
	session_write_offer(lines, &(struct session_terms){ UINT32_MAX, false }, UINT32_MAX, UINT32_MAX);
	assert_true(strlen(lines) < sizeof lines - 1);
}

static void a_2xx_decides_who_refreshes(void **state)
{
	static const struct { struct session_words answer; uint32_t interval; bool ours; } rows[] = {
		{ { .expires = 300, .refresher = UAC }, 300, true }, { { .expires = 300, .refresher = UAS }, 300, false },
		{ { .expires = 300 }, 300, true }, { { .refresher = UAS, .supported = true }, 0, false }, { { 0 }, 0, false },
		{ { .expires = 10, .refresher = UAC }, 90, true }, { { .expires = UINT32_MAX, .refresher = UAS }, SESSION_CEILING, false },
	};
	struct session_terms terms;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		session_agree(&terms, &rows[i].answer);
		assert_int_equal(terms.interval, rows[i].interval);
		assert_int_equal(terms.ours, rows[i].ours);
	}
}

static void a_422_is_obeyed_where_it_asks_for_more_but_not_for_anything(void **state)
{
	uint32_t min = 0;

	(void)state;
	assert_false(session_raise(&min, 600, &(struct session_words){ 0 }));
	assert_false(session_raise(&min, 600, &(struct session_words){ .min = 600 }));
	assert_false(session_raise(&min, 600, &(struct session_words){ .min = 7201 }));
	assert_int_equal(min, 0);
	assert_true(session_raise(&min, 600, &(struct session_words){ .min = 7200 }));
	assert_int_equal(min, 7200);
}

static void an_unrefreshed_session_ends_32_s_or_a_third_early_or_as_the_parameter_says(void **state)
{
	(void)state;
	assert_int_equal(session_hang_up_after(600, 0), 568);
	assert_int_equal(session_hang_up_after(90, 0), 60);
	assert_int_equal(session_hang_up_after(600, 100), 500);
	assert_int_equal(session_hang_up_after(600, 2400), 400);
	assert_int_equal(session_refresh_after(90, 10), 9);
	assert_int_equal(session_refresh_after(600, 2), 300);
}

/* ------------------------------------------------------------------ a leg with a clock of the test's own */

static struct {
	uint64_t now;
	struct timers timers;
	struct calls calls;
	struct call call;
	struct sent { enum sip_method method; bool body, challenge; uint32_t cseq; char lines[SESSION_LINES_MAX]; } sent[32];
	size_t count;
	sip_response_f *answered;
	void *arg;
	uint32_t cseq;
	bool takes_update, ended, handshake;
	int refuse;				/* what sending fails with, 0 = it does not */
	enum hung_up_by by;
	size_t clients, cancelled;
} lab;

/* The linker puts them between call_session.c and the rest of the switch.  A message is its struct session_words. */
uint64_t __wrap_loop_now(void);
uint64_t __wrap_loop_now(void)
{
	return lab.now;
}

void __wrap_sip_session_read(struct session_words *words, const struct sip_message *m);
void __wrap_sip_session_read(struct session_words *words, const struct sip_message *m)
{
	*words = *(const struct session_words *)(const void *)m;
}

struct sip_content *__wrap_sip_content_keep(const struct sip_message *m);
struct sip_content *__wrap_sip_content_keep(const struct sip_message *m)
{
	(void)m;
	return calloc(1, sizeof(struct sip_content));
}

uint32_t __wrap_sip_message_cseq(const struct sip_message *m);
uint32_t __wrap_sip_message_cseq(const struct sip_message *m)
{
	(void)m;
	return lab.cseq;
}

bool __wrap_sip_leg_takes_update(const struct sip_leg *leg);
bool __wrap_sip_leg_takes_update(const struct sip_leg *leg)
{
	(void)leg;
	return lab.takes_update;
}

uint32_t __wrap_sip_leg_next_cseq(struct sip_leg *leg);
uint32_t __wrap_sip_leg_next_cseq(struct sip_leg *leg)
{
	(void)leg;
	return ++lab.cseq;
}

void __wrap_sip_leg_heard(struct sip_leg *leg, const struct target *source, void *connection, const struct sip_message *message,
                          bool refresh);
void __wrap_sip_leg_heard(struct sip_leg *leg, const struct target *source, void *connection, const struct sip_message *message,
                          bool refresh)
{
	(void)leg;
	(void)source;
	(void)connection;
	(void)message;
	(void)refresh;
}

int __wrap_sip_leg_send(struct sip_leg *leg, struct sip_client **client, const struct sip_leg_request *r, sip_response_f *answered, void *arg);
int __wrap_sip_leg_send(struct sip_leg *leg, struct sip_client **client, const struct sip_leg_request *r, sip_response_f *answered, void *arg)
{
	struct sent *s = &lab.sent[lab.count % 32];

	(void)leg;
	if (lab.refuse)
		return lab.refuse;
	lab.count++;
	*s = (struct sent){ .method = r->method, .body = r->content != NULL, .challenge = r->challenge != NULL, .cseq = r->cseq };
	snprintf(s->lines, sizeof s->lines, "%s", r->headers ? r->headers : "");
	if (r->method == SIP_ACK)
		return 0;
	lab.answered = answered;
	lab.arg = arg;
	*client = (struct sip_client *)(void *)&lab;
	lab.clients++;
	return 0;
}

void __wrap_sip_client_release(struct sip_client *client);
void __wrap_sip_client_release(struct sip_client *client)
{
	lab.clients -= client != NULL;
}

void __wrap_sip_client_cancel(struct sip_client *client, const struct sip_message *why);
void __wrap_sip_client_cancel(struct sip_client *client, const struct sip_message *why)
{
	(void)client;
	(void)why;
	lab.cancelled++;
}

bool __wrap_call_inviting(const struct call *call);
bool __wrap_call_inviting(const struct call *call)
{
	(void)call;
	return lab.handshake;
}

void __wrap_call_end(struct call *call, enum hung_up_by by);
void __wrap_call_end(struct call *call, enum hung_up_by by)
{
	lab.ended = true;
	lab.by = by;
	call_sessions_stop(call);
}

static int setup(void **state)
{
	(void)state;
	memset(&lab, 0, sizeof lab);
	lab.now = 1000 * SECOND_US;
	lab.takes_update = true;
	lab.calls.parts.timers = &lab.timers;
	lab.call.calls = &lab.calls;
	lab.call.state = CALL_UP;
	lab.call.caller = (struct sip_leg *)(void *)&lab;
	lab.call.forks[0].leg = (struct sip_leg *)(void *)&lab.call;
	lab.call.answered = &lab.call.forks[0];
	lab.call.up_since = lab.now;
	lab.call.parameters = (struct sip_parameters){ .SS_SIP_SESSION_TTL = 600, .SS_SIP_SESSION_UPDATE_SEGMENT = 2,
	                                               .SS_SIP_NO_TIMER_REINVITE_INTERVAL = 7200 };
	assert_int_equal(call_sessions_init(&lab.call), 0);
	call_session_reset(&lab.call, CALLER, true);
	call_session_reset(&lab.call, CALLEE, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	call_sessions_destroy(&lab.call);
	assert_int_equal(lab.clients, 0);
	assert_int_equal(lab.timers.count, 0);
	assert_int_equal(lab.timers.reserved, 0);
	timers_free(&lab.timers);
	return 0;
}

static const struct sip_message *says(const struct session_words *words)
{
	return (const struct sip_message *)(const void *)words;
}

static const struct sip_message *something(void)
{
	static const struct session_words nothing;

	return says(&nothing);
}

/* The callee's 2xx. */
static void agree(uint32_t expires, enum session_refresher refresher)
{
	call_session_said(&lab.call, CALLEE, something());
	call_session_agreed(&lab.call, CALLEE, says(&(struct session_words){ .expires = expires, .refresher = refresher }));
}

static void pass(uint64_t seconds)
{
	lab.now += seconds * SECOND_US;
	timers_run(&lab.timers, lab.now);
}

static void answer(uint16_t code, struct session_words words)
{
	struct sip_response response = { .result = SIP_ANSWERED, .code = code, .message = says(&words) };

	lab.answered(lab.arg, &response);
}

static void is_silent(void)
{
	lab.answered(lab.arg, &(struct sip_response){ .result = SIP_SILENT });
}

static const struct sent *last(void)
{
	assert_true(lab.count > 0);
	return &lab.sent[(lab.count - 1) % 32];
}

static void we_refresh_at_half_and_a_peer_that_answers_keeps_the_call(void **state)
{
	(void)state;
	agree(600, UAC);
	for (int round = 1; round <= 20; round++) {
		pass(299);
		assert_int_equal(lab.count, round - 1);
		pass(1);
		assert_int_equal(lab.count, round);
		assert_int_equal(last()->method, SIP_UPDATE);
		assert_string_equal(last()->lines, "Session-Expires: 600;refresher=uac\r\nMin-SE: 90\r\n");
		answer(200, (struct session_words){ .expires = 600, .refresher = UAC });
	}
	assert_false(lab.ended);
	assert_null(lab.call.sessions[CALLEE].said);	/* it takes UPDATE: nothing will have to be repeated */
}

static void the_segment_says_how_often(void **state)
{
	(void)state;
	lab.call.parameters.SS_SIP_SESSION_UPDATE_SEGMENT = 10;
	agree(90, UAC);
	pass(8);
	assert_int_equal(lab.count, 0);
	pass(1);
	assert_int_equal(lab.count, 1);
}

static void a_peer_that_refreshes_is_waited_for_until_32_s_before_the_end(void **state)
{
	(void)state;
	agree(600, UAS);
	assert_null(lab.call.sessions[CALLEE].said);
	pass(567);
	assert_false(lab.ended);
	agree(600, UAS);
	pass(567);
	assert_false(lab.ended);
	pass(1);
	assert_true(lab.ended);
	assert_int_equal(lab.by, HUNG_UP_BY_SWITCH);
	assert_non_null(strstr(lab.call.why, "Q.850;cause=102"));
	assert_int_equal(lab.count, 0);
}

static void early_hang_up_takes_the_place_of_the_margin(void **state)
{
	(void)state;
	lab.call.parameters.SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP = 150;
	agree(600, UAS);
	pass(449);
	assert_false(lab.ended);
	pass(1);
	assert_true(lab.ended);
}

static void without_a_timer_the_longest_conversation_counts_from_the_answer(void **state)
{
	(void)state;
	agree(600, UAC);
	pass(300);
	answer(200, (struct session_words){ 0 });	/* RFC 4028 7.2: it ends the timer */
	pass(6899);
	assert_false(lab.ended);
	pass(1);
	assert_true(lab.ended);
	assert_int_equal(lab.count, 1);
}

static void a_limit_of_0_is_none(void **state)
{
	(void)state;
	lab.call.parameters.SS_SIP_NO_TIMER_REINVITE_INTERVAL = 0;
	agree(0, NO);
	assert_int_equal(lab.timers.count, 0);
}

static void a_leg_that_is_off_agrees_on_nothing_and_has_the_limit(void **state)
{
	char lines[SESSION_LINES_MAX];

	(void)state;
	call_session_reset(&lab.call, CALLEE, false);
	call_session_offer(&lab.call, CALLEE, lines);
	assert_string_equal(lines, "");
	agree(600, UAC);
	assert_null(lab.call.sessions[CALLEE].said);
	call_session_reset(&lab.call, CALLER, false);
	call_session_accept(&lab.call, CALLER, says(&(struct session_words){ .expires = 600, .supported = true }), lines);
	assert_string_equal(lines, "");
	pass(7199);
	assert_false(lab.ended);
	pass(1);
	assert_true(lab.ended);
	assert_int_equal(lab.count, 0);
}

static void without_update_the_description_is_said_again_and_acknowledged(void **state)
{
	(void)state;
	lab.takes_update = false;
	agree(600, UAC);
	for (int round = 0; round < 3; round++) {
		pass(300);
		assert_int_equal(last()->method, SIP_INVITE);
		assert_true(last()->body);
		assert_true(call_session_inviting(&lab.call));
		answer(100, (struct session_words){ 0 });
		answer(200, (struct session_words){ .expires = 600, .refresher = UAC });
		assert_int_equal(last()->method, SIP_ACK);
		assert_int_equal(last()->cseq, lab.cseq);
		assert_false(call_session_inviting(&lab.call));
	}
	assert_int_equal(lab.count, 6);
}

static void a_peer_that_lists_update_and_refuses_it_gets_a_reinvite(void **state)
{
	(void)state;
	agree(600, UAC);
	pass(300);
	assert_int_equal(last()->method, SIP_UPDATE);
	answer(405, (struct session_words){ 0 });
	assert_int_equal(last()->method, SIP_INVITE);
	answer(200, (struct session_words){ .expires = 600, .refresher = UAC });
	pass(300);
	assert_int_equal(last()->method, SIP_INVITE);
}

static void a_reinvite_waits_while_another_passes(void **state)
{
	(void)state;
	lab.takes_update = false;
	lab.handshake = true;
	agree(600, UAC);
	pass(300);
	pass(2);
	assert_int_equal(lab.count, 0);
	lab.handshake = false;
	pass(2);
	assert_int_equal(lab.count, 1);
}

static void a_collision_is_tried_again_after_its_wait(void **state)
{
	(void)state;
	lab.takes_update = false;
	agree(600, UAC);
	pass(300);
	answer(491, (struct session_words){ 0 });
	pass(2);			/* we made this Call-ID: 2.1 to 4 s (RFC 3261 14.1) */
	assert_int_equal(lab.count, 1);
	pass(2);
	assert_int_equal(lab.count, 2);
	answer(200, (struct session_words){ .expires = 600, .refresher = UAC });
	assert_false(lab.ended);
}

static void a_dead_dialog_or_silence_ends_the_call_at_once(void **state)
{
	static const uint16_t codes[] = { 481, 408, 0 };

	for (size_t i = 0; i < 3; i++) {
		agree(600, UAC);
		pass(300);
		if (codes[i])
			answer(codes[i], (struct session_words){ 0 });
		else
			is_silent();
		assert_true(lab.ended);
		assert_int_equal(lab.by, HUNG_UP_BY_SWITCH);
		teardown(state);
		setup(state);
	}
}

static void another_refusal_is_tried_again_but_not_again_and_again(void **state)
{
	(void)state;
	agree(600, UAC);
	pass(300);
	for (int second = 0; second < 268; second++) {
		if (lab.clients)
			answer(500, (struct session_words){ 0 });
		assert_false(lab.ended);
		pass(1);
	}
	assert_true(lab.ended);
	assert_in_range(lab.count, 3, 6);
}

static void credentials_are_given_once(void **state)
{
	(void)state;
	agree(600, UAC);
	pass(300);
	answer(407, (struct session_words){ 0 });
	assert_true(last()->challenge);
	assert_int_equal(lab.count, 2);
	answer(407, (struct session_words){ 0 });
	assert_int_equal(lab.count, 2);
	pass(134);
	assert_false(last()->challenge);
	assert_int_equal(lab.count, 3);
}

static void a_refresh_that_asks_for_too_little_is_raised(void **state)
{
	(void)state;
	agree(600, UAC);
	pass(300);
	answer(422, (struct session_words){ .min = 900 });
	assert_string_equal(last()->lines, "Session-Expires: 900;refresher=uac\r\nMin-SE: 900\r\n");
	answer(422, (struct session_words){ .min = 1000 });
	answer(422, (struct session_words){ .min = 1100 });
	assert_int_equal(lab.count, 3);		/* enough of it */
}

static void a_refresh_that_never_ends_does_not_keep_the_call(void **state)
{
	(void)state;
	lab.takes_update = false;
	agree(600, UAC);
	pass(300);
	answer(100, (struct session_words){ 0 });
	assert_int_equal(timers_next(&lab.timers), lab.call.sessions[CALLEE].hang_up_at);
	pass(267);
	assert_false(lab.ended);
	pass(1);
	assert_true(lab.ended);
	assert_int_equal(lab.cancelled, 1);
}

static void what_cannot_be_sent_is_tried_again(void **state)
{
	(void)state;
	agree(600, UAC);
	lab.refuse = ENOMEM;
	pass(300);
	lab.refuse = 0;
	assert_int_equal(lab.count, 0);
	pass(134);
	assert_int_equal(lab.count, 1);
}

static void the_legs_know_nothing_of_each_other(void **state)
{
	char lines[SESSION_LINES_MAX];

	(void)state;
	agree(600, UAS);
	call_session_accept(&lab.call, CALLER, says(&(struct session_words){ .expires = 100, .refresher = UAS, .supported = true }), lines);
	pass(50);
	assert_int_equal(lab.count, 1);
	assert_string_equal(last()->lines, "Session-Expires: 100;refresher=uac\r\nMin-SE: 90\r\n");
	answer(200, (struct session_words){ .expires = 100, .refresher = UAC });
	for (int i = 0; i < 10; i++) {
		pass(50);
		answer(200, (struct session_words){ .expires = 100, .refresher = UAC });
	}
	assert_false(lab.ended);
	pass(20);
	assert_true(lab.ended);		/* by the callee's, 568 s after the answer */
}

int main(void)
{
#define CLOCKED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_2xx_names_the_refresher_that_table_2_asks_for),
		cmocka_unit_test(the_interval_granted_is_ours_within_what_the_request_allows),
		cmocka_unit_test(a_request_in_the_dialog_keeps_the_roles_it_does_not_name),
		cmocka_unit_test(only_a_peer_that_knows_422_gets_one),
		cmocka_unit_test(an_offer_names_the_refresher_only_within_the_dialog),
		cmocka_unit_test(a_2xx_decides_who_refreshes),
		cmocka_unit_test(a_422_is_obeyed_where_it_asks_for_more_but_not_for_anything),
		cmocka_unit_test(an_unrefreshed_session_ends_32_s_or_a_third_early_or_as_the_parameter_says),
		CLOCKED(we_refresh_at_half_and_a_peer_that_answers_keeps_the_call),
		CLOCKED(the_segment_says_how_often),
		CLOCKED(a_peer_that_refreshes_is_waited_for_until_32_s_before_the_end),
		CLOCKED(early_hang_up_takes_the_place_of_the_margin),
		CLOCKED(without_a_timer_the_longest_conversation_counts_from_the_answer),
		CLOCKED(a_limit_of_0_is_none),
		CLOCKED(a_leg_that_is_off_agrees_on_nothing_and_has_the_limit),
		CLOCKED(without_update_the_description_is_said_again_and_acknowledged),
		CLOCKED(a_peer_that_lists_update_and_refuses_it_gets_a_reinvite),
		CLOCKED(a_reinvite_waits_while_another_passes),
		CLOCKED(a_collision_is_tried_again_after_its_wait),
		CLOCKED(a_dead_dialog_or_silence_ends_the_call_at_once),
		CLOCKED(another_refusal_is_tried_again_but_not_again_and_again),
		CLOCKED(credentials_are_given_once),
		CLOCKED(a_refresh_that_asks_for_too_little_is_raised),
		CLOCKED(a_refresh_that_never_ends_does_not_keep_the_call),
		CLOCKED(what_cannot_be_sent_is_tried_again),
		CLOCKED(the_legs_know_nothing_of_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
