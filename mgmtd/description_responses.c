/* What an operation may answer: its success, and every refusal that a route of its shape can give. */
#include "mgmtd/description.h"

#include "mgmtd/problem.h"

#include <stdio.h>
#include <string.h>

static const unsigned refusals[] = { 400, 401, 403, 404, 406, 409, 412, 413, 415, 422, 428, 429, 431, 503, 504 };
#define REFUSALS (sizeof refusals / sizeof refusals[0])

static bool can_refuse(const struct route *route, unsigned status)
{
	bool reads = strcmp(route->method, "GET") == 0, public = route->role == ROLE_PUBLIC, sends = route->body != BODY_NONE;
	switch (status) {
	case 401:
		return !public || (route->flags & ROUTE_SECRET_BODY);
	case 403:
		return !public && (!reads || route->role > ROLE_VIEWER);
	case 404:
		return strchr(route->path, '{') != NULL || (route->queries & QUERY_BIT(Q_FROM));
	case 406:
		return route->queries & QUERY_BIT(Q_CALL_ID);
	case 409:
		return route->flags & (ROUTE_WRITES | ROUTE_COMMANDS);
	case 412:	/* users have a version of their own */
		return (route->queries & QUERY_BIT(Q_DRY_RUN)) || ((route->flags & ROUTE_WRITES) && strstr(route->path, "/users"));
	case 413:
	case 415:
		return sends;
	case 428:
		return route->flags & ROUTE_CONDITIONAL;
	case 429:
		return route->flags & ROUTE_SECRET_BODY;	/* log-ins */
	case 504:
		return route->flags & ROUTE_COMMANDS;
	default:	/* a head, a query or a moment that suits no path */
		return true;
	}
}

static void problem_name(char name[16], unsigned status)
{
	snprintf(name, 16, "Problem%u", status);
}

static json_t *header(const char *type, const char *help)
{
	return json_pack("{s:s, s:{s:s}}", "description", help, "schema", "type", type);
}

json_t *description_problems(void)
{
	char name[16];
	json_t *all = json_object();
	for (size_t i = 0; i < REFUSALS; i++) {
		json_t *problem = json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", problem_title(refusals[i]), "content",
		                            "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
		problem_name(name, refusals[i]);
		if (refusals[i] == 412)
			json_object_set_new(problem, "headers", json_pack("{s:o}", "ETag", header("string", "The one there is now.")));
		if (refusals[i] == 401)
			json_object_set_new(problem, "headers", json_pack("{s:o}", "WWW-Authenticate", header("string", "RFC 6750.")));
		json_object_set_new(all, name, problem);
	}
	return all;
}

json_t *description_content(const char *type, const char *component)
{
	char path[96];
	snprintf(path, sizeof path, "#/components/schemas/%s", component ? component : "");
	return component ? json_pack("{s:{s:{s:s}}}", type, "schema", "$ref", path) : json_pack("{s:{s:{s:s}}}", type, "schema", "type", "string");
}

static json_t *success_of(const struct route *route, unsigned status)
{
	json_t *answer = json_pack("{s:s}", "description", status == 201 ? "Created." : status == 204 ? "Done." : "Good.");
	json_t *types = route->gives ? description_content("application/json", route->gives) : NULL, *headers = json_object();
	if (route->flags & ROUTE_STREAM)
		types = description_content("text/event-stream", NULL);
	if (route->flags & ROUTE_METRICS)
		types = description_content("text/plain", NULL);
	if (route->queries & QUERY_BIT(Q_CALL_ID)) {
		json_object_set_new(types, "text/plain", json_pack("{s:{s:s}}", "schema", "type", "string"));
		json_object_set_new(types, "application/vnd.tcpdump.pcap", json_pack("{s:{s:s, s:s}}", "schema", "type", "string", "format", "binary"));
	}
	if (types)
		json_object_set_new(answer, "content", types);
	if (route->flags & ROUTE_TAGGED || route->queries & QUERY_BIT(Q_DRY_RUN))
		json_object_set_new(headers, "ETag", header("string", route->flags & ROUTE_TAGGED ? "For If-None-Match." :
		                                                      "For If-Match; none of a dry run."));
	if (status == 201)
		json_object_set_new(headers, "Location", header("string", "Where it is."));
	if (json_object_size(headers) > 0)
		json_object_set(answer, "headers", headers);
	json_decref(headers);
	return answer;
}

static void add_success(json_t *responses, const struct route *route, unsigned status)
{
	char text[8];
	snprintf(text, sizeof text, "%u", status);
	json_object_set_new(responses, text, success_of(route, status));
}

json_t *description_responses(const struct route *route)
{
	char status[8], path[64], name[16];
	json_t *responses = json_object();
	add_success(responses, route, route->success);
	if (route->success != 200 && (route->queries & (QUERY_BIT(Q_WAIT_OUTCOME) | QUERY_BIT(Q_DRY_RUN))))
		add_success(responses, route, 200);
	if (strcmp(route->method, "PUT") == 0 && (route->kind ? route->kind->id != KIND_PARAMETERS : route->gives != NULL))
		add_success(responses, route, 201);
	if (route->flags & ROUTE_TAGGED)
		json_object_set_new(responses, "304", json_pack("{s:s}", "description", "It is still the one of If-None-Match."));
	for (size_t i = 0; i < REFUSALS; i++) {
		if (!can_refuse(route, refusals[i]))
			continue;
		problem_name(name, refusals[i]);
		snprintf(status, sizeof status, "%u", refusals[i]);
		snprintf(path, sizeof path, "#/components/responses/%s", name);
		json_object_set_new(responses, status, json_pack("{s:s}", "$ref", path));
	}
	json_object_set_new(responses, "default", json_pack("{s:s, s:o}", "description", "A problem (RFC 9457).", "content",
	                                                    description_content("application/problem+json", "Problem")));
	return responses;
}
