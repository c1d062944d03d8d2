/* GET of the objects of every kind, one or a page of them, from the model. */
#ifndef MGMTD_RESOURCE_H
#define MGMTD_RESOURCE_H

#include "mgmtd/subject.h"

void resource_get(struct request *r);
/* live: appends what …/{name}/status answers, where the query asks for it. */
typedef void resource_live_f(struct buffer *b, struct daemon *daemon, const char *name, const struct subject *subject);
void resource_list(struct request *r, resource_live_f *live);
void resource_list_parameters(struct request *r);

void resource_forget(void);	/* the answers kept ready; once the server has stopped */

/* Answers 404: no such object. */
void resource_missing(struct request *r);

/* An opaque cursor out of a name, and back.  EINVAL: it is none of ours. */
#define CURSOR_MAX 128
void cursor_make(char cursor[CURSOR_MAX], const char *name);
int cursor_read(char name[SCHEMA_NAME_MAX + 1], const char *cursor);
/* The cursor of the query, "" without one; EINVAL: answered. */
int cursor_of(struct request *r, char name[SCHEMA_NAME_MAX + 1]);
void cursor_refuse(struct request *r);

#endif
