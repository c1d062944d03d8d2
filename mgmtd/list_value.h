/* The part of value.h that is about lists: intervals, codes, prefixes, rewriting rules, sources. */
#ifndef MGMTD_LIST_VALUE_H
#define MGMTD_LIST_VALUE_H

#include "schema/schema.h"

#include <jansson.h>

/* As value_check(), for a field whose type is a list.  A fault of an item has the item's pointer, one of the whole that
 * of the list. */
int list_value_check(const struct field *field, const json_t *value, const char *prefix, const char *member,
                     json_t *errors, void *slot, json_t **canonical);

#endif
