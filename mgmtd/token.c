#include "mgmtd/token.h"

#include "mgmtd/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <jwt.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ISSUER "tandem"
#define AUDIENCE "tandem-api"
#define CREDENTIAL 33		/* hex digits of a password's fingerprint, and NUL */
#define CACHE_SETS 512
#define CACHE_WAYS 4
#define KEPT 64
#define API_SUBJECT "token:"	/* no user name holds a colon */

struct cached {
	unsigned char hash[crypto_shorthash_siphashx24_BYTES];
	struct identity identity;	/* expires_at 0 = an empty place */
};

struct kept { char jti[STORE_JTI], credential[CREDENTIAL]; };

struct tokens {
	struct store *store;
	struct token_uses *uses;
	unsigned char key[32];
	unsigned char cache_key[crypto_shorthash_siphashx24_KEYBYTES];
	struct cached cache[CACHE_SETS][CACHE_WAYS];
	struct kept kept[KEPT];		/* overwritten in turn */
	size_t next_kept;
};

void tokens_close(struct tokens *t)
{
	if (t) {
		token_uses_close(t->uses);
		sodium_memzero(t, sizeof *t);
	}
	free(t);
}

static int fail(struct shm_why *why, int error, const char *path, const char *text)
{
	snprintf(why->text, sizeof why->text, "%.200s: %.100s", path, text);
	return error;
}

static int make_key(unsigned char key[32], const char *path, struct shm_why *why)
{
	char temporary[PATH_MAX + 8];
	snprintf(temporary, sizeof temporary, "%s.new", path);
	randombytes_buf(key, 32);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(why, errno, temporary, strerror(errno));
	int e = write(fd, key, 32) == 32 && fsync(fd) == 0 ? 0 : errno ? errno : EIO;
	close(fd);
	if (!e && rename(temporary, path) != 0)
		e = errno;
	return e ? fail(why, e, path, strerror(e)) : 0;
}

static int read_key(unsigned char key[32], const char *path, struct shm_why *why)
{
	struct stat st;
	unsigned char bytes[33];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? ENOENT : fail(why, errno, path, strerror(errno));
	ssize_t n = fstat(fd, &st) == 0 ? read(fd, bytes, sizeof bytes) : -1;
	close(fd);
	if (n < 0)
		return fail(why, EIO, path, "cannot be read");
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return fail(why, EPERM, path, "must belong to this user and be readable by no other (mode 0600)");
	if (n != 32)
		return fail(why, EINVAL, path, "is no key of 32 bytes; remove it to have a new one made (everybody must log in again)");
	memcpy(key, bytes, 32);
	sodium_memzero(bytes, sizeof bytes);
	return 0;
}

int tokens_open(struct tokens **t, const char *state, struct store *store, struct shm_why *why)
{
	char path[PATH_MAX];
	struct tokens *new = calloc(1, sizeof *new);
	if (!new)
		return fail(why, ENOMEM, state, "out of memory");
	new->store = store;
	randombytes_buf(new->cache_key, sizeof new->cache_key);
	snprintf(path, sizeof path, "%s/jwt.key", state);
	int e = read_key(new->key, path, why);
	if (e == ENOENT)
		e = make_key(new->key, path, why);
	if (!e && (e = token_uses_open(&new->uses)) != 0)
		fail(why, e, state, "out of memory");
	if (e) {
		tokens_close(new);
		return e;
	}
	*t = new;
	return 0;
}

/* Of the password and of everything else that an administrator may have changed. */
static void credential_of(const struct tokens *t, char credential[CREDENTIAL], const struct store_user *user)
{
	unsigned char hash[16];
	crypto_generichash_state state;
	crypto_generichash_init(&state, t->key, sizeof t->key, sizeof hash);
	crypto_generichash_update(&state, (const unsigned char *)user->password_hash, strlen(user->password_hash));
	crypto_generichash_update(&state, (const unsigned char *)&user->version, sizeof user->version);
	crypto_generichash_final(&state, hash, sizeof hash);
	sodium_bin2hex(credential, CREDENTIAL, hash, sizeof hash);
}

void token_csrf(const struct tokens *t, char csrf[TOKEN_CSRF], const char *jti)
{
	static const char purpose[] = "csrf";
	unsigned char hash[(TOKEN_CSRF - 1) / 2];
	crypto_generichash_state state;
	crypto_generichash_init(&state, t->key, sizeof t->key, sizeof hash);
	crypto_generichash_update(&state, (const unsigned char *)purpose, sizeof purpose);
	crypto_generichash_update(&state, (const unsigned char *)jti, strlen(jti));
	crypto_generichash_final(&state, hash, sizeof hash);
	sodium_bin2hex(csrf, TOKEN_CSRF, hash, sizeof hash);
}

enum role role_of(const char *word)
{
	for (int role = ROLE_VIEWER; role <= ROLE_ADMIN; role++)
		if (strcmp(role_words[role], word) == 0)
			return (enum role)role;
	return ROLE_PUBLIC;
}

static void describe(struct identity *identity, const struct store_user *user, const char *jti, int64_t expires_at)
{
	*identity = (struct identity){ .role = role_of(user->role), .must_change_password = user->must_change_password,
	                               .expires_at = expires_at };
	snprintf(identity->username, sizeof identity->username, "%s", user->username);
	snprintf(identity->jti, sizeof identity->jti, "%s", jti);
}

static void describe_api(struct identity *identity, const struct store_api_token *row)
{
	*identity = (struct identity){ .role = role_of(row->role), .expires_at = row->expires_at };
	snprintf(identity->username, sizeof identity->username, API_SUBJECT "%s", row->name);
	snprintf(identity->token, sizeof identity->token, "%s", row->name);
	snprintf(identity->jti, sizeof identity->jti, "%s", row->jti);
}

static void make_jti(char jti[STORE_JTI])
{
	unsigned char id[16];
	randombytes_buf(id, sizeof id);
	sodium_bin2hex(jti, STORE_JTI, id, sizeof id);
}

/* credential: NULL = none.  NULL: out of memory. */
static char *sign(const struct tokens *t, const char *subject, const char *jti, const char *credential, time_t now, time_t end)
{
	jwt_t *jwt = NULL;
	int e = jwt_new(&jwt);
	if (!e)
		e = jwt_set_alg(jwt, JWT_ALG_HS256, t->key, sizeof t->key) || jwt_add_grant(jwt, "iss", ISSUER) ||
		    jwt_add_grant(jwt, "aud", AUDIENCE) || jwt_add_grant(jwt, "sub", subject) || jwt_add_grant(jwt, "jti", jti) ||
		    (credential && jwt_add_grant(jwt, "cred", credential)) || jwt_add_grant_int(jwt, "iat", now) ||
		    jwt_add_grant_int(jwt, "nbf", now) || jwt_add_grant_int(jwt, "exp", end);
	char *text = e ? NULL : jwt_encode_str(jwt);
	jwt_free(jwt);
	return text;
}

int token_issue(struct tokens *t, const struct store_user *user, char **token, struct identity *identity)
{
	char jti[STORE_JTI], credential[CREDENTIAL];
	time_t now = time(NULL);
	make_jti(jti);
	credential_of(t, credential, user);
	char *text = sign(t, user->username, jti, credential, now, now + TOKEN_LIFE_S);
	if (!text)
		return ENOMEM;
	describe(identity, user, jti, now + TOKEN_LIFE_S);
	*token = text;
	return 0;
}

int token_issue_api(struct tokens *t, struct store_api_token *row, char **token)
{
	char subject[STORE_ACTOR];
	make_jti(row->jti);
	snprintf(subject, sizeof subject, API_SUBJECT "%s", row->name);
	*token = sign(t, subject, row->jti, NULL, time(NULL), row->expires_at);
	return *token ? 0 : ENOMEM;
}

const char *token_header_fault(const char *token)
{
	unsigned char header[512];
	size_t len;
	const char *fault = NULL;
	const char *dot = strchr(token, '.');
	if (!dot || sodium_base642bin(header, sizeof header, token, (size_t)(dot - token), NULL, &len, NULL,
	                              sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return "no JWT header";
	json_t *json = json_loadb((const char *)header, len, JSON_REJECT_DUPLICATES, NULL);
	const char *alg = json_string_value(json_object_get(json, "alg"));
	if (!alg || strcmp(alg, "HS256") != 0)
		fault = "another algorithm than ours";
	else if (json_object_get(json, "crit"))
		fault = "critical extensions";
	json_decref(json);
	return fault;
}

/* The claims alone; whether the user and the session still stand is the database's. */
static int check_claims(jwt_t *jwt, const char **subject, const char **jti, int64_t *expires_at)
{
	time_t now = time(NULL);
	const char *issuer = jwt_get_grant(jwt, "iss"), *audience = jwt_get_grant(jwt, "aud");
	errno = 0;
	long expires = jwt_get_grant_int(jwt, "exp"), not_before = jwt_get_grant_int(jwt, "nbf");
	/* A member of another type reads as 0. */
	if (errno || expires <= now || not_before <= 0 || not_before > now)
		return EACCES;
	if (!issuer || strcmp(issuer, ISSUER) != 0 || !audience || strcmp(audience, AUDIENCE) != 0)
		return EACCES;
	*subject = jwt_get_grant(jwt, "sub");
	*jti = jwt_get_grant(jwt, "jti");
	*expires_at = expires;
	return *subject && *jti && strlen(*jti) == STORE_JTI - 1 ? 0 : EACCES;
}

static bool credential_stands(const struct tokens *t, jwt_t *jwt, const char *jti, const struct store_user *user)
{
	char now[CREDENTIAL];
	const char *credential = jwt_get_grant(jwt, "cred");
	credential_of(t, now, user);
	if (credential && strcmp(credential, now) == 0)
		return true;
	for (size_t i = 0; i < KEPT; i++)
		if (strcmp(t->kept[i].jti, jti) == 0 && strcmp(t->kept[i].credential, now) == 0)
			return true;
	return false;
}

static int check_log_in(struct tokens *t, jwt_t *jwt, const char *subject, const char *jti, int64_t expires_at,
                        struct identity *identity)
{
	struct store_user user;
	if (store_user_get(t->store, subject, &user) != 0 || !credential_stands(t, jwt, jti, &user) ||
	    role_of(user.role) == ROLE_PUBLIC || store_token_revoked(t->store, jti))
		return EACCES;
	describe(identity, &user, jti, expires_at);
	return 0;
}

/* The row says what the token is good for; what it says itself is only where to look. */
static int check_api(struct tokens *t, const char *name, const char *jti, struct identity *identity)
{
	struct store_api_token row;
	if (store_api_token_get(t->store, name, &row) != 0 || strcmp(row.jti, jti) != 0 || row.expires_at <= time(NULL) ||
	    role_of(row.role) == ROLE_PUBLIC)
		return EACCES;
	describe_api(identity, &row);
	return 0;
}

static int verify(struct tokens *t, const char *token, struct identity *identity)
{
	const char *subject, *jti;
	int64_t expires_at;
	jwt_t *jwt = NULL;
	/* The library takes the algorithm from the token itself and skips the signature for "none": ours must stand there
	 * before it is asked, and it never gets an empty key. */
	if (token_header_fault(token))
		return EACCES;
	if (jwt_decode(&jwt, token, t->key, sizeof t->key) != 0)
		return EACCES;
	int e = jwt_get_alg(jwt) == JWT_ALG_HS256 ? check_claims(jwt, &subject, &jti, &expires_at) : EACCES;
	if (!e && strncmp(subject, API_SUBJECT, sizeof API_SUBJECT - 1) == 0)
		e = check_api(t, subject + sizeof API_SUBJECT - 1, jti, identity);
	else if (!e)
		e = check_log_in(t, jwt, subject, jti, expires_at, identity);
	jwt_free(jwt);
	return e;
}

static struct cached *cache_set(struct tokens *t, const unsigned char *hash)
{
	return t->cache[(hash[0] | (unsigned)hash[1] << 8) % CACHE_SETS];
}

/* From what was verified before, or verified now. */
static int look_up(struct tokens *t, const char *token, size_t len, struct identity *identity)
{
	unsigned char hash[crypto_shorthash_siphashx24_BYTES];
	time_t now = time(NULL);
	/* Keyed, with a key that nobody outside can learn: no other token can be made to fall on the same 128 bits. */
	crypto_shorthash_siphashx24(hash, (const unsigned char *)token, len, t->cache_key);
	struct cached *set = cache_set(t, hash), *victim = set;
	for (size_t i = 0; i < CACHE_WAYS; i++) {
		if (set[i].identity.expires_at > now && memcmp(set[i].hash, hash, sizeof hash) == 0) {
			*identity = set[i].identity;
			return 0;
		}
		if (set[i].identity.expires_at < victim->identity.expires_at)
			victim = &set[i];
	}
	int e = verify(t, token, identity);
	if (e)
		return e;
	victim->identity = *identity;
	memcpy(victim->hash, hash, sizeof hash);
	return 0;
}

int token_check(struct tokens *t, const char *token, struct identity *identity)
{
	size_t len = strlen(token);
	int e = len > TOKEN_MAX ? EACCES : look_up(t, token, len, identity);
	if (!e && identity->token[0])
		token_uses_note(t->uses, identity->jti);
	return e;
}

struct token_uses *token_uses(struct tokens *t)
{
	return t->uses;
}

static void forget(struct tokens *t, const char *jti, const char *username)
{
	for (size_t s = 0; s < CACHE_SETS; s++)
		for (size_t i = 0; i < CACHE_WAYS; i++) {
			struct identity *identity = &t->cache[s][i].identity;
			if ((jti && strcmp(identity->jti, jti) == 0) || (username && strcmp(identity->username, username) == 0))
				sodium_memzero(&t->cache[s][i], sizeof t->cache[s][i]);
		}
}

void token_forget(struct tokens *t, const char *jti)
{
	forget(t, jti, NULL);
}

void token_forget_user(struct tokens *t, const char *username)
{
	forget(t, NULL, username);
}

void token_keep(struct tokens *t, const struct identity *identity, const struct store_user *user)
{
	struct kept *kept = &t->kept[t->next_kept++ % KEPT];
	snprintf(kept->jti, sizeof kept->jti, "%s", identity->jti);
	credential_of(t, kept->credential, user);
}
