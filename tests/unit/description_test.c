#include "mgmtd/description.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static json_t *openapi;

static int make(void **state)
{
	(void)state;
	openapi = description_openapi_json();
	return openapi ? 0 : 1;
}

static int unmake(void **state)
{
	(void)state;
	json_decref(openapi);
	return 0;
}

static json_t *schemas(void)
{
	return json_object_get(json_object_get(openapi, "components"), "schemas");
}

static void every_hand_written_component_is_json(void **state)
{
	const char *name;
	json_t *schema;
	(void)state;
	json_object_foreach(schemas(), name, schema)
		if (!json_is_object(schema))
			fail_msg("%s", name);
}

static void walk(json_t *value)
{
	static const char prefix[] = "#/components/schemas/";
	const char *key, *reference = json_string_value(json_object_get(value, "$ref"));
	json_t *member;
	size_t i;
	if (reference) {
		assert_memory_equal(reference, prefix, sizeof prefix - 1);
		if (!json_object_get(schemas(), reference + sizeof prefix - 1))
			fail_msg("%s", reference);
	}
	json_object_foreach(value, key, member)
		walk(member);
	json_array_foreach(value, i, member)
		walk(member);
}

static void every_reference_has_its_component(void **state)
{
	(void)state;
	walk(openapi);
}

static void every_route_is_described_under_its_own_name(void **state)
{
	json_t *names = json_object();
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		char method[8] = "";
		for (size_t c = 0; routes[i].method[c]; c++)
			method[c] = (char)(routes[i].method[c] | 0x20);
		json_t *operation = json_object_get(json_object_get(json_object_get(openapi, "paths"), routes[i].path), method);
		assert_string_equal(json_string_value(json_object_get(operation, "operationId")), routes[i].operation);
		assert_null(json_object_get(names, routes[i].operation));
		json_object_set_new(names, routes[i].operation, json_true());
	}
	json_decref(names);
}

static json_t *property_of(const char *component, const struct field *field)
{
	json_t *properties = json_object_get(json_object_get(schemas(), component), "properties");

	if (field->flags & SIP)
		properties = json_object_get(json_object_get(properties, "sip"), "properties");
	return json_object_get(properties, field->name);
}

static void check_described(const struct field *field, const char *shown, const char *written)
{
	json_t *property = property_of(written, field);
	struct list_limits limits = schema_list_limits(field);

	assert_non_null(property_of(shown, field));
	assert_non_null(property);
	assert_string_equal(json_string_value(json_object_get(property, "description")), field->help);
	assert_int_equal(json_is_true(json_object_get(property, "writeOnly")), (field->flags & SECRET) != 0);
	if (field->type == FT_ENUM)
		assert_true(json_array_size(json_object_get(property, "enum")) > 1);
	if (field->type == FT_INT && !(field->flags & ZERO_OFF))
		assert_int_equal(json_integer_value(json_object_get(property, "maximum")), field->max);
	if (field->type >= FT_TEXT && field->type <= FT_HOST_PORT && !(field->flags & SECRET))
		assert_int_equal(json_integer_value(json_object_get(property, "maxLength")), field->max);
	if (field->type >= FT_INTERVALS) {
		assert_int_equal(json_integer_value(json_object_get(property, "maxItems")), limits.max_items);
		assert_true(json_is_object(json_object_get(property, "items")));
	}
}

/* A field that is added to a table appears in the description by itself. */
static void every_field_is_described_with_its_limits(void **state)
{
	static const char *const components[KIND_COUNT][2] = {
		[KIND_REGISTRATION] = { "Registration", "RegistrationWrite" },
		[KIND_ROUTING_GATEWAY] = { "RoutingGateway", "RoutingGatewayWrite" },
		[KIND_MAPPING_GATEWAY] = { "MappingGateway", "MappingGatewayWrite" },
	};

	(void)state;
	for (size_t k = KIND_PARAMETERS + 1; k < KIND_COUNT; k++)
		for (size_t i = 0; i < schema_kinds[k].nfields; i++)
			check_described(&schema_kinds[k].fields[i], components[k][0], components[k][1]);
	json_t *patch = json_object_get(json_object_get(schemas(), "ParametersPatch"), "properties");
	assert_int_equal(json_object_size(patch), schema_kinds[KIND_PARAMETERS].nfields);
}

static void the_schema_has_every_kind_and_field(void **state)
{
	json_t *schema = description_schema_json(), *kinds = json_object_get(schema, "kinds");
	(void)state;
	assert_int_equal(json_array_size(kinds), KIND_COUNT);
	for (size_t k = 0; k < KIND_COUNT; k++) {
		json_t *kind = json_array_get(kinds, k);
		assert_string_equal(json_string_value(json_object_get(kind, "kind")), schema_kinds[k].path);
		assert_int_equal(json_array_size(json_object_get(kind, "fields")), schema_kinds[k].nfields);
	}
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hand_written_component_is_json),
		cmocka_unit_test(every_reference_has_its_component),
		cmocka_unit_test(every_route_is_described_under_its_own_name),
		cmocka_unit_test(every_field_is_described_with_its_limits),
		cmocka_unit_test(the_schema_has_every_kind_and_field),
	};
	return cmocka_run_group_tests(tests, make, unmake);
}
