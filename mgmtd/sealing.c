#include "mgmtd/sealing.h"

#include "mgmtd/problem.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define KDF "argon2id13"
#define OPSLIMIT 3
#define MEMLIMIT (64u << 20)
/* What a header from outside may cost us. */
#define OPSLIMIT_MAX 10
#define MEMLIMIT_MAX (256u << 20)

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SALT_TEXT sodium_base64_ENCODED_LEN(crypto_pwhash_SALTBYTES, BASE64)

_Static_assert(SEALING_TEXT == sodium_base64_ENCODED_LEN(NONCE + TAG + SECRET_PLAIN_MAX, BASE64), "a sealed text");

struct sealing {
	unsigned char key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
	unsigned char salt[crypto_pwhash_SALTBYTES];
	json_int_t opslimit, memlimit;
};

void sealing_free(struct sealing *s)
{
	if (s)
		sodium_free(s);
}

static int make_key(struct sealing *s, const char *passphrase)
{
	return crypto_pwhash(s->key, sizeof s->key, passphrase, strlen(passphrase), s->salt, (unsigned long long)s->opslimit,
	                     (size_t)s->memlimit, crypto_pwhash_ALG_ARGON2ID13) == 0 ? 0 : ENOMEM;
}

int sealing_new(struct sealing **out, const char *passphrase)
{
	struct sealing *s = sodium_malloc(sizeof *s);

	if (!s)
		return ENOMEM;
	s->opslimit = OPSLIMIT;
	s->memlimit = MEMLIMIT;
	randombytes_buf(s->salt, sizeof s->salt);
	int error = make_key(s, passphrase);
	if (error)
		sealing_free(s);
	else
		*out = s;
	return error;
}

/* ------------------------------------------------------------------ a text */

/* Each part with its NUL, so that no two places spell the same. */
static size_t place_of(unsigned char place[256], const char *kind, const char *name, const char *field)
{
	int len = snprintf((char *)place, 256, "%s%c%s%c%s", kind, 0, name, 0, field);
	return len < 0 ? 0 : len > 255 ? 255 : (size_t)len;
}

void sealing_seal(const struct sealing *s, char text[SEALING_TEXT], const char *kind, const char *name, const char *field, const char *plain)
{
	unsigned char box[NONCE + TAG + SECRET_PLAIN_MAX], place[256];
	size_t len = strnlen(plain, SECRET_PLAIN_MAX), placed = place_of(place, kind, name, field);

	randombytes_buf(box, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, NULL, (const unsigned char *)plain, len, place, placed, NULL, box, s->key);
	sodium_bin2base64(text, SEALING_TEXT, box, NONCE + TAG + len, BASE64);
}

int sealing_unseal(const struct sealing *s, char plain[SECRET_PLAIN_MAX + 1], const char *kind, const char *name, const char *field,
                   const char *text)
{
	unsigned char box[NONCE + TAG + SECRET_PLAIN_MAX], place[256];
	size_t len, placed = place_of(place, kind, name, field);

	if (sodium_base642bin(box, sizeof box, text, strlen(text), NULL, &len, NULL, BASE64) != 0 || len < NONCE + TAG)
		return EBADMSG;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((unsigned char *)plain, NULL, NULL, box + NONCE, len - NONCE, place, placed, box,
	                                               s->key) != 0)
		return EBADMSG;
	plain[len - NONCE - TAG] = '\0';
	return 0;
}

/* ------------------------------------------------------------------ the header */

#define CHECKED "tandem"	/* sealed with the key it shows that a passphrase is right */

void sealing_header(const struct sealing *s, struct buffer *out)
{
	char salt[SALT_TEXT], check[SEALING_TEXT];

	sodium_bin2base64(salt, sizeof salt, s->salt, sizeof s->salt, BASE64);
	sealing_seal(s, check, "", "", "check", CHECKED);
	buffer_format(out, "{\"kdf\":\"" KDF "\",\"opslimit\":%lld,\"memlimit\":%lld,\"salt\":\"%s\",\"check\":\"%s\"}",
	              (long long)s->opslimit, (long long)s->memlimit, salt, check);
}

static void check_members(const json_t *header, const char *prefix, json_t *errors)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)header, key, value)
		if (strcmp(key, "kdf") != 0 && strcmp(key, "opslimit") != 0 && strcmp(key, "memlimit") != 0 && strcmp(key, "salt") != 0 &&
		    strcmp(key, "check") != 0)
			problem_violation(errors, prefix, key, "unknown_field", "the secrets have kdf, opslimit, memlimit, salt and check");
}

static void take_limit(json_int_t *limit, const json_t *header, const char *prefix, const char *member, json_int_t min, json_int_t max,
                       json_t *errors)
{
	const json_t *value = json_object_get(header, member);

	*limit = json_integer_value(value);
	if (json_is_integer(value) && *limit >= min && *limit <= max)
		return;
	json_t *violation = problem_violation(errors, prefix, member, !value ? "required" : json_is_integer(value) ? "out_of_range" : "wrong_type",
	                                      "must be a whole number from %lld to %lld", (long long)min, (long long)max);
	json_object_set_new(violation, "min", json_integer(min));
	json_object_set_new(violation, "max", json_integer(max));
}

static void take_header(struct sealing *s, const json_t *header, const char *prefix, json_t *errors)
{
	const char *kdf = json_string_value(json_object_get(header, "kdf")), *salt = json_string_value(json_object_get(header, "salt"));
	size_t len = 0;

	check_members(header, prefix, errors);
	if (!kdf || strcmp(kdf, KDF) != 0)
		problem_violation(errors, prefix, "kdf", kdf ? "not_an_option" : "required", "must be \"" KDF "\"");
	take_limit(&s->opslimit, header, prefix, "opslimit", crypto_pwhash_OPSLIMIT_MIN, OPSLIMIT_MAX, errors);
	take_limit(&s->memlimit, header, prefix, "memlimit", crypto_pwhash_MEMLIMIT_MIN, MEMLIMIT_MAX, errors);
	if (!salt || sodium_base642bin(s->salt, sizeof s->salt, salt, strlen(salt), NULL, &len, NULL, BASE64) != 0 || len != sizeof s->salt)
		problem_violation(errors, prefix, "salt", salt ? "bad_format" : "required", "must be %zu bytes in base64", sizeof s->salt);
	if (!json_is_string(json_object_get(header, "check")))
		problem_violation(errors, prefix, "check", "required", "must be the text that the export put there");
}

static int check_passphrase(struct sealing *s, const json_t *header, const char *prefix, const char *passphrase, json_t *errors)
{
	char plain[SECRET_PLAIN_MAX + 1];

	if (!passphrase) {
		problem_violation(errors, prefix, NULL, "required",
		                  "the secrets are sealed: the passphrase of the export must be given with the document");
		return EINVAL;
	}
	int error = make_key(s, passphrase);
	if (error)
		return error;
	if (sealing_unseal(s, plain, "", "", "check", json_string_value(json_object_get(header, "check"))) == 0 && strcmp(plain, CHECKED) == 0)
		return 0;
	problem_violation(errors, prefix, NULL, "wrong_passphrase", "the secrets were not sealed with this passphrase");
	return EINVAL;
}

int sealing_open(struct sealing **out, const json_t *header, const char *prefix, const char *passphrase, json_t *errors)
{
	size_t before = json_array_size(errors);

	if (!json_is_object(header)) {
		problem_violation(errors, prefix, NULL, "wrong_type", "must be an object with kdf, opslimit, memlimit, salt and check");
		return EINVAL;
	}
	struct sealing *s = sodium_malloc(sizeof *s);
	if (!s)
		return ENOMEM;
	take_header(s, header, prefix, errors);
	int error = json_array_size(errors) > before ? EINVAL : check_passphrase(s, header, prefix, passphrase, errors);
	if (error)
		sealing_free(s);
	else
		*out = s;
	return error;
}
