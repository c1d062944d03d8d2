#include "mgmtd/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends "/" and member to pointer, escaped as RFC 6901 3 asks; what does not fit is cut. */
static void append_member(char *pointer, size_t size, const char *member)
{
	size_t n = strlen(pointer);

	if (n + 1 < size)
		pointer[n++] = '/';
	for (; *member && n + 3 < size; member++) {
		if (*member == '~' || *member == '/') {
			pointer[n++] = '~';
			pointer[n++] = *member == '~' ? '0' : '1';
		} else {
			pointer[n++] = *member;
		}
	}
	pointer[n] = '\0';
	while (n > 0 && (pointer[n - 1] & 0xc0) == 0x80 && *member)	/* no half of a UTF-8 sequence */
		pointer[--n] = '\0';
}

void problem_pointer(char pointer[PROBLEM_POINTER], const char *prefix, const char *member)
{
	snprintf(pointer, PROBLEM_POINTER, "%s", prefix);
	if (member)
		append_member(pointer, PROBLEM_POINTER, member);
}

json_t *problem_violation(json_t *errors, const char *prefix, const char *member, const char *code, const char *format, ...)
{
	char pointer[PROBLEM_POINTER];
	va_list args;

	if (json_array_size(errors) == PROBLEM_VIOLATIONS)
		json_array_append_new(errors, json_pack("{s:s, s:s, s:s}", "pointer", "", "code", "too_many",
		                                        "detail", "there are more violations than are told here"));
	if (json_array_size(errors) > PROBLEM_VIOLATIONS)
		return NULL;
	problem_pointer(pointer, prefix, member);
	json_t *violation = json_pack("{s:s, s:s}", "pointer", pointer, "code", code);
	if (!violation)		/* a member cut in the middle of a sequence */
		violation = json_pack("{s:s, s:s}", "pointer", prefix, "code", code);
	va_start(args, format);
	json_object_set_new(violation, "detail", json_vsprintf(format, args));
	va_end(args);
	json_array_append_new(errors, violation);
	return violation;
}

struct meaning { unsigned status; const char *code, *title; };

static const struct meaning meanings[] = {
	{ 400, "bad_request", "Bad request" },
	{ 401, "unauthorized", "Not logged in" },
	{ 403, "forbidden", "Not allowed" },
	{ 404, "not_found", "Not found" },
	{ 405, "method_not_allowed", "Method not allowed" },
	{ 406, "not_acceptable", "Not available in that format" },
	{ 409, "conflict", "Conflict" },
	{ 412, "precondition_failed", "It was changed meanwhile" },
	{ 413, "too_large", "Body too large" },
	{ 415, "unsupported_media_type", "Unsupported media type" },
	{ 422, "invalid", "The request breaks a rule" },
	{ 428, "precondition_required", "If-Match is required" },
	{ 429, "too_many_requests", "Too many requests" },
	{ 431, "head_too_large", "Request head too large" },
	{ 500, "internal", "Internal error" },
	{ 503, "unavailable", "Not available now" },
	{ 504, "switchcore_timeout", "The switch did not answer" },
};

static const struct meaning *meaning_of(unsigned status)
{
	for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
		if (meanings[i].status == status)
			return &meanings[i];
	return &meanings[0];
}

const char *problem_title(unsigned status)
{
	return meaning_of(status)->title;
}

/* What a client wrote stands in it, cut perhaps: where that is no UTF-8, its bytes are told as '?'. */
static json_t *detail_of(const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof text, format, args);
	json_t *detail = json_string(text);
	for (char *c = text; !detail && *c; c++)
		if (*c & 0x80)
			*c = '?';
	return detail ? detail : json_string(text);
}

json_t *problem_document(unsigned status, const char *code, const char *request_id, json_t *errors, const char *format, ...)
{
	const struct meaning *meaning = meaning_of(status);
	char type[64];
	va_list args;

	snprintf(type, sizeof type, "/problems/%s", code ? code : meaning->code);
	json_t *document = json_pack("{s:s, s:s, s:i}", "type", type, "title", meaning->title, "status", (int)status);
	va_start(args, format);
	json_object_set_new(document, "detail", detail_of(format, args));
	va_end(args);
	json_object_set_new(document, "request_id", json_string(request_id ? request_id : ""));
	if (errors && json_array_size(errors) > 0)
		json_object_set(document, "errors", errors);
	return document;
}
