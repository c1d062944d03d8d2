#include "digest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

static const char *const algorithm_words[] = {
	[DIGEST_MD5] = "MD5", [DIGEST_SHA256] = "SHA-256",
};

enum digest_algorithm digest_algorithm_by_word(const char *word, bool *session)
{
	*session = false;
	if (!word)
		return DIGEST_MD5;
	for (int i = DIGEST_MD5; i <= DIGEST_SHA256; i++) {
		size_t len = strlen(algorithm_words[i]);
		if (strncasecmp(word, algorithm_words[i], len) != 0)
			continue;
		if (word[len] == '\0')
			return (enum digest_algorithm)i;
		if (strcasecmp(word + len, "-sess") == 0) {
			*session = true;
			return (enum digest_algorithm)i;
		}
	}
	return DIGEST_UNSUPPORTED;
}

enum digest_qop digest_qop_by_list(const char *list)
{
	enum digest_qop best = DIGEST_QOP_UNSUPPORTED;

	if (!list)
		return DIGEST_QOP_NONE;
	while (*list) {
		size_t len = strcspn(list, ", \t");
		if (len == 4 && strncasecmp(list, "auth", 4) == 0)
			return DIGEST_QOP_AUTH;
		if (len == 8 && strncasecmp(list, "auth-int", 8) == 0)
			best = DIGEST_QOP_AUTH_INT;
		list += len;
		list += strspn(list, ", \t");
	}
	return best;
}

/* Hex digest of the NULL-terminated list of texts, joined by colons. */
static int hash(char hex[DIGEST_HEX_MAX], enum digest_algorithm algorithm, ...)
{
	const EVP_MD *md = algorithm == DIGEST_SHA256 ? EVP_sha256() : EVP_md5();
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	va_list texts;
	bool first = true, ok;

	ok = context && EVP_DigestInit_ex(context, md, NULL) == 1;
	va_start(texts, algorithm);
	for (const char *text; ok && (text = va_arg(texts, const char *)); first = false)
		ok = (first || EVP_DigestUpdate(context, ":", 1) == 1) &&
		     EVP_DigestUpdate(context, text, strlen(text)) == 1;
	va_end(texts);
	ok = ok && EVP_DigestFinal_ex(context, raw, &len) == 1 && len * 2 < DIGEST_HEX_MAX;
	EVP_MD_CTX_free(context);
	if (!ok)
		return EIO;
	for (unsigned i = 0; i < len; i++) {
		hex[2 * i] = "0123456789abcdef"[raw[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
	}
	hex[2 * len] = '\0';
	return 0;
}

struct text { char *at; size_t left; bool full; };

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text->at, text->left, format, arguments);
	va_end(arguments);
	if (n < 0 || (size_t)n >= text->left) {
		text->full = true;
		return;
	}
	text->at += n;
	text->left -= (size_t)n;
}

/* A quoted-string (RFC 3261 25.1). */
static void add_quoted(struct text *text, const char *name, const char *value)
{
	add(text, "%s=\"", name);
	for (; *value && text->left > 2; value++) {
		if (*value == '"' || *value == '\\') {
			*text->at++ = '\\';
			text->left--;
		}
		*text->at++ = *value;
		text->left--;
	}
	text->full = text->full || *value;
	add(text, "\"");
}

int digest_response(char response[DIGEST_HEX_MAX], const struct digest_challenge *c, const struct digest_request *r,
                    const char *nc)
{
	const char *qop = c->qop == DIGEST_QOP_AUTH_INT ? "auth-int" : "auth";
	enum digest_algorithm algorithm = (enum digest_algorithm)c->algorithm;
	char ha1[DIGEST_HEX_MAX], ha2[DIGEST_HEX_MAX], body[DIGEST_HEX_MAX];
	int error;

	error = hash(ha1, algorithm, r->username, c->realm, r->password, NULL);
	if (!error && c->session)
		error = hash(ha1, algorithm, ha1, c->nonce, r->cnonce, NULL);
	if (!error && c->qop == DIGEST_QOP_AUTH_INT) {
		error = hash(body, algorithm, "", NULL);
		if (!error)
			error = hash(ha2, algorithm, r->method, r->uri, body, NULL);
	} else if (!error) {
		error = hash(ha2, algorithm, r->method, r->uri, NULL);
	}
	if (!error && c->qop == DIGEST_QOP_NONE)
		error = hash(response, algorithm, ha1, c->nonce, ha2, NULL);
	else if (!error)
		error = hash(response, algorithm, ha1, c->nonce, nc, r->cnonce, qop, ha2, NULL);
	OPENSSL_cleanse(ha1, sizeof ha1);
	return error;
}

int digest_answer(char *value, size_t size, const struct digest_challenge *challenge, const struct digest_request *request)
{
	struct text text = { value, size, false };
	char response[DIGEST_HEX_MAX], nc[9];
	int error;

	if (challenge->algorithm == DIGEST_UNSUPPORTED || challenge->qop == DIGEST_QOP_UNSUPPORTED)
		return ENOTSUP;
	snprintf(nc, sizeof nc, "%08x", request->count);
	error = digest_response(response, challenge, request, nc);
	if (error)
		return error;
	add(&text, "Digest ");
	add_quoted(&text, "username", request->username);
	add_quoted(&text, ", realm", challenge->realm);
	add_quoted(&text, ", nonce", challenge->nonce);
	add_quoted(&text, ", uri", request->uri);
	add(&text, ", response=\"%s\"", response);
	if (challenge->algorithm_given)
		add(&text, ", algorithm=%s%s", algorithm_words[challenge->algorithm], challenge->session ? "-sess" : "");
	if (challenge->qop != DIGEST_QOP_NONE || challenge->session)
		add_quoted(&text, ", cnonce", request->cnonce);
	if (challenge->opaque)
		add_quoted(&text, ", opaque", challenge->opaque);
	if (challenge->qop != DIGEST_QOP_NONE)
		add(&text, ", qop=%s, nc=%s", challenge->qop == DIGEST_QOP_AUTH_INT ? "auth-int" : "auth", nc);
	return text.full ? EMSGSIZE : 0;
}
