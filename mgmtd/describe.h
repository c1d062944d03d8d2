/* The schema as JSON: what GET /schema, the items of GET /sip-parameters and the API description are made of. */
#ifndef MGMTD_DESCRIBE_H
#define MGMTD_DESCRIBE_H

#include "schema/schema.h"

#include <jansson.h>

/* {name, type, default, min, max, options, unit, applies, group, title, direction, see_also, help}; min, max null where
 * the type has none.  A new reference. */
json_t *describe_field(const struct kind *kind, const struct field *field);

/* The field's default as a JSON value, shared: a new reference, not to be changed. */
json_t *describe_default(const struct kind *kind, const struct field *field);

#endif
