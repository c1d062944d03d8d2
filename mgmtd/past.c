#include "mgmtd/past.h"

#include "mgmtd/document.h"
#include "mgmtd/json_text.h"
#include "mgmtd/revision.h"
#include "mgmtd/store_history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WIDE 20000	/* revisions between, beyond which it is cheaper to look for each object: a tenth of a second */

void past_free(struct past *past)
{
	for (size_t k = 0; k < KIND_COUNT; k++) {
		objects_free(&past->before[k]);
		objects_free(&past->after[k]);
	}
}

/* ------------------------------------------------------------------ what lies between */

static int put(struct objects *end, const struct revision_change *change, const struct member *document)
{
	struct object *object = object_new(change->kind, change->name), *old;

	if (!object)
		return ENOMEM;
	object->deleted = revision_absent(document);
	object->document = object->deleted ? NULL : strndup(document->value, document->len);
	if ((!object->deleted && !object->document) || objects_put(end, object, &old)) {
		object_free(object);
		return ENOMEM;
	}
	object_free(old);
	return 0;
}

static int take_change(void *arg, const struct revision_change *change)
{
	struct past *past = arg;
	int error = 0;

	if (!change->kind)	/* of a version that had more kinds: it cannot be made current again */
		return 0;
	if (!objects_find(&past->before[change->kind->id], change->name))
		error = put(&past->before[change->kind->id], change, &change->before);
	return error ? error : put(&past->after[change->kind->id], change, &change->after);
}

static int take_record(void *arg, uint64_t revision, const char *record)
{
	(void)revision;
	int error = revision_each_change(record, take_change, arg);
	return error == EINVAL ? EPROTO : error;
}

int past_read_records(struct past *past, struct store *s, uint64_t from, uint64_t to)
{
	*past = (struct past){ 0 };
	int error = store_each_record(s, from, to, take_record, past);
	if (error)
		past_free(past);
	return error;
}

/* The revisions whose records are needed. */
struct needed { struct past *past; uint64_t *v; size_t count, room; };

/* A place that is filled from the record of `revision`. */
static int put_empty(struct needed *needed, struct objects *end, const struct store_touched *t, uint64_t revision)
{
	struct object *object = object_new(t->kind, t->name), *old;

	if (!object)
		return ENOMEM;
	object->revision = revision;
	object->deleted = true;
	if (objects_put(end, object, &old)) {
		object_free(object);
		return ENOMEM;
	}
	object_free(old);
	if (needed->count == needed->room) {
		size_t room = needed->room ? 2 * needed->room : 256;
		uint64_t *larger = reallocarray(needed->v, room, sizeof *larger);
		if (!larger)
			return ENOMEM;
		needed->v = larger;
		needed->room = room;
	}
	needed->v[needed->count++] = revision;
	return 0;
}

static int take_touched(void *arg, const struct store_touched *t)
{
	struct needed *needed = arg;
	int error = put_empty(needed, &needed->past->before[t->kind->id], t, t->first);

	return error ? error : put_empty(needed, &needed->past->after[t->kind->id], t, t->last);
}

struct filling { struct past *past; uint64_t revision; };

static int fill(struct objects *end, uint64_t revision, const struct revision_change *change, const struct member *document)
{
	const struct object *place = objects_find(end, change->name);

	return place && place->revision == revision ? put(end, change, document) : 0;
}

static int fill_change(void *arg, const struct revision_change *change)
{
	struct filling *f = arg;
	int error = change->kind ? fill(&f->past->before[change->kind->id], f->revision, change, &change->before) : 0;

	return error || !change->kind ? error : fill(&f->past->after[change->kind->id], f->revision, change, &change->after);
}

static int fill_record(void *arg, uint64_t revision, const char *record)
{
	struct filling *f = arg;

	f->revision = revision;
	int error = revision_each_change(record, fill_change, f);
	return error == EINVAL ? EPROTO : error;
}

static int in_order(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

int past_read_objects(struct past *past, struct store *s, uint64_t from, uint64_t to)
{
	struct needed needed = { .past = past };
	struct filling filling = { .past = past };
	int error = 0;

	*past = (struct past){ 0 };
	for (size_t k = 0; k < KIND_COUNT && !error; k++)
		error = store_each_touched(s, &schema_kinds[k], from, to, take_touched, &needed);
	if (needed.count)
		qsort(needed.v, needed.count, sizeof *needed.v, in_order);
	for (size_t i = 0; i < needed.count && !error; i++)
		if (i == 0 || needed.v[i] != needed.v[i - 1])
			error = store_each_record(s, needed.v[i] - 1, needed.v[i], fill_record, &filling);
	free(needed.v);
	if (error)
		past_free(past);
	return error;
}

int past_read(struct past *past, struct store *s, uint64_t from, uint64_t to)
{
	return (to > from && to - from > WIDE ? past_read_objects : past_read_records)(past, s, from, to);
}

/* NULL = it does not exist there.  A parameter that was never set has no document, but always a value. */
static json_t *parsed(const struct object *object)
{
	if (object->deleted)
		return object->kind->id == KIND_PARAMETERS ? json_object() : NULL;
	if (object->kind->id == KIND_PARAMETERS)
		return json_loads(object->document, 0, NULL);
	char *complete = document_complete(object->kind, object->document);
	json_t *document = complete ? json_loads(complete, 0, NULL) : NULL;
	free(complete);
	return document;
}

static void add_difference(json_t *list, const struct object *from, const struct object *to)
{
	json_t *was = parsed(from), *is = parsed(to);
	const char *op = !was ? "create" : !is ? "delete" : "update";

	if ((was || is) && !json_equal(was, is))
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "kind", from->kind->path, "name", from->name, "op", op,
		                                      "fields", document_diff(from->kind, from->name, was, is)));
	json_decref(was);
	json_decref(is);
}

json_t *past_diff(const struct past *past, bool back)
{
	json_t *list = json_array();

	/* both ends hold the same names in the same order */
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < past->before[k].count; i++) {
			const struct object *before = past->before[k].v[i], *after = past->after[k].v[i];
			add_difference(list, back ? after : before, back ? before : after);
		}
	return list;
}

/* ------------------------------------------------------------------ the whole */

/* Two lists in order of name, merged: what is current, except where the past knows better. */
struct merge {
	struct buffer *out;
	const struct kind *kind;
	const struct objects *past;
	size_t next;			/* of the past, not written yet */
	const char *comma;
};

/* {"value": v} → "SS_X":v; nothing at its default. */
static void write_parameter(struct merge *m, const char *name, const char *document)
{
	json_t *parameter = json_loads(document, 0, NULL), *value = json_object_get(parameter, "value");
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_TEXT) : NULL;

	if (text) {
		buffer_format(m->out, "%s\"%s\":%s", m->comma, name, text);
		m->comma = ",";
	}
	free(text);
	json_decref(parameter);
}

static void write_object(struct merge *m, const char *name, const char *document)
{
	char *complete = document_complete(m->kind, document);
	size_t len = 0;
	char *text = complete ? document_render(m->kind, name, complete, NULL, &len) : NULL;

	if (text) {
		buffer_text(m->out, m->comma);
		buffer_append(m->out, text, len);
		m->comma = ",";
	} else {
		m->out->failed = true;
	}
	free(text);
	free(complete);
}

static void write_one(struct merge *m, const char *name, const char *document)
{
	if (m->kind->id == KIND_PARAMETERS)
		write_parameter(m, name, document);
	else
		write_object(m, name, document);
}

/* Those of the past before `name`; NULL: all that are left. */
static void write_past(struct merge *m, const char *name)
{
	for (; m->next < m->past->count; m->next++) {
		const struct object *object = m->past->v[m->next];
		if (name && strcmp(object->name, name) >= 0)
			break;
		if (!object->deleted)
			write_one(m, object->name, object->document);
	}
}

static int write_current(void *arg, const struct object *row)
{
	struct merge *m = arg;

	write_past(m, row->name);
	if (m->next < m->past->count && strcmp(m->past->v[m->next]->name, row->name) == 0) {
		const struct object *object = m->past->v[m->next++];
		if (!object->deleted)
			write_one(m, object->name, object->document);
	} else {
		write_one(m, row->name, row->document);
	}
	return m->out->failed ? ENOMEM : 0;
}

static int render_kind(struct buffer *b, struct store *s, const struct kind *kind, const struct objects *past)
{
	bool parameters = kind->id == KIND_PARAMETERS;
	struct merge m = { .out = b, .kind = kind, .past = past, .comma = "" };

	buffer_format(b, ",\"%s\":%s", kind->path, parameters ? "{" : "[");
	int error = store_each_current(s, kind, write_current, &m);
	write_past(&m, NULL);
	buffer_text(b, parameters ? "}" : "]");
	return error;
}

static int render_head(void *arg, uint64_t revision, const char *record)
{
	char at[TIME_TEXT];
	uint64_t number;

	if (revision_at(at, &number, record))
		return EPROTO;
	buffer_format(arg, "{\"revision\":%" PRIu64 ",\"at\":\"%s\"", revision, at);
	return 0;
}

static int render(struct buffer *b, struct store *s, uint64_t revision)
{
	unsigned char hash[STORE_HASH];
	uint64_t newest;
	struct past past;
	int error = store_newest(s, &newest, hash);

	if (!error && (revision == 0 || revision > newest))
		error = ENOENT;
	if (!error)
		error = store_each_record(s, revision - 1, revision, render_head, b);
	if (error || (error = past_read(&past, s, revision, newest)))
		return error;
	for (size_t k = 0; k < KIND_COUNT && !error; k++)
		error = render_kind(b, s, &schema_kinds[k], &past.before[k]);
	buffer_text(b, "}");
	past_free(&past);
	return error;
}

int past_render(struct buffer *b, struct store *s, uint64_t revision)
{
	int error = store_history_begin(s);

	if (error)
		return error;
	error = render(b, s, revision);
	store_history_end(s);
	return error ? error : b->failed ? ENOMEM : 0;
}

/* ------------------------------------------------------------------ one object */

struct wanted { const struct kind *kind; const char *name; char *document; };

static int take_wanted(void *arg, const struct revision_change *change)
{
	struct wanted *wanted = arg;

	if (change->kind != wanted->kind || strcmp(change->name, wanted->name) != 0 || revision_absent(&change->after))
		return 0;
	wanted->document = strndup(change->after.value, change->after.len);
	return wanted->document ? 0 : ENOMEM;
}

static int find_wanted(void *arg, uint64_t revision, const char *record)
{
	(void)revision;
	int error = revision_each_change(record, take_wanted, arg);
	return error == EINVAL ? EPROTO : error;
}

int past_object(char **document, struct store *s, const struct kind *kind, const char *name, uint64_t revision)
{
	struct wanted wanted = { kind, name, NULL };
	unsigned char hash[STORE_HASH];
	uint64_t newest, changed;
	int error = store_newest(s, &newest, hash);

	if (!error && (revision == 0 || revision > newest))
		error = ENOENT;
	if (!error)
		error = store_newest_change(s, kind, name, revision, &changed);
	if (!error && changed)
		error = store_each_record(s, changed - 1, changed, find_wanted, &wanted);
	if (!error)
		*document = wanted.document;
	return error;
}
