/* Errors as the API tells them: RFC 9457 problem documents and the list of violations in them. */
#ifndef MGMTD_PROBLEM_H
#define MGMTD_PROBLEM_H

#include <jansson.h>
#include <stddef.h>

#define PROBLEM_VIOLATIONS 1000	/* told in one answer; a last one says that there are more */

/* prefix, and, when member is not NULL, "/" and the member escaped as RFC 6901 3 asks; cut where it does not fit. */
#define PROBLEM_POINTER 512
void problem_pointer(char pointer[PROBLEM_POINTER], const char *prefix, const char *member);

/* A violation {pointer, code, detail}, appended to the array `errors`.  Returns it (borrowed), for min, max and got to
 * be added with json_object_set_new(); NULL (which jansson takes) when PROBLEM_VIOLATIONS are told already.  pointer is
 * that of problem_pointer(). */
json_t *problem_violation(json_t *errors, const char *prefix, const char *member, const char *code, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* What a status means, in a few words: the title of its problems. */
const char *problem_title(unsigned status);

/* The document {type, title, status, detail, request_id, errors?}.  code is the last part of `type`, as "not_found";
 * NULL takes the status's own.  errors (may be NULL) is borrowed. */
json_t *problem_document(unsigned status, const char *code, const char *request_id, json_t *errors, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
