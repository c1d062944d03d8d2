#include "mgmtd/replacement_private.h"

#include "mgmtd/document.h"
#include "mgmtd/json_split.h"
#include "mgmtd/json_text.h"
#include "mgmtd/problem.h"
#include "mgmtd/sealing.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 4
#define PER_THREAD 2000		/* objects that are worth a thread */

/* ------------------------------------------------------------------ what is not JSON */

int replacement_not_json(struct decoder *d, const char *at, const char *text)
{
	json_split_place(&d->fault, d->whole->body, at);
	snprintf(d->fault.text, sizeof d->fault.text, "%s", text);
	return EBADMSG;
}

int replacement_parse(struct decoder *d, json_t **value, const struct stretch *stretch)
{
	if (stretch->len > REPLACEMENT_VALUE_MAX)
		return replacement_not_json(d, stretch->text, "a value of more than 1 MiB");
	int error = json_body_parse(value, stretch->text, stretch->len, &d->fault);
	if (error == EINVAL)
		json_split_move(&d->fault, d->whole->body, stretch->text);
	return error == EINVAL ? EBADMSG : error;
}

/* ------------------------------------------------------------------ one object */

/* {"sealed": text} → the text, in the clear. */
static void unseal(const struct replacement *r, const struct operation *op, const struct field *field, json_t *value, json_t *errors)
{
	const json_t *sealed = json_object_get(json_object_get(value, field->name), "sealed");
	char plain[SECRET_PLAIN_MAX + 1] = "";

	if (!sealed)
		return;
	if (!r->sealing)
		problem_violation(errors, op->pointer, field->name, "bad_format", "is sealed, but the document has no \"secrets\" that say how");
	else if (!json_is_string(sealed) ||
	         sealing_unseal(r->sealing, plain, op->kind->path, op->name, field->name, json_string_value(sealed)) != 0)
		problem_violation(errors, op->pointer, field->name, "bad_format",
		                  "is damaged, or was sealed for another object: a sealed secret belongs to the kind and name it was exported with");
	/* whatever came of it: this fault is told, and no second one about the form */
	json_object_set_new(value, field->name, plain[0] ? json_string(plain) : json_null());
	sodium_memzero(plain, sizeof plain);
}

static void unseal_all(const struct replacement *r, const struct operation *op, json_t *value, json_t *errors)
{
	for (size_t i = 0; i < op->kind->nfields && json_is_object(value); i++)
		if (op->kind->fields[i].flags & SECRET)
			unseal(r, op, &op->kind->fields[i], value, errors);
}

json_t *replacement_value(const struct replacement *r, const struct operation *op, json_t *errors)
{
	json_t *value = json_loadb(op->text, op->len, 0, NULL);	/* it was parsed before: it is JSON */

	unseal_all(r, op, value, errors);
	return value;
}

/* The object's document and revision now; NULL and 0 = there is none.  The caller frees it. */
static char *current_document(struct decoder *d, const struct operation *op, uint64_t *revision)
{
	model_lock(d->model);
	const struct object *object = model_find(d->model, op->kind->id, op->name);
	char *document = object ? strdup(object->document) : NULL;
	*revision = object ? object->revision : 0;
	model_unlock(d->model);
	return document;
}

/* Of a document only its secrets, which is all that decoding a whole body asks of it. */
static json_t *secrets_of(const struct kind *kind, const char *document)
{
	char references[MEMBERS_MAX][SECRET_REFERENCE];
	json_t *secrets = document ? json_object() : NULL;

	if (!document || document_references(references, kind, document))
		return secrets;
	for (size_t i = 0; i < kind->nfields; i++)
		if ((kind->fields[i].flags & SECRET) && references[i][0])
			json_object_set_new(secrets, kind->fields[i].name, json_pack("{s:s}", "secret", references[i]));
	return secrets;
}

/* The secrets, as bits, that the body leaves as they are; the writer has them. */
static uint64_t secrets_kept(const struct kind *kind, const json_t *value)
{
	uint64_t kept = 0;

	for (size_t i = 0; i < kind->nfields; i++) {
		const json_t *given = json_object_get(value, kind->fields[i].name);
		if ((kind->fields[i].flags & SECRET) && (!given || json_is_object(given)))
			kept |= UINT64_C(1) << i;
	}
	return kept;
}

/* What comes of it; also of one with faults, for the rules between objects to be judged with what passed. */
static int decode(struct decoder *d, struct operation *op, json_t *value)
{
	size_t before = json_array_size(d->errors);
	char *current = current_document(d, op, &op->seen);
	json_t *secrets = secrets_of(op->kind, current), *canonical = NULL;
	struct object *object = object_new(op->kind, op->name);
	int error = object && (object->record = calloc(1, op->kind->record_size)) ? 0 : ENOMEM;

	if (!error) {
		unseal_all(d->whole, op, value, d->errors);
		error = document_decode(op->kind, op->name, value, secrets, false, d->secrets, op->pointer, d->errors, object->record,
		                        &canonical);
	}
	if (!error && !(object->document = json_dumps(canonical, JSON_TEXT)))
		error = ENOMEM;
	op->kept = secrets_kept(op->kind, value);
	op->broken = json_array_size(d->errors) > before;
	op->decoded = true;
	if (!error && current && strcmp(current, object->document) == 0) {
		object_free(object);
		object = NULL;
	}
	if (object)
		object->pointer = op->pointer;
	op->ready = object;
	json_decref(canonical);
	json_decref(secrets);
	free(current);
	return error == EINVAL ? 0 : error;
}

static int read_object(struct decoder *d, struct operation *op)
{
	const struct stretch stretch = { op->text, op->len };
	json_t *value;
	int error = replacement_parse(d, &value, &stretch);

	if (error)
		return error;
	if (!json_is_object(value)) {
		problem_violation(d->errors, op->pointer, NULL, "wrong_type", "must be an object with the fields of %s", op->kind->path);
	} else {
		bool named = change_name(op, op->pointer, json_object_get(value, "name"), d->errors);
		error = decode(d, op, value);
		op->broken |= !named;
	}
	json_decref(value);
	return error;
}

/* ------------------------------------------------------------------ all objects */

struct part {
	struct decoder decoder;
	struct operation *operations;
	size_t count;
	int error;
	pthread_t thread;
	bool runs;
};

/* What is left when more is wrong than is told stays broken. */
static void *read_part(void *arg)
{
	struct part *part = arg;

	for (size_t i = 0; i < part->count && !part->error && json_array_size(part->decoder.errors) <= PROBLEM_VIOLATIONS; i++)
		if (part->operations[i].text)
			part->error = read_object(&part->decoder, &part->operations[i]);
	return NULL;
}

static void start_part(struct part *part, const struct decoder *d, struct operation *operations, size_t count)
{
	*part = (struct part){ .decoder = *d, .operations = operations, .count = count };
	part->decoder.errors = json_array();
	part->runs = pthread_create(&part->thread, NULL, read_part, part) == 0;
	if (!part->runs)
		read_part(part);
}

/* As one violation too many, problem_violation() says once that there are more. */
static void take_errors(json_t *errors, json_t *more)
{
	for (size_t i = 0; i < json_array_size(more); i++) {
		if (json_array_size(errors) >= PROBLEM_VIOLATIONS) {
			problem_violation(errors, "", NULL, "too_many", "%s", "");
			break;
		}
		json_array_append(errors, json_array_get(more, i));
	}
	json_decref(more);
}

int replacement_decode(struct decoder *d, struct operation *operations, size_t count)
{
	struct part parts[THREADS_MAX];
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t most = count / PER_THREAD + 1, n = processors < 1 ? 1 : (size_t)processors;
	int error = 0;

	n = n > THREADS_MAX ? THREADS_MAX : n;
	n = n > most ? most : n;
	for (size_t i = 0; i < n; i++) {
		size_t begin = count * i / n, end = count * (i + 1) / n;
		start_part(&parts[i], d, operations + begin, end - begin);
	}
	for (size_t i = 0; i < n; i++) {
		if (parts[i].runs)
			pthread_join(parts[i].thread, NULL);
		take_errors(d->errors, parts[i].decoder.errors);
		if (parts[i].error && !error) {
			error = parts[i].error;
			d->fault = parts[i].decoder.fault;
		}
	}
	return error;
}
