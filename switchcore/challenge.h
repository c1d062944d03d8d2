/*
 * Digest authentication, server side (RFC 7616, RFC 8760, RFC 3261 22): challenges for the calls of mapping gateways
 * and the check of the answers.  Pure: times and addresses are given by the caller.
 *
 * A nonce carries the time it was made and a serial number, signed together with the address it was given to by a key
 * of this process, so a challenge costs no memory however many are asked for.  Memory is used, and bounded, only for
 * what an answer taught:
 *  - the use count of each nonce answered rightly: a count must rise, so that a captured answer is worthless.  When
 *    its place is needed before the nonce is too old, all older nonces of that place are forgotten as stale: never a
 *    replay, at worst one more round;
 *  - wrong answers of each source address (of IPv6 its /64) and user name.
 */
#ifndef SWITCHCORE_CHALLENGE_H
#define SWITCHCORE_CHALLENGE_H

#include "digest.h"
#include "schema/schema.h"
#include "target.h"

/* Does not change with a listener or an address (RFC 3261 22.1 recommends a host name): peers store their account
 * under the realm. */
#define CHALLENGE_REALM "tandem"
#define CHALLENGE_VALUES 2
#define CHALLENGE_VALUE_MAX 192

struct challenges;

/* ENOMEM.  The key is random. */
int challenges_create(struct challenges **challenges);
void challenges_destroy(struct challenges *challenges);

/*
 * Values of (WWW|Proxy)-Authenticate, in this order: MD5 (not where OpenSSL forbids it), then SHA-256.  Many peers
 * take the first header and fail where they do not know its algorithm; those that refuse MD5 take the second.  Little
 * is lost: either one is a single hash over the password.  EIO: OpenSSL refuses.
 */
struct challenge {
	size_t count;
	char value[CHALLENGE_VALUES][CHALLENGE_VALUE_MAX];
};
int challenge_make(struct challenges *challenges, struct challenge *out, const union address *remote, bool stale,
                   uint64_t now_us);

/* The parameters of a Digest (Proxy-)Authorization, unquoted; NULL = absent. */
struct challenge_answer {
	const char *username, *realm, *nonce, *uri, *response;
	const char *algorithm, *qop, *cnonce, *nc;
};

enum challenge_result {
	CHALLENGE_OK,
	CHALLENGE_NONE,		/* no answer to our realm: challenge */
	CHALLENGE_STALE,	/* the nonce is too old, used, another address's or another process's: challenge with stale=true */
	CHALLENGE_WRONG,	/* wrong user or password: challenge again */
	CHALLENGE_REFUSED,	/* the same once too often: 403 */
	CHALLENGE_MALFORMED,	/* 400 */
};

struct challenge_account {
	const char *username, *password;	/* password "" = nobody gets in, in the same time and with the same result */
};

/* answer: the one whose realm is CHALLENGE_REALM, NULL = none.  remote: where the request came from; its port is not
 * looked at, since a retry may come by another connection.  now_us: the clock that challenge_make() had.
 *
 * A nonce is good for SS_SIP_AUTHENTICATION_TIMEOUT; so long, from the last wrong answer, a source and user name stay
 * refused after SS_SIP_AUTHENTICATION_RETRY + 1 wrong ones.  Only answers with a nonce that was given to that address
 * count: a spoofed source refuses nobody.  A right answer clears the count.
 * An answer without qop (RFC 2069, RFC 3261 22.4) is taken once per nonce.  That the digest's uri is the Request-URI
 * is not asked: proxies and peers write it differently, and To, which names the callee, is not signed either; replay
 * is what the count guards against. */
enum challenge_result challenge_check(struct challenges *challenges, const struct challenge_account *account,
                                      const struct challenge_answer *answer, const char *method, const union address *remote,
                                      const struct sip_parameters *parameters, uint64_t now_us);

#endif
