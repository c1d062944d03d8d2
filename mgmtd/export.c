#include "mgmtd/export.h"

#include "mgmtd/document.h"
#include "mgmtd/log.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct export {
	struct buffer *out;
	struct store_export *store;
	const struct secrets *secrets;
	const struct sealing *sealing;
	const struct kind *kinds[KIND_COUNT];	/* in the order of the rows: by path */
	size_t begun;				/* sections */
	const char *comma;
	const struct kind *kind;		/* of the object at hand */
	int error;
};

static int by_path(const void *a, const void *b)
{
	return strcmp((*(const struct kind *const *)a)->path, (*(const struct kind *const *)b)->path);
}

static const char *brackets(const struct kind *kind)
{
	return kind->id == KIND_PARAMETERS ? "{}" : "[]";
}

/* Every section up to this kind's, also those without a row; NULL = to the end. */
static void begin_section(struct export *x, const struct kind *kind)
{
	while (x->begun < KIND_COUNT && (x->begun == 0 || x->kinds[x->begun - 1] != kind)) {
		const struct kind *next = x->kinds[x->begun];
		if (x->begun > 0)
			buffer_append(x->out, brackets(x->kinds[x->begun - 1]) + 1, 1);
		buffer_format(x->out, ",\"%s\":%c", next->path, brackets(next)[0]);
		x->begun++;
		x->comma = "";
	}
	if (!kind)
		buffer_append(x->out, brackets(x->kinds[KIND_COUNT - 1]) + 1, 1);
}

/* {"value":v} → "NAME":v; one at its default is left out. */
static void write_parameter(struct export *x, const struct object *row)
{
	static const char before[] = "{\"value\":";
	size_t len = strlen(row->document);

	if (!schema_field(row->kind, row->name) || len < sizeof before || strncmp(row->document, before, sizeof before - 1) != 0)
		return;
	buffer_format(x->out, "%s\"%s\":", x->comma, row->name);
	buffer_append(x->out, row->document + sizeof before - 1, len - sizeof before);
	x->comma = ",";
}

static void write_sealed(void *arg, struct buffer *out, const char *name, const struct field *field, const char *reference)
{
	struct export *x = arg;
	unsigned char box[SECRET_BOX_MAX];
	char plain[SECRET_PLAIN_MAX + 1] = "", text[SEALING_TEXT];
	size_t size;
	int error = store_export_secret(x->store, reference, box, &size);

	if (!error)
		error = secret_open(x->secrets, plain, box, size);
	if (error == ENOENT || error == EBADMSG) {	/* removed by hand, or another key */
		log_warnx("%s %s: its %s cannot be read from the database and is left out of the export", x->kind->noun, name, field->name);
		buffer_text(out, "null");
	} else if (error) {
		x->error = error;
	} else {
		sealing_seal(x->sealing, text, x->kind->path, name, field->name, plain);
		buffer_format(out, "{\"sealed\":\"%s\"}", text);
	}
	sodium_memzero(plain, sizeof plain);
}

static int write_row(void *arg, const struct object *row)
{
	struct export *x = arg;
	const struct document_view view = { .secret = x->sealing ? write_sealed : NULL, .arg = x };
	char *older = NULL;

	begin_section(x, row->kind);
	if (row->kind->id == KIND_PARAMETERS) {
		write_parameter(x, row);
		return 0;
	}
	x->kind = row->kind;
	size_t len = x->out->len;
	buffer_text(x->out, x->comma);
	if (document_write(x->out, row->kind, row->name, row->document, &view) != 0) {
		/* older than a field of its kind */
		x->out->len = len;
		buffer_text(x->out, x->comma);
		if (!(older = document_complete(row->kind, row->document)) ||
		    document_write(x->out, row->kind, row->name, older, &view) != 0)
			x->error = older ? EIO : ENOMEM;
		free(older);
	}
	x->comma = ",";
	return x->error ? x->error : x->out->failed ? ENOMEM : 0;
}

int export_write(struct buffer *out, struct store_export *store, const struct secrets *secrets, const struct sealing *sealing,
                 uint64_t *revision)
{
	struct export x = { .out = out, .store = store, .secrets = secrets, .sealing = sealing, .comma = "" };
	char at[TIME_TEXT];
	int error = store_export_begin(store, revision, at);

	if (error)
		return error;
	for (size_t k = 0; k < KIND_COUNT; k++)
		x.kinds[k] = &schema_kinds[k];
	qsort(x.kinds, KIND_COUNT, sizeof x.kinds[0], by_path);
	buffer_format(out, "{\"revision\":%" PRIu64 ",\"at\":", *revision);
	buffer_json_or_null(out, at);
	if (sealing) {
		buffer_text(out, ",\"secrets\":");
		sealing_header(sealing, out);
	}
	error = store_export_each(store, write_row, &x);
	begin_section(&x, NULL);
	buffer_text(out, "}");
	store_export_end(store);
	return error;
}
