#include "mgmtd/resource.h"

#include "mgmtd/answer.h"
#include "mgmtd/json_text.h"
#include "mgmtd/model.h"
#include "mgmtd/problem.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define READY 4096	/* answers; a few MiB when all are used */

void resource_missing(struct request *r)
{
	/* A name that could never be one is not repeated: it may be anything. */
	if (schema_name_fault(r->argument, strlen(r->argument)))
		answer_problem(r, 404, NULL, NULL, "there is no %s of that name", r->route->kind->noun);
	else
		answer_problem(r, 404, NULL, NULL, "there is no %s \"%s\"", r->route->kind->noun, r->argument);
}

/* {…} → {…,"effective":{…}} */
static void answer_effective(struct request *r, struct model *model, const struct object *object)
{
	size_t len;
	struct buffer b = { 0 };
	const char *text = model_render(model, object, &len);
	json_t *effective = model_effective(model, object);
	char *dump = effective ? json_dumps(effective, JSON_TEXT) : NULL;
	json_decref(effective);
	if (text && dump) {
		buffer_append(&b, text, len - 1);
		buffer_text(&b, ",\"effective\":");
		buffer_text(&b, dump);
		buffer_text(&b, "}");
	}
	free(dump);
	answer_buffer(r, 200, "application/json", &b);
}

/* ------------------------------------------------------------------ one */

/* Answers to GET, kept ready until the object changes or another one needs the place.  The event thread's. */
static struct ready {
	enum kind_id kind;
	char name[SCHEMA_NAME_MAX + 1];
	uint64_t incarnation, revision;
	struct MHD_Response *response;
	size_t len;
} ready[READY];

static struct ready *ready_place(const struct object *object)
{
	uint32_t hash = 2166136261u ^ (uint32_t)object->kind->id;	/* FNV-1a */
	for (const char *c = object->name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return &ready[hash % READY];
}

static void answer_rendered(struct request *r, struct model *model, const struct object *object)
{
	size_t len;
	const char *text = model_render(model, object, &len);
	if (!text)
		return;
	answer_json(r, 200, text, len);
	answer_etag(r, object->revision);
}

static void make_ready(struct request *r, struct model *model, const struct object *object, struct ready *place)
{
	answer_rendered(r, model, object);
	if (!r->response)
		return;
	if (place->response)
		MHD_destroy_response(place->response);
	*place = (struct ready){ .kind = object->kind->id, .incarnation = object->incarnation, .revision = object->revision,
	                         .response = r->response, .len = (size_t)r->sent };
	memcpy(place->name, object->name, sizeof place->name);
	r->lent = true;
}

static void answer_object(struct request *r, struct model *model, const struct object *object)
{
	struct ready *place = ready_place(object);
	if (r->id[0])	/* an answer that names its request is no other's */
		answer_rendered(r, model, object);
	else if (place->response && place->revision == object->revision && place->incarnation == object->incarnation &&
	    place->kind == object->kind->id && strcmp(place->name, object->name) == 0)
		answer_lent(r, 200, place->response, place->len);
	else
		make_ready(r, model, object, place);
}

void resource_forget(void)
{
	for (size_t i = 0; i < READY; i++) {
		if (ready[i].response)
			MHD_destroy_response(ready[i].response);
		ready[i].response = NULL;
	}
}

void resource_get(struct request *r)
{
	struct model *model = r->daemon->model;
	model_lock(model);
	const struct object *object = model_find(model, r->route->kind->id, r->argument);
	if (!object) {
		resource_missing(r);
	} else if (request_query_number(r, Q_EFFECTIVE)) {
		answer_effective(r, model, object);
	} else {
		answer_object(r, model, object);
		if (r->response && request_has(r, object->revision))
			r->status = 304;
	}
	model_unlock(model);
}

/* ------------------------------------------------------------------ lists */

void cursor_make(char cursor[CURSOR_MAX], const char *name)
{
	sodium_bin2base64(cursor, CURSOR_MAX, (const unsigned char *)name, strlen(name), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

int cursor_read(char name[SCHEMA_NAME_MAX + 1], const char *cursor)
{
	size_t len;
	if (sodium_base642bin((unsigned char *)name, SCHEMA_NAME_MAX, cursor, strlen(cursor), NULL, &len, NULL,
	                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return EINVAL;
	name[len] = '\0';
	return schema_name_fault(name, len) ? EINVAL : 0;
}

void cursor_refuse(struct request *r)
{
	json_t *errors = json_array();
	json_t *v = problem_violation(errors, "", NULL, "bad_format", "must be `next` of the page before");
	json_object_set_new(v, "parameter", json_string("cursor"));
	answer_problem(r, 422, NULL, errors, "the cursor is none of this list");
}

int cursor_of(struct request *r, char name[SCHEMA_NAME_MAX + 1])
{
	const char *cursor = request_query_text(r, Q_CURSOR);
	name[0] = '\0';
	if (!cursor || cursor_read(name, cursor) == 0)
		return 0;
	cursor_refuse(r);
	return EINVAL;
}

static void end_list(struct buffer *b, const char *next, uint64_t revision)
{
	char cursor[CURSOR_MAX];
	buffer_text(b, "],\"next\":");
	if (next) {
		cursor_make(cursor, next);
		buffer_format(b, "\"%s\"", cursor);
	} else {
		buffer_text(b, "null");
	}
	buffer_format(b, ",\"revision\":%" PRIu64 "}", revision);
}

/* Which objects a list has, and what it tells of each beside the object itself. */
struct listing {
	bool (*pass)(const struct request *r, const struct field *field);	/* NULL: all */
	resource_live_f *live;							/* NULL: nothing */
};

static bool append_item(struct buffer *b, struct model *model, const struct request *r, const struct object *object,
                        resource_live_f *live)
{
	size_t len;
	const char *text = model_render(model, object, &len);
	if (!text)
		return false;
	if (b->text[b->len - 1] != '[')
		buffer_text(b, ",");
	if (!live) {
		buffer_append(b, text, len);
		return true;
	}
	/* {…} → {…,"status":{…}} */
	const struct subject subject = { object->kind->id, object->id, object->incarnation, model_revision(model) };
	buffer_append(b, text, len - 1);
	buffer_text(b, ",\"status\":");
	live(b, r->daemon, object->name, &subject);
	buffer_text(b, "}");
	return true;
}

/* Appends the page of objects behind `after`; under the model's lock. */
static void list_page(struct buffer *b, struct model *model, const struct request *r, const char *after,
                      const struct listing *listing)
{
	enum kind_id kind = r->route->kind->id;
	int64_t limit = request_query_number(r, Q_LIMIT);
	const struct object *object, *last = NULL;
	buffer_text(b, "{\"items\":[");
	while ((object = model_after(model, kind, last ? last->name : after)) != NULL && limit > 0) {
		last = object;
		if (listing->pass && !listing->pass(r, schema_field(object->kind, object->name)))
			continue;
		if (b->failed || !append_item(b, model, r, object, listing->live)) {
			b->failed = true;
			return;
		}
		limit--;
	}
	end_list(b, object && last ? last->name : NULL, model_revision(model));
}

static void answer_list(struct request *r, const struct listing *listing)
{
	struct model *model = r->daemon->model;
	struct buffer b = { 0 };
	char after[SCHEMA_NAME_MAX + 1];
	if (cursor_of(r, after) != 0)
		return;
	model_lock(model);
	uint64_t revision = model_revision(model);
	list_page(&b, model, r, after, listing);
	/* What the switch does moves without a revision. */
	answer_buffer(r, !listing->live && request_has(r, revision) ? 304 : 200, "application/json", &b);
	if (!listing->live)
		answer_etag(r, revision);
	model_unlock(model);
}

void resource_list(struct request *r, resource_live_f *live)
{
	answer_list(r, &(struct listing){ .live = request_query_number(r, Q_STATUS) ? live : NULL });
}

/* ------------------------------------------------------------------ parameters, filtered */

static bool in_group(const struct field *field, const char *group)
{
	size_t len = strlen(group);
	return strncmp(field->group, group, len) == 0 && (field->group[len] == '\0' || field->group[len] == '/');
}

static bool holds(const struct field *field, const char *text)
{
	if (strcasestr(field->name, text) || strcasestr(field->title, text) || strcasestr(field->help, text))
		return true;
	for (const struct option_word *o = field->options; o && o->word; o++)
		if (strcasestr(o->word, text) || strcasestr(o->label, text) || strcasestr(o->help, text))
			return true;
	return false;
}

static bool passes(const struct request *r, const struct field *field)
{
	const char *group = request_query_text(r, Q_GROUP), *q = request_query_text(r, Q_Q);
	const char *direction = request_query_text(r, Q_DIRECTION);
	if (!field)
		return false;
	if (direction && field->direction != BOTH && strcmp(schema_direction_word(field->direction), direction) != 0)
		return false;
	return (!group || in_group(field, group)) && (!q || holds(field, q));
}

static bool group_exists(const struct kind *kind, const char *group)
{
	for (size_t i = 0; i < kind->nfields; i++)
		if (in_group(&kind->fields[i], group))
			return true;
	return false;
}

void resource_list_parameters(struct request *r)
{
	const char *group = request_query_text(r, Q_GROUP);
	if (group && !group_exists(r->route->kind, group)) {
		json_t *errors = json_array();
		json_t *v = problem_violation(errors, "", NULL, "not_an_option", "there is no group \"%s\"", group);
		json_object_set_new(v, "parameter", json_string("group"));
		answer_problem(r, 422, NULL, errors, "there is no group \"%s\"", group);
		return;
	}
	answer_list(r, &(struct listing){ .pass = passes });
}
