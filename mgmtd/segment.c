#include "mgmtd/segment.h"

#include "mgmtd/describe.h"
#include "mgmtd/document.h"
#include "mgmtd/value.h"
#include "mgmtd/log.h"

#include <errno.h>
#include <string.h>

void segment_set_parameter(struct sip_parameters *parameters, const struct object *object)
{
	const struct field *field = schema_field(object->kind, object->name);
	json_t *document = json_loads(object->document, 0, NULL), *canonical = NULL, *errors = json_array();
	json_t *value = json_object_get(document, "value");

	value = value ? json_incref(value) : describe_default(object->kind, field);
	value_check(field, value, "", field->name, errors, (char *)parameters + field->offset, &canonical);
	json_decref(value);
	json_decref(canonical);
	json_decref(errors);
	json_decref(document);
}

int segment_put(struct config_writer *segment, const struct secrets *secrets, const struct object *object, struct record *record)
{
	record->id = object->id;
	record->present = 1;
	record->incarnation = object->incarnation;
	record->revision = object->revision;
	memcpy(record->name, object->name, sizeof record->name);
	if (object->kind->id == KIND_REGISTRATION)
		secret_line_token(secrets, ((struct registration_record *)record)->line, object->name);
	return config_put(segment, object->kind->id, record);
}

int segment_keep_secrets(struct store *store, const struct secrets *secrets, const struct object *object)
{
	char now[MEMBERS_MAX][SECRET_REFERENCE], known[MEMBERS_MAX][SECRET_REFERENCE];
	int error = document_references(now, object->kind, object->document);

	if (!error)
		error = document_references(known, object->kind, object->old ? object->old->document : NULL);
	for (size_t i = 0; i < object->kind->nfields && !error; i++) {
		const struct field *field = &object->kind->fields[i];
		unsigned char box[SECRET_BOX_MAX];
		size_t size;
		if (!(field->flags & SECRET) || !now[i][0] || strcmp(known[i], now[i]) == 0)
			continue;
		secret_seal(secrets, box, &size, (const char *)object->record + field->offset);
		error = store_put_secret(store, now[i], box, size);
	}
	return error;
}

int segment_open_secret(struct store *store, const struct secrets *secrets, const char *reference, void *slot, size_t size)
{
	unsigned char box[SECRET_BOX_MAX];
	char plain[SECRET_PLAIN_MAX + 1] = "";
	size_t sealed;
	int error = store_get_secret(store, reference, box, &sealed);

	if (!error)
		error = secret_open(secrets, plain, box, sealed);
	memcpy(slot, plain, size);
	explicit_bzero(plain, sizeof plain);
	return error;
}

static int load_secrets(struct store *store, const struct secrets *secrets, const struct object *object, struct record *record)
{
	char references[MEMBERS_MAX][SECRET_REFERENCE];

	if (document_references(references, object->kind, object->document))
		return 0;
	for (size_t i = 0; i < object->kind->nfields; i++) {
		const struct field *field = &object->kind->fields[i];
		const char *reference = field->flags & SECRET ? references[i] : "";
		if (!reference[0])
			continue;
		int error = segment_open_secret(store, secrets, reference, (char *)record + field->offset, field->size);
		if (error == ENOENT || error == EBADMSG)	/* removed by hand, or another key: the trunk says so itself */
			log_warnx("%s %s: its %s cannot be read from the database and is empty", object->kind->noun, object->name, field->name);
		else if (error)
			return error;
	}
	return 0;
}

static int publish_object(struct config_writer *segment, struct store *store, const struct secrets *secrets,
                          const struct object *object, struct record *record)
{
	memset(record, 0, object->kind->record_size);
	if (document_text_to_record(object->kind, object->document, record))
		log_warnx("%s %s: the stored document breaks a rule of this version; what does is left empty",
		          object->kind->noun, object->name);
	int error = load_secrets(store, secrets, object, record);
	return error ? error : segment_put(segment, secrets, object, record);
}

static int put_all(struct config_writer *segment, struct model *model, struct store *store, const struct secrets *secrets)
{
	union any_record record;
	struct sip_parameters parameters = { 0 };
	int error = 0;

	for (enum kind_id kind = 0; kind < KIND_COUNT && !error; kind++) {
		const struct object *object = NULL;
		while (!error && (object = model_after(model, kind, object ? object->name : ""))) {
			if (kind == KIND_PARAMETERS)
				segment_set_parameter(&parameters, object);
			else
				error = publish_object(segment, store, secrets, object, &record.head);
		}
	}
	explicit_bzero(&record, sizeof record);
	return error ? error : config_set_parameters(segment, &parameters);
}

int segment_publish_all(struct config_writer *segment, struct model *model, struct store *store, const struct secrets *secrets,
                        uint64_t *generation)
{
	int error = config_begin(segment);

	if (!error)
		error = config_clear(segment);
	if (!error)
		error = put_all(segment, model, store, secrets);
	if (error) {
		config_abandon(segment);
		return error;
	}
	return config_publish(segment, model_revision(model), generation);
}
