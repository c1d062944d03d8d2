/*
 * The members of a large JSON object, and the items of a large array, one by one as stretches of the text: what is parsed at once
 * is then one item, not all of them.  Each stretch is for json_body_parse() to judge; here only its end is found.
 */
#ifndef MGMTD_JSON_SPLIT_H
#define MGMTD_JSON_SPLIT_H

#include "mgmtd/json_body.h"

#include <stdbool.h>

struct json_split {
	const char *text, *end;		/* the whole body */
	const char *at;
	bool begun;
	const char *fault;		/* what is wrong at `at`; NULL = nothing */
};

/* Begins within a stretch of `text`: at its '{' or '['.  False: something else stands there. */
bool json_split_open(struct json_split *s, const char *text, size_t len, const char *stretch, char bracket);

/* The next member or item; key (of a member, with its quotation marks; NULL for an item) and value lie in the text.
 * False: there is none any more, or s->fault says what is wrong. */
bool json_split_next(struct json_split *s, const char **key, size_t *key_len, const char **value, size_t *len);

/* Nothing but blanks up to the end of the text? */
bool json_split_ended(struct json_split *s);

/* Line and column of a place in the text, and moves a fault found in a stretch that begins there. */
void json_split_place(struct json_fault *fault, const char *text, const char *at);
void json_split_move(struct json_fault *fault, const char *text, const char *stretch);

#endif
