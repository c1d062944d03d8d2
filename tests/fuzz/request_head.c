/*
 * What stands in the head of a request, as the library hands it on: "METHOD target\nContent-Type\nContent-Length\ncursor\nAccept-Encoding".  The path finds
 * its route, the query is checked as that route takes it (of a path that is none: as all of them together).
 *
 * Nothing may crash; what is refused is told in JSON with its parameter, code and words; what is accepted is within its limits.
 */
#include "mgmtd/encoding.h"
#include "mgmtd/head.h"
#include "mgmtd/problem.h"
#include "mgmtd/query.h"
#include "mgmtd/resource.h"
#include "mgmtd/route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "does not hold: %s\n", what);
		abort();
	}
}

/* ------------------------------------------------------------------ the path */

static const struct route *check_path(const char *method, const char *path)
{
	const struct route *route = NULL;
	char argument[ROUTE_ARGUMENT_MAX], allow[ROUTE_ALLOW_MAX];
	int e = route_find(&route, argument, allow, method, path);

	must(e == 0 || e == ENOENT || e == EOPNOTSUPP || e == EINVAL || e == ENAMETOOLONG, "an error that is promised");
	if (e == EOPNOTSUPP)
		must(allow[0] && !strstr(allow, ", ,") && strlen(allow) < ROUTE_ALLOW_MAX - 1, "another method is named");
	if (e)
		return NULL;
	const char *raw;
	size_t len;
	must(route_matches(route->path, path, &raw, &len), "the route is that of the path");
	must(!raw || (strlen(argument) <= len && len > 0), "an escape is no shorter than what it means");
	must(strcmp(route->method, method) == 0 || strcmp(method, "HEAD") == 0, "and of the method");
	return route;
}

/* ------------------------------------------------------------------ the query */

static void check_value(const struct query_parameter *p, const struct query_value *v)
{
	switch (p->type) {
	case QUERY_INT:
		must(v->number >= p->min && v->number <= p->max, "a number is within its limits");
		break;
	case QUERY_BOOL:
		must(v->number == 0 || v->number == 1, "a truth is one of two");
		break;
	case QUERY_TEXT:
		must(strlen(v->text) >= (size_t)p->min && strlen(v->text) <= (size_t)p->max, "a text is within its limits");
		must(!schema_text_fault(FT_TEXT, v->text, strlen(v->text)), "a text is a legal one");
		break;
	case QUERY_WORD:
		must(strstr(p->words, v->text) != NULL, "a word is one of those there are");
		break;
	case QUERY_TIME:
		break;
	}
}

static void check_errors(json_t *errors)
{
	json_t *problem = problem_document(422, NULL, "1", errors, "x"), *violation;
	char *text = json_dumps(problem, JSON_COMPACT);
	size_t i;

	must(text != NULL, "a problem is JSON");
	json_array_foreach(errors, i, violation) {
		must(json_string_length(json_object_get(violation, "code")) > 0, "a violation has a code");
		must(json_string_length(json_object_get(violation, "detail")) > 0, "a violation has words");
		must(json_is_string(json_object_get(violation, "parameter")), "a violation names its parameter");
	}
	free(text);
	json_decref(problem);
}

/* As the library cuts it: at each '&', with blanks for '+'. */
static void check_query(uint64_t allowed, char *text)
{
	struct query query;
	json_t *errors = json_array();
	size_t refused = 0;
	char *rest = text;

	query_init(&query);
	for (char *c = text; *c; c++)
		if (*c == '+')
			*c = ' ';
	for (char *pair; (pair = strsep(&rest, "&"));) {
		char *value = strchr(pair, '=');
		if (value)
			*value++ = '\0';
		query_take(&query, allowed, pair, value, errors);
		must(json_array_size(errors) <= refused + 1, "a parameter is refused once");
		refused = json_array_size(errors);
	}
	for (unsigned i = 0; i < QUERY_COUNT && refused == 0; i++) {
		must(!query.values[i].given || (allowed & QUERY_BIT(i)), "only what the path takes is taken");
		if (query.values[i].given)
			check_value(&query_parameters[i], &query.values[i]);
	}
	check_errors(errors);
	query_clear(&query);
	json_decref(errors);
}

/* ------------------------------------------------------------------ the rest */

static void check_headers(const char *type, const char *length)
{
	struct head head = { .content_type = { type, type != NULL }, .content_length = { length, length != NULL } };
	bool json = head_is_type(&head, "application/json"), patch = head_is_type(&head, "application/merge-patch+json");

	must(!(json && patch), "a body is of one type");
	must(!json || (type && strncasecmp(type, "application/json", 16) == 0), "a type is what it begins with");
	head_body_length(&head);
}

static void check_cursor(const char *cursor)
{
	char name[SCHEMA_NAME_MAX + 1], again[CURSOR_MAX];

	if (strlen(cursor) >= CURSOR_MAX || cursor_read(name, cursor) != 0)
		return;
	must(!schema_name_fault(name, strlen(name)), "a cursor is a name");
	cursor_make(again, name);
	must(strcmp(cursor, again) == 0, "a cursor is made in one way only");
}

static void check_encoding(const char *accept)
{
	for (unsigned available = 0; available < 1u << ENCODING_COUNT; available++) {
		enum encoding best = encoding_choose(accept, available);

		must(best == ENCODING_IDENTITY || (available & 1u << best), "a coding is one that there is");
		must(best == ENCODING_IDENTITY || strchr(accept, '*') || strcasestr(accept, encoding_words[best]), "and one that is taken");
	}
}

static void check_pointer(const char *member)
{
	json_t *errors = json_array();
	json_t *violation = problem_violation(errors, "/changes/1", member, "unknown_field", "x");
	const char *pointer = json_string_value(json_object_get(violation, "pointer"));

	must(pointer && strlen(pointer) < PROBLEM_POINTER && strncmp(pointer, "/changes/1", 10) == 0, "a violation has its place");
	json_decref(errors);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text;

	memcpy(text, data, size);
	text[size] = '\0';
	char *line = strsep(&rest, "\n"), *type = strsep(&rest, "\n"), *length = strsep(&rest, "\n"), *cursor = strsep(&rest, "\n");
	char *accept = strsep(&rest, "\n");
	char *method = strsep(&line, " "), *path = line ? strsep(&line, "?") : NULL;
	const struct route *route = path ? check_path(method, path) : NULL;
	if (path && line) {
		check_pointer(line);
		check_query(route ? route->queries : UINT64_MAX >> (64 - QUERY_COUNT), line);
	}
	check_headers(type, length);
	if (cursor)
		check_cursor(cursor);
	if (accept)
		check_encoding(accept);
	free(text);
	return 0;
}
