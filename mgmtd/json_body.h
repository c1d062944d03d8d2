/* A request body as JSON, or where and why it is none. */
#ifndef MGMTD_JSON_BODY_H
#define MGMTD_JSON_BODY_H

#include <jansson.h>
#include <stddef.h>

#define JSON_BODY_DEPTH 32

struct json_fault {
	int line, column;	/* from 1; the column counts characters */
	char text[200];		/* without any of the body, which may hold a secret */
};

/* Gives a new reference.  EINVAL: *fault says where; syntax, duplicate key, number overflow, \u0000, bad UTF-8, or arrays and
 * objects nested deeper than JSON_BODY_DEPTH.  ENOMEM. */
int json_body_parse(json_t **value, const char *text, size_t len, struct json_fault *fault);

#endif
