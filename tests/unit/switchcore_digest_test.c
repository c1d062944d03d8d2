/* Digest answers against the vectors of the RFCs. */
#include "switchcore/digest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* RFC 7616 3.9.1 */
static const struct digest_request mufasa = {
	.username = "Mufasa", .password = "Circle of Life", .method = "GET", .uri = "/dir/index.html",
	.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", .count = 1,
};

static struct digest_challenge rfc7616(enum digest_algorithm algorithm)
{
	return (struct digest_challenge){ .algorithm = (uint8_t)algorithm, .qop = DIGEST_QOP_AUTH, .algorithm_given = true,
	                                  .realm = "http-auth@example.org",
	                                  .nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
	                                  .opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS" };
}

static void md5_and_sha256_give_the_answers_of_rfc_7616(void **state)
{
	struct digest_challenge md5 = rfc7616(DIGEST_MD5), sha256 = rfc7616(DIGEST_SHA256);
	char value[1024];

	(void)state;
	assert_int_equal(digest_answer(value, sizeof value, &md5, &mufasa), 0);
	assert_non_null(strstr(value, "response=\"8ca523f5e9506fed4657c9700eebdbec\""));
	assert_non_null(strstr(value, "algorithm=MD5,"));
	assert_non_null(strstr(value, "qop=auth, nc=00000001"));
	assert_int_equal(digest_answer(value, sizeof value, &sha256, &mufasa), 0);
	assert_non_null(strstr(value, "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""));
	assert_non_null(strstr(value, "algorithm=SHA-256,"));
}

static void a_challenge_without_qop_is_answered_as_rfc_2069_does(void **state)
{
	const struct digest_challenge c = { .algorithm = DIGEST_MD5, .realm = "testrealm@host.com",
	                                    .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093" };
	struct digest_request r = mufasa;
	char value[1024];

	(void)state;
	r.password = "CircleOfLife";
	assert_int_equal(digest_answer(value, sizeof value, &c, &r), 0);
	assert_non_null(strstr(value, "response=\"1949323746fe6a43ef61f9606e7febea\""));
	assert_null(strstr(value, "qop"));
	assert_null(strstr(value, "cnonce"));
}

/* The server's side: nc as it stands on the wire goes into the digest. */
static void the_response_alone_is_that_of_rfc_7616(void **state)
{
	struct digest_challenge md5 = rfc7616(DIGEST_MD5), sha256 = rfc7616(DIGEST_SHA256);
	char response[DIGEST_HEX_MAX];

	(void)state;
	assert_int_equal(digest_response(response, &md5, &mufasa, "00000001"), 0);
	assert_string_equal(response, "8ca523f5e9506fed4657c9700eebdbec");
	assert_int_equal(digest_response(response, &sha256, &mufasa, "00000001"), 0);
	assert_string_equal(response, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
	assert_int_equal(digest_response(response, &sha256, &mufasa, "0000000a"), 0);
	assert_string_not_equal(response, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

static void quotes_and_backslashes_are_escaped(void **state)
{
	struct digest_challenge c = { .algorithm = DIGEST_MD5, .realm = "a\"b\\c", .nonce = "n" };
	char value[1024];

	(void)state;
	assert_int_equal(digest_answer(value, sizeof value, &c, &mufasa), 0);
	assert_non_null(strstr(value, "realm=\"a\\\"b\\\\c\""));
}

static void an_answer_that_does_not_fit_is_an_error_at_every_size(void **state)
{
	struct digest_challenge c = rfc7616(DIGEST_SHA256);
	char whole[1024], value[1024];
	size_t need;

	(void)state;
	assert_int_equal(digest_answer(whole, sizeof whole, &c, &mufasa), 0);
	need = strlen(whole) + 1;
	for (size_t size = 1; size < need; size++) {
		memset(value, 'x', sizeof value);
		assert_int_equal(digest_answer(value, size, &c, &mufasa), EMSGSIZE);
		for (size_t i = size; i < sizeof value; i++)
			assert_int_equal(value[i], 'x');
	}
	assert_int_equal(digest_answer(value, need, &c, &mufasa), 0);
	assert_string_equal(value, whole);
}

static void algorithms_and_qops_are_known_by_their_words(void **state)
{
	bool session;

	(void)state;
	assert_int_equal(digest_algorithm_by_word(NULL, &session), DIGEST_MD5);
	assert_int_equal(digest_algorithm_by_word("md5", &session), DIGEST_MD5);
	assert_false(session);
	assert_int_equal(digest_algorithm_by_word("SHA-256-sess", &session), DIGEST_SHA256);
	assert_true(session);
	assert_int_equal(digest_algorithm_by_word("SHA-256x", &session), DIGEST_UNSUPPORTED);
	assert_int_equal(digest_algorithm_by_word("AKAv1-MD5", &session), DIGEST_UNSUPPORTED);
	assert_int_equal(digest_qop_by_list(NULL), DIGEST_QOP_NONE);
	assert_int_equal(digest_qop_by_list("auth-int, auth"), DIGEST_QOP_AUTH);
	assert_int_equal(digest_qop_by_list("auth-int"), DIGEST_QOP_AUTH_INT);
	assert_int_equal(digest_qop_by_list("token"), DIGEST_QOP_UNSUPPORTED);
	assert_int_equal(digest_qop_by_list(""), DIGEST_QOP_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(md5_and_sha256_give_the_answers_of_rfc_7616),
		cmocka_unit_test(a_challenge_without_qop_is_answered_as_rfc_2069_does),
		cmocka_unit_test(the_response_alone_is_that_of_rfc_7616),
		cmocka_unit_test(quotes_and_backslashes_are_escaped),
		cmocka_unit_test(an_answer_that_does_not_fit_is_an_error_at_every_size),
		cmocka_unit_test(algorithms_and_qops_are_known_by_their_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
