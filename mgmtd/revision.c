#include "mgmtd/revision.h"

#include "mgmtd/buffer.h"
#include "mgmtd/document.h"
#include "mgmtd/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static json_t *side(const struct kind *kind, const char *name, json_t *document)
{
	return json_is_object(document) ? document_present(kind, name, document) : json_null();
}

json_t *revision_detail(const json_t *record)
{
	json_t *detail = json_copy((json_t *)(uintptr_t)record), *changes = json_array(), *change;
	size_t i;

	json_array_foreach(json_object_get(record, "changes"), i, change) {
		json_t *shown = json_copy(change);
		json_t *before = json_object_get(change, "before"), *after = json_object_get(change, "after");
		const char *name = json_string_value(json_object_get(change, "name"));
		const struct kind *kind = schema_kind_by_path(json_string_value(json_object_get(change, "kind")));
		json_array_append_new(changes, shown);
		/* of a kind that this program does not know nobody can say what in it is secret */
		json_object_set_new(shown, "before", kind && name ? side(kind, name, before) : json_null());
		json_object_set_new(shown, "after", kind && name ? side(kind, name, after) : json_null());
		if (kind && name)
			json_object_set_new(shown, "fields", document_diff(kind, name, json_is_object(before) ? before : NULL,
			                                                   json_is_object(after) ? after : NULL));
	}
	json_object_set_new(detail, "changes", changes);
	return detail;
}

static void write_text(struct buffer *out, const char *member, const char *text)
{
	buffer_format(out, ",\"%s\":", member);
	if (text)
		buffer_json(out, text, strlen(text));
	else
		buffer_text(out, "null");
}

static void write_object(struct buffer *out, const struct object *object, bool whole)
{
	/* kinds and names need no escaping */
	buffer_format(out, "{\"kind\":\"%s\",\"name\":\"%s\",\"op\":\"%s\"", object->kind->path, object->name, object_operation(object));
	if (whole) {
		buffer_text(out, ",\"before\":");
		buffer_text(out, object->old ? object->old->document : "null");
		buffer_text(out, ",\"after\":");
		buffer_text(out, object->deleted ? "null" : object->document);
	}
	buffer_text(out, "}");
}

char *revision_text(const struct change *change, const struct objects objects[KIND_COUNT], uint64_t revision, const char *at,
                    bool whole, size_t *len)
{
	struct buffer out = { 0 };
	const char *comma = "";

	buffer_format(&out, "{\"revision\":%" PRIu64 ",\"at\":\"%s\"", revision, at);
	write_text(&out, "actor", change->actor);
	write_text(&out, "address", change->address);
	write_text(&out, "token", change->token);
	write_text(&out, "comment", change->comment);
	write_text(&out, "request_id", change->request_id);
	buffer_text(&out, ",\"changes\":[");
	for (size_t k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; i < objects[k].count; i++, comma = ",") {
			buffer_text(&out, comma);
			write_object(&out, objects[k].v[i], whole);
		}
	buffer_text(&out, "]}");
	char *text = buffer_take(&out, len);
	if (!text)
		log_fatal("out of memory");
	return text;
}

/* ------------------------------------------------------------------ reading a record's text */

bool revision_absent(const struct member *document)
{
	return document->len == 4 && memcmp(document->value, "null", 4) == 0;
}

/* Behind `word`; NULL = something else stands here. */
static const char *expect(const char *at, const char *word)
{
	size_t len = strlen(word);

	return at && strncmp(at, word, len) == 0 ? at + len : NULL;
}

/* A value behind `before`; *at is then behind the value. */
static struct member take_value(const char **at, const char *before)
{
	const char *begin = expect(*at, before);

	*at = begin ? members_skip(begin) : NULL;
	return *at ? (struct member){ begin, (size_t)(*at - begin) } : (struct member){ "", 0 };
}

/* A text that needs no escapes; without its quotation marks. */
static struct member take_word(const char **at, const char *before)
{
	struct member word = take_value(at, before);

	if (word.len < 2 || word.value[0] != '"') {
		*at = NULL;
		return (struct member){ "", 0 };
	}
	return (struct member){ word.value + 1, word.len - 2 };
}

/* {"kind":…,"name":…,"op":…,"before":…,"after":…} as write_object() makes it; behind it, or NULL. */
static const char *take_change(struct revision_change *change, const char *at)
{
	struct member kind = take_word(&at, "{\"kind\":"), name = take_word(&at, ",\"name\":");

	change->op = take_word(&at, ",\"op\":");
	change->before = take_value(&at, ",\"before\":");
	change->after = take_value(&at, ",\"after\":");
	if (!at || kind.len >= sizeof change->path || name.len >= sizeof change->name)
		return NULL;
	memcpy(change->path, kind.value, kind.len);
	change->path[kind.len] = '\0';
	memcpy(change->name, name.value, name.len);
	change->name[name.len] = '\0';
	change->kind = schema_kind_by_path(change->path);
	return expect(at, "}");
}

/* A quotation mark within a text has a backslash before it, so this can be nothing else. */
static const char begin[] = ",\"changes\":[";

int revision_each_change(const char *record, int (*each)(void *arg, const struct revision_change *change), void *arg)
{
	const char *at = strstr(record, begin);
	struct revision_change change;
	int error = 0;

	if (!at)
		return EINVAL;
	at += sizeof begin - 1;
	while (*at != ']' && !error) {
		if (!(at = take_change(&change, at)))
			return EINVAL;
		error = each(arg, &change);
		at += *at == ',';
	}
	return error ? error : strcmp(at, "]}") == 0 ? 0 : EINVAL;
}

/* Behind `at`, or NULL. */
static const char *read_head(char at[TIME_TEXT], uint64_t *number, const char *record)
{
	const char *digits = expect(record, "{\"revision\":");
	char *end;

	if (!digits || *digits < '1' || *digits > '9')
		return NULL;
	errno = 0;
	*number = strtoull(digits, &end, 10);
	const char *text = expect(end, ",\"at\":\"");
	if (errno || !text || strnlen(text, TIME_TEXT) < TIME_TEXT || text[TIME_TEXT - 1] != '"')
		return NULL;
	memcpy(at, text, TIME_TEXT - 1);
	at[TIME_TEXT - 1] = '\0';
	return text + TIME_TEXT;
}

int revision_at(char at[TIME_TEXT], uint64_t *number, const char *record)
{
	return read_head(at, number, record) ? 0 : EINVAL;
}

int revision_actor(char actor[SCHEMA_NAME_MAX + 1], const char *record)
{
	char at[TIME_TEXT];
	uint64_t number;
	const char *rest = read_head(at, &number, record);
	struct member word = take_word(&rest, ",\"actor\":");

	if (!rest || word.len > SCHEMA_NAME_MAX)
		return EINVAL;
	memcpy(actor, word.value, word.len);
	actor[word.len] = '\0';
	return 0;
}

static int append_change(void *arg, const struct revision_change *change)
{
	struct buffer *b = arg;

	if (b->text[b->len - 1] == '}')
		buffer_text(b, ",");
	/* kinds and names need no escaping */
	buffer_format(b, "{\"kind\":\"%s\",\"name\":\"%s\",\"op\":\"%.*s\"}", change->path, change->name, (int)change->op.len, change->op.value);
	return b->failed ? ENOMEM : 0;
}

int revision_item(struct buffer *b, const char *record)
{
	const char *changes = strstr(record, begin);

	if (!changes)
		return EINVAL;
	buffer_append(b, record, (size_t)(changes - record) + sizeof begin - 1);
	int error = b->failed ? ENOMEM : revision_each_change(record, append_change, b);
	buffer_text(b, "]}");
	return error;
}

static int find_name(void *arg, const struct revision_change *change)
{
	return strcasestr(change->name, arg) ? EEXIST : 0;
}

bool revision_mentions(const char *record, const char *q)
{
	const char *changes = strstr(record, begin);

	if (!changes)
		return false;
	if (revision_each_change(record, find_name, (void *)(uintptr_t)q) == EEXIST)
		return true;
	/* the head alone is short: it is parsed for what its texts have escaped */
	struct buffer head = { 0 };
	buffer_append(&head, record, (size_t)(changes - record));
	buffer_text(&head, "}");
	json_t *parsed = head.failed ? NULL : json_loads(head.text, 0, NULL);
	const char *comment = json_string_value(json_object_get(parsed, "comment"));
	bool found = comment && strcasestr(comment, q);
	json_decref(parsed);
	buffer_free(&head);
	return found;
}
