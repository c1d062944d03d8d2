/* All registrations: what the configuration, commands and the end of the process do to them. */
#include "lifecycle.h"

#include "attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t now(const struct registration *r)
{
	return r->set->world.now(r->set->world.arg);
}

struct timers *registrations_timers(struct registrations *set)
{
	return set->timers;
}

const struct registration_world *registrations_world(const struct registrations *set)
{
	return &set->world;
}

const struct sip_parameters *registrations_get_parameters(const struct registrations *set)
{
	return &set->parameters;
}

struct registration *registrations_at(const struct registrations *set, uint32_t id)
{
	return id < set->limit ? set->table[id] : NULL;
}

uint32_t registrations_limit(const struct registrations *set)
{
	return set->limit;
}

/* ------------------------------------------------------------------ birth and death */

size_t registrations_bucket(const char *line)
{
	uint32_t hash = 2166136261u;
	for (; *line; line++)
		hash = (hash ^ (unsigned char)*line) * 16777619u;
	return hash % ORPHAN_BUCKETS;
}

void registrations_destroy_one(struct registration *r)
{
	struct registrations *set = r->set;

	if (r->orphan) {
		struct registration **at = &set->orphans[registrations_bucket(account_text(r->account, ACCOUNT_LINE))];
		while (*at != r)
			at = &(*at)->next_orphan;
		*at = r->next_orphan;
	}
	if (r->state == STATE_UNREGISTERING)
		set->busy--;
	if (r->predecessor)
		r->predecessor->successor = NULL;
	if (r->successor)
		r->successor->predecessor = NULL;
	attempt_destroy(r);
	if (r->turn.server) {
		pacing_done(set->pacing, &r->turn, PACING_DROPPED, now(r));
		pacing_server_put(set->pacing, r->turn.server);
	}
	registration_forget(r);
	registrations_unlist(r);
	registration_claims_leave(r);
	timer_destroy(set->timers, &r->timer);
	timer_destroy(set->timers, &r->pulse);
	account_destroy(r->account);
	account_destroy(r->bound);
	free(r->others);
	free(r->detail);
	free(r->last_phrase);
	free(r);
}

static struct registration *create(struct registrations *set, const struct registration_record *record)
{
	struct registration *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->account = account_create(record);
	if (!r->account || registration_claims_create(r) != 0 ||
	    timer_init(set->timers, &r->timer, registration_timer_due) != 0)
		goto fail;
	if (timer_init(set->timers, &r->pulse, registration_pulse_due) != 0) {
		timer_destroy(set->timers, &r->timer);
		goto fail;
	}
	r->set = set;
	r->id = record->head.id;
	r->incarnation = record->head.incarnation;
	r->revision = record->head.revision;
	r->turn.turn = registration_turn;
	r->flow.lost = registration_connection_lost;
	r->state = STATE_DISABLED;
	r->requested = r->granted = r->raised_to = r->retry_after = -1;
	r->since = set->world.wall(set->world.arg);
	for (size_t i = 0; i < sizeof r->unique; i += 4) {
		uint32_t random = set->world.random(set->world.arg);
		memcpy(r->unique + i, &random, 4);
	}
	r->cseq = set->world.random(set->world.arg) & 0x7fffff;	/* RFC 3261 8.1.1.5: below 2^31, with room to rise */
	return r;
fail:
	registration_claims_leave(r);
	account_destroy(r->account);
	free(r);
	return NULL;
}

static void link_predecessor(struct registration *r)
{
	const char *line = account_text(r->account, ACCOUNT_LINE);

	for (struct registration *o = r->set->orphans[registrations_bucket(line)]; o; o = o->next_orphan)
		if (!o->successor && strcmp(account_text(o->account, ACCOUNT_LINE), line) == 0) {
			o->successor = r;
			r->predecessor = o;
			return;
		}
}

static int reserve(struct registrations *set, uint32_t id)
{
	uint32_t limit = set->limit ? set->limit : 64;
	struct registration **table;

	while (limit <= id)
		limit *= 2;
	if (limit == set->limit)
		return 0;
	table = realloc(set->table, limit * sizeof(struct registration *));
	if (!table)
		return ENOMEM;
	memset(table + set->limit, 0, (limit - set->limit) * sizeof(struct registration *));
	set->table = table;
	set->limit = limit;
	return 0;
}

static int add(struct registrations *set, const struct registration_record *record)
{
	struct registration *r;
	int error = reserve(set, record->head.id);

	if (error)
		return error;
	r = create(set, record);
	if (!r)
		return ENOMEM;
	set->table[r->id] = r;
	registrations_list(r);
	if (r->account->enabled && !set->stopping) {
		r->wanted = true;
		link_predecessor(r);
		registration_fire(r, EV_WANTED);
	} else {
		registration_tell(r);
	}
	return 0;
}

void registrations_delete(struct registrations *set, uint32_t id)
{
	struct registration *r = registrations_at(set, id);
	size_t bucket;

	if (!r)
		return;
	set->table[id] = NULL;
	registrations_unlist(r);
	bucket = registrations_bucket(account_text(r->account, ACCOUNT_LINE));
	r->orphan = true;
	registration_tell(r);
	r->next_orphan = set->orphans[bucket];
	set->orphans[bucket] = r;
	registration_unwant(r);
	if (r->state != STATE_UNREGISTERING)
		registrations_destroy_one(r);
}

/* ------------------------------------------------------------------ changes (rule 8) */

static void move(struct registration *r, struct account *old)
{
	r->raised_to = -1;
	r->consecutive_failures = 0;
	if (r->state == STATE_UNREGISTERING) {
		if (r->bound)
			account_destroy(old);	/* the older binding is still the one being removed */
		else
			r->bound = old;
	} else if (registration_must_remove(r)) {
		r->bound = old;
		registration_fire(r, EV_REMOVE);
	} else {
		account_destroy(old);
		r->target.address.family = AF_UNSPEC;
		registration_fire(r, EV_MOVED);
	}
}

static void keep_old_contact(struct registration *r, const struct account *old)
{
	if (r->old_contact_user || !registration_must_remove(r))
		return;
	r->old_contact_user = strdup(account_contact_user(old));
}

static void once(struct registration *r)
{
	if (r->state == STATE_UNREGISTERING || r->predecessor)
		return;		/* what follows uses the new values */
	r->next_kind = r->state == STATE_REGISTERED ? ATTEMPT_REFRESH : r->attempts ? ATTEMPT_RETRY : ATTEMPT_INITIAL;
	r->retry_after = -1;
	registration_fire(r, EV_NOW);
}

static void apply(struct registration *r, struct account *old, unsigned change, bool expiry, bool privacy)
{
	if (expiry)
		r->raised_to = -1;
	if (change & ACCOUNT_MOVED && r->state != STATE_DISABLED) {
		move(r, old);
		return;
	}
	if (change & ACCOUNT_CONTACT)
		keep_old_contact(r, old);
	account_destroy(old);
	if (change & ACCOUNT_ONCE)
		once(r);
	else if (expiry || privacy || change & ACCOUNT_SOON)
		registration_fire(r, EV_SOON);
	if (r->state == STATE_WAITING && !r->queued)
		registration_arm_retry(r);
	if (change & ACCOUNT_KEEP_ALIVE)
		registration_arm_pulse(r);
	registration_tell(r);
}

static void change(struct registration *r, const struct registration_record *record, struct account *account)
{
	struct account *old = r->account;
	const struct sip_parameters *p = &r->set->parameters;
	unsigned differences = account_compare(old, account);
	bool expiry = account_period(old, p) != account_period(account, p);
	bool privacy = account_privacy(old, p) != account_privacy(account, p);

	r->account = account;
	r->revision = record->head.revision;
	registrations_list(r);
	/* Only effective values are on the wire. */
	if (old->privacy != account->privacy && !privacy &&
	    strcmp(account_text(old, ACCOUNT_DISPLAY_NAME), account_text(account, ACCOUNT_DISPLAY_NAME)) == 0)
		differences &= ~(unsigned)ACCOUNT_SOON;
	if (r->set->stopping || !account->enabled || !r->wanted) {
		/* The binding, if there is one, is still the old account's. */
		if (!r->bound && (r->wanted || r->state == STATE_UNREGISTERING))
			r->bound = old;
		else
			account_destroy(old);
	}
	if (r->set->stopping) {
		registration_tell(r);
	} else if (!account->enabled) {
		if (r->wanted)
			registration_unwant(r);
		if (r->state != STATE_UNREGISTERING) {
			account_destroy(r->bound);
			r->bound = NULL;
		}
		registration_tell(r);
	} else if (!r->wanted) {
		r->wanted = true;
		if (r->state == STATE_UNREGISTERING)
			timer_arm(r->set->timers, &r->timer, now(r) + REGISTRATION_HANDOVER_US);
		else
			registration_fire(r, EV_WANTED);
		registration_tell(r);
	} else {
		apply(r, old, differences, expiry, privacy);
	}
}

int registrations_put(struct registrations *set, const struct registration_record *record)
{
	struct registration *r = registrations_at(set, record->head.id);
	struct account *account;

	if (r && r->incarnation == record->head.incarnation && r->revision == record->head.revision)
		return 0;
	if (r && r->incarnation != record->head.incarnation) {
		registrations_delete(set, record->head.id);
		r = NULL;
	}
	if (!r)
		return add(set, record);
	account = account_create(record);
	if (!account)
		return ENOMEM;
	change(r, record, account);
	return 0;
}

void registrations_parameters(struct registrations *set, const struct sip_parameters *parameters)
{
	struct sip_parameters old = set->parameters;

	if (memcmp(&old, parameters, sizeof old) == 0)
		return;
	set->parameters = *parameters;
	for (uint32_t id = 0; id < set->limit; id++) {
		struct registration *r = set->table[id];
		bool expiry, soon, delay;
		if (!r)
			continue;
		expiry = account_period(r->account, &old) != account_period(r->account, parameters);
		soon = expiry || account_privacy(r->account, &old) != account_privacy(r->account, parameters);
		delay = account_retry_delay(r->account, &old) != account_retry_delay(r->account, parameters);
		if (expiry)
			r->raised_to = -1;
		if (soon && r->wanted && !set->stopping)
			registration_fire(r, EV_SOON);
		if (delay && r->state == STATE_WAITING && !r->queued) {
			registration_arm_retry(r);
			registration_tell(r);
		}
	}
}

/* ------------------------------------------------------------------ the set */

int registrations_create(struct registrations **set, const struct registration_world *world, struct timers *timers,
                         struct pacing *pacing)
{
	struct registrations *s = calloc(1, sizeof *s);

	if (!s)
		return ENOMEM;
	s->world = *world;
	s->timers = timers;
	s->pacing = pacing;
	*set = s;
	return 0;
}

void registrations_destroy(struct registrations *set)
{
	if (!set)
		return;
	for (uint32_t id = 0; id < set->limit; id++)
		if (set->table[id])
			registrations_destroy_one(set->table[id]);
	for (size_t i = 0; i < ORPHAN_BUCKETS; i++)
		while (set->orphans[i])
			registrations_destroy_one(set->orphans[i]);
	free(set->table);
	hash_free(&set->names);
	hash_free(&set->lines);
	hash_free(&set->contacts);
	free(set);
}

int registrations_refresh(struct registrations *set, uint32_t id, uint64_t incarnation, uint64_t *attempt)
{
	struct registration *r = registrations_at(set, id);

	if (!r)
		return ENOENT;
	if (r->incarnation != incarnation)
		return ESTALE;
	if (!r->wanted || r->state == STATE_UNREGISTERING || r->predecessor)
		return EINVAL;
	if (attempt_sent(r)) {
		*attempt = r->attempts;		/* one is out this very moment */
		return 0;
	}
	r->next_kind = ATTEMPT_MANUAL;
	registration_fire(r, EV_NOW);
	*attempt = r->attempts + 1;
	return 0;
}

void registrations_sweep(struct registrations *set)
{
	uint32_t count = set->limit / REGISTRATION_SWEEP_TURNS + 1;

	for (; count > 0 && set->limit > 0; count--) {
		struct registration *r = set->table[set->swept];
		if (r && registration_attempts_last_hour(r) != r->told_last_hour)
			registration_tell(r);
		set->swept = (set->swept + 1) % set->limit;
	}
}

void registrations_stop(struct registrations *set)
{
	set->stopping = true;
	set->unconfirmed = 0;	/* those of long ago are in the log already */
	pacing_ignore_rates(set->pacing);
	for (uint32_t id = 0; id < set->limit; id++) {
		struct registration *r = set->table[id];
		if (!r)
			continue;
		r->stopping = true;
		registration_unwant(r);
	}
}

bool registrations_stopped(const struct registrations *set)
{
	return set->busy == 0;
}

uint64_t registrations_unconfirmed(const struct registrations *set)
{
	return set->unconfirmed + set->busy;
}
