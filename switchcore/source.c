#include "source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint8_t bits_of(uint8_t family)
{
	return family == AF_INET6 ? 128 : 32;
}

static const void *bytes_of(const union address *a)
{
	return a->family == AF_INET6 ? (const void *)&a->v6.sin6_addr : (const void *)&a->v4.sin_addr;
}

static void mask(unsigned char network[16], unsigned length)
{
	unsigned byte = length / 8;

	if (length % 8)
		network[byte++] &= (unsigned char)(0xff00u >> length % 8);
	memset(network + byte, 0, 16 - byte);
}

static void set_network(struct source *source, const union address *address, uint8_t length, uint16_t port)
{
	memset(source->network, 0, sizeof source->network);
	source->family = (uint8_t)address->family;
	source->length = length;
	source->port = port;
	memcpy(source->network, bytes_of(address), bits_of(source->family) / 8);
	mask(source->network, length);
}

static int number(const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return EINVAL;
	*value = strtoul(text, &end, 10);
	return *end || *value > max ? EINVAL : 0;
}

int source_parse(struct source *source, const char *text)
{
	char host[SCHEMA_SOURCE_MAX + 1];
	const char *slash = strchr(text, '/'), *colon = strrchr(text, ':');
	unsigned long length, port = 0;
	union address address, plain;
	size_t size = strlen(text);
	bool v6 = colon && strchr(text, ':') != colon && text[0] != '[';

	if (slash)
		size = (size_t)(slash - text);
	else if (colon && !v6 && colon > text && (text[0] != '[' || colon[-1] == ']'))
		size = (size_t)(colon - text);
	if (size >= sizeof host)
		return EINVAL;
	memcpy(host, text, size);
	host[size] = '\0';
	if (!address_parse(&address, host, 0))
		return EINVAL;
	address_from(&plain, &address.any);	/* as received ones are told */
	if (plain.family != address.family && slash)
		return EINVAL;
	length = bits_of((uint8_t)plain.family);
	if (slash && number(slash + 1, length, &length) != 0)
		return EINVAL;
	if (!slash && text[size] == ':' && (number(text + size + 1, 65535, &port) != 0 || port == 0))
		return EINVAL;
	set_network(source, &plain, (uint8_t)length, (uint16_t)port);
	return 0;
}

static uint32_t hash_of(const struct source *s)
{
	const uint32_t rest = (uint32_t)s->port << 16 | (uint32_t)s->length << 8 | s->family;

	return hash_bytes(s->network, bits_of(s->family) / 8) * 31 + hash_bytes(&rest, sizeof rest);
}

static uint32_t *counter(struct sources_index *index, const struct source *s)
{
	if (s->port)
		return &index->exact;
	return s->family == AF_INET6 ? &index->v6[s->length] : &index->v4[s->length];
}

void source_add(struct sources_index *index, struct source *source)
{
	++*counter(index, source);
	hash_add(&index->table, &source->link, hash_of(source));
}

void source_remove(struct sources_index *index, struct source *source)
{
	if (!source->link.linked)
		return;
	--*counter(index, source);
	hash_remove(&index->table, &source->link);
}

static bool same(const struct source *a, const struct source *b)
{
	return a->family == b->family && a->length == b->length && a->port == b->port &&
	       memcmp(a->network, b->network, sizeof a->network) == 0;
}

static void *best_of(const struct sources_index *index, const struct source *key,
                     bool (*suits)(const void *owner, const void *other, const void *arg), const void *arg)
{
	void *best = NULL;

	for (struct hash_link *l = hash_first(&index->table, hash_of(key)); l; l = hash_next(l)) {
		struct source *s = HASH_OWNER(l, struct source, link);
		if (same(s, key) && suits(s->owner, best, arg))
			best = s->owner;
	}
	return best;
}

void *source_find(const struct sources_index *index, const union address *remote,
                  bool (*suits)(const void *owner, const void *other, const void *arg), const void *arg)
{
	const uint32_t *lengths = remote->family == AF_INET6 ? index->v6 : index->v4;
	uint8_t bits = bits_of((uint8_t)remote->family);
	struct source key = { .port = 0 };
	void *found = NULL;

	if (remote->family != AF_INET && remote->family != AF_INET6)
		return NULL;
	if (index->exact) {
		set_network(&key, remote, bits, address_port(remote));
		found = best_of(index, &key, suits, arg);
	}
	for (int length = bits; length >= 0 && !found; length--) {
		if (!lengths[length])
			continue;
		set_network(&key, remote, (uint8_t)length, 0);
		found = best_of(index, &key, suits, arg);
	}
	return found;
}

void source_index_free(struct sources_index *index)
{
	hash_free(&index->table);
}
