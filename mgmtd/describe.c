#include "mgmtd/describe.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 64

/* Parsed once: every write of an object needs most of them. */
static json_t *defaults[KIND_COUNT][FIELDS_MAX];
static pthread_once_t defaults_once = PTHREAD_ONCE_INIT;

static void parse_defaults(void)
{
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < schema_kinds[k].nfields && i < FIELDS_MAX; i++)
			defaults[k][i] = json_loads(schema_kinds[k].fields[i].fallback, JSON_DECODE_ANY, NULL);
}

json_t *describe_default(const struct kind *kind, const struct field *field)
{
	pthread_once(&defaults_once, parse_defaults);
	return json_incref(defaults[kind->id][field - kind->fields]);
}

static json_t *option_list(const struct field *field)
{
	json_t *list = json_array();

	for (const struct option_word *o = field->options; o && o->word; o++) {
		json_t *value = field->type == FT_BOOL ? json_boolean(strcmp(o->word, "true") == 0) :
		                field->type == FT_INT ? json_integer(strtol(o->word, NULL, 10)) : json_string(o->word);
		json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:b}", "value", value, "label", o->label,
		                                      "help", o->help, "recommended", o->recommended));
	}
	return list;
}

/* Parameters of one group are read together, so each names the others. */
static json_t *see_also(const struct kind *kind, const struct field *field)
{
	json_t *list = json_array();

	for (size_t i = 0; i < kind->nfields && kind->id == KIND_PARAMETERS; i++)
		if (&kind->fields[i] != field && strcmp(kind->fields[i].group, field->group) == 0)
			json_array_append_new(list, json_string(kind->fields[i].name));
	if (field->inherits)
		json_array_append_new(list, json_string(field->inherits));
	return list;
}

json_t *describe_number(const struct field *field, int32_t number)
{
	if (field->type == FT_INTERVALS && number % 1000)
		return json_real(number / 1000.0);
	return json_integer(field->type == FT_INTERVALS ? number / 1000 : number);
}

json_t *describe_field(const struct kind *kind, const struct field *field)
{
	bool list = field->type >= FT_INTERVALS, limited = list || (field->type != FT_BOOL && field->type != FT_ENUM);
	struct list_limits of = schema_list_limits(field);

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:s}",
	                 "name", field->name, "type", schema_type_word(field->type), "default", describe_default(kind, field),
	                 "min", limited ? describe_number(field, list ? of.min : field->min) : json_null(),
	                 "max", limited ? describe_number(field, list ? of.max : field->max) : json_null(),
	                 "min_items", list ? json_integer(of.min_items) : json_null(),
	                 "max_items", list ? json_integer(of.max_items) : json_null(),
	                 "options", option_list(field), "unit", schema_unit_word(field->unit),
	                 "applies", schema_applies_word(field->applies), "group", field->group, "title", field->title,
	                 "direction", schema_direction_word(field->direction), "see_also", see_also(kind, field),
	                 "help", field->help);
}
