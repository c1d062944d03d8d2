#include "mgmtd/chain.h"

#include "mgmtd/revision.h"
#include "mgmtd/store_audit.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_UP_EVERY 1024	/* revisions between two looks at whether to stop */

/* An object by a hash of its kind and name, with a key of this run: what the table of documents holds of it, and what the records
 * have said of it so far. */
struct seen {
	uint64_t key;		/* 0 = a free place */
	int64_t stored;		/* the revision of its row in documents; 0 = there is none */
	uint64_t digest;	/* of that row */
	int64_t last;		/* the newest revision that changed it; 0 = none yet */
	bool alive;		/* then */
	bool differs;		/* the row in documents is not what its revision stored */
};

struct verification {
	struct chain_result *result;
	struct store_audit *audit;
	const struct chain_head *kept;
	struct worker *worker;
	EVP_MD_CTX *sha256;
	unsigned char key[crypto_shorthash_KEYBYTES];
	struct seen *seen;
	size_t count, room;		/* room: a power of two */
	uint64_t changes;		/* sum over the records: what that over the table must be */
	/* of the record at hand */
	const struct audit_revision *row;
	char at[TIME_TEXT];
	char actor[SCHEMA_NAME_MAX + 1];
	bool empty;
};

int chain_head_read(struct chain_head *head, const char *text)
{
	char *end;
	size_t len;

	errno = 0;
	head->revision = strtoull(text, &end, 10);
	if (errno || text[0] < '0' || text[0] > '9' || *end != ':' || strlen(end + 1) != 2 * STORE_HASH)
		return EINVAL;
	return sodium_hex2bin(head->hash, STORE_HASH, end + 1, 2 * STORE_HASH, NULL, &len, NULL) == 0 && len == STORE_HASH ? 0 : EINVAL;
}

void chain_head_text(char text[CHAIN_HEAD_TEXT], const struct chain_head *head)
{
	char hex[2 * STORE_HASH + 1];

	sodium_bin2hex(hex, sizeof hex, head->hash, STORE_HASH);
	snprintf(text, CHAIN_HEAD_TEXT, "%" PRIu64 ":%s", head->revision, hex);
}

/* The oldest fault counts.  Ends a walk when it is given back. */
__attribute__((format(printf, 3, 4)))
static int bad(struct verification *v, int64_t revision, const char *format, ...)
{
	va_list args;

	if (!v->result->valid && v->result->first_bad <= revision)
		return EBADMSG;
	v->result->valid = false;
	v->result->first_bad = revision;
	va_start(args, format);
	vsnprintf(v->result->why, sizeof v->result->why, format, args);
	va_end(args);
	return EBADMSG;
}

/* ------------------------------------------------------------------ objects */

static uint64_t hash_of(const struct verification *v, const void *bytes, size_t len)
{
	unsigned char hash[crypto_shorthash_BYTES];
	uint64_t number;

	crypto_shorthash(hash, bytes, len, v->key);
	memcpy(&number, hash, sizeof number);
	return number;
}

/* Of kind and name, and of a revision unless that is 0.  Names made by hand may be longer than ours; what is cut off does not count. */
static uint64_t key_of(const struct verification *v, const char *kind, const char *name, int64_t revision)
{
	char text[320];
	int len = snprintf(text, sizeof text, "%.80s/%.200s/%" PRId64, kind, name, revision);
	uint64_t key = hash_of(v, text, (size_t)len);

	return key ? key : 1;
}

static uint64_t digest_of(const struct verification *v, const char *document, size_t len, const char *at, const char *by)
{
	uint64_t about[3] = { hash_of(v, document, len), hash_of(v, at, strlen(at)), hash_of(v, by, strlen(by)) };

	return hash_of(v, about, sizeof about);
}

static struct seen *place_of(struct seen *seen, size_t room, uint64_t key)
{
	size_t i = key & (room - 1);

	while (seen[i].key && seen[i].key != key)
		i = (i + 1) & (room - 1);
	return &seen[i];
}

static int grow(struct verification *v)
{
	size_t room = v->room ? 2 * v->room : 1024;
	struct seen *larger = calloc(room, sizeof *larger);

	if (!larger)
		return ENOMEM;
	for (size_t i = 0; i < v->room; i++)
		if (v->seen[i].key)
			*place_of(larger, room, v->seen[i].key) = v->seen[i];
	free(v->seen);
	v->seen = larger;
	v->room = room;
	return 0;
}

/* The object, new if it was not there; NULL = out of memory. */
static struct seen *object_of(struct verification *v, const char *kind, const char *name)
{
	uint64_t key = key_of(v, kind, name, 0);

	if (2 * v->count >= v->room && grow(v))
		return NULL;
	struct seen *seen = place_of(v->seen, v->room, key);
	v->count += seen->key == 0;
	seen->key = key;
	return seen;
}

static int take_document(void *arg, const struct audit_document *row)
{
	struct verification *v = arg;
	struct seen *seen = object_of(v, row->kind, row->name);

	if (!seen)
		return ENOMEM;
	seen->stored = row->revision;
	seen->digest = digest_of(v, row->document, strlen(row->document), row->changed_at, row->changed_by);
	return 0;
}

/* ------------------------------------------------------------------ records */

static int take_change(void *arg, const struct revision_change *change)
{
	struct verification *v = arg;
	struct seen *seen = object_of(v, change->path, change->name);

	if (!seen)
		return ENOMEM;
	v->empty = false;
	v->changes += key_of(v, change->path, change->name, v->row->revision);
	seen->last = v->row->revision;
	seen->alive = !revision_absent(&change->after);
	if (seen->stored == seen->last && seen->alive)
		seen->differs = seen->digest != digest_of(v, change->after.value, change->after.len, v->at, v->actor);
	return 0;
}

static int check_hash(struct verification *v, const struct audit_revision *row)
{
	unsigned char hash[STORE_HASH];

	if (row->prev_hash_len != STORE_HASH || memcmp(row->prev_hash, v->result->head.hash, STORE_HASH) != 0)
		return bad(v, row->revision, "revision %" PRId64 " does not name the hash of the one before it", row->revision);
	if (EVP_DigestInit_ex2(v->sha256, NULL, NULL) != 1 || EVP_DigestUpdate(v->sha256, row->prev_hash, STORE_HASH) != 1 ||
	    EVP_DigestUpdate(v->sha256, row->record, row->len) != 1 || EVP_DigestFinal_ex(v->sha256, hash, NULL) != 1)
		return EIO;
	if (row->hash_len != STORE_HASH || memcmp(row->hash, hash, STORE_HASH) != 0)
		return bad(v, row->revision, "the record of revision %" PRId64 " does not have the hash that was stored with it", row->revision);
	memcpy(v->result->head.hash, hash, STORE_HASH);
	return 0;
}

static int check_record(struct verification *v, const struct audit_revision *row)
{
	uint64_t number;

	v->row = row;
	v->empty = true;
	if (strlen(row->record) != row->len || revision_at(v->at, &number, row->record) != 0 ||
	    revision_actor(v->actor, row->record) != 0)
		return bad(v, row->revision, "the record of revision %" PRId64 " is none that mgmtd writes", row->revision);
	if (number != (uint64_t)row->revision)
		return bad(v, row->revision, "the record of revision %" PRId64 " calls itself %" PRIu64, row->revision, number);
	int error = revision_each_change(row->record, take_change, v);
	if (error == EINVAL || (!error && v->empty))
		return bad(v, row->revision, "the record of revision %" PRId64 " is none that mgmtd writes: it tells no changes", row->revision);
	return error;
}

static int check_kept(struct verification *v)
{
	const struct chain_head *head = &v->result->head;

	if (!v->kept || v->kept->revision != head->revision || memcmp(v->kept->hash, head->hash, STORE_HASH) == 0)
		return 0;
	return bad(v, (int64_t)head->revision, "revision %" PRIu64 " has another hash than the head that was kept: the history was written anew, "
	           "from this revision or an older one on", head->revision);
}

static int check_revision(void *arg, const struct audit_revision *row)
{
	struct verification *v = arg;
	int64_t expected = (int64_t)v->result->revisions + 1;
	int error;

	if (v->worker && v->result->revisions % LOOK_UP_EVERY == 0 && worker_cancelling(v->worker))
		return ECANCELED;
	if (row->revision > expected)
		return bad(v, expected, "revision %" PRId64 " is missing", expected);
	if (row->revision < expected)
		return bad(v, row->revision, "there is a revision %" PRId64 " before the first", row->revision);
	if ((error = check_hash(v, row)) || (error = check_record(v, row)))
		return error;
	v->result->revisions++;
	v->result->head.revision = v->result->revisions;
	return check_kept(v);
}

/* ------------------------------------------------------------------ the tables beside it */

static int add_change(void *arg, const char *kind, const char *name, int64_t revision)
{
	struct verification *v = arg;

	v->changes -= key_of(v, kind, name, revision);
	return 0;
}

static int tell_change(void *arg, const struct revision_change *change)
{
	struct verification *v = arg;

	return store_audit_tell(v->audit, change->path, change->name, v->row->revision);
}

static int tell_revision(void *arg, const struct audit_revision *row)
{
	struct verification *v = arg;

	v->row = row;
	return revision_each_change(row->record, tell_change, v);
}

/* The sums are of keyed hashes: that they agree by chance nobody can bring about.  Where they do not, a second walk finds where. */
static int check_changes(struct verification *v)
{
	struct audit_difference first;
	int error = store_audit_each_change(v->audit, add_change, v);

	if (error || v->changes == 0)
		return error;
	if (!(error = store_audit_each_revision(v->audit, tell_revision, v)))
		error = store_audit_difference(v->audit, &first);
	if (!error)
		bad(v, first.revision, first.missing ? "the index of changes lacks that revision %" PRId64 " changed %s/%s"
		    : "the index of changes has it that revision %" PRId64 " changed %s/%s, which it did not", first.revision, first.kind, first.name);
	return error == ENOENT ? 0 : error;
}

/* What is wrong with an object, if its row in documents is not what its newest change stored. */
static void check_object(struct verification *v, const struct seen *seen, const char *kind, const char *name)
{
	if (seen->last == 0)
		bad(v, seen->stored, "no revision ever made %s/%s", kind, name);
	else if (seen->alive && !seen->stored)
		bad(v, seen->last, "%s/%s is missing from the documents", kind, name);
	else if (!seen->alive && seen->stored)
		bad(v, seen->last, "%s/%s stands in the documents, but revision %" PRId64 " deleted it", kind, name, seen->last);
	else if (seen->stored > (int64_t)v->result->revisions)
		bad(v, (int64_t)v->result->revisions + 1, "%s/%s was changed by revision %" PRId64 ", but the history ends before", kind, name,
		    seen->stored);
	else if (seen->alive && seen->stored > seen->last)
		bad(v, seen->stored, "the document of %s/%s is of revision %" PRId64 ", which did not change it", kind, name, seen->stored);
	else if (seen->alive && seen->stored == seen->last && seen->differs)
		bad(v, seen->last, "the document of %s/%s is not the one that revision %" PRId64 " stored", kind, name, seen->last);
	else if (seen->alive && seen->stored != seen->last)
		bad(v, seen->last, "the document of %s/%s is of revision %" PRId64 ", but %" PRId64 " changed it last", kind, name, seen->stored,
		    seen->last);
}

static int name_document(void *arg, const struct audit_document *row)
{
	struct verification *v = arg;

	check_object(v, object_of(v, row->kind, row->name), row->kind, row->name);
	return 0;
}

/* Only where a document is missing is its name found in the records alone. */
static int name_missing(void *arg, const char *kind, const char *name, int64_t revision)
{
	struct verification *v = arg;
	const struct seen *seen = place_of(v->seen, v->room, key_of(v, kind, name, 0));

	if (seen->key && seen->last == revision && seen->alive && !seen->stored)
		check_object(v, seen, kind, name);
	return 0;
}

static int check_documents(struct verification *v)
{
	bool missing = false;

	for (size_t i = 0; i < v->room; i++)
		missing |= v->seen[i].key && v->seen[i].alive && !v->seen[i].stored;
	int error = store_audit_each_document(v->audit, name_document, v);
	if (!error && missing)
		error = store_audit_each_change(v->audit, name_missing, v);
	return error;
}

/* ------------------------------------------------------------------ all */

static int verify(struct verification *v)
{
	struct chain_result *result = v->result;
	int error = store_audit_each_document(v->audit, take_document, v);

	if (!error)
		error = store_audit_each_revision(v->audit, check_revision, v);
	/* behind a break in the chain nothing can be said */
	if (error)
		return error == EBADMSG ? 0 : error;
	if (v->kept && v->kept->revision > result->revisions)
		bad(v, (int64_t)result->revisions + 1, "revision %" PRIu64 " and what followed are missing: the head that was kept is %" PRIu64,
		    result->revisions + 1, v->kept->revision);
	if (!(error = check_changes(v)))
		error = check_documents(v);
	return error;
}

int chain_verify(struct chain_result *result, const char *path, const struct chain_head *kept, struct worker *worker, struct shm_why *why)
{
	struct verification v = { .result = result, .kept = kept, .worker = worker };
	int error = store_audit_open(&v.audit, path, why);

	*result = (struct chain_result){ .valid = true };
	if (error)
		return error;
	crypto_shorthash_keygen(v.key);
	v.sha256 = EVP_MD_CTX_new();
	error = v.sha256 && EVP_DigestInit_ex2(v.sha256, EVP_sha256(), NULL) == 1 ? grow(&v) : ENOMEM;
	if (!error)
		error = verify(&v);
	if (error && !why->text[0])
		snprintf(why->text, sizeof why->text, "%s: %s", path, strerror(error));
	EVP_MD_CTX_free(v.sha256);
	free(v.seen);
	store_audit_close(v.audit);
	return error;
}
