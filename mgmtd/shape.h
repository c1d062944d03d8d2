/* The shapes of answers in the API description, made exact. */
#ifndef MGMTD_SHAPE_H
#define MGMTD_SHAPE_H

#include <jansson.h>

/* Makes the components exact, {name: schema}: an object with "properties" has all of them always, unless it says "required" or
 * names those that may be missing in "optional"; it has no others, unless it says "additionalProperties".  A component of "allOf"
 * becomes one object, in which a later part's members replace those of an earlier one. */
void shape_complete(json_t *components);

#endif
