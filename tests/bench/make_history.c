/*
 * Makes a real database of a long history, fast: the product's own records, chain, documents and indexes, but neither HTTP nor
 * an fsync a change.
 *
 *     make_history STATE REVISIONS REGISTRATIONS
 *
 * STATE is made (or empty).  The first revisions create the registrations, PER_REVISION in each; every later one changes the
 * user agent of one.  Ten actors take turns of a thousand revisions; every 100th revision says "change number N" in its comment.
 */
#include "mgmtd/buffer.h"
#include "mgmtd/change.h"
#include "mgmtd/document.h"
#include "mgmtd/json_text.h"
#include "mgmtd/revision.h"
#include "mgmtd/secret.h"
#include "mgmtd/store_span.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PER_REVISION 500	/* objects that one revision creates */
#define PER_COMMIT 10000	/* revisions */
#define STEP_MS 1000		/* between two revisions */
#define BEGIN_US UINT64_C(1600000000000000)
#define USER_DIGITS 6
#define AGENT_DIGITS 12
#define PASSWORD "secret"
#define KIND (&schema_kinds[KIND_REGISTRATION])

/* A registration's document, and where in it stands what differs between two. */
struct template { char *text; size_t user, agent, reference; };

struct maker {
	struct store *store;
	struct secrets *secrets;
	struct template template;
	struct object *registrations;		/* as they are now */
	uint64_t count, revision;
	unsigned char hash[STORE_HASH];
};

static void fail(const char *what, int error)
{
	fprintf(stderr, "make_history: %s: %s\n", what, strerror(error));
	exit(1);
}

static char *need(char *text)
{
	if (!text)
		fail("memory", ENOMEM);
	return text;
}

static size_t place_of(const char *text, const char *mark)
{
	const char *at = strstr(text, mark);

	if (!at)
		fail(mark, EINVAL);
	return (size_t)(at - text);
}

static void make_template(struct maker *m)
{
	json_t *errors = json_array(), *document = NULL;
	json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:b}", "server", "192.0.2.1", "username", "r000000", "password", PASSWORD,
	                         "user_agent", "a000000000000", "enabled", 0);
	struct registration_record record = { 0 };
	char reference[SECRET_REFERENCE];

	if (document_decode(KIND, "r000000", body, NULL, false, m->secrets, "", errors, (struct record *)&record, &document))
		fail(json_dumps(errors, 0), EINVAL);
	secret_reference(m->secrets, reference, KIND->path, "r000000", "password", PASSWORD);
	m->template.text = need(json_dumps(document, JSON_TEXT));
	m->template.user = place_of(m->template.text, "r000000") + 1;
	m->template.agent = place_of(m->template.text, "a000000000000") + 1;
	m->template.reference = place_of(m->template.text, reference);
	json_decref(body);
	json_decref(document);
	json_decref(errors);
}

static void put_digits(char *text, unsigned digits, uint64_t number)
{
	while (digits-- > 0) {
		text[digits] = (char)('0' + number % 10);
		number /= 10;
	}
}

static void put_secret(struct maker *m, const char *name, char *document)
{
	char reference[SECRET_REFERENCE];
	unsigned char box[SECRET_BOX_MAX];
	size_t size;
	int error;

	secret_reference(m->secrets, reference, KIND->path, name, "password", PASSWORD);
	memcpy(document + m->template.reference, reference, SECRET_REFERENCE - 1);
	secret_seal(m->secrets, box, &size, PASSWORD);
	if ((error = store_put_secret(m->store, reference, box, size)))
		fail("secret", error);
}

static void write_object(struct maker *m, struct object *object, const char *at, char *actor)
{
	int error;

	object->revision = m->revision;
	object->incarnation = object->incarnation ? object->incarnation : m->revision;
	snprintf(object->changed_at, sizeof object->changed_at, "%s", at);
	object->changed_by = actor;
	if ((error = store_put_object(m->store, object)) || (error = store_index_change(m->store, m->revision, object)))
		fail("object", error);
}

/* objects are in order of name. */
static void write_revision(struct maker *m, struct object *objects[], size_t count)
{
	static char actors[10][8], comment[64];
	struct objects touched[KIND_COUNT] = { [KIND_REGISTRATION] = { objects, count, count } };
	char at[TIME_TEXT], request_id[32];
	unsigned char prev[STORE_HASH];
	size_t len;
	int error;

	m->revision++;
	char *actor = actors[m->revision / 1000 % 10];
	snprintf(actor, sizeof actors[0], "user-%u", (unsigned)(m->revision / 1000 % 10));
	snprintf(comment, sizeof comment, "change number %" PRIu64, m->revision);
	snprintf(request_id, sizeof request_id, "0badcafe-%" PRIu64, m->revision);
	time_text(at, BEGIN_US + m->revision * STEP_MS * 1000);
	struct change change = { .actor = actor, .address = "127.0.0.1", .request_id = request_id,
	                         .comment = m->revision % 100 == 0 ? comment : NULL };
	char *record = revision_text(&change, touched, m->revision, at, true, &len);
	for (size_t i = 0; i < count; i++)
		write_object(m, objects[i], at, actor);
	memcpy(prev, m->hash, sizeof prev);
	bool kinds[KIND_COUNT] = { [KIND_REGISTRATION] = true };
	if ((error = store_append_revision(m->store, m->revision, record, len, prev, m->hash)) ||
	    (error = store_put_spans(m->store, m->revision, actor, kinds)))
		fail("revision", error);
	free(record);
}

static void create(struct maker *m, uint64_t first, uint64_t end)
{
	struct object *objects[PER_REVISION];
	size_t count = 0;

	for (uint64_t n = first; n < end; n++) {
		struct object *object = &m->registrations[n];
		snprintf(object->name, sizeof object->name, "r%06" PRIu64, n);
		object->kind = KIND;
		object->id = (uint32_t)n;
		object->document = need(strdup(m->template.text));
		put_digits(object->document + m->template.user, USER_DIGITS, n);
		put_secret(m, object->name, object->document);
		objects[count++] = object;
	}
	write_revision(m, objects, count);
}

static void change_one(struct maker *m, uint64_t n)
{
	struct object *object = &m->registrations[n], before = *object;

	object->old = &before;
	object->document = need(strdup(before.document));
	put_digits(object->document + m->template.agent, AGENT_DIGITS, m->revision + 1);
	write_revision(m, &object, 1);
	object->old = NULL;
	free(before.document);
}

static void make(struct maker *m, uint64_t revisions)
{
	uint64_t created = 0;
	int error;

	while (m->revision < revisions) {
		if ((error = store_begin(m->store)))
			fail("transaction", error);
		for (int i = 0; i < PER_COMMIT && m->revision < revisions; i++) {
			uint64_t end = created + PER_REVISION < m->count ? created + PER_REVISION : m->count;
			if (created < m->count)
				create(m, created, end);
			else
				change_one(m, m->revision * UINT64_C(2654435761) % m->count);
			created = end;
		}
		if ((error = store_commit(m->store)))
			fail("commit", error);
	}
	if (created < m->count)
		fprintf(stderr, "make_history: only %" PRIu64 " registrations fit into so few revisions\n", created);
}

int main(int argc, char **argv)
{
	struct maker m = { 0 };
	struct shm_why why = { "" };
	bool fresh;
	int error;

	uint64_t revisions = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
	m.count = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
	if (revisions == 0 || m.count == 0 || m.count > 1000000) {
		fprintf(stderr, "usage: make_history STATE REVISIONS REGISTRATIONS (1 to 1000000)\n");
		return 2;
	}
	mkdir(argv[1], 0700);
	if (sodium_init() < 0 || (error = secrets_open(&m.secrets, argv[1], true, &why)) ||
	    (error = store_open(&m.store, argv[1], &fresh, &why))) {
		fprintf(stderr, "make_history: %s: %s\n", argv[1], why.text);
		return 1;
	}
	if (!fresh)
		fail(argv[1], EEXIST);
	if (!(m.registrations = calloc(m.count, sizeof *m.registrations)))
		fail("memory", ENOMEM);
	make_template(&m);
	make(&m, revisions);
	for (uint64_t n = 0; n < m.count; n++)
		free(m.registrations[n].document);
	free(m.registrations);
	free(m.template.text);
	store_close(m.store);
	secrets_close(m.secrets);
	return 0;
}
