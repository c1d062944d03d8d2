#include "mgmtd/shape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool holds(const json_t *list, const char *word)
{
	size_t i;
	const json_t *item;
	json_array_foreach((json_t *)(uintptr_t)list, i, item)
		if (strcmp(json_string_value(item), word) == 0)
			return true;
	return false;
}

static void require(json_t *required, const char *member)
{
	if (!holds(required, member))
		json_array_append_new(required, json_string(member));
}

static void require_all(json_t *shape, json_t *properties)
{
	json_t *required = json_array(), *optional = json_object_get(shape, "optional"), *value;
	const char *name;
	json_object_foreach(properties, name, value)
		if (!holds(optional, name))
			require(required, name);
	json_object_set_new(shape, "required", required);
	json_object_del(shape, "optional");
}

/* Every object in it, however deep. */
static void require_members(json_t *value)
{
	json_t *properties = json_object_get(value, "properties"), *member;
	const char *name;
	size_t i;
	if (json_is_object(properties) && !json_object_get(value, "required"))
		require_all(value, properties);
	json_object_foreach(value, name, member) {
		require_members(member);
	}
	json_array_foreach(value, i, member) {
		require_members(member);
	}
}

/* The shape as one object, a new reference. */
static json_t *dissolved(json_t *components, json_t *shape)
{
	const char *path = json_string_value(json_object_get(shape, "$ref"));
	json_t *parts, *part, *word, *properties, *required;
	size_t i, k;
	if (path)
		shape = json_object_get(components, strrchr(path, '/') + 1);
	if (!(parts = json_object_get(shape, "allOf")))
		return json_deep_copy(shape);
	properties = json_object();
	required = json_array();
	json_array_foreach(parts, i, part) {
		json_t *one = dissolved(components, part);
		json_object_update(properties, json_object_get(one, "properties"));
		json_array_foreach(json_object_get(one, "required"), k, word) {
			require(required, json_string_value(word));
		}
		json_decref(one);
	}
	return json_pack("{s:s, s:o, s:o}", "type", "object", "required", required, "properties", properties);
}

static void close_members(json_t *value)
{
	json_t *member;
	const char *name;
	size_t i;
	if (json_is_object(json_object_get(value, "properties")) && !json_object_get(value, "additionalProperties"))
		json_object_set_new(value, "additionalProperties", json_false());
	json_object_foreach(value, name, member)
		if (strcmp(name, "allOf") != 0)	/* of its parts each has members that the others lack */
			close_members(member);
	json_array_foreach(value, i, member) {
		close_members(member);
	}
}

void shape_complete(json_t *components)
{
	const char *name;
	json_t *shape;
	json_object_foreach(components, name, shape) {
		require_members(shape);
	}
	json_object_foreach(components, name, shape)
		if (json_object_get(shape, "allOf"))
			json_object_set_new(components, name, dissolved(components, shape));
	json_object_foreach(components, name, shape) {
		close_members(shape);
	}
}
