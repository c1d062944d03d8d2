/*
 * Intrusive hash tables: the link lies in the object, so adding and removing cannot fail.  A table that finds no memory to
 * grow gets longer chains instead.  All zero = an empty table.  Several links may have the same hash; the caller compares.
 */
#ifndef SWITCHCORE_HASH_H
#define SWITCHCORE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_link {
	struct hash_link *next;
	uint32_t hash;
	bool linked;
};

struct hash {
	struct hash_link **buckets;	/* NULL = only `single` */
	struct hash_link *single;
	uint32_t mask, count;
};

#define HASH_OWNER(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

void hash_add(struct hash *table, struct hash_link *link, uint32_t hash);
void hash_remove(struct hash *table, struct hash_link *link);	/* one that is not linked: nothing */
struct hash_link *hash_first(const struct hash *table, uint32_t hash);	/* of exactly that hash, or NULL */
struct hash_link *hash_next(const struct hash_link *link);		/* the next of the same hash, or NULL */
void hash_free(struct hash *table);	/* the links are the caller's */

uint32_t hash_bytes(const void *bytes, size_t size);
uint32_t hash_text(const char *text);

#endif
