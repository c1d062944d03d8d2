/* Query parameters: declared in query.def, checked here.  One that a path does not take is an error. */
#ifndef MGMTD_QUERY_H
#define MGMTD_QUERY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum query_type { QUERY_INT, QUERY_BOOL, QUERY_TEXT, QUERY_WORD, QUERY_TIME };

enum query_id {
#define QUERY(id, name, type, min, max, fallback, words, help) Q_##id,
#include "query.def"
#undef QUERY
	QUERY_COUNT
};
#define QUERY_BIT(id) (UINT64_C(1) << (id))
_Static_assert(QUERY_COUNT <= 64, "a route's queries are bits of one word");

struct query_parameter {
	const char *name;
	enum query_type type;
	int32_t min, max, fallback;	/* of an INT; of a TEXT: bytes */
	const char *words;		/* of a WORD: "a|b" */
	const char *help;
};
extern const struct query_parameter query_parameters[QUERY_COUNT];

struct query_value {
	bool given;
	int64_t number;		/* INT, BOOL; WORD: index; TIME: microseconds since the epoch */
	char *text;		/* TEXT, WORD: decoded, owned */
};

struct query { struct query_value values[QUERY_COUNT]; };

void query_init(struct query *query);		/* every value at its fallback */
void query_clear(struct query *query);

/* Takes name=value as they stand in the URL, '+' already replaced.  value may be NULL.  What is wrong goes to `errors` as
 * {pointer: "", parameter, code, detail, …}. */
void query_take(struct query *query, uint64_t allowed, const char *name, const char *value, json_t *errors);

/* RFC 3339 with any offset, to microseconds since the epoch.  EINVAL. */
int query_time(int64_t *us, const char *text);

/* Decodes %XX in place of `to`.  EINVAL: a broken escape, or one of NUL; ENOSPC. */
int query_decode(char *to, size_t size, const char *from, size_t len);

#endif
