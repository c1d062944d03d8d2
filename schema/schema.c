#include "schema.h"

#include <string.h>

#define OPTIONS(set) static const struct option_word set##_options[] = {
#define OPTION(set, id, word, label, help, recommended) { word, label, help, recommended },
#define END_OPTIONS(set) { NULL, NULL, NULL, 0 } };
#include "options.def"

#define NONE_options NULL
#define WHERE_0(owner, name) offsetof(owner, name), sizeof(((owner *)0)->name)
#define WHERE_REQUIRED WHERE_0
#define WHERE_SECRET WHERE_0
#define WHERE_ZERO_OFF WHERE_0
#define WHERE_SIP WHERE_0
#define WHERE_SIP_ZERO_INHERITS WHERE_0
/* A default that is a list: its commas must survive as one argument. */
#define LIST(...) [__VA_ARGS__]
#define JSON_OF(...) JSON_OF_(__VA_ARGS__)
#define JSON_OF_(...) #__VA_ARGS__
#define WHERE_RECORDLESS(owner, name) UINT32_MAX, 0
#define FIELD(name, type, min, max, fallback, options, unit, applies, group, direction, flags, inherits, title, help) \
	{ #name, FT_##type, min, max, JSON_OF(fallback), options##_options, unit, applies, direction, flags, inherits, \
	  group, title, help, WHERE_##flags(OWNER, name) },

#define OWNER struct sip_parameters
static const struct field parameter_fields[] = {
#include "parameters.def"
};
#undef OWNER

#define OWNER struct registration_record
static const struct field registration_fields[] = {
#include "registration.def"
};
#undef OWNER

#define OWNER struct routing_gateway_record
static const struct field routing_gateway_fields[] = {
#include "routing_gateway.def"
};
#undef OWNER

#define OWNER struct mapping_gateway_record
static const struct field mapping_gateway_fields[] = {
#include "mapping_gateway.def"
};
#undef OWNER

#define FIELDS(table) table, sizeof(table) / sizeof(table[0])
const struct kind schema_kinds[KIND_COUNT] = {
	[KIND_PARAMETERS] = { KIND_PARAMETERS, "sip-parameters", "parameter", FIELDS(parameter_fields),
	                      sizeof(struct sip_parameters) },
	[KIND_REGISTRATION] = { KIND_REGISTRATION, "registrations", "registration", FIELDS(registration_fields),
	                        sizeof(struct registration_record) },
	[KIND_ROUTING_GATEWAY] = { KIND_ROUTING_GATEWAY, "routing-gateways", "routing gateway", FIELDS(routing_gateway_fields),
	                           sizeof(struct routing_gateway_record) },
	[KIND_MAPPING_GATEWAY] = { KIND_MAPPING_GATEWAY, "mapping-gateways", "mapping gateway", FIELDS(mapping_gateway_fields),
	                           sizeof(struct mapping_gateway_record) },
};

const struct kind *schema_kind_by_path(const char *path)
{
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (strcmp(schema_kinds[i].path, path) == 0)
			return &schema_kinds[i];
	return NULL;
}

const struct field *schema_field(const struct kind *kind, const char *name)
{
	for (size_t i = 0; i < kind->nfields; i++)
		if (strcmp(kind->fields[i].name, name) == 0)
			return &kind->fields[i];
	return NULL;
}

static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u;
	return hash;
}

uint64_t schema_layout_hash(void)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (size_t k = 0; k < KIND_COUNT; k++) {
		const struct kind *kind = &schema_kinds[k];
		hash = fnv1a(hash, kind->path, strlen(kind->path) + 1);
		hash = fnv1a(hash, &kind->record_size, sizeof kind->record_size);
		for (size_t i = 0; i < kind->nfields; i++) {
			const struct field *f = &kind->fields[i];
			const uint32_t shape[] = { (uint32_t)f->type, f->offset, f->size };
			hash = fnv1a(hash, f->name, strlen(f->name) + 1);
			hash = fnv1a(hash, shape, sizeof shape);
			for (const struct option_word *o = f->options; o && o->word; o++)
				hash = fnv1a(hash, o->word, strlen(o->word) + 1);
		}
	}
	return hash;
}

const char *schema_type_word(enum field_type type)
{
	switch (type) {
	case FT_BOOL:		return "bool";
	case FT_INT:		return "int";
	case FT_INT_OR_KEYWORD:	return "int_or_keyword";
	case FT_ENUM:		return "enum";
	case FT_REGISTRATION_REF:
	case FT_MAPPING_REF:	return "reference";
	case FT_INTERVALS:
	case FT_CODES:		return "number_list";
	case FT_PREFIXES:
	case FT_SOURCES:	return "text_list";
	case FT_REWRITES:	return "rewrite_list";
	default:		return "text";
	}
}

enum kind_id schema_target(enum field_type type)
{
	return type == FT_REGISTRATION_REF ? KIND_REGISTRATION : type == FT_MAPPING_REF ? KIND_MAPPING_GATEWAY : KIND_COUNT;
}

struct list_limits schema_list_limits(const struct field *field)
{
	switch (field->type) {
	case FT_INTERVALS:
		return (struct list_limits){ SCHEMA_INTERVALS_MIN, SCHEMA_INTERVALS_MAX, field->min, field->max };
	case FT_CODES:
		return (struct list_limits){ field->min, field->max, SCHEMA_CODE_MIN, SCHEMA_CODE_MAX };
	case FT_PREFIXES:
	case FT_REWRITES:
		return (struct list_limits){ field->min, field->max, 0, SCHEMA_PREFIX_MAX };
	case FT_SOURCES:
		return (struct list_limits){ field->min, field->max, 1, SCHEMA_SOURCE_MAX };
	default:
		return (struct list_limits){ 0 };
	}
}

const char *schema_unit_word(enum field_unit unit)
{
	return unit == SECONDS ? "s" : "";
}

const char *schema_applies_word(enum field_applies applies)
{
	static const char *const words[] = { [LIVE] = "live", [NEW_CALLS] = "new_calls", [REREGISTER] = "reregister" };
	return words[applies];
}

const char *schema_direction_word(enum field_direction direction)
{
	static const char *const words[] = { [OUTBOUND] = "outbound", [INBOUND] = "inbound", [BOTH] = "both" };
	return words[direction];
}

int schema_option(const struct field *field, const char *word)
{
	for (int i = 0; field->options && field->options[i].word; i++)
		if (strcmp(field->options[i].word, word) == 0)
			return i;
	return -1;
}

int schema_int_outside(const struct field *field, int64_t value)
{
	if (value == 0 && (field->flags & ZERO_OFF))
		return 0;
	return value < field->min || value > field->max;
}
