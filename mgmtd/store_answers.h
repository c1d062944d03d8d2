/* Answers kept under their Idempotency-Key: for a day, at most STORE_ANSWERS of them and STORE_ANSWER_BYTES of text. */
#ifndef MGMTD_STORE_ANSWERS_H
#define MGMTD_STORE_ANSWERS_H

#include <stdint.h>

#define STORE_FINGERPRINT 32
#ifndef STORE_ANSWERS
#define STORE_ANSWERS 10000
#endif
#define STORE_ANSWER_BYTES (64 << 20)
#define STORE_ANSWER_S (24 * 3600)

struct store;
struct store_answers;
struct store_answers *store_answers(struct store *s);	/* lent */

struct store_answer {
	unsigned char fingerprint[STORE_FINGERPRINT];
	unsigned status;
	uint64_t revision;
	char *body;		/* the caller frees; NULL with another fingerprint than was asked for */
};

/* All inside a transaction of the writer thread; errors as in store.h.
 * get: ENOENT: none, or an older one than a day; ENOMEM.  put replaces.  amend: the body of one that is there, or nothing. */
int store_answer_get(struct store_answers *a, const char *actor, const char *key, const unsigned char fingerprint[STORE_FINGERPRINT],
                     struct store_answer *answer);
int store_answer_put(struct store_answers *a, const char *actor, const char *key, const struct store_answer *answer);
int store_answer_amend(struct store_answers *a, const char *actor, const char *key, const char *body);

#endif
