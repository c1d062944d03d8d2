#include "mgmtd/token_use.h"

#include "mgmtd/buffer.h"
#include "mgmtd/log.h"
#include "mgmtd/store_account.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 2048u		/* twice API_TOKENS_MAX: a search is short, and tokens that are gone leave room */
#define PROBES 64u

struct use {
	char jti[STORE_JTI];
	int64_t at_us;		/* 0 = an empty place */
	bool unwritten;
};

struct token_uses {
	pthread_mutex_t lock;
	struct use places[PLACES];
};

void token_uses_close(struct token_uses *u)
{
	if (u)
		pthread_mutex_destroy(&u->lock);
	free(u);
}

int token_uses_open(struct token_uses **u)
{
	struct token_uses *new = calloc(1, sizeof *new);
	if (!new)
		return ENOMEM;
	pthread_mutex_init(&new->lock, NULL);
	*u = new;
	return 0;
}

/* The place of a jti (random hex digits, so its first ones are a hash), or the one to take: an empty place, else the oldest. */
static struct use *place_of(struct token_uses *u, const char *jti)
{
	char digits[9] = "";
	snprintf(digits, sizeof digits, "%.8s", jti);
	unsigned first = (unsigned)strtoul(digits, NULL, 16);
	struct use *oldest = &u->places[first % PLACES];
	for (unsigned i = 0; i < PROBES; i++) {
		struct use *use = &u->places[(first + i) % PLACES];
		if (use->at_us == 0 || strcmp(use->jti, jti) == 0)
			return use;
		if (use->at_us < oldest->at_us)
			oldest = use;
	}
	return oldest;
}

void token_uses_note(struct token_uses *u, const char *jti)
{
	pthread_mutex_lock(&u->lock);
	struct use *use = place_of(u, jti);
	snprintf(use->jti, sizeof use->jti, "%s", jti);
	use->at_us = (int64_t)time_now_us();
	use->unwritten = true;
	pthread_mutex_unlock(&u->lock);
}

int64_t token_uses_last(struct token_uses *u, const char *jti)
{
	pthread_mutex_lock(&u->lock);
	const struct use *use = place_of(u, jti);
	int64_t at_us = strcmp(use->jti, jti) == 0 ? use->at_us : 0;
	pthread_mutex_unlock(&u->lock);
	return at_us;
}

/* ------------------------------------------------------------------ writing */

struct written { size_t count; struct use uses[]; };

static int store(struct store *s, void *arg)
{
	const struct written *w = arg;
	int e = 0;
	for (size_t i = 0; i < w->count && !e; i++)
		e = store_api_token_used(s, w->uses[i].jti, w->uses[i].at_us);
	return e;
}

static void stored(int error, void *arg)
{
	if (error)
		log_warnx("token: when tokens were used last could not be stored: %s", store_explain(error));
	free(arg);
}

void token_uses_write(struct token_uses *u, struct writer *writer)
{
	struct written *w = malloc(sizeof *w + PLACES * sizeof w->uses[0]);
	if (!w)
		return;
	w->count = 0;
	pthread_mutex_lock(&u->lock);
	for (size_t i = 0; i < PLACES; i++)
		if (u->places[i].unwritten) {
			w->uses[w->count++] = u->places[i];
			u->places[i].unwritten = false;
		}
	pthread_mutex_unlock(&u->lock);
	if (w->count == 0 || writer_run(writer, store, stored, w) != 0)
		free(w);
}
