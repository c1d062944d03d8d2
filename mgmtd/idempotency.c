#include "mgmtd/idempotency.h"

#include "mgmtd/answer.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"
#include "mgmtd/stage_private.h"
#include "mgmtd/store_answers.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 255

_Static_assert(CHANGE_FINGERPRINT == STORE_FINGERPRINT, "one fingerprint");

/* ------------------------------------------------------------------ the event thread */

/* These say how to answer, not what to do. */
#define ASIDE (QUERY_BIT(Q_DRY_RUN) | QUERY_BIT(Q_WAIT_APPLIED) | QUERY_BIT(Q_TIMEOUT))

/* Each part with its length, so that no two requests spell the same. */
static void add(crypto_generichash_state *hash, const void *bytes, size_t len)
{
	const uint64_t prefix = len;
	crypto_generichash_update(hash, (const unsigned char *)&prefix, sizeof prefix);
	if (len > 0)
		crypto_generichash_update(hash, bytes, len);
}

static void take_fingerprint(unsigned char fingerprint[CHANGE_FINGERPRINT], const struct request *r)
{
	crypto_generichash_state hash;
	crypto_generichash_init(&hash, NULL, 0, CHANGE_FINGERPRINT);
	add(&hash, r->method, strlen(r->method));
	add(&hash, r->path, strlen(r->path));
	for (size_t i = 0; i < QUERY_COUNT; i++) {
		const struct query_value *value = &r->query.values[i];
		if (!value->given || (ASIDE & QUERY_BIT(i)))
			continue;
		add(&hash, &i, sizeof i);
		add(&hash, &value->number, sizeof value->number);
		add(&hash, value->text, value->text ? strlen(value->text) : 0);
	}
	add(&hash, r->body.text, r->body.len);
	crypto_generichash_final(&hash, fingerprint, CHANGE_FINGERPRINT);
}

bool idempotency_take(struct request *r, struct change *change)
{
	const char *key = r->head.idempotency_key.value;
	size_t len = key ? strlen(key) : 0;
	if (!key || strcmp(r->method, "POST") != 0 || change->dry_run)
		return true;
	bool legal = len >= 1 && len <= KEY_MAX;
	for (const char *c = key; legal && *c; c++)
		legal = *c >= 0x20 && *c < 0x7f;
	if (!legal) {
		answer_problem(r, 400, NULL, NULL, "Idempotency-Key must be 1 to %d characters of ASCII; got %zu bytes", KEY_MAX, len);
		return false;
	}
	take_fingerprint(change->fingerprint, r);
	return (change->key = strdup(key)) != NULL;
}

struct amendment { struct store_answers *answers; char *actor, *key, *text; };

static void amendment_free(struct amendment *a)
{
	free(a->actor);
	free(a->key);
	free(a->text);
	free(a);
}

static int amend(struct store *store, void *arg)
{
	const struct amendment *a = arg;
	return store_answer_amend(store_answers(store), a->actor, a->key, a->text);
}

static void amended(int error, void *arg)
{
	(void)error;	/* what was kept before stands: its word for `applied` is that of an earlier moment */
	amendment_free(arg);
}

void idempotency_amend(struct writer *writer, const struct change *change, const char *answer)
{
	struct amendment *a = calloc(1, sizeof *a);
	if (!a)
		return;
	*a = (struct amendment){ .actor = strdup(change->actor), .key = strdup(change->key), .text = strdup(answer) };
	if (!a->actor || !a->key || !a->text || writer_run(writer, amend, amended, a) != 0)
		amendment_free(a);
}

/* ------------------------------------------------------------------ the writer thread */

static void refuse(struct change *change)
{
	change->status = 422;
	change->body = problem_document(422, "idempotency_key_reused", change->request_id, NULL,
	                                "this Idempotency-Key came with another request within the last 24 hours; nothing was changed");
}

bool idempotency_answered(struct stage *st, struct change *change)
{
	struct store_answer kept;
	if (!change->key)
		return false;
	int error = store_answer_get(store_answers(st->store), change->actor, change->key, change->fingerprint, &kept);
	if (error == ENOENT)
		return false;
	if (error == ENOMEM)
		log_fatal("out of memory");
	if (error) {
		stage_doom(st, error);
	} else if (!kept.body) {
		refuse(change);
	} else {
		change->repeated = true;
		change->status = kept.status;
		change->created = kept.status == 201;
		change->revision = kept.revision;
		change->tagged = true;
		change->answer = kept.body;
	}
	return true;
}

void idempotency_keep(struct stage *st, struct change *change)
{
	const struct writer_hooks *hooks = st->hooks;
	if (!change->key || change->dry_run || stage_begin(st))
		return;
	change->applied = hooks->switch_up && hooks->switch_up(hooks->arg) ? "pending" : "switchcore_down";
	if (!(change->answer = outcome_text(change, change->applied)))
		log_fatal("out of memory");
	struct store_answer kept = { .status = change->created ? 201 : 200, .revision = change->revision, .body = change->answer };
	memcpy(kept.fingerprint, change->fingerprint, sizeof kept.fingerprint);
	int error = store_answer_put(store_answers(st->store), change->actor, change->key, &kept);
	if (error)
		stage_doom(st, error);
}
