#include "challenge.h"

#include "chance.h"
#include "timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define KEY_BYTES 32
#define TAG_BYTES 16
#define NONCE_BYTES (8 + 4 + TAG_BYTES)		/* time, serial number, signature */
#define NONCE_HEX (2 * NONCE_BYTES)

#define USE_SETS 4096u				/* powers of two */
#define USE_WAYS 8u
#define WRONG_SETS 1024u
#define WRONG_WAYS 4u

/* The signature is as good as random: its beginning names the nonce and chooses the set. */
struct use { uint64_t name, made_us; uint32_t count; };
struct use_set {
	uint64_t forgotten_us;		/* nonces made up to then and not in use[] are stale */
	struct use use[USE_WAYS];
};

struct wrong { uint64_t who, until_us; uint32_t count; };

struct challenges {
	unsigned char key[KEY_BYTES];
	uint32_t serial;
	bool md5;
	/* 800 and 96 KiB, but memory only where they were written to */
	struct use_set *uses;
	struct wrong (*wrongs)[WRONG_WAYS];
};

struct nonce { uint64_t made_us, name; };

void challenges_destroy(struct challenges *c)
{
	if (!c)
		return;
	free(c->uses);
	free(c->wrongs);
	OPENSSL_cleanse(c->key, sizeof c->key);
	free(c);
}

/* A FIPS policy forbids MD5: not offered then. */
static bool md5_works(void)
{
	const struct digest_challenge challenge = { .algorithm = DIGEST_MD5, .realm = "", .nonce = "" };
	const struct digest_request request = { .username = "", .password = "", .method = "", .uri = "" };
	char response[DIGEST_HEX_MAX];

	return digest_response(response, &challenge, &request, "") == 0;
}

int challenges_create(struct challenges **challenges)
{
	struct challenges *c = calloc(1, sizeof *c);

	if (!c || !(c->uses = calloc(USE_SETS, sizeof *c->uses)) || !(c->wrongs = calloc(WRONG_SETS, sizeof *c->wrongs))) {
		challenges_destroy(c);
		return ENOMEM;
	}
	chance_bytes(c->key, sizeof c->key);
	c->md5 = md5_works();
	*challenges = c;
	return 0;
}

/* ------------------------------------------------------------------ nonces */

static void put(unsigned char *to, uint64_t number, size_t bytes)
{
	for (size_t i = bytes; i-- > 0; number >>= 8)
		to[i] = (unsigned char)number;
}

static uint64_t get(const unsigned char *from, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | from[i];
	return number;
}

/* HMAC-SHA-256 of the bytes and the address without its port: all of it for a nonce, of IPv6 the first 64 bits for a
 * count, since one host has them all. */
enum sign_mark { NONCE, WRONG };
static int sign(const struct challenges *c, unsigned char tag[TAG_BYTES], enum sign_mark mark, const void *bytes, size_t len,
                const union address *remote)
{
	unsigned char text[1 + 16 + NONCE_BYTES] = { 0 }, hash[EVP_MAX_MD_SIZE];
	unsigned hash_len;

	text[0] = (unsigned char)mark;
	if (remote->family == AF_INET)
		memcpy(text + 1, &remote->v4.sin_addr, sizeof remote->v4.sin_addr);
	else if (remote->family == AF_INET6)
		memcpy(text + 1, &remote->v6.sin6_addr, mark == NONCE ? 16 : 8);
	memcpy(text + 17, bytes, len);
	if (!HMAC(EVP_sha256(), c->key, sizeof c->key, text, 17 + len, hash, &hash_len))
		return EIO;
	memcpy(tag, hash, TAG_BYTES);
	return 0;
}

static int make_nonce(struct challenges *c, char hex[NONCE_HEX + 1], const union address *remote, uint64_t now_us)
{
	unsigned char nonce[NONCE_BYTES];
	int error;

	put(nonce, now_us, 8);
	put(nonce + 8, ++c->serial, 4);
	error = sign(c, nonce + 12, NONCE, nonce, 12, remote);
	for (size_t i = 0; i < NONCE_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", nonce[i]);
	return error;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* False: not one that we gave to this address. */
static bool read_nonce(const struct challenges *c, struct nonce *out, const char *hex, const union address *remote)
{
	unsigned char nonce[NONCE_BYTES], tag[TAG_BYTES];

	if (strlen(hex) != NONCE_HEX)
		return false;
	for (size_t i = 0; i < NONCE_BYTES; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		nonce[i] = (unsigned char)(high << 4 | low);
	}
	if (sign(c, tag, NONCE, nonce, 12, remote) != 0 || CRYPTO_memcmp(tag, nonce + 12, TAG_BYTES) != 0)
		return false;
	out->made_us = get(nonce, 8);
	out->name = get(nonce + 12, 8);
	return true;
}

int challenge_make(struct challenges *c, struct challenge *out, const union address *remote, bool stale, uint64_t now_us)
{
	static const char *const algorithms[CHALLENGE_VALUES] = { "MD5", "SHA-256" };
	char nonce[NONCE_HEX + 1];
	int error = make_nonce(c, nonce, remote, now_us);

	if (error)
		return error;
	out->count = 0;
	for (size_t i = c->md5 ? 0 : 1; i < CHALLENGE_VALUES; i++)
		snprintf(out->value[out->count++], CHALLENGE_VALUE_MAX,
		         "Digest realm=\"" CHALLENGE_REALM "\", nonce=\"%s\", algorithm=%s, qop=\"auth\"%s", nonce, algorithms[i],
		         stale ? ", stale=true" : "");
	return 0;
}

/* ------------------------------------------------------------------ use counts */

static struct use *find_use(struct use_set *set, uint64_t name)
{
	for (size_t i = 0; i < USE_WAYS; i++)
		if (set->use[i].made_us && set->use[i].name == name)
			return &set->use[i];
	return NULL;
}

static bool used_up(struct challenges *c, const struct nonce *nonce, uint32_t count)
{
	struct use_set *set = &c->uses[nonce->name % USE_SETS];
	const struct use *use = find_use(set, nonce->name);

	return use ? count <= use->count : nonce->made_us <= set->forgotten_us;
}

static void note_use(struct challenges *c, const struct nonce *nonce, uint32_t count)
{
	struct use_set *set = &c->uses[nonce->name % USE_SETS];
	struct use *use = find_use(set, nonce->name);

	if (!use) {
		use = &set->use[0];
		for (size_t i = 1; i < USE_WAYS; i++)
			if (set->use[i].made_us < use->made_us)
				use = &set->use[i];
		if (use->made_us > set->forgotten_us)
			set->forgotten_us = use->made_us;
	}
	*use = (struct use){ nonce->name, nonce->made_us, count };
}

/* ------------------------------------------------------------------ wrong answers */

/* The entry of this source and user name, or the one that may be taken for it. */
static struct wrong *find_wrong(struct challenges *c, uint64_t who)
{
	struct wrong *set = c->wrongs[who % WRONG_SETS], *oldest = set;

	for (size_t i = 0; i < WRONG_WAYS; i++) {
		if (set[i].who == who)
			return &set[i];
		if (set[i].until_us < oldest->until_us)
			oldest = &set[i];
	}
	return oldest;
}

static int identify(const struct challenges *c, uint64_t *who, const char *username, const union address *remote)
{
	unsigned char hash[EVP_MAX_MD_SIZE], tag[TAG_BYTES];
	unsigned len;

	if (EVP_Digest(username, strlen(username), hash, &len, EVP_sha256(), NULL) != 1 ||
	    sign(c, tag, WRONG, hash, NONCE_BYTES, remote) != 0)
		return EIO;
	*who = get(tag, 8);
	return 0;
}

static enum challenge_result count_wrong(struct wrong *wrong, uint64_t who, const struct sip_parameters *p, uint64_t now_us)
{
	if (wrong->who != who || now_us >= wrong->until_us)
		*wrong = (struct wrong){ .who = who };
	wrong->count++;
	wrong->until_us = now_us + (uint64_t)p->SS_SIP_AUTHENTICATION_TIMEOUT * SECOND_US;
	return wrong->count > (uint32_t)p->SS_SIP_AUTHENTICATION_RETRY ? CHALLENGE_REFUSED : CHALLENGE_WRONG;
}

/* ------------------------------------------------------------------ the check */

/* nc = 8LHEX, from 1; without qop there is none, and the nonce can be used once. */
static bool read_count(uint32_t *count, const struct challenge_answer *a)
{
	*count = 0;
	if (!a->qop) {
		*count = UINT32_MAX;
		return true;
	}
	if (!a->nc || strlen(a->nc) != 8)
		return false;
	for (const char *p = a->nc; *p; p++) {
		int digit = hex_digit((char)(*p >= 'A' && *p <= 'F' ? *p + 32 : *p));
		if (digit < 0)
			return false;
		*count = *count << 4 | (uint32_t)digit;
	}
	return *count > 0;
}

static bool well_formed(const struct challenge_answer *a, struct digest_challenge *c, uint32_t *count)
{
	bool session;

	if (!a->username || !a->nonce || !a->uri || !a->response)
		return false;
	c->algorithm = (uint8_t)digest_algorithm_by_word(a->algorithm, &session);
	if (c->algorithm == DIGEST_UNSUPPORTED || session)
		return false;
	if (a->qop && (strcasecmp(a->qop, "auth") != 0 || !a->cnonce))
		return false;
	c->qop = a->qop ? DIGEST_QOP_AUTH : DIGEST_QOP_NONE;
	c->realm = CHALLENGE_REALM;
	c->nonce = a->nonce;
	return read_count(count, a);
}

/* 0 right, EACCES wrong, EIO */
static int verify(const struct challenge_account *account, const struct challenge_answer *a,
                  const struct digest_challenge *c, const char *method)
{
	const struct digest_request request = {
		.username = account->username, .password = account->password, .method = method, .uri = a->uri,
		.cnonce = a->cnonce ? a->cnonce : "",
	};
	char right[DIGEST_HEX_MAX] = "", got[DIGEST_HEX_MAX] = "";
	size_t len = strlen(a->response);
	int error = digest_response(right, c, &request, a->nc);
	bool same;

	if (error)
		return error;
	for (size_t i = 0; i < len && len < sizeof got; i++)
		got[i] = (char)(a->response[i] >= 'A' && a->response[i] <= 'F' ? a->response[i] + 32 : a->response[i]);
	same = CRYPTO_memcmp(right, got, sizeof right) == 0;
	OPENSSL_cleanse(right, sizeof right);
	return same && strcmp(a->username, account->username) == 0 && account->password[0] ? 0 : EACCES;
}

enum challenge_result challenge_check(struct challenges *c, const struct challenge_account *account,
                                      const struct challenge_answer *answer, const char *method,
                                      const union address *remote, const struct sip_parameters *parameters, uint64_t now_us)
{
	struct digest_challenge challenge = { 0 };
	struct wrong *wrong;
	struct nonce nonce;
	uint64_t who;
	uint32_t count;
	int error;

	if (!answer || !answer->realm || strcmp(answer->realm, CHALLENGE_REALM) != 0)
		return CHALLENGE_NONE;
	if (!well_formed(answer, &challenge, &count))
		return CHALLENGE_MALFORMED;
	if (!read_nonce(c, &nonce, answer->nonce, remote) || used_up(c, &nonce, count) ||
	    now_us - nonce.made_us > (uint64_t)parameters->SS_SIP_AUTHENTICATION_TIMEOUT * SECOND_US ||
	    identify(c, &who, account->username, remote) != 0)
		return CHALLENGE_STALE;
	wrong = find_wrong(c, who);
	if (wrong->who == who && now_us < wrong->until_us &&
	    wrong->count > (uint32_t)parameters->SS_SIP_AUTHENTICATION_RETRY)
		return CHALLENGE_REFUSED;
	error = verify(account, answer, &challenge, method);
	if (error == EACCES)
		return count_wrong(wrong, who, parameters, now_us);
	if (error)
		return CHALLENGE_MALFORMED;
	note_use(c, &nonce, count);
	if (wrong->who == who)
		*wrong = (struct wrong){ 0 };
	return CHALLENGE_OK;
}
