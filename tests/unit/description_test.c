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
	static const char prefix[] = "#/components/";
	const char *key, *reference = json_string_value(json_object_get(value, "$ref"));
	json_t *member;
	size_t i;
	if (reference) {
		char group[32] = "";
		assert_memory_equal(reference, prefix, sizeof prefix - 1);
		reference += sizeof prefix - 1;
		snprintf(group, sizeof group, "%.*s", (int)strcspn(reference, "/"), reference);
		if (!json_object_get(json_object_get(json_object_get(openapi, "components"), group), strchr(reference, '/') + 1))
			fail_msg("%s", reference);
	}
	json_object_foreach(value, key, member)
		walk(member);
	json_array_foreach(value, i, member)
		walk(member);
}

/* Members of an answer that the description does not name would contradict nothing. */
static void exact(const char *component, json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;
	if (json_is_object(json_object_get(value, "properties")) && !json_object_get(value, "additionalProperties"))
		fail_msg("%s is open", component);
	if (json_object_get(value, "optional") || json_object_get(value, "allOf"))
		fail_msg("%s is not completed", component);
	json_object_foreach(value, key, member)
		exact(component, member);
	json_array_foreach(value, i, member)
		exact(component, member);
}

static void every_component_is_exact(void **state)
{
	const char *name;
	json_t *schema;
	(void)state;
	json_object_foreach(schemas(), name, schema)
		exact(name, schema);
	json_t *detail = json_object_get(schemas(), "RevisionDetail"), *changes = json_object_get(json_object_get(detail, "properties"), "changes");
	assert_string_equal(json_string_value(json_object_get(json_object_get(changes, "items"), "$ref")), "#/components/schemas/ChangeDetail");
	assert_int_equal(json_array_size(json_object_get(detail, "required")), json_object_size(json_object_get(detail, "properties")));
}

static void every_route_lists_its_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < route_count; i++) {
		json_t *responses = description_responses(&routes[i]);
		assert_int_equal(json_object_get(responses, "401") != NULL, routes[i].role != ROLE_PUBLIC || routes[i].flags & ROUTE_SECRET_BODY);
		bool names_one = strchr(routes[i].path, '{') != NULL || routes[i].queries & QUERY_BIT(Q_FROM);
		assert_int_equal(json_object_get(responses, "404") != NULL, names_one);
		assert_int_equal(json_object_get(responses, "415") != NULL, routes[i].body != BODY_NONE);
		assert_non_null(json_object_get(responses, "400"));
		assert_non_null(json_object_get(responses, "503"));
		json_decref(responses);
	}
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
	if (!(field->flags & (SECRET | REQUIRED))) {	/* null is the default */
		json_t *choices = json_object_get(property, "anyOf");
		property = json_array_get(choices, 0);
		assert_string_equal(json_string_value(json_object_get(json_array_get(choices, 1), "type")), "null");
	}
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
		cmocka_unit_test(every_component_is_exact),
		cmocka_unit_test(every_reference_has_its_component),
		cmocka_unit_test(every_route_lists_its_refusals),
		cmocka_unit_test(every_route_is_described_under_its_own_name),
		cmocka_unit_test(every_field_is_described_with_its_limits),
		cmocka_unit_test(the_schema_has_every_kind_and_field),
	};
	return cmocka_run_group_tests(tests, make, unmake);
}
