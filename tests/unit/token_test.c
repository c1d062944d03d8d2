#include "mgmtd/token.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[64];
static struct store *store;
static struct tokens *tokens;
static struct store_user user = { .username = "admin", .role = "admin", .password_hash = "$argon2id$first" };
static unsigned char key[32];

static void store_user(const struct store_user *u)
{
	assert_int_equal(store_begin(store), 0);
	assert_int_equal(store_user_put(store, u), 0);
	assert_int_equal(store_commit(store), 0);
}

static int open_all(void **state)
{
	struct shm_why why;
	char path[128];
	bool fresh;
	(void)state;
	assert_true(sodium_init() >= 0);
	snprintf(directory, sizeof directory, "/tmp/token-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(store_open(&store, directory, &fresh, &why), 0);
	snprintf(user.password_hash, sizeof user.password_hash, "$argon2id$first");
	store_user(&user);
	assert_int_equal(tokens_open(&tokens, directory, store, &why), 0);
	snprintf(path, sizeof path, "%s/jwt.key", directory);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fread(key, 1, sizeof key, f), sizeof key);
	fclose(f);
	return 0;
}

static int close_all(void **state)
{
	static const char *const files[] = { "jwt.key", "tandem.db", "tandem.db-wal", "tandem.db-shm" };
	char path[128];
	(void)state;
	tokens_close(tokens);
	store_close(store);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", directory, files[i]);
		unlink(path);
	}
	return rmdir(directory);
}

static void base64(char *to, size_t size, const void *from, size_t len)
{
	sodium_bin2base64(to, size, from, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* A token of this header and these claims, signed with our own key: only what they say can be wrong with it. */
static char *sign(const char *header, json_t *claims)
{
	static char token[4096];
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state hmac;
	char *text = json_dumps(claims, JSON_COMPACT);
	base64(token, 1024, header, strlen(header));
	strncat(token, ".", 2);
	base64(token + strlen(token), 2048, text, strlen(text));
	crypto_auth_hmacsha256_init(&hmac, key, sizeof key);
	crypto_auth_hmacsha256_update(&hmac, (unsigned char *)token, strlen(token));
	crypto_auth_hmacsha256_final(&hmac, mac);
	strncat(token, ".", 2);
	base64(token + strlen(token), 64, mac, sizeof mac);
	free(text);
	json_decref(claims);
	return token;
}

static const char plain_header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

/* The claims of a good token, to be spoilt. */
static json_t *claims(void)
{
	struct identity identity;
	char *token, *dot;
	unsigned char bytes[2048];
	size_t len;
	assert_int_equal(token_issue(tokens, &user, &token, &identity), 0);
	dot = strchr(token, '.') + 1;
	assert_int_equal(sodium_base642bin(bytes, sizeof bytes, dot, strcspn(dot, "."), NULL, &len, NULL,
	                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING), 0);
	free(token);
	return json_loadb((char *)bytes, len, 0, NULL);
}

static int check(const char *token)
{
	struct identity identity;
	return token_check(tokens, token, &identity);
}

static void a_token_says_who_logged_in_until_when(void **state)
{
	struct identity issued, checked;
	char *token;
	(void)state;
	assert_int_equal(token_issue(tokens, &user, &token, &issued), 0);
	for (int i = 0; i < 2; i++) {	/* verified, then from the cache */
		assert_int_equal(token_check(tokens, token, &checked), 0);
		assert_string_equal(checked.username, "admin");
		assert_int_equal(checked.role, ROLE_ADMIN);
		assert_string_equal(checked.jti, issued.jti);
		assert_int_equal(checked.expires_at, issued.expires_at);
	}
	assert_in_range(issued.expires_at, time(NULL) + TOKEN_LIFE_S - 5, time(NULL) + TOKEN_LIFE_S);
	free(token);
}

static void the_test_can_sign_so_only_the_spoilt_part_is_refused(void **state)
{
	(void)state;
	assert_int_equal(check(sign(plain_header, claims())), 0);
}

static void another_algorithm_is_refused_before_anything_is_decoded(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\"}", "{\"alg\":\"None\"}", "{\"alg\":\"HS384\"}", "{\"alg\":\"HS512\"}", "{\"alg\":\"RS256\"}",
		"{\"alg\":\"hs256\"}", "{\"alg\":\"\"}", "{\"alg\":null}", "{\"typ\":\"JWT\"}", "{\"alg\":[\"HS256\"]}",
		"{\"alg\":\"none\",\"alg\":\"HS256\"}", "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "", "[]", "null", "{",
	};
	(void)state;
	assert_null(token_header_fault(sign(plain_header, claims())));
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		char *token = sign(headers[i], claims());
		assert_non_null(token_header_fault(token));
		assert_int_equal(check(token), EACCES);
		*strrchr(token, '.') = '\0';	/* and without the signature, as "none" has it */
		assert_int_equal(check(token), EACCES);
	}
}

static void a_token_out_of_its_time_or_for_others_is_refused(void **state)
{
	json_t *c;
	(void)state;
	c = claims();
	json_object_set_new(c, "exp", json_integer(time(NULL)));
	assert_int_equal(check(sign(plain_header, c)), EACCES);
	c = claims();
	json_object_set_new(c, "nbf", json_integer(time(NULL) + 60));
	assert_int_equal(check(sign(plain_header, c)), EACCES);
	static const char *const members[] = { "exp", "nbf", "iss", "aud", "sub", "jti", "cred" };
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		c = claims();
		json_object_del(c, members[i]);
		assert_int_equal(check(sign(plain_header, c)), EACCES);
		c = claims();
		json_object_set_new(c, members[i], json_string("other"));
		assert_int_equal(check(sign(plain_header, c)), EACCES);
	}
}

static void a_changed_signature_or_body_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char *token = sign(plain_header, claims());
		char *spoilt = i == 0 ? token + 3 : i == 1 ? strchr(token, '.') + 5 : strrchr(token, '.') + 7;
		*spoilt = *spoilt == 'A' ? 'B' : 'A';
		assert_int_equal(check(token), EACCES);
	}
}

static void what_is_no_token_is_refused(void **state)
{
	static const char *const texts[] = { "", ".", "..", "...", "a.b.c", "eyJhbGciOiJIUzI1NiJ9..", "eyJhbGciOiJIUzI1NiJ9.e30.", " " };
	char *huge = calloc(1, TOKEN_MAX + 2);
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(check(texts[i]), EACCES);
	memset(huge, 'a', TOKEN_MAX + 1);
	assert_int_equal(check(huge), EACCES);
	free(huge);
}

static void a_revoked_token_is_refused_once_it_is_forgotten(void **state)
{
	struct identity identity;
	char *token;
	(void)state;
	assert_int_equal(token_issue(tokens, &user, &token, &identity), 0);
	assert_int_equal(check(token), 0);
	assert_int_equal(store_begin(store), 0);
	assert_int_equal(store_token_revoke(store, identity.jti, identity.expires_at), 0);
	assert_int_equal(store_commit(store), 0);
	token_forget(tokens, identity.jti);
	assert_int_equal(check(token), EACCES);
	free(token);
}

static void a_new_password_ends_every_session_but_the_one_that_set_it(void **state)
{
	struct identity one, other;
	char *kept, *ended;
	(void)state;
	assert_int_equal(token_issue(tokens, &user, &kept, &one), 0);
	assert_int_equal(token_issue(tokens, &user, &ended, &other), 0);
	assert_int_equal(check(kept), 0);
	assert_int_equal(check(ended), 0);
	snprintf(user.password_hash, sizeof user.password_hash, "$argon2id$second");
	store_user(&user);
	token_keep(tokens, &one, &user);
	token_forget_user(tokens, "admin");
	assert_int_equal(check(kept), 0);
	assert_int_equal(check(ended), EACCES);
	snprintf(user.password_hash, sizeof user.password_hash, "$argon2id$third");
	store_user(&user);
	token_forget_user(tokens, "admin");
	assert_int_equal(check(kept), EACCES);
	free(kept);
	free(ended);
}

static void the_key_is_kept_and_readable_by_nobody_else(void **state)
{
	struct shm_why why;
	struct identity identity;
	struct tokens *again;
	struct stat st;
	char path[128], *token;
	(void)state;
	snprintf(path, sizeof path, "%s/jwt.key", directory);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(token_issue(tokens, &user, &token, &identity), 0);
	assert_int_equal(tokens_open(&again, directory, store, &why), 0);
	assert_int_equal(token_check(again, token, &identity), 0);
	tokens_close(again);
	free(token);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(tokens_open(&again, directory, store, &why), EPERM);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(tokens_open(&again, directory, store, &why), EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
	const struct CMUnitTest tests[] = {
		TEST(a_token_says_who_logged_in_until_when),
		TEST(the_test_can_sign_so_only_the_spoilt_part_is_refused),
		TEST(another_algorithm_is_refused_before_anything_is_decoded),
		TEST(a_token_out_of_its_time_or_for_others_is_refused),
		TEST(a_changed_signature_or_body_is_refused),
		TEST(what_is_no_token_is_refused),
		TEST(a_revoked_token_is_refused_once_it_is_forgotten),
		TEST(a_new_password_ends_every_session_but_the_one_that_set_it),
		TEST(the_key_is_kept_and_readable_by_nobody_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
