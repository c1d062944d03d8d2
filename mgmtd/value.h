/* One JSON value against its field of the schema. */
#ifndef MGMTD_VALUE_H
#define MGMTD_VALUE_H

#include "schema/schema.h"

#include <jansson.h>

/* Checks one value against its field.  Gives *canonical (a new reference) and writes the value to slot (field->size
 * bytes; NULL for a RECORDLESS field).  On a fault: EINVAL, the violation is in errors, nothing is written. */
int value_check(const struct field *field, const json_t *value, const char *prefix, const char *member,
                json_t *errors, void *slot, json_t **canonical);

/* The violation {pointer, code, detail: "must be …; got …", min, max, options, got} about a value; must NULL = what the field
 * takes, in words.  A secret's value is not repeated.  Returns EINVAL. */
int value_refuse(const struct field *field, const json_t *value, const char *prefix, const char *member, json_t *errors,
                 const char *code, const char *must);

/* The words, or numbers, that a field with options takes.  A new reference. */
json_t *value_options(const struct field *field);

#endif
