/* What a registration would send now, shown instead of sent. */
#include "attempt.h"
#include "lifecycle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Nobody waits: whoever asks again finds the answer in the resolver. */
static void nobody(struct resolver_wait *wait, const struct resolver_result *result)
{
	(void)wait;
	(void)result;
}

/* Where an attempt that began now would go: *where, to be tried in that order. */
static int find_targets(struct resolver_result *where, const struct registration *r)
{
	const struct registration_world *world = registrations_world(r->set);
	struct resolver_wait wait = { .done = nobody };
	char host[261];
	int32_t port;
	int error;

	where->count = 0;
	where->fault[0] = '\0';
	account_path(r->account, host, sizeof host, &port);
	error = world->resolve(world->arg, &wait, where, host, (uint16_t)port, r->account->transport);
	if (error != EINPROGRESS)
		return error;
	resolver_forget(&wait);
	/* The name's addresses are just being refreshed: the binding's own stays good until then. */
	if (r->state != STATE_REGISTERED || registration_refreshing(r) || r->target.address.family == AF_UNSPEC)
		return EAGAIN;
	where->count = 1;
	where->targets[0] = r->target;
	return 0;
}

static int say(char *text, size_t size, size_t *len, int error, const char *words)
{
	int n = snprintf(text, size, "\n%s", words);

	*len = n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
	return error;
}

static int write_preview(const struct registration *r, const struct listener *listener, const struct target *target, char *text,
                         size_t size, size_t *len)
{
	const struct registration_world *world = registrations_world(r->set);
	struct attempt_request request;
	char where[TARGET_TEXT_MAX];
	int error, head;

	attempt_request(&request, r, r->account, listener, target, registration_asks(r));
	target_text(target, where, sizeof where);
	head = snprintf(text, size, "target %s\n\n", where);
	if (head < 0 || (size_t)head >= size)
		return ENOSPC;
	error = world->preview(world->arg, &request.sip, text + head, size - (size_t)head, len);
	if (error)
		return say(text, size, len, error, strerror(error));
	*len += (size_t)head;
	return 0;
}

int registrations_preview(struct registrations *set, uint32_t id, uint64_t incarnation, char *text, size_t size, size_t *len)
{
	const struct registration *r = registrations_at(set, id);
	const struct listener *listener = NULL;
	struct resolver_result where;
	char words[160];
	int error;

	if (!r)
		return ENOENT;
	if (r->incarnation != incarnation)
		return ESTALE;
	error = find_targets(&where, r);
	if (error == EAGAIN)
		return say(text, size, len, EAGAIN, "its server's name is being looked up");
	if (error)
		return say(text, size, len, EHOSTUNREACH, error == ENOENT ? where.fault : strerror(error));
	for (size_t i = 0; i < where.count; i++) {
		listener = set->world.listener(set->world.arg, account_text(r->account, ACCOUNT_LISTENER), r->account->transport,
		                               where.targets[i].address.family);
		if (listener)
			return write_preview(r, listener, &where.targets[i], text, size, len);
	}
	attempt_no_listener(words, sizeof words, r, r->account);
	return say(text, size, len, EADDRNOTAVAIL, words);
}
