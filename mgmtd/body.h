/* A small request body: an object of texts, whole numbers and flags, with exactly the fields that are declared. */
#ifndef MGMTD_BODY_H
#define MGMTD_BODY_H

#include "mgmtd/request.h"

struct body_field {
	const char *name;
	char *text;			/* of a text: room for max bytes and NUL; of a number NULL */
	bool *flag;			/* of a flag; likewise */
	int64_t *number;		/* of a number; keeps its value when the field is left out */
	const struct field *field;	/* of a word: one of that field's options … */
	int32_t *option;		/* … as its index; keeps its value likewise */
	int32_t min, max;		/* of the text in bytes, or of the number */
	bool optional;
};

/* False: it was refused, and answered. */
bool body_take(struct request *r, const struct body_field *fields, size_t count);

#endif
