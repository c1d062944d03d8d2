/*
 * A whole configuration, from bytes to operations; the first byte chooses: a document, the header of its sealed secrets, or one
 * sealed secret.
 *
 * Beyond not crashing: what is not JSON has a place, a refusal names violations, what was decoded is canonical, and nothing that
 * was not sealed opens.
 */
#include "mgmtd/document.h"
#include "mgmtd/replacement.h"
#include "mgmtd/sealing.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct secrets *secrets;
static struct sealing *sealing;
static struct model *model;
static char sealed[SEALING_TEXT];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char state[] = "/tmp/tandem-fuzz-XXXXXX", key[64];
	struct shm_why why = { "" };

	(void)argc;
	(void)argv;
	if (sodium_init() < 0 || !mkdtemp(state) || secrets_open(&secrets, state, true, &why) || model_new(&model) ||
	    sealing_new(&sealing, "correct horse battery")) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
	sealing_seal(sealing, sealed, "registrations", "a", "password", "hush");
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

static void check_change(const struct change *change, const json_t *errors)
{
	for (size_t i = 0; i < change->count; i++) {
		const struct operation *op = &change->operations[i];
		char references[MEMBERS_MAX][SECRET_REFERENCE];

		must(op->pointer && op->pointer[0] == '/', "an operation has a place");
		must(!op->broken || json_array_size(errors) > 0, "what is broken is told");
		must(i == 0 || change_order(op - 1, op) <= 0, "operations are in order");
		if (op->ready && op->ready->document)
			must(document_references(references, op->kind, op->ready->document) == 0, "a document is canonical");
		if (op->decoded && !op->broken && json_array_size(errors) == 0) {
			json_t *again = replacement_value(change->whole, op, NULL);
			must(json_is_object(again), "a value can be read again");
			json_decref(again);
		}
	}
}

static void try_document(const char *text, size_t len)
{
	struct json_fault fault = { 0 };
	struct change *change = NULL;
	json_t *errors = json_array();
	char *body = malloc(len + 1);

	memcpy(body, text, len);
	int error = replacement_read(&change, model, secrets, body, len, NULL, errors, &fault);
	if (error == EBADMSG)
		must(fault.line > 0 && fault.column > 0 && fault.text[0], "a fault has its place");
	else if (error)
		must(json_array_size(errors) > 0, "a refusal names its violations");
	else
		check_change(change, errors);
	if (!error)
		change_free(change);
	json_decref(errors);
}

static void try_header(const char *text, size_t len)
{
	struct sealing *opened = NULL;
	json_t *header = json_loadb(text, len, 0, NULL), *errors = json_array();

	/* No passphrase: its key would cost too much to make. */
	if (header)
		must(sealing_open(&opened, header, "/secrets", NULL, errors) == EINVAL && json_array_size(errors) > 0, "it names what is wrong");
	json_decref(header);
	json_decref(errors);
}

static void try_sealed(const char *text, size_t len)
{
	char plain[SECRET_PLAIN_MAX + 1], *copy = strndup(text, len);

	if (sealing_unseal(sealing, plain, "registrations", "a", "password", copy) == 0)
		must(strcmp(copy, sealed) == 0, "only what was sealed opens");
	free(copy);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static void (*const tries[])(const char *text, size_t len) = { try_document, try_document, try_document, try_header, try_sealed };

	if (size > 0)
		tries[(unsigned char)(data[0] - '0') % 5]((const char *)data + 1, size - 1);
	return 0;
}
