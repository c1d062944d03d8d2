/*
 * The one table of the API's paths: who may use each, what it takes, who answers it, and the words from which the API
 * description is made.
 */
#ifndef MGMTD_ROUTE_H
#define MGMTD_ROUTE_H

#include "schema/schema.h"

#include <stddef.h>

struct request;

enum role { ROLE_PUBLIC, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };
extern const char *const role_words[];	/* "public", "viewer", … */

enum route_body { BODY_NONE, BODY_JSON, BODY_PATCH, BODY_OPTIONAL };
enum route_flag {
	ROUTE_WRITES = 1,		/* refused while the password must be changed */
	ROUTE_STREAM = 2,		/* no HEAD */
	ROUTE_SECRET_BODY = 4,		/* small, wiped afterwards */
	ROUTE_LARGE_BODY = 64,		/* up to REQUEST_LARGE_BODY_MAX */
	ROUTE_CONDITIONAL = 8,		/* wants If-Match under --require-if-match */
	ROUTE_TAGGED = 256,		/* its answer has an ETag, and is 304 for If-None-Match */
	ROUTE_COMMANDS = 512,		/* asks the running switch: 503 switchcore_down, 504 */
	ROUTE_METRICS = 1024,		/* needs no token from loopback under --metrics-open-on-loopback */
};

struct route {
	const char *method, *path;	/* "{…}" in a path matches one segment */
	enum role role;
	const struct kind *kind;	/* of the objects it is about, or NULL */
	enum route_body body;
	unsigned flags;
	uint64_t queries;		/* QUERY_BIT()s */
	void (*handler)(struct request *r);

	const char *operation, *summary;
	const char *takes, *gives;	/* names of components in the API description, or NULL */
	unsigned success;		/* its status */
};

extern const struct route routes[];
extern const size_t route_count;
/* The panel's files (panel.h): behind the last, as it is no part of the API and has no path of its own. */
extern const struct route *const route_panel;

#define ROUTE_ARGUMENT_MAX 512
#define ROUTE_ALLOW_MAX 64

/* The route of a method and a path as it stands in the URL; argument = the segment that matched "{…}", decoded.  HEAD finds
 * GET.  ENOENT: no such path.  EOPNOTSUPP: another method; allow = those there are.  EINVAL: a broken escape in the path.
 * ENAMETOOLONG. */
int route_find(const struct route **route, char argument[ROUTE_ARGUMENT_MAX], char allow[ROUTE_ALLOW_MAX], const char *method,
               const char *path);

/* For tests and for the function above: does `path` match the template, and what is the argument (not decoded)? */
int route_matches(const char *template, const char *path, const char **argument, size_t *argument_len);

#endif
