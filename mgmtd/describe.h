/* The schema as JSON: what GET /schema, the items of GET /sip-parameters and the API description are made of. */
#ifndef MGMTD_DESCRIBE_H
#define MGMTD_DESCRIBE_H

#include "schema/schema.h"

#include <jansson.h>

/* {name, type, default, min, max, min_items, max_items, options, unit, applies, group, title, direction, see_also, help}; limits are null
 * where the type has none; of a list min and max are those of an item.  A new reference. */
json_t *describe_field(const struct kind *kind, const struct field *field);

/* A number of a field, or of an item of its list, as the API writes it: intervals in seconds. */
json_t *describe_number(const struct field *field, int32_t number);

/* The field's default as a JSON value, shared: a new reference, not to be changed. */
json_t *describe_default(const struct kind *kind, const struct field *field);

#endif
