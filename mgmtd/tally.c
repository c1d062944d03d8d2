#include "mgmtd/tally.h"

#include "mgmtd/session.h"

#include <errno.h>
#include <stdlib.h>

#define WORD(id, word) word,
const char *const tally_result_words[TALLY_RESULT_COUNT] = { TALLY_RESULTS(WORD) };

static void count(_Atomic uint64_t *word)
{
	atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
}

int tally_open(struct tally **t)
{
	struct tally *new = calloc(1, sizeof *new);

	if (!new || !(new->routes = calloc(TALLY_ROUTES, sizeof *new->routes))) {
		free(new);
		return ENOMEM;
	}
	*t = new;
	return 0;
}

void tally_close(struct tally *t)
{
	if (t)
		free(t->routes);
	free(t);
}

static void count_log_in(struct tally *t, unsigned status)
{
	if (status < 300)
		count(&t->log_ins);
	else if (status == 401)
		count(&t->log_ins_refused);
	else if (status == 429)
		count(&t->log_ins_throttled);
}

void tally_answer(struct tally *t, const struct route *route, unsigned status, uint64_t us)
{
	struct tally_route *row = &t->routes[route ? (size_t)(route - routes) : TALLY_NO_ROUTE];

	count(&row->answers[status / 100 % TALLY_CLASSES]);
	if (!route || !(route->flags & ROUTE_STREAM))
		histogram_add(&row->times, us);
	if (route && route->handler == session_log_in)
		count_log_in(t, status);
}

static enum tally_result result_of(const struct change *change, int error)
{
	if (error || change->status >= 500)
		return TALLY_NOT_STORED;
	if (change->status >= 300)
		return TALLY_REFUSED;
	if (change->dry_run)
		return TALLY_DRY_RUN;
	return change->taken ? TALLY_CHANGED : TALLY_UNCHANGED;
}

void tally_change(struct tally *t, const struct change *change, int error, uint64_t us)
{
	if (!t)
		return;
	enum tally_result result = result_of(change, error);
	count(&t->changes[result]);
	if (result == TALLY_CHANGED)
		histogram_add(&t->change_times, us);
}
