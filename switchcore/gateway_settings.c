#include "gateway_set.h"

#include <stdlib.h>
#include <string.h>

struct gateway_settings *gateway_settings_create(enum kind_id kind, const struct record *record)
{
	size_t size = schema_kinds[kind].record_size;
	struct gateway_settings *s = malloc(sizeof *s + size);

	if (!s)
		return NULL;
	memcpy(s + 1, record, size);
	*s = (struct gateway_settings){ .references = 1, .kind = kind, .head = (const struct record *)(const void *)(s + 1) };
	if (kind == KIND_ROUTING_GATEWAY)
		s->routing = (const struct routing_gateway_record *)(const void *)(s + 1);
	else
		s->mapping = (const struct mapping_gateway_record *)(const void *)(s + 1);
	return s;
}

struct gateway_settings *gateway_settings_ref(struct gateway_settings *settings)
{
	settings->references++;
	return settings;
}

void gateway_settings_unref(struct gateway_settings *settings)
{
	if (!settings || --settings->references > 0)
		return;
	explicit_bzero(settings + 1, schema_kinds[settings->kind].record_size);
	free(settings);
}

/* Length of the longest of the prefixes that the text begins with, -1 = none. */
static int longest(const struct prefixes *list, const char *text)
{
	int best = -1;

	for (int32_t i = 0; i < list->count && i < SCHEMA_PREFIXES_MAX; i++) {
		size_t len = strnlen(list->prefix[i], SCHEMA_PREFIX_MAX);
		if ((int)len > best && strncmp(text, list->prefix[i], len) == 0)
			best = (int)len;
	}
	return best;
}

bool mapping_allows(const struct gateway_settings *settings, const char *callee)
{
	const struct mapping_gateway_record *m = settings->mapping;
	int allowed = m->allowed_prefixes.count ? longest(&m->allowed_prefixes, callee) : 0;
	int denied = longest(&m->denied_prefixes, callee);

	return allowed >= 0 && allowed > denied;
}

bool routing_stops(const struct gateway_settings *settings, unsigned code)
{
	const struct codes *stop = &settings->routing->stop_codes;

	if (code >= 600)
		return true;
	for (int32_t i = 0; i < stop->count && i < SCHEMA_CODES_MAX; i++)
		if (stop->code[i] == (int32_t)code)
			return true;
	return false;
}

bool routing_same_way(const struct gateway_settings *a, const struct gateway_settings *b)
{
	const struct routing_gateway_record *x = a->routing, *y = b->routing;

	return strcmp(x->host, y->host) == 0 && x->port == y->port && x->transport == y->transport &&
	       x->tls_verify == y->tls_verify && strcmp(x->listener, y->listener) == 0;
}
