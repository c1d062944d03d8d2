/* Registrations as calls use them: found by name, token or Contact; usable or not, and why; how many calls they carry. */
#include "lifecycle.h"

#include "attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ look-ups */

void registrations_unlist(struct registration *r)
{
	hash_remove(&r->set->names, &r->by_name);
	hash_remove(&r->set->lines, &r->by_line);
	hash_remove(&r->set->contacts, &r->by_contact);
}

void registrations_list(struct registration *r)
{
	registrations_unlist(r);
	hash_add(&r->set->names, &r->by_name, hash_text(registration_name(r)));
	hash_add(&r->set->lines, &r->by_line, hash_text(account_text(r->account, ACCOUNT_LINE)));
	hash_add(&r->set->contacts, &r->by_contact, hash_text(account_contact_user(r->account)));
}

struct registration *registrations_find(const struct registrations *set, const char *name)
{
	for (struct hash_link *l = hash_first(&set->names, hash_text(name)); l; l = hash_next(l)) {
		struct registration *r = HASH_OWNER(l, struct registration, by_name);
		if (strcmp(registration_name(r), name) == 0)
			return r;
	}
	return NULL;
}

struct registration *registrations_by_line(const struct registrations *set, const char *line)
{
	if (!line[0])
		return NULL;
	for (struct hash_link *l = hash_first(&set->lines, hash_text(line)); l; l = hash_next(l)) {
		struct registration *r = HASH_OWNER(l, struct registration, by_line);
		if (strcmp(account_text(r->account, ACCOUNT_LINE), line) == 0)
			return r->account->enabled ? r : NULL;
	}
	return NULL;
}

int registrations_by_contact(const struct registrations *set, struct registration **r, const char *user,
                             const union address *remote)
{
	struct registration *found = NULL;

	for (struct hash_link *l = hash_first(&set->contacts, hash_text(user)); l; l = hash_next(l)) {
		struct registration *other = HASH_OWNER(l, struct registration, by_contact);
		if (!other->account->enabled || strcmp(account_contact_user(other->account), user) != 0 || !registration_from(other, remote))
			continue;
		if (found)
			return ENOTUNIQ;
		found = other;
	}
	if (!found)
		return ENOENT;
	*r = found;
	return 0;
}

/* ------------------------------------------------------------------ the server's addresses */

void registration_keep_server(struct registration *r, const struct resolver_result *where)
{
	free(r->others);
	r->others = NULL;
	r->other_count = 0;
	if (where->count < 2)
		return;
	r->others = malloc(where->count * sizeof *r->others);
	if (!r->others)
		return;		/* then only the one that REGISTER went to is known */
	memcpy(r->others, where->targets, where->count * sizeof *r->others);
	r->other_count = where->count;
}

bool registration_from(const struct registration *r, const union address *remote)
{
	if (r->target.address.family == AF_UNSPEC)
		return false;		/* no REGISTER left yet */
	if (address_same_host(&r->target.address, remote))
		return true;
	for (size_t i = 0; i < r->other_count; i++)
		if (address_same_host(&r->others[i].address, remote))
			return true;
	return false;
}

/* ------------------------------------------------------------------ usable? */

const char *registration_name(const struct registration *r)
{
	return account_text(r->account, ACCOUNT_NAME);
}

const char *registration_inbound_mapping(const struct registration *r)
{
	return account_text(r->account, ACCOUNT_INBOUND_MAPPING);
}

bool registration_usable(const struct registration *r)
{
	switch (r->state) {
	case STATE_REGISTERED:
	case STATE_QUEUED:
	case STATE_REGISTERING:
	case STATE_WAITING:
		return r->wanted && r->binding_end > r->set->world.now(r->set->world.arg);
	default:
		return false;
	}
}

static void write_clock(char *text, size_t size, uint64_t at)
{
	time_t seconds = (time_t)(at / SECOND_US);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, size, "%H:%M:%S", &tm);
}

void registration_why(const struct registration *r, char *text, size_t size)
{
	char cause[40], clock[16];

	if (registration_usable(r)) {
		snprintf(text, size, "%s%s%s", registration_full(r) ? "registration " : "",
		         registration_full(r) ? registration_name(r) : "", registration_full(r) ? " no capacity" : "");
		return;
	}
	if (r->state != STATE_WAITING) {
		snprintf(text, size, "registration %s %s", registration_name(r), status_state_words[r->state]);
		return;
	}
	if (r->last_code)
		snprintf(cause, sizeof cause, "%u", r->last_code);
	else
		snprintf(cause, sizeof cause, "%s", status_reason_words[r->reason]);
	write_clock(clock, sizeof clock, r->next_at);
	snprintf(text, size, "registration %s waiting: %s, next attempt %s", registration_name(r), cause, clock);
}

/* ------------------------------------------------------------------ capacity */

struct registration_claims {
	struct registration *r;		/* NULL: it is gone */
	uint32_t calls;
};

int registration_claims_create(struct registration *r)
{
	r->claims = calloc(1, sizeof *r->claims);
	if (!r->claims)
		return ENOMEM;
	r->claims->r = r;
	return 0;
}

void registration_claims_leave(struct registration *r)
{
	if (!r->claims)
		return;
	r->claims->r = NULL;
	if (r->claims->calls == 0)
		free(r->claims);
	r->claims = NULL;
}

bool registration_full(const struct registration *r)
{
	return r->account->capacity > 0 && r->claims->calls >= (uint32_t)r->account->capacity;
}

static void tell_filled(struct registration *r)
{
	if (r->set->world.filled)
		r->set->world.filled(r->set->world.arg, r);
}

int registration_claim(struct registration *r, struct registration_claims **claim)
{
	if (registration_full(r))
		return EBUSY;
	r->claims->calls++;
	*claim = r->claims;
	if (registration_full(r))
		tell_filled(r);
	return 0;
}

void registration_release(struct registration_claims *claim)
{
	bool full;

	if (!claim)
		return;
	if (!claim->r) {
		if (--claim->calls == 0)
			free(claim);
		return;
	}
	full = registration_full(claim->r);
	claim->calls--;
	if (full && !registration_full(claim->r))
		tell_filled(claim->r);
}

uint32_t registration_calls(const struct registration *r)
{
	return r->claims->calls;
}
