/*
 * HTTP digest authentication: MD5 and SHA-256 (RFC 7616, RFC 8760; RFC 2069 when no qop is offered).  One computation for
 * every algorithm and both sides, by OpenSSL; the challenge is parsed by the SIP stack.  The server side is challenge.h.
 */
#ifndef SWITCHCORE_DIGEST_H
#define SWITCHCORE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_algorithm { DIGEST_UNSUPPORTED, DIGEST_MD5, DIGEST_SHA256 };
enum digest_qop { DIGEST_QOP_NONE, DIGEST_QOP_AUTH, DIGEST_QOP_AUTH_INT, DIGEST_QOP_UNSUPPORTED };

struct digest_challenge {
	bool proxy;			/* Proxy-Authenticate rather than WWW-Authenticate */
	bool stale;
	bool session;			/* …-sess */
	uint8_t algorithm;		/* enum digest_algorithm */
	uint8_t qop;			/* the one to answer with */
	bool algorithm_given;		/* to be repeated in the answer */
	const char *realm, *nonce;
	const char *opaque;		/* or NULL */
};

/* Without an algorithm parameter (NULL) it is MD5. */
enum digest_algorithm digest_algorithm_by_word(const char *word, bool *session);
/* The best of a list such as "auth,auth-int"; NULL = none offered. */
enum digest_qop digest_qop_by_list(const char *list);

struct digest_request {
	const char *username, *password;
	const char *method, *uri;	/* of a request with an empty body */
	const char *cnonce;
	uint32_t count;			/* nc: how often this nonce was used, from 1 */
};

#define DIGEST_HEX_MAX (2 * 32 + 1)	/* the longest digest is 256 bits */

/* The response, in lower case, with the nc that stands on the wire (request->count is not looked at).  EIO as below. */
int digest_response(char response[DIGEST_HEX_MAX], const struct digest_challenge *challenge,
                    const struct digest_request *request, const char *nc);

/* Writes the value of the (Proxy-)Authorization header.  ENOTSUP algorithm or qop; EMSGSIZE; EIO: OpenSSL refuses the
 * algorithm (a FIPS policy). */
int digest_answer(char *value, size_t size, const struct digest_challenge *challenge, const struct digest_request *request);

#endif
