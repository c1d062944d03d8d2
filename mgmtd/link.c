#include "mgmtd/link.h"

#include "mgmtd/describe.h"
#include "mgmtd/members.h"
#include "mgmtd/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 256		/* a power of two */

struct links {
	struct link **bucket;
	size_t buckets, count;
};

/* ------------------------------------------------------------------ the table */

struct links *links_new(void)
{
	struct links *table = calloc(1, sizeof *table);

	if (table && !(table->bucket = calloc(BUCKETS_MIN, sizeof *table->bucket))) {
		free(table);
		return NULL;
	}
	if (table)
		table->buckets = BUCKETS_MIN;
	return table;
}

void links_free(struct links *table)
{
	if (!table)
		return;
	free(table->bucket);
	free(table);
}

static uint32_t hash_of(enum link_key key, const char *text)
{
	uint32_t hash = 2166136261u ^ (uint32_t)key;	/* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

static void chain(struct link **bucket, struct link *link)
{
	link->next = *bucket;
	link->place = bucket;
	if (link->next)
		link->next->place = &link->next;
	*bucket = link;
}

static void unchain(struct link *link)
{
	*link->place = link->next;
	if (link->next)
		link->next->place = link->place;
	link->place = NULL;
	link->table->count--;
}

static int grow(struct links *table)
{
	size_t buckets = 2 * table->buckets;
	struct link **bucket = calloc(buckets, sizeof *bucket);

	if (!bucket)
		return ENOMEM;
	for (size_t i = 0; i < table->buckets; i++)
		for (struct link *link = table->bucket[i], *next; link; link = next) {
			next = link->next;
			chain(&bucket[link->hash & (buckets - 1)], link);
		}
	free(table->bucket);
	table->bucket = bucket;
	table->buckets = buckets;
	return 0;
}

int links_add(struct links *table, struct object *object)
{
	for (struct link *link = object->links; link; link = link->sibling) {
		if (link->place)
			continue;
		if (table->count >= table->buckets && grow(table))
			return ENOMEM;
		link->table = table;
		chain(&table->bucket[link->hash & (table->buckets - 1)], link);
		table->count++;
	}
	return 0;
}

void links_remove(struct object *object)
{
	for (struct link *link = object->links; link; link = link->sibling)
		if (link->place)
			unchain(link);
}

void link_free(struct link *link)
{
	for (struct link *next; link; link = next) {
		next = link->sibling;
		if (link->place)
			unchain(link);
		free(link);
	}
}

static const struct link *match(const struct link *link, enum link_key key, uint32_t hash, const char *text)
{
	while (link && (link->hash != hash || link->key != key || strcmp(link->text, text) != 0))
		link = link->next;
	return link;
}

const struct link *links_find(const struct links *table, enum link_key key, const char *text)
{
	uint32_t hash = hash_of(key, text);

	return match(table->bucket[hash & (table->buckets - 1)], key, hash, text);
}

const struct link *links_next(const struct link *link)
{
	return match(link->next, link->key, link->hash, link->text);
}

/* ------------------------------------------------------------------ the links of an object */

static int add_link(struct object *object, const struct field *field, int32_t item, enum link_key key, const char *text)
{
	size_t size = strlen(text) + 1;
	struct link *link = malloc(sizeof *link + size);

	if (!link)
		return ENOMEM;
	*link = (struct link){ .object = object, .field = field, .item = item, .key = key, .hash = hash_of(key, text),
	                       .sibling = object->links };
	memcpy(link->text, text, size);
	object->links = link;
	return 0;
}

static int link_mapping_gateway(struct object *object, const struct mapping_gateway_record *record)
{
	const struct field *sources = schema_field(object->kind, "sources"), *username = schema_field(object->kind, "username");
	int error = 0;

	for (int32_t i = 0; i < record->sources.count && !error; i++)
		error = add_link(object, sources, i, LINK_SOURCE, record->sources.source[i]);
	if (!error && record->authentication == AUTHENTICATION_DIGEST)
		error = add_link(object, username, -1, LINK_DIGEST_USER, record->username[0] ? record->username : object->name);
	return error;
}

static int link_record(struct object *object, const struct record *record)
{
	int error = 0;

	for (size_t i = 0; i < object->kind->nfields && !error; i++) {
		const struct field *field = &object->kind->fields[i];
		const char *name = (const char *)record + field->offset;
		if (schema_target(field->type) != KIND_COUNT && name[0])
			error = add_link(object, field, -1, field->type == FT_REGISTRATION_REF ? LINK_REGISTRATION : LINK_MAPPING, name);
	}
	if (!error && object->kind->id == KIND_MAPPING_GATEWAY)
		error = link_mapping_gateway(object, (const struct mapping_gateway_record *)record);
	return error;
}

/* What links are made of; a document is not parsed for the rest. */
static bool makes_links(const struct kind *kind, const struct field *field)
{
	if (schema_target(field->type) != KIND_COUNT)
		return true;
	return kind->id == KIND_MAPPING_GATEWAY && (strcmp(field->name, "sources") == 0 || strcmp(field->name, "username") == 0 ||
	                                            strcmp(field->name, "authentication") == 0);
}

static void fill_record(const struct object *object, struct record *record)
{
	struct member members[MEMBERS_MAX];
	json_t *errors = json_array();

	if (members_find(members, object->kind, object->document)) {
		json_decref(errors);
		return;
	}
	for (size_t i = 0; i < object->kind->nfields; i++) {
		const struct field *field = &object->kind->fields[i];
		if (!makes_links(object->kind, field))
			continue;
		json_t *value = json_loadb(members[i].value, members[i].len, JSON_DECODE_ANY, NULL), *canonical = NULL;
		if (value)
			value_check(field, value, "", field->name, errors, (char *)record + field->offset, &canonical);
		json_decref(value);
		json_decref(canonical);
	}
	json_decref(errors);
}

int link_object(struct object *object)
{
	union any_record record;

	if (object->kind->id == KIND_PARAMETERS || object->deleted)
		return 0;
	if (object->record)
		return link_record(object, object->record);
	memset(&record, 0, object->kind->record_size);
	fill_record(object, &record.head);
	return link_record(object, &record.head);
}
