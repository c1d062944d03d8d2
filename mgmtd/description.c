#include "mgmtd/description.h"

#include "mgmtd/answer.h"
#include "mgmtd/describe.h"
#include "mgmtd/json_text.h"
#include "mgmtd/shape.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct { char *text; size_t len; } schema_text, openapi_text;

/* ------------------------------------------------------------------ /schema */

static json_t *schema_of_field(const struct kind *kind, const struct field *field)
{
	json_t *json = describe_field(kind, field);
	json_object_set_new(json, "required", json_boolean((field->flags & REQUIRED) != 0));
	json_object_set_new(json, "secret", json_boolean((field->flags & SECRET) != 0));
	json_object_set_new(json, "zero_off", json_boolean((field->flags & ZERO_OFF) != 0));
	json_object_set_new(json, "zero_inherits", json_boolean((field->flags & ZERO_INHERITS) != 0));
	json_object_set_new(json, "pointer", json_sprintf(field->flags & SIP ? "/sip/%s" : "/%s", field->name));
	json_object_set_new(json, "refers_to", schema_target(field->type) == KIND_COUNT ? json_null() :
	                    json_string(schema_kinds[schema_target(field->type)].path));
	json_object_set_new(json, "inherits", field->inherits ? json_string(field->inherits) : json_null());
	return json;
}

json_t *description_schema_json(void)
{
	char hash[20];
	json_t *kinds = json_array();
	for (size_t k = 0; k < KIND_COUNT; k++) {
		const struct kind *kind = &schema_kinds[k];
		json_t *fields = json_array();
		for (size_t i = 0; i < kind->nfields; i++)
			json_array_append_new(fields, schema_of_field(kind, &kind->fields[i]));
		json_array_append_new(kinds, json_pack("{s:s, s:s, s:o}", "kind", kind->path, "noun", kind->noun, "fields", fields));
	}
	snprintf(hash, sizeof hash, "%016" PRIx64, schema_layout_hash());
	return json_pack("{s:s, s:o}", "layout_hash", hash, "kinds", kinds);
}

/* ------------------------------------------------------------------ components of the kinds */

static json_t *reference(const char *component)
{
	char path[96];
	snprintf(path, sizeof path, "#/components/schemas/%s", component);
	return json_pack("{s:s}", "$ref", path);
}

/* What GET adds to the own fields; PUT and PATCH ignore it, whatever it is. */
static void add_history(json_t *object, enum field_use use)
{
	static const char *const members[] = { "revision", "changed_at", "changed_by" };
	json_t *shown[] = { json_pack("{s:s, s:i}", "type", "integer", "minimum", 0),
	                    json_pack("{s:[s,s], s:s}", "type", "string", "null", "format", "date-time"),
	                    json_pack("{s:[s,s]}", "type", "string", "null") };
	for (size_t i = 0; i < 3; i++) {
		if (use == FIELD_SHOWN)
			json_array_append_new(json_object_get(object, "required"), json_string(members[i]));
		else
			json_object_set_new(json_object_get(object, "properties"), members[i], json_pack("{s:s}", "description", "Ignored."));
		if (use == FIELD_SHOWN)
			json_object_set(json_object_get(object, "properties"), members[i], shown[i]);
		json_decref(shown[i]);
	}
}

/* Where the fields of `sip` stand; made when the first of them comes. */
static json_t *sip_of(json_t *properties, enum field_use use)
{
	json_t *sip = json_object_get(properties, "sip");
	if (sip)
		return sip;
	sip = json_pack("{s:o, s:[], s:{}, s:b}", "type", use == FIELD_SHOWN ? json_string("object") : json_pack("[s,s]", "object", "null"),
	                "required", "properties", "additionalProperties", 0);
	json_object_set_new(properties, "sip", sip);
	return sip;
}

static json_t *object_schema(const struct kind *kind, enum field_use use, bool named)
{
	json_t *object = json_pack("{s:s, s:[], s:{}, s:b}", "type", "object", "required", "properties", "additionalProperties", 0);
	json_t *properties = json_object_get(object, "properties"), *required = json_object_get(object, "required");
	json_object_set_new(properties, "name", reference("Name"));
	if (named)
		json_array_append_new(required, json_string("name"));
	for (size_t i = 0; i < kind->nfields; i++) {
		const struct field *field = &kind->fields[i];
		json_t *owner = field->flags & SIP ? sip_of(properties, use) : object;
		json_object_set_new(json_object_get(owner, "properties"), field->name, description_field(kind, field, use));
		if (use == FIELD_SHOWN || (use != FIELD_PATCHED && (field->flags & REQUIRED)))
			json_array_append_new(json_object_get(owner, "required"), json_string(field->name));
	}
	if (use == FIELD_SHOWN && json_object_get(properties, "sip"))
		json_array_append_new(required, json_string("sip"));
	add_history(object, use);
	if (use == FIELD_SHOWN) {
		json_object_set_new(properties, "effective", reference("Effective"));
		json_object_set_new(properties, "status", reference(kind->id == KIND_REGISTRATION ? "RegistrationStatus" : "GatewayStatus"));
	}
	return object;
}

/* "routing gateway" → "RoutingGateway" */
static size_t component_name(char *name, size_t size, const char *noun)
{
	size_t len = 0;
	bool begins = true;
	for (; *noun && len + 1 < size; noun++) {
		if (*noun != ' ')
			name[len++] = begins ? (char)toupper((unsigned char)*noun) : *noun;
		begins = *noun == ' ';
	}
	name[len] = '\0';
	return len;
}

static json_t *page_of(const char *component)
{
	return json_pack("{s:s, s:[s,s,s], s:{s:{s:s, s:o}, s:{s:[s,s]}, s:{s:s, s:i}}}", "type", "object", "required", "items", "next", "revision",
	                 "properties", "items", "type", "array", "items", reference(component), "next", "type", "string", "null",
	                 "revision", "type", "integer", "minimum", 0);
}

static void add_kind(json_t *components, const struct kind *kind)
{
	char name[64];
	size_t len = component_name(name, sizeof name - 8, kind->noun);
	json_object_set_new(components, name, object_schema(kind, FIELD_SHOWN, true));
	json_t *page = page_of(name);
	memcpy(name + len, "Page", 5);
	json_object_set_new(components, name, page);
	memcpy(name + len, "Create", 7);
	json_object_set_new(components, name, object_schema(kind, FIELD_WRITTEN, true));
	memcpy(name + len, "Write", 6);
	json_object_set_new(components, name, object_schema(kind, FIELD_WRITTEN, false));
	memcpy(name + len, "Patch", 6);
	json_object_set_new(components, name, object_schema(kind, FIELD_PATCHED, false));
}

/* What a write answers with: an object of any kind. */
static void add_resources(json_t *components)
{
	char name[64];
	json_t *any = json_pack("[{s:s}]", "type", "null");
	for (size_t k = 0; k < KIND_COUNT; k++) {
		component_name(name, sizeof name, schema_kinds[k].noun);
		json_array_append_new(any, reference(k == KIND_PARAMETERS ? "Parameter" : name));
	}
	json_object_set_new(json_object_get(json_object_get(components, "WriteAnswer"), "properties"), "resource", json_pack("{s:o}", "anyOf", any));
}

/* One member for each kind: what is there, or is to be. */
static json_t *configuration(void)
{
	json_t *whole = json_pack("{s:s, s:[], s:{s:{s:s}, s:{s:[s,s]}, s:o}, s:b}", "type", "object", "required", "properties", "revision",
	                          "type", "integer", "at", "type", "string", "null", "secrets", reference("SealedSecrets"),
	                          "additionalProperties", 0);
	for (size_t k = 0; k < KIND_COUNT; k++) {
		const struct kind *kind = &schema_kinds[k];
		json_t *section = k == KIND_PARAMETERS ? reference("ParametersPatch")
		                                       : json_pack("{s:s, s:o}", "type", "array", "items", object_schema(kind, FIELD_MOVED, true));
		json_object_set_new(json_object_get(whole, "properties"), kind->path, section);
		json_array_append_new(json_object_get(whole, "required"), json_string(kind->path));
	}
	return whole;
}

/* After the others are complete. */
static void add_parameters(json_t *components, const struct kind *kind)
{
	json_t *values = json_array(), *patch = json_object(), *names = json_array();
	for (size_t i = 0; i < kind->nfields; i++) {
		json_t *value = description_field(kind, &kind->fields[i], FIELD_PATCHED);
		json_array_append(values, value);
		json_object_set_new(patch, kind->fields[i].name, value);
		json_array_append_new(names, json_string(kind->fields[i].name));
	}
	json_object_set_new(components, "ParametersPatch", json_pack("{s:s, s:o, s:b}", "type", "object", "properties", patch,
	                                                             "additionalProperties", 0));
	json_t *any = json_pack("{s:O}", "anyOf", values);
	json_object_set_new(components, "ParameterValue", json_pack("{s:s, s:[s], s:{s:O}, s:b}", "type", "object", "required", "value",
	                                                            "properties", "value", any, "additionalProperties", 0));
	json_t *shown = json_object_get(json_object_get(components, "Parameter"), "properties");
	json_object_set_new(shown, "name", json_pack("{s:s, s:o}", "type", "string", "enum", names));
	json_object_set_new(shown, "value", any);
	json_decref(values);
}

/* ------------------------------------------------------------------ paths */

static json_t *query_schema(const struct query_parameter *p)
{
	json_t *words = NULL;
	switch (p->type) {
	case QUERY_INT:
		return json_pack("{s:s, s:i, s:i, s:i}", "type", "integer", "minimum", p->min, "maximum", p->max, "default", p->fallback);
	case QUERY_BOOL:
		return json_pack("{s:s, s:b}", "type", "boolean", "default", p->fallback);
	case QUERY_TIME:
		return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
	case QUERY_TEXT:
		return json_pack("{s:s, s:i, s:i}", "type", "string", "minLength", p->min, "maxLength", p->max);
	case QUERY_WORD:
		break;
	}
	words = json_array();
	for (const char *word = p->words; *word;) {
		size_t len = strcspn(word, "|");
		json_array_append_new(words, json_stringn(word, len));
		word += len + (word[len] == '|');
	}
	return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

static json_t *header(const char *name, const char *help)
{
	return json_pack("{s:s, s:s, s:b, s:s, s:{s:s}}", "name", name, "in", "header", "required", 0, "description", help, "schema",
	                 "type", "string");
}

/* Of "{…}" in a path. */
static json_t *argument_schema(const char *name, size_t len)
{
	if (strncmp(name, "revision", len) == 0)
		return json_pack("{s:s, s:i}", "type", "integer", "minimum", 1);
	if (strncmp(name, "id", len) == 0)
		return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9a-f]{16}$");
	return reference("Name");
}

static json_t *parameters_of(const struct route *route)
{
	json_t *list = json_array();
	const char *open = strchr(route->path, '{');
	if (open) {
		size_t len = strcspn(open + 1, "}");
		json_array_append_new(list, json_pack("{s:s#, s:s, s:b, s:o}", "name", open + 1, (int)len, "in", "path", "required", 1, "schema",
		                                      argument_schema(open + 1, len)));
	}
	for (unsigned i = 0; i < QUERY_COUNT; i++)
		if (route->queries & QUERY_BIT(i))
			json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", query_parameters[i].name, "in", "query",
			                                      "required", 0, "description", query_parameters[i].help, "schema",
			                                      query_schema(&query_parameters[i])));
	/* users have a version of their own */
	if ((route->queries & QUERY_BIT(Q_DRY_RUN)) || ((route->flags & ROUTE_WRITES) && strstr(route->path, "{username}"))) {
		json_array_append_new(list, header("If-Match", "Only if the object still has this ETag; else 412."));
		json_array_append_new(list, header("If-None-Match", "\"*\": create only, do not replace."));
	}
	if ((route->queries & QUERY_BIT(Q_DRY_RUN)) && strcmp(route->method, "POST") == 0)
		json_array_append_new(list, header("Idempotency-Key", "The same key and request within 24 hours: the answer of then, nothing done again."));
	if (route->flags & ROUTE_LARGE_BODY)
		json_array_append_new(list, header("X-Passphrase", "Of the sealed secrets in the document."));
	if (route->flags & ROUTE_STREAM)
		json_array_append_new(list, header("Last-Event-ID", "Go on after this event."));
	return list;
}

static json_t *operation_of(const struct route *route)
{
	json_t *operation = json_pack("{s:s, s:s, s:o, s:o}", "operationId", route->operation, "summary", route->summary, "parameters",
	                              parameters_of(route), "responses", description_responses(route));
	if (route->takes) {
		json_t *types = description_content("application/json", route->takes);
		if (route->body == BODY_PATCH)
			json_object_set_new(types, "application/merge-patch+json", json_pack("{s:o}", "schema", reference(route->takes)));
		json_object_set_new(operation, "requestBody", json_pack("{s:b, s:o}", "required", route->body != BODY_OPTIONAL, "content", types));
	}
	if (route->role == ROLE_PUBLIC)
		json_object_set_new(operation, "security", json_array());
	else
		json_object_set_new(operation, "x-role", json_string(role_words[route->role]));
	if (route->flags & ROUTE_WRITES)
		json_object_set_new(operation, "x-writes", json_true());
	return operation;
}

static json_t *paths(void)
{
	json_t *all = json_object();
	for (size_t i = 0; i < route_count; i++) {
		char method[8] = "";
		json_t *path = json_object_get(all, routes[i].path);
		if (!path)
			json_object_set_new(all, routes[i].path, path = json_object());
		for (size_t c = 0; c + 1 < sizeof method && routes[i].method[c]; c++)
			method[c] = (char)tolower((unsigned char)routes[i].method[c]);
		json_object_set_new(path, method, operation_of(&routes[i]));
	}
	return all;
}

json_t *description_openapi_json(void)
{
	json_t *components = description_components();
	for (size_t k = KIND_PARAMETERS + 1; k < KIND_COUNT; k++)
		add_kind(components, &schema_kinds[k]);
	add_resources(components);
	shape_complete(components);
	add_parameters(components, &schema_kinds[KIND_PARAMETERS]);
	json_object_set_new(components, "Configuration", configuration());
	return json_pack("{s:s, s:{s:s, s:s, s:{s:s, s:s}}, s:[{s:[]}, {s:[]}], s:o, s:{s:o, s:o, s:{s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}}}}",
	                 "openapi", "3.1.0", "info", "title", "Tandem", "version", TANDEM_VERSION, "license", "name", "MIT",
	                 "identifier", "MIT", "security", "bearer", "cookie", "paths", paths(), "components", "schemas", components,
	                 "responses", description_problems(),
	                 "securitySchemes", "bearer", "type", "http", "scheme", "bearer", "bearerFormat", "JWT",
	                 "cookie", "type", "apiKey", "in", "cookie", "name", "tandem_session");
}

/* ------------------------------------------------------------------ serving */

int description_make(void)
{
	json_t *schema = description_schema_json(), *openapi = description_openapi_json();
	schema_text.text = schema ? json_dumps(schema, JSON_TEXT) : NULL;
	openapi_text.text = openapi ? json_dumps(openapi, JSON_TEXT) : NULL;
	json_decref(schema);
	json_decref(openapi);
	if (!schema_text.text || !openapi_text.text) {
		description_free();
		return ENOMEM;
	}
	schema_text.len = strlen(schema_text.text);
	openapi_text.len = strlen(openapi_text.text);
	return 0;
}

void description_free(void)
{
	free(schema_text.text);
	free(openapi_text.text);
	schema_text.text = openapi_text.text = NULL;
}

void description_schema(struct request *r)
{
	answer_static(r, 200, "application/json", schema_text.text, schema_text.len);
}

void description_openapi(struct request *r)
{
	answer_static(r, 200, "application/json", openapi_text.text, openapi_text.len);
}
