#include "mgmtd/json_body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The parser recurses per level; what is too deep must not get there. */
static int scan_depth(const char *text, size_t len, struct json_fault *fault)
{
	unsigned depth = 0;
	int line = 1, column = 0;
	int in_string = 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (((unsigned char)c & 0xc0) != 0x80)
			column++;
		if (c == '\n') {
			line++;
			column = 0;
		}
		if (in_string) {
			if (c == '\\') {
				i++;
				column++;
			} else if (c == '"') {
				in_string = 0;
			}
		} else if (c == '"') {
			in_string = 1;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_BODY_DEPTH) {
				fault->line = line;
				fault->column = column;
				snprintf(fault->text, sizeof fault->text, "nested deeper than %d levels", JSON_BODY_DEPTH);
				return EINVAL;
			}
		} else if ((c == ']' || c == '}') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

/* The parser's words end in a quotation of the body; our answer must not. */
static void take_text(struct json_fault *fault, const json_error_t *error)
{
	const char *quotation = strstr(error->text, " near ");
	int len = quotation ? (int)(quotation - error->text) : (int)strlen(error->text);
	if (json_error_code(error) == json_error_invalid_utf8)
		snprintf(fault->text, sizeof fault->text, "invalid UTF-8");
	else if (json_error_code(error) == json_error_duplicate_key)
		snprintf(fault->text, sizeof fault->text, "duplicate object key");
	else if (json_error_code(error) == json_error_null_character)
		snprintf(fault->text, sizeof fault->text, "\\u0000 is not allowed");
	else
		snprintf(fault->text, sizeof fault->text, "%.*s", len, error->text);
	for (char *p = fault->text; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
}

int json_body_parse(json_t **value, const char *text, size_t len, struct json_fault *fault)
{
	json_error_t error;
	if (len == 0) {
		*fault = (struct json_fault){ 1, 1, "the body is empty" };
		return EINVAL;
	}
	int e = scan_depth(text, len, fault);
	if (e)
		return e;
	json_t *parsed = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (parsed) {
		*value = parsed;
		return 0;
	}
	if (json_error_code(&error) == json_error_out_of_memory)
		return ENOMEM;
	fault->line = error.line > 0 ? error.line : 1;
	fault->column = error.column > 0 ? error.column : 1;
	take_text(fault, &error);
	return EINVAL;
}
