/* GET /schema and GET /openapi.json: made once at start from the schema tables and the route table. */
#ifndef MGMTD_DESCRIPTION_H
#define MGMTD_DESCRIPTION_H

#include "mgmtd/request.h"

int description_make(void);	/* before the first request; ENOMEM */
void description_free(void);

void description_schema(struct request *r);
void description_openapi(struct request *r);

/* New references; for tests. */
json_t *description_schema_json(void);
json_t *description_openapi_json(void);

/* The hand-written components, those that no table declares: {name: schema}. */
json_t *description_components(void);

/* The responses of an operation, and the problems they refer to as {name: response}. */
json_t *description_responses(const struct route *route);
json_t *description_problems(void);

/* {type: {"schema": …}}; component NULL: any text. */
json_t *description_content(const char *type, const char *component);

/* The JSON Schema of a field: as GET shows it, as PUT and POST take it, as PATCH takes it, as /config shows and takes it. */
enum field_use { FIELD_SHOWN, FIELD_WRITTEN, FIELD_PATCHED, FIELD_MOVED };
json_t *description_field(const struct kind *kind, const struct field *field, enum field_use use);

#endif
