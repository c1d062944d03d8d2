#include "mgmtd/advice_item.h"

#include "mgmtd/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE 512

const char *const advice_severity_words[SEVERITY_COUNT] = { "critical", "warning", "info" };

json_t *advice_item(const char *trouble, enum advice_severity severity, enum kind_id kind, const char *name, uint64_t since)
{
	char id[SCHEMA_NAME_MAX + 80], at[25];
	const char *path = schema_kinds[kind].path;

	snprintf(id, sizeof id, "%s:%s:%s", trouble, path, name);
	time_text(at, since);
	return json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:[], s:[], s:n}", "id", id, "trouble", trouble, "severity",
	                 advice_severity_words[severity], "subject", "kind", path, "name", name, "since", at, "symptom", "", "cause",
	                 "", "steps", "evidence", "fix");
}

static json_t *sentence(const char *format, va_list arguments)
{
	char text[SENTENCE];

	vsnprintf(text, sizeof text, format, arguments);
	/* A number from outside may have been cut within a character. */
	json_t *string = json_string(text);
	return string ? string : json_string("(a text that cannot be shown)");
}

void advice_text(json_t *item, const char *member, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	json_object_set_new(item, member, sentence(format, arguments));
	va_end(arguments);
}

void advice_step(json_t *item, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	json_array_append_new(json_object_get(item, "steps"), sentence(format, arguments));
	va_end(arguments);
}

void advice_evidence(json_t *item, const char *format, ...)
{
	char path[SENTENCE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof path, format, arguments);
	va_end(arguments);
	json_array_append_new(json_object_get(item, "evidence"), json_sprintf("/api/v1%s", path));
}

json_t *advice_change_set(const char *comment)
{
	return json_pack("{s:s, s:[]}", "comment", comment, "changes");
}

void advice_change(json_t *set, enum kind_id kind, const char *name, json_t *value)
{
	json_array_append_new(json_object_get(set, "changes"), json_pack("{s:s, s:s, s:s, s:o}", "op", kind == KIND_PARAMETERS ? "put" : "patch",
	                                                                "kind", schema_kinds[kind].path, "name", name, "value", value));
}

void advice_fix(json_t *item, enum kind_id kind, const char *name, const char *comment, json_t *value)
{
	json_t *set = advice_change_set(comment);

	advice_change(set, kind, name, value);
	json_object_set_new(item, "fix", set);
}
