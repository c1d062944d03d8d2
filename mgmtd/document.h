/*
 * JSON documents of the schema's kinds: user's body → checked canonical document + record of the segment, and back to
 * what people see.
 *
 * A canonical document has every field of its kind in the schema's order, those of `sip` beside the others; a secret is
 * {"secret": reference} or null.  A parameter's is {"value": v}, or {} at its default.
 */
#ifndef MGMTD_DOCUMENT_H
#define MGMTD_DOCUMENT_H

#include "mgmtd/buffer.h"
#include "mgmtd/members.h"
#include "mgmtd/secret.h"
#include "schema/schema.h"

#include <jansson.h>
#include <stdbool.h>

/* Checks a user's body for an object of `kind` called `name` and completes it.
 *   current  canonical document of the object as it is, or NULL
 *   patch    fields that are left out keep their current value (RFC 7396); else they take their default.  A secret that
 *            is left out is kept either way.
 *   record   in: the object's record as it is (zeros for a new one); out: the record of the result, head untouched
 * Gives *document, canonical.  EINVAL: every fault is in errors, pointers below prefix. */
int document_decode(const struct kind *kind, const char *name, const json_t *body, const json_t *current, bool patch,
                    const struct secrets *secrets, const char *prefix, json_t *errors, struct record *record, json_t **document);

/* The same for a patch of an object whose canonical document is `text`: what the body leaves out is not even parsed.
 * Gives the new canonical document as text (the caller frees it), and before and after: documents that hold only the fields
 * which the body names.  ENOTSUP: the text lacks a field; decode it as a whole. */
struct document_patch { char *text; json_t *before, *after; };
int document_patch(const struct kind *kind, const char *name, const json_t *body, const char *text,
                   const struct secrets *secrets, const char *prefix, json_t *errors, struct record *record,
                   struct document_patch *patch);

/* Fills a record's fields from the text of a canonical document, for all but the secrets; only what is not at its default is
 * parsed.  EINVAL: some of it breaks a rule, and is left out. */
int document_text_to_record(const struct kind *kind, const char *text, struct record *record);

/* The document as people may see it; for a parameter {"value", "source"}.  name is a parameter's.  A new reference. */
json_t *document_present(const struct kind *kind, const char *name, const json_t *document);

/* Reference of the secret in a field of a canonical document, or NULL. */
const char *document_secret(const json_t *document, const struct field *field);

/* The canonical text of a stored document, which may be older than a field of its kind.  The caller frees it; NULL = out of
 * memory. */
char *document_complete(const struct kind *kind, const char *text);

/* An object as an export shows it, appended to out: {"name", own fields, and the members of `provenance` if there are any}, from
 * the text of its canonical document, without parsing.  secret: appends a value for a secret that is set (then one that is not
 * is null), or NULL: {"set": …}.  EINVAL: the text is not canonical. */
struct document_view {
	const char *provenance;
	void (*secret)(void *arg, struct buffer *out, const char *name, const struct field *field, const char *reference);
	void *arg;
};
int document_write(struct buffer *out, const struct kind *kind, const char *name, const char *text, const struct document_view *view);

/* What GET answers, from the text of a canonical document of an object (not of a parameter): {"name", own fields, and the
 * members of `provenance` (NULL = none)}, without parsing.  The caller frees it; NULL = out of memory, or the text is not canonical. */
char *document_render(const struct kind *kind, const char *name, const char *text, const char *provenance, size_t *size);

/* The references of the secrets in a canonical text, or "", at the places of their fields; text NULL: there is no object. */
int document_references(char references[MEMBERS_MAX][SECRET_REFERENCE], const struct kind *kind, const char *text);

/* The fields, as bits, in which two canonical texts differ; all bits when one of them is not canonical. */
uint64_t document_differing(const struct kind *kind, const char *before, const char *after);

bool document_has_sip(const struct kind *kind);	/* some of its fields stand in `sip` */

/* [{pointer, from, to}] between two canonical documents of one object (either may be NULL), with presentable values. */
json_t *document_diff(const struct kind *kind, const char *name, const json_t *before, const json_t *after);

#endif
