/*
 * A request body, from bytes to a checked document.  The first byte chooses the request, the rest is the body.
 *
 * Beyond not crashing: a refusal names at least one violation, each with pointer, code and detail; what was accepted is
 * accepted again as it is presented, and comes out the same.
 */
#include "mgmtd/change.h"
#include "mgmtd/document.h"
#include "mgmtd/value.h"
#include "mgmtd/json_body.h"
#include "mgmtd/json_text.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct secrets *secrets;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char state[] = "/tmp/tandem-fuzz-XXXXXX", key[64];
	struct shm_why why = { "" };

	(void)argc;
	(void)argv;
	if (sodium_init() < 0 || !mkdtemp(state) || secrets_open(&secrets, state, true, &why)) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
	snprintf(key, sizeof key, "%s/secret.key", state);
	unlink(key);
	rmdir(state);
	return 0;
}

static void must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "does not hold: %s\n", what);
		abort();
	}
}

static void check_errors(const json_t *errors)
{
	size_t index;
	const json_t *violation;

	must(json_array_size(errors) > 0, "a refusal names its violations");
	json_array_foreach((json_t *)errors, index, violation) {
		const char *pointer = json_string_value(json_object_get(violation, "pointer"));

		must(pointer && (!pointer[0] || pointer[0] == '/'), "a violation has a pointer");
		must(json_string_length(json_object_get(violation, "code")) > 0, "a violation has a code");
		must(json_string_length(json_object_get(violation, "detail")) > 0, "a violation has a detail");
	}
}

/* The document as text says the same: rendered it is what is shown, and no field of it is missing. */
static void check_texts(const struct operation *op, const json_t *document, const json_t *shown)
{
	char *text = json_dumps(document, JSON_TEXT), *complete = document_complete(op->kind, text), *rendered;
	size_t size;

	must(strcmp(text, complete) == 0, "a canonical document is complete");
	rendered = document_render(op->kind, "x", text, "\"revision\":1", &size);
	json_t *parsed = rendered ? json_loads(rendered, 0, NULL) : NULL;
	json_object_del(parsed, "name");
	json_object_del(parsed, "revision");
	must(json_equal(parsed, shown), "what is rendered is what is shown");
	json_decref(parsed);
	free(rendered);
	free(complete);
	free(text);
}

/* Decodes the body of an object; then what was accepted, as GET would show it. */
static void check_object(const struct operation *op)
{
	union any_record record, again;
	json_t *errors = json_array(), *document = NULL, *second = NULL;

	memset(&record, 0, sizeof record);
	if (document_decode(op->kind, op->name, op->value, NULL, op->verb == VERB_PATCH, secrets, op->pointer, errors,
	                    &record.head, &document)) {
		check_errors(errors);
	} else {
		json_t *shown = document_present(op->kind, op->name, document);
		check_texts(op, document, shown);

		again = record;
		must(document_decode(op->kind, op->name, shown, document, false, secrets, "", errors, &again.head, &second) == 0,
		     "what is presented is accepted");
		must(json_equal(document, second), "GET then PUT changes nothing");
		must(memcmp(&record, &again, sizeof record) == 0, "nor the record");
		json_t *difference = document_diff(op->kind, op->name, document, second);
		must(json_array_size(difference) == 0, "no difference is shown");
		json_decref(difference);
		json_decref(shown);
	}
	json_decref(second);
	json_decref(document);
	json_decref(errors);
}

/* What was accepted is accepted again in its canonical form, and comes out the same. */
static void check_parameter(const struct operation *op)
{
	const struct field *field = schema_field(op->kind, op->name);
	char slot[2048], again[2048];
	json_t *errors = json_array(), *canonical = NULL, *second = NULL;

	if (field && field->size <= sizeof slot && op->value && !json_is_null(op->value)) {
		if (value_check(field, op->value, op->pointer, NULL, errors, slot, &canonical)) {
			check_errors(errors);
		} else {
			must(value_check(field, canonical, "", NULL, errors, again, &second) == 0, "a canonical value is accepted");
			must(json_equal(canonical, second), "and is its own canonical form");
			must(memcmp(slot, again, field->size) == 0, "which is stored the same");
		}
	}
	json_decref(canonical);
	json_decref(second);
	json_decref(errors);
}

static struct change *built(unsigned char choice, json_t *body, json_t *errors)
{
	const struct kind *registrations = &schema_kinds[KIND_REGISTRATION], *parameters = &schema_kinds[KIND_PARAMETERS];
	const struct kind *routing = &schema_kinds[KIND_ROUTING_GATEWAY], *mapping = &schema_kinds[KIND_MAPPING_GATEWAY];

	switch ((unsigned char)(choice - '0') % 9) {	/* a digit, in the corpus */
	case 0:
		return change_set(body, errors);
	case 1:
		return change_parameters(body, errors);
	case 2:
		return change_single(VERB_CREATE, registrations, NULL, body, errors);
	case 3:
		return change_single(VERB_PUT, registrations, "carrier-a", body, errors);
	case 4:
		return change_single(VERB_PATCH, registrations, "carrier-a", body, errors);
	case 5:
		return change_single(VERB_PUT, parameters, "SS_SIP_USER_AGENT_EXPIRE", body, errors);
	case 6:
		return change_single(VERB_PUT, routing, "carrier-a", body, errors);
	case 7:
		return change_single(VERB_PUT, mapping, "carrier-a", body, errors);
	default:
		return change_single(VERB_PUT, parameters, "SS_SIP_RESEND_INTERVAL", body, errors);
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct json_fault fault = { 0 };
	json_t *body, *errors;
	struct change *change;

	if (size < 1)
		return 0;
	if (json_body_parse(&body, (const char *)data + 1, size - 1, &fault)) {
		must(fault.line > 0 && fault.column > 0 && fault.text[0], "a fault has its place");
		return 0;
	}
	errors = json_array();
	change = built(data[0], body, errors);
	if (!change)
		check_errors(errors);
	for (size_t i = 0; change && i < change->count; i++) {
		const struct operation *op = &change->operations[i];

		if (!op->kind || op->broken)
			continue;	/* malformed: the violations are told already */
		if (op->kind->id == KIND_PARAMETERS)
			check_parameter(op);
		else if (op->value)
			check_object(op);
	}
	change_free(change);
	json_decref(errors);
	json_decref(body);
	return 0;
}
