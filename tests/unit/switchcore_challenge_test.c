/* Challenges for calls and the check of their answers: what is let in, what is asked again, what is refused. */
#include "switchcore/challenge.h"
#include "switchcore/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct challenge_account alice = { "alice", "secret" };

/* A switch, and a caller that answers its challenges. */
struct scene {
	struct challenges *challenges;
	struct sip_parameters parameters;
	union address remote;
	uint64_t now;
	struct challenge challenge;
	char nonce[64], nc[9], response[DIGEST_HEX_MAX];
	struct challenge_answer answer;
};

static void read_nonce(struct scene *s, const char *value)
{
	const char *from = strstr(value, "nonce=\"");

	assert_non_null(from);
	from += strlen("nonce=\"");
	snprintf(s->nonce, sizeof s->nonce, "%.*s", (int)strcspn(from, "\""), from);
}

static void ask(struct scene *s)
{
	assert_int_equal(challenge_make(s->challenges, &s->challenge, &s->remote, false, s->now), 0);
	read_nonce(s, s->challenge.value[0]);
}

static int begin(void **state)
{
	struct scene *s = calloc(1, sizeof *s);

	assert_non_null(s);
	assert_int_equal(challenges_create(&s->challenges), 0);
	s->parameters.SS_SIP_AUTHENTICATION_RETRY = 6;
	s->parameters.SS_SIP_AUTHENTICATION_TIMEOUT = 10;
	assert_true(address_parse(&s->remote, "192.0.2.9", 5060));
	s->now = 1000 * SECOND_US;
	ask(s);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct scene *s = *state;

	challenges_destroy(s->challenges);
	free(s);
	return 0;
}

/* With qop auth unless the count is 0: then as RFC 2069. */
static void sign(struct scene *s, const char *algorithm, const char *username, const char *password, uint32_t count)
{
	bool session;
	const struct digest_challenge challenge = {
		.algorithm = (uint8_t)digest_algorithm_by_word(algorithm, &session),
		.qop = count ? DIGEST_QOP_AUTH : DIGEST_QOP_NONE, .realm = CHALLENGE_REALM, .nonce = s->nonce,
	};
	const struct digest_request request = { .username = username, .password = password, .method = "INVITE",
	                                        .uri = "sip:100@192.0.2.1", .cnonce = "0a4f113b" };

	snprintf(s->nc, sizeof s->nc, "%08x", count);
	assert_int_equal(digest_response(s->response, &challenge, &request, s->nc), 0);
	s->answer = (struct challenge_answer){ .username = username, .realm = CHALLENGE_REALM, .nonce = s->nonce,
	                                       .uri = request.uri, .response = s->response, .algorithm = algorithm };
	if (count) {
		s->answer.qop = "auth";
		s->answer.cnonce = request.cnonce;
		s->answer.nc = s->nc;
	}
}

static enum challenge_result check(struct scene *s)
{
	return challenge_check(s->challenges, &alice, &s->answer, "INVITE", &s->remote, &s->parameters, s->now);
}

/* ------------------------------------------------------------------ the challenge */

static void both_algorithms_are_offered_md5_first(void **state)
{
	struct scene *s = *state;
	char expected[CHALLENGE_VALUE_MAX];

	assert_int_equal(s->challenge.count, 2);
	snprintf(expected, sizeof expected, "Digest realm=\"tandem\", nonce=\"%s\", algorithm=MD5, qop=\"auth\"", s->nonce);
	assert_string_equal(s->challenge.value[0], expected);
	snprintf(expected, sizeof expected, "Digest realm=\"tandem\", nonce=\"%s\", algorithm=SHA-256, qop=\"auth\"", s->nonce);
	assert_string_equal(s->challenge.value[1], expected);
	assert_int_equal(challenge_make(s->challenges, &s->challenge, &s->remote, true, s->now), 0);
	assert_non_null(strstr(s->challenge.value[0], ", stale=true"));
	assert_non_null(strstr(s->challenge.value[1], ", stale=true"));
}

static void no_two_challenges_are_alike(void **state)
{
	struct scene *s = *state;
	char before[sizeof s->nonce];

	memcpy(before, s->nonce, sizeof before);
	ask(s);
	assert_string_not_equal(s->nonce, before);
}

/* ------------------------------------------------------------------ let in */

static void a_right_answer_is_let_in_with_either_algorithm(void **state)
{
	static const char *const algorithms[] = { NULL, "MD5", "md5", "SHA-256" };
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		ask(s);
		sign(s, algorithms[i], "alice", "secret", 1);
		assert_int_equal(check(s), CHALLENGE_OK);
	}
}

/* The answer that the client side makes of the very challenge is taken: both sides compute the same. */
static void our_own_client_is_let_in(void **state)
{
	struct scene *s = *state;
	const struct digest_challenge challenge = { .algorithm = DIGEST_SHA256, .qop = DIGEST_QOP_AUTH, .algorithm_given = true,
	                                            .realm = CHALLENGE_REALM, .nonce = s->nonce };
	const struct digest_request request = { .username = "alice", .password = "secret", .method = "INVITE",
	                                        .uri = "sip:100@192.0.2.1", .cnonce = "0a4f113b", .count = 1 };
	char value[1024];

	assert_int_equal(digest_answer(value, sizeof value, &challenge, &request), 0);
	sign(s, "SHA-256", "alice", "secret", 1);
	memset(s->response, 0, sizeof s->response);
	memcpy(s->response, strstr(value, "response=\"") + strlen("response=\""), 64);
	assert_int_equal(check(s), CHALLENGE_OK);
}

static void hex_digits_count_in_either_case(void **state)
{
	struct scene *s = *state;

	sign(s, "MD5", "alice", "secret", 1);
	for (char *p = s->response; *p; p++)
		if (*p >= 'a' && *p <= 'f')
			*p -= 32;
	assert_int_equal(check(s), CHALLENGE_OK);
}

static void a_nonce_is_used_again_only_with_a_higher_count(void **state)
{
	struct scene *s = *state;

	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_OK);
	assert_int_equal(check(s), CHALLENGE_STALE);
	sign(s, "MD5", "alice", "secret", 2);
	assert_int_equal(check(s), CHALLENGE_OK);
	sign(s, "MD5", "alice", "secret", 0x1f);
	assert_int_equal(check(s), CHALLENGE_OK);
	sign(s, "MD5", "alice", "secret", 3);
	assert_int_equal(check(s), CHALLENGE_STALE);
	sign(s, "SHA-256", "alice", "secret", 0x1f);
	assert_int_equal(check(s), CHALLENGE_STALE);
}

static void an_answer_without_qop_is_taken_once(void **state)
{
	struct scene *s = *state;

	sign(s, "MD5", "alice", "secret", 0);
	assert_int_equal(check(s), CHALLENGE_OK);
	assert_int_equal(check(s), CHALLENGE_STALE);
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_STALE);
	ask(s);
	sign(s, "MD5", "alice", "secret", 7);
	assert_int_equal(check(s), CHALLENGE_OK);
	sign(s, "MD5", "alice", "secret", 0);
	assert_int_equal(check(s), CHALLENGE_OK);
	assert_int_equal(check(s), CHALLENGE_STALE);
}

/* However many nonces are used within their lifetime, none is good for a replay; what was forgotten is stale. */
static void no_flood_of_answers_makes_a_replay_possible(void **state)
{
	struct scene *s = *state;
	char first[sizeof s->nonce], late[sizeof s->nonce];
	bool forgotten = false;

	memcpy(late, s->nonce, sizeof late);
	s->now++;
	ask(s);
	memcpy(first, s->nonce, sizeof first);
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_OK);
	for (size_t i = 0; i < 100000; i++) {
		s->now += 10;
		ask(s);
		sign(s, "MD5", "alice", "secret", 1);
		assert_int_equal(check(s), CHALLENGE_OK);
		if (i % 1000)
			continue;
		memcpy(s->nonce, first, sizeof first);
		sign(s, "MD5", "alice", "secret", 1);
		assert_int_equal(check(s), CHALLENGE_STALE);
		sign(s, "MD5", "alice", "secret", UINT32_MAX);
		forgotten = forgotten || check(s) == CHALLENGE_STALE;
	}
	assert_true(forgotten);
	memcpy(s->nonce, late, sizeof late);
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_STALE);
}

/* ------------------------------------------------------------------ stale */

static void a_nonce_ends_with_the_timeout(void **state)
{
	struct scene *s = *state;

	sign(s, "MD5", "alice", "secret", 1);
	s->now += 10 * SECOND_US + 1;
	assert_int_equal(check(s), CHALLENGE_STALE);
	s->now -= 1;
	assert_int_equal(check(s), CHALLENGE_OK);
	s->parameters.SS_SIP_AUTHENTICATION_TIMEOUT = 1;
	sign(s, "MD5", "alice", "secret", 2);
	assert_int_equal(check(s), CHALLENGE_STALE);
}

static void a_nonce_is_good_only_for_the_address_it_was_given_to(void **state)
{
	struct scene *s = *state;
	static const char *const others[] = { "192.0.2.8", "2001:db8::1", "::192.0.2.9" };

	sign(s, "MD5", "alice", "secret", 1);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_true(address_parse(&s->remote, others[i], 5060));
		assert_int_equal(check(s), CHALLENGE_STALE);
	}
	/* the port may change: another connection */
	assert_true(address_parse(&s->remote, "192.0.2.9", 40000));
	assert_int_equal(check(s), CHALLENGE_OK);
	assert_true(address_parse(&s->remote, "2001:db8::1", 5060));
	ask(s);
	sign(s, "MD5", "alice", "secret", 1);
	assert_true(address_parse(&s->remote, "2001:db8::2", 5060));
	assert_int_equal(check(s), CHALLENGE_STALE);
	assert_true(address_parse(&s->remote, "2001:db8::1", 5060));
	assert_int_equal(check(s), CHALLENGE_OK);
}

static void a_nonce_of_another_process_is_stale(void **state)
{
	struct scene *s = *state;

	challenges_destroy(s->challenges);
	assert_int_equal(challenges_create(&s->challenges), 0);
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_STALE);
}

static void a_nonce_changed_in_any_digit_is_stale(void **state)
{
	struct scene *s = *state;

	for (size_t i = 0; s->nonce[i]; i++) {
		char digit = s->nonce[i];
		s->nonce[i] = digit == '0' ? '1' : '0';
		sign(s, "MD5", "alice", "secret", 1);
		assert_int_equal(check(s), CHALLENGE_STALE);
		s->nonce[i] = 'g';
		sign(s, "MD5", "alice", "secret", 1);
		assert_int_equal(check(s), CHALLENGE_STALE);
		s->nonce[i] = digit;
	}
	s->nonce[strlen(s->nonce) - 1] = '\0';
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_STALE);
	s->nonce[0] = '\0';
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_STALE);
}

/* ------------------------------------------------------------------ wrong and refused */

static void a_wrong_password_user_method_or_uri_is_wrong(void **state)
{
	struct scene *s = *state;

	sign(s, "MD5", "alice", "Secret", 1);
	assert_int_equal(check(s), CHALLENGE_WRONG);
	sign(s, "MD5", "bob", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_WRONG);
	sign(s, "MD5", "alice", "secret", 1);
	s->answer.username = "bob";
	assert_int_equal(check(s), CHALLENGE_WRONG);
	sign(s, "MD5", "alice", "secret", 1);
	s->answer.uri = "sip:101@192.0.2.1";
	assert_int_equal(check(s), CHALLENGE_WRONG);
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(challenge_check(s->challenges, &alice, &s->answer, "BYE", &s->remote, &s->parameters, s->now), CHALLENGE_WRONG);
	s->response[0] = '\0';
	assert_int_equal(check(s), CHALLENGE_WRONG);
}

static void one_wrong_answer_more_than_allowed_is_refused_until_the_timeout(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 6; i++) {
		ask(s);
		sign(s, "MD5", "alice", "wrong", 1);
		assert_int_equal(check(s), CHALLENGE_WRONG);
		s->now += SECOND_US;
	}
	ask(s);
	sign(s, "MD5", "alice", "wrong", 1);
	assert_int_equal(check(s), CHALLENGE_REFUSED);
	/* the right one too, and asking again does not make it longer */
	for (int i = 0; i < 9; i++) {
		s->now += SECOND_US;
		ask(s);
		sign(s, "MD5", "alice", "secret", 1);
		assert_int_equal(check(s), CHALLENGE_REFUSED);
	}
	s->now += SECOND_US;
	assert_int_equal(check(s), CHALLENGE_OK);
}

static void a_right_answer_clears_the_count_and_so_does_time(void **state)
{
	struct scene *s = *state;

	s->parameters.SS_SIP_AUTHENTICATION_RETRY = 1;
	for (int i = 0; i < 5; i++) {
		ask(s);
		sign(s, "MD5", "alice", "wrong", 1);
		assert_int_equal(check(s), CHALLENGE_WRONG);
		if (i % 2) {
			s->now += 10 * SECOND_US;
			continue;
		}
		sign(s, "MD5", "alice", "secret", 1);
		assert_int_equal(check(s), CHALLENGE_OK);
	}
}

static void with_no_retry_the_first_wrong_answer_is_refused(void **state)
{
	struct scene *s = *state;

	s->parameters.SS_SIP_AUTHENTICATION_RETRY = 0;
	sign(s, "MD5", "alice", "wrong", 1);
	assert_int_equal(check(s), CHALLENGE_REFUSED);
}

static void one_address_or_user_does_not_refuse_another(void **state)
{
	const struct challenge_account bob = { "bob", "secret" };
	struct scene *s = *state;

	s->parameters.SS_SIP_AUTHENTICATION_RETRY = 0;
	sign(s, "MD5", "alice", "wrong", 1);
	assert_int_equal(check(s), CHALLENGE_REFUSED);
	sign(s, "MD5", "bob", "secret", 1);
	assert_int_equal(challenge_check(s->challenges, &bob, &s->answer, "INVITE", &s->remote, &s->parameters, s->now), CHALLENGE_OK);
	assert_true(address_parse(&s->remote, "192.0.2.10", 5060));
	ask(s);
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_OK);
}

static void a_host_with_many_ipv6_addresses_is_counted_as_one(void **state)
{
	struct scene *s = *state;
	static const char *const remotes[] = { "2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1" };
	static const enum challenge_result results[] = { CHALLENGE_WRONG, CHALLENGE_REFUSED, CHALLENGE_WRONG };

	s->parameters.SS_SIP_AUTHENTICATION_RETRY = 1;
	for (size_t i = 0; i < sizeof remotes / sizeof *remotes; i++) {
		assert_true(address_parse(&s->remote, remotes[i], 5060));
		ask(s);
		sign(s, "MD5", "alice", "wrong", 1);
		assert_int_equal(check(s), results[i]);
	}
}

/* Who sends from a false address sees no challenge, so has no nonce of that address: nobody is refused for it. */
static void wrong_answers_without_our_nonce_do_not_count(void **state)
{
	struct scene *s = *state;
	union address attacker;

	s->parameters.SS_SIP_AUTHENTICATION_RETRY = 0;
	assert_true(address_parse(&attacker, "198.51.100.1", 5060));
	assert_int_equal(challenge_make(s->challenges, &s->challenge, &attacker, false, s->now), 0);
	read_nonce(s, s->challenge.value[0]);
	for (int i = 0; i < 100; i++) {
		sign(s, "MD5", "alice", "wrong", 1);
		assert_int_equal(check(s), CHALLENGE_STALE);
	}
	ask(s);
	sign(s, "MD5", "alice", "secret", 1);
	assert_int_equal(check(s), CHALLENGE_OK);
}

static void without_a_password_nobody_gets_in(void **state)
{
	const struct challenge_account open = { "alice", "" };
	struct scene *s = *state;

	sign(s, "MD5", "alice", "", 1);
	assert_int_equal(challenge_check(s->challenges, &open, &s->answer, "INVITE", &s->remote, &s->parameters, s->now), CHALLENGE_WRONG);
}

/* ------------------------------------------------------------------ no answer, or none that can be read */

static void an_answer_to_another_realm_is_none(void **state)
{
	struct scene *s = *state;

	sign(s, "MD5", "alice", "secret", 1);
	s->answer.realm = "elsewhere";
	assert_int_equal(check(s), CHALLENGE_NONE);
	s->answer.realm = NULL;
	assert_int_equal(check(s), CHALLENGE_NONE);
	assert_int_equal(challenge_check(s->challenges, &alice, NULL, "INVITE", &s->remote, &s->parameters, s->now), CHALLENGE_NONE);
}

static void an_answer_that_lacks_a_part_is_malformed(void **state)
{
	struct scene *s = *state;
	const char **const parts[] = { &s->answer.username, &s->answer.nonce, &s->answer.uri, &s->answer.response, &s->answer.cnonce,
	                               &s->answer.nc };
	static const char *const counts[] = { "", "1", "00000000", "0000000g", "000000001", "-0000001", " 0000001" };
	static const char *const algorithms[] = { "MD5-sess", "SHA-256-sess", "SHA-512-256", "" };
	static const char *const qops[] = { "auth-int", "", "auth,auth-int" };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		sign(s, "MD5", "alice", "secret", 1);
		*parts[i] = NULL;
		assert_int_equal(check(s), CHALLENGE_MALFORMED);
	}
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		sign(s, "MD5", "alice", "secret", 1);
		s->answer.nc = counts[i];
		assert_int_equal(check(s), CHALLENGE_MALFORMED);
	}
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		sign(s, "MD5", "alice", "secret", 1);
		s->answer.algorithm = algorithms[i];
		assert_int_equal(check(s), CHALLENGE_MALFORMED);
	}
	for (size_t i = 0; i < sizeof qops / sizeof *qops; i++) {
		sign(s, "MD5", "alice", "secret", 1);
		s->answer.qop = qops[i];
		assert_int_equal(check(s), CHALLENGE_MALFORMED);
	}
}

static void a_response_of_any_length_is_only_wrong(void **state)
{
	struct scene *s = *state;
	char response[300];

	s->parameters.SS_SIP_AUTHENTICATION_RETRY = 1000;
	for (size_t len = 0; len < sizeof response; len++) {
		memset(response, 'a', sizeof response);
		response[len] = '\0';
		sign(s, "SHA-256", "alice", "secret", 1);
		s->answer.response = response;
		assert_int_equal(check(s), CHALLENGE_WRONG);
		/* the right one with more behind it, or the beginning of it */
		sign(s, "SHA-256", "alice", "secret", 1);
		snprintf(response, sizeof response, "%s%s", s->response, "0");
		response[len == 64 ? 63 : len] = '\0';
		s->answer.response = response;
		assert_int_equal(check(s), CHALLENGE_WRONG);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(both_algorithms_are_offered_md5_first),
		TEST(no_two_challenges_are_alike),
		TEST(a_right_answer_is_let_in_with_either_algorithm),
		TEST(our_own_client_is_let_in),
		TEST(hex_digits_count_in_either_case),
		TEST(a_nonce_is_used_again_only_with_a_higher_count),
		TEST(an_answer_without_qop_is_taken_once),
		TEST(no_flood_of_answers_makes_a_replay_possible),
		TEST(a_nonce_ends_with_the_timeout),
		TEST(a_nonce_is_good_only_for_the_address_it_was_given_to),
		TEST(a_nonce_of_another_process_is_stale),
		TEST(a_nonce_changed_in_any_digit_is_stale),
		TEST(a_wrong_password_user_method_or_uri_is_wrong),
		TEST(one_wrong_answer_more_than_allowed_is_refused_until_the_timeout),
		TEST(a_right_answer_clears_the_count_and_so_does_time),
		TEST(with_no_retry_the_first_wrong_answer_is_refused),
		TEST(one_address_or_user_does_not_refuse_another),
		TEST(a_host_with_many_ipv6_addresses_is_counted_as_one),
		TEST(wrong_answers_without_our_nonce_do_not_count),
		TEST(without_a_password_nobody_gets_in),
		TEST(an_answer_to_another_realm_is_none),
		TEST(an_answer_that_lacks_a_part_is_malformed),
		TEST(a_response_of_any_length_is_only_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
