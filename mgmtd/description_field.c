/* A field of the schema as JSON Schema. */
#include "mgmtd/description.h"

#include "mgmtd/describe.h"
#include "mgmtd/value.h"

static json_t *either(json_t *one, json_t *other)
{
	return json_pack("{s:[o, o]}", "anyOf", one, other);
}

static json_t *number_schema(const struct field *field)
{
	json_t *range = json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", field->min, "maximum", field->max);
	return field->flags & (ZERO_OFF | ZERO_INHERITS) && field->min > 0 ? either(range, json_pack("{s:i}", "const", 0)) : range;
}

static json_t *secret_schema(const struct field *field, enum field_use use)
{
	json_t *shown = json_pack("{s:s, s:[s], s:{s:{s:s}}, s:b}", "type", "object", "required", "set", "properties", "set", "type",
	                          "boolean", "additionalProperties", 0);
	if (use == FIELD_SHOWN) {
		json_object_set_new(shown, "readOnly", json_true());
		return shown;
	}
	json_t *written = json_pack("{s:[{s:s, s:i, s:i}, o, {s:s}]}", "anyOf", "type", "string", "minLength", field->min, "maxLength",
	                            field->max, shown, "type", "null");
	if (use == FIELD_MOVED)
		json_array_append_new(json_object_get(written, "anyOf"), json_pack("{s:s, s:[s], s:{s:{s:s}}, s:b}", "type", "object", "required",
		                      "sealed", "properties", "sealed", "type", "string", "additionalProperties", 0));
	else
		json_object_set_new(written, "writeOnly", json_true());
	return written;
}

#define DIGITS "^[0-9*#+]*$"

static json_t *item_schema(const struct field *field, const struct list_limits *limits)
{
	switch (field->type) {
	case FT_INTERVALS:
	case FT_CODES:
		return json_pack("{s:s, s:o, s:o}", "type", field->type == FT_CODES ? "integer" : "number",
		                 "minimum", describe_number(field, limits->min), "maximum", describe_number(field, limits->max));
	case FT_REWRITES:
		return json_pack("{s:s, s:[s,s], s:{s:{s:s, s:i, s:s}, s:{s:s, s:i, s:s}}, s:b}", "type", "object", "required", "match", "replace",
		                 "properties", "match", "type", "string", "maxLength", limits->max, "pattern", DIGITS,
		                 "replace", "type", "string", "maxLength", limits->max, "pattern", DIGITS, "additionalProperties", 0);
	case FT_PREFIXES:
		return json_pack("{s:s, s:i, s:s}", "type", "string", "maxLength", limits->max, "pattern", DIGITS);
	default:
		return json_pack("{s:s, s:i, s:i, s:s}", "type", "string", "minLength", limits->min, "maxLength", limits->max,
		                 "pattern", "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$|^\\[[0-9A-Fa-f:.]+\\]:[0-9]{1,5}$");
	}
}

static json_t *list_schema(const struct field *field)
{
	struct list_limits limits = schema_list_limits(field);

	return json_pack("{s:s, s:o, s:i, s:i, s:b}", "type", "array", "items", item_schema(field, &limits), "minItems", limits.min_items,
	                 "maxItems", limits.max_items, "uniqueItems", field->type != FT_INTERVALS);
}

static json_t *value_schema(const struct field *field, enum field_use use)
{
	switch (field->type) {
	case FT_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case FT_INT:
		return field->options ? json_pack("{s:s, s:o}", "type", "integer", "enum", value_options(field)) : number_schema(field);
	case FT_INT_OR_KEYWORD:
		return either(number_schema(field), json_pack("{s:s, s:o}", "type", "string", "enum", value_options(field)));
	case FT_ENUM:
		return json_pack("{s:s, s:o}", "type", "string", "enum", value_options(field));
	case FT_REGISTRATION_REF:
	case FT_MAPPING_REF:
		return either(json_pack("{s:s}", "$ref", "#/components/schemas/Name"), json_pack("{s:s}", "type", "null"));
	case FT_INTERVALS:
	case FT_CODES:
	case FT_PREFIXES:
	case FT_REWRITES:
	case FT_SOURCES:
		return list_schema(field);
	default:
		if (field->flags & SECRET)
			return secret_schema(field, use);
		/* An optional text may always be empty: not given. */
		return json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", field->flags & REQUIRED ? field->min : 0, "maxLength",
		                 field->max);
	}
}

json_t *description_field(const struct kind *kind, const struct field *field, enum field_use use)
{
	json_t *schema = value_schema(field, use), *fallback;
	/* null is the default, also in a whole object. */
	if ((use == FIELD_PATCHED || (use == FIELD_WRITTEN && !(field->flags & REQUIRED))) && !(field->flags & SECRET))
		schema = either(schema, json_pack("{s:s}", "type", "null"));
	json_object_set_new(schema, "title", json_string(field->title));
	json_object_set_new(schema, "description", json_string(field->help));
	fallback = describe_default(kind, field);
	if (use == FIELD_WRITTEN && !(field->flags & (REQUIRED | SECRET)))
		json_object_set(schema, "default", fallback);
	json_decref(fallback);
	return schema;
}
