#include "hash.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 16u

static struct hash_link **bucket_of(const struct hash *table, uint32_t hash)
{
	if (!table->buckets)
		return (struct hash_link **)&table->single;
	return &table->buckets[hash & table->mask];
}

static void put(struct hash *table, struct hash_link *link)
{
	struct hash_link **bucket = bucket_of(table, link->hash);

	link->next = *bucket;
	*bucket = link;
}

static void grow(struct hash *table)
{
	uint32_t size = table->buckets ? (table->mask + 1) * 2 : FIRST_SIZE;
	struct hash old = *table;
	struct hash_link **buckets = calloc(size, sizeof(struct hash_link *));

	if (!buckets)
		return;
	table->buckets = buckets;
	table->mask = size - 1;
	table->single = NULL;
	for (uint32_t i = 0; i <= (old.buckets ? old.mask : 0); i++) {
		struct hash_link *link = old.buckets ? old.buckets[i] : old.single, *next;
		for (; link; link = next) {
			next = link->next;
			put(table, link);
		}
	}
	free(old.buckets);
}

void hash_add(struct hash *table, struct hash_link *link, uint32_t hash)
{
	if (table->count >= (table->buckets ? table->mask + 1 : 1))
		grow(table);
	link->hash = hash;
	link->linked = true;
	table->count++;
	put(table, link);
}

void hash_remove(struct hash *table, struct hash_link *link)
{
	struct hash_link **at = bucket_of(table, link->hash);

	if (!link->linked)
		return;
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->next = NULL;
	link->linked = false;
	table->count--;
}

static struct hash_link *same(struct hash_link *link, uint32_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct hash_link *hash_first(const struct hash *table, uint32_t hash)
{
	return same(*bucket_of(table, hash), hash);
}

struct hash_link *hash_next(const struct hash_link *link)
{
	return same(link->next, link->hash);
}

void hash_free(struct hash *table)
{
	free(table->buckets);
	memset(table, 0, sizeof *table);
}

uint32_t hash_bytes(const void *bytes, size_t size)
{
	const unsigned char *p = bytes;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * 16777619u;
	return hash ^ hash >> 15;
}

uint32_t hash_text(const char *text)
{
	return hash_bytes(text, strlen(text));
}
