#include "mgmtd/throttle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SETS 1024u
#define WAYS 4u
#define HASH crypto_shorthash_siphashx24_BYTES

struct place {
	unsigned char hash[HASH];
	int64_t used_ms;		/* 0 = empty */
};

struct pair {
	struct place place;
	int64_t until_ms;
	unsigned failures;
	bool known;
};

struct address {
	struct place place;
	int64_t tries_ms[THROTTLE_TRIES];	/* the last ones, in no order; 0 = none */
};

struct throttle {
	unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];	/* nobody can aim at a place of somebody else's */
	struct pair pairs[SETS][WAYS];
	struct address addresses[SETS][WAYS];
};

void throttle_close(struct throttle *t)
{
	free(t);
}

int throttle_open(struct throttle **t)
{
	struct throttle *new = calloc(1, sizeof *new);
	if (!new)
		return ENOMEM;
	randombytes_buf(new->key, sizeof new->key);
	*t = new;
	return 0;
}

/* A network of 2^64 addresses is one subscriber's. */
static size_t address_bytes(unsigned char bytes[sizeof(struct in6_addr)], const char *address)
{
	if (inet_pton(AF_INET6, address, bytes) == 1)
		return 8;
	return inet_pton(AF_INET, address, bytes) == 1 ? 4 : 0;
}

/* account NULL: of the address alone */
static unsigned hash_of(const struct throttle *t, unsigned char hash[HASH], const char *account, const char *address)
{
	unsigned char text[1024 + 17];
	size_t len = address_bytes(text + 1, address) + 1;
	text[0] = account != NULL;
	if (account) {
		size_t n = strlen(account);
		n = n < sizeof text - len ? n : sizeof text - len;
		memcpy(text + len, account, n);
		len += n;
	}
	crypto_shorthash_siphashx24(hash, text, len, t->key);
	return (hash[0] | (unsigned)hash[1] << 8) % SETS;
}

/* In a set of WAYS places of `size` bytes that each begin with a struct place: that of the hash, or the longest unused one,
 * emptied for it. */
static void *place_of(void *set, size_t size, const unsigned char hash[HASH], int64_t now_ms)
{
	struct place *oldest = set;
	for (size_t i = 0; i < WAYS; i++) {
		struct place *place = (struct place *)((char *)set + i * size);
		if (place->used_ms && memcmp(place->hash, hash, HASH) == 0)
			return place;
		if (place->used_ms < oldest->used_ms)
			oldest = place;
	}
	memset(oldest, 0, size);
	memcpy(oldest->hash, hash, HASH);
	oldest->used_ms = now_ms;
	return oldest;
}

static struct pair *pair_of(struct throttle *t, const char *account, const char *address, int64_t now_ms)
{
	unsigned char hash[HASH];
	unsigned set = hash_of(t, hash, account, address);
	return place_of(t->pairs[set], sizeof t->pairs[set][0], hash, now_ms);
}

static struct address *address_of(struct throttle *t, const char *address, int64_t now_ms)
{
	unsigned char hash[HASH];
	unsigned set = hash_of(t, hash, NULL, address);
	return place_of(t->addresses[set], sizeof t->addresses[set][0], hash, now_ms);
}

static int64_t *oldest_try(struct address *a)
{
	int64_t *oldest = &a->tries_ms[0];
	for (size_t i = 1; i < THROTTLE_TRIES; i++)
		if (a->tries_ms[i] < *oldest)
			oldest = &a->tries_ms[i];
	return oldest;
}

/* One try fewer: the newest. */
static void take_back(struct address *a)
{
	int64_t *newest = &a->tries_ms[0];
	for (size_t i = 1; i < THROTTLE_TRIES; i++)
		if (a->tries_ms[i] > *newest)
			newest = &a->tries_ms[i];
	*newest = 0;
}

static int64_t delay_after(unsigned failures)
{
	int64_t delay = THROTTLE_FIRST_MS;
	if (failures <= THROTTLE_FREE)
		return 0;
	for (unsigned i = THROTTLE_FREE + 1; i < failures && delay < THROTTLE_MOST_MS; i++)
		delay *= 2;
	return delay < THROTTLE_MOST_MS ? delay : THROTTLE_MOST_MS;
}

int64_t throttle_try(struct throttle *t, const char *account, const char *address, int64_t now_ms, bool *known)
{
	struct pair *pair = pair_of(t, account, address, now_ms);
	struct address *from = address_of(t, address, now_ms);
	int64_t *try = oldest_try(from);
	pair->place.used_ms = from->place.used_ms = now_ms;
	if (pair->until_ms && now_ms - pair->until_ms >= THROTTLE_FORGET_MS)
		pair->failures = 0;
	*known = pair->known;
	if (now_ms < pair->until_ms)
		return pair->until_ms - now_ms;
	if (*try && now_ms - *try < THROTTLE_WINDOW_MS)
		return THROTTLE_WINDOW_MS - (now_ms - *try);
	*try = now_ms;
	pair->failures++;
	pair->until_ms = now_ms + delay_after(pair->failures);
	return 0;
}

void throttle_end(struct throttle *t, const char *account, const char *address, enum throttle_outcome outcome, bool known,
                  int64_t now_ms)
{
	struct pair *pair = pair_of(t, account, address, now_ms);
	if (outcome == THROTTLE_FAILED) {
		pair->known = known;
		pair->until_ms = now_ms + delay_after(pair->failures);
		return;
	}
	take_back(address_of(t, address, now_ms));
	if (outcome == THROTTLE_PASSED)
		*pair = (struct pair){ 0 };
	else if (pair->failures > 0)
		pair->failures--;
	if (outcome == THROTTLE_UNDECIDED)
		pair->until_ms = now_ms;
}
