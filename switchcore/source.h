/*
 * Sources of calls: which mapping gateway an address belongs to.  A hash over (network, length, port); finding looks at the
 * lengths that exist, so it does not matter how many sources there are.
 */
#ifndef SWITCHCORE_SOURCE_H
#define SWITCHCORE_SOURCE_H

#include "hash.h"
#include "target.h"

#include "schema/schema.h"

struct source {
	struct hash_link link;
	void *owner;
	unsigned char network[16];	/* the bits behind the length are 0 */
	uint16_t port;			/* 0 = any */
	uint8_t family, length;		/* AF_INET, AF_INET6; bits */
};

/* All zero = empty. */
struct sources_index {
	struct hash table;
	uint32_t exact;			/* sources with a port */
	uint32_t v4[33], v6[129];	/* sources of each length */
};

/* "192.0.2.1", "192.0.2.0/24", "192.0.2.1:5060", "2001:db8::1", "2001:db8::/32", "[2001:db8::1]:5060".  EINVAL. */
int source_parse(struct source *source, const char *text);
void source_add(struct sources_index *index, struct source *source);
void source_remove(struct sources_index *index, struct source *source);
/* The owner that fits best: address and port first, then the longest network.  suits() says whether a source's owner may be
 * taken, and which of two with the same source is the better one. */
void *source_find(const struct sources_index *index, const union address *remote,
                  bool (*suits)(const void *owner, const void *other, const void *arg), const void *arg);
void source_index_free(struct sources_index *index);

#endif
