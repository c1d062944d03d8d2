/*
 * Objects by what is in them: who refers to an object, which mapping gateway has a source or a user name for digest.  A link is
 * one such key of one object; a table of links finds the others with the same key.
 *
 * Of one object of a kind and name at most one version is in the table: the newest that may still come true.  The stage swaps a
 * version in to judge the result of a change, and the one before back in when the change is refused or its batch fails.
 *
 * Belongs to the writer thread.
 */
#ifndef MGMTD_LINK_H
#define MGMTD_LINK_H

#include "mgmtd/model.h"

enum link_key {
	LINK_REGISTRATION,	/* refers to this registration */
	LINK_MAPPING,		/* refers to this mapping gateway */
	LINK_SOURCE,		/* a mapping gateway has this source, in canonical form */
	LINK_DIGEST_USER,	/* a mapping gateway knows its calls by digest with this user name */
};

struct links;
struct link {
	const struct object *object;
	const struct field *field;	/* that it comes from */
	int32_t item;			/* in the field's list; -1 = it is none */
	enum link_key key;
	uint32_t hash;
	struct link *next, **place;	/* in the table; place NULL = not in it */
	struct links *table;
	struct link *sibling;		/* the object's next */
	char text[];
};

struct links *links_new(void);	/* NULL = out of memory */
void links_free(struct links *table);	/* after the objects in it */

/* Makes the object's links, from its record, or from its document when it has none.  ENOMEM. */
int link_object(struct object *object);

/* Into the table, out of it; nothing to do where that is so already.  ENOMEM: some may be missing. */
int links_add(struct links *table, struct object *object);
void links_remove(struct object *object);
void link_free(struct link *first);	/* with its siblings; takes them out of the table */

/* The first link with this key, and the next one after it; NULL = none.  For a reference, text is the name referred to. */
const struct link *links_find(const struct links *table, enum link_key key, const char *text);
const struct link *links_next(const struct link *link);

#endif
