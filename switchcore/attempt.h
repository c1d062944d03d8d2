/*
 * One attempt: from its turn to its outcome.  Resolves, sends, answers challenges, raises the expiry once, follows a
 * redirect, goes on to the next target; tells its registration one event at the end.  Exists only meanwhile: what a
 * registration needs at rest is in struct registration.
 */
#ifndef SWITCHCORE_ATTEMPT_H
#define SWITCHCORE_ATTEMPT_H

#include "registration.h"

#define ATTEMPT_REDIRECTS_MAX 3

struct attempt_ending {
	struct registration_outcome outcome;
	enum pacing_outcome pacing;
	int32_t retry_after;		/* s, -1 = not said */
	bool unbound;			/* it surely made no binding: every REGISTER was refused or never arrived */
};

/* Called by registration.c. */
int attempt_create(struct attempt **attempt, struct registration *r);
void attempt_destroy(struct registration *r);	/* of r->attempt; NULL is allowed; silently, no outcome */
void attempt_go(struct registration *r);	/* its turn, the first or after resolving */
bool attempt_sent(const struct registration *r);	/* a REGISTER is out */
bool attempt_counted(const struct registration *r);	/* it has a number in attempts */
int32_t attempt_expires(const struct registration *r);
const struct target *attempt_target(const struct registration *r);	/* family AF_UNSPEC: it never left */

/* A REGISTER of it as it goes out; the texts are what `sip` points to. */
struct attempt_request {
	struct sip_register sip;
	char call_id[REGISTRATION_CALL_ID_MAX], tag[20], host[261];
};
void attempt_request(struct attempt_request *request, const struct registration *r, const struct account *account,
                     const struct listener *listener, const struct target *target, int32_t expires);
/* Why it has no listener, in words. */
void attempt_no_listener(char *text, size_t size, const struct registration *r, const struct account *account);

/* Given by registration.c. */
struct timers *registrations_timers(struct registrations *set);
const struct registration_world *registrations_world(const struct registrations *set);
const struct sip_parameters *registrations_get_parameters(const struct registrations *set);
void registration_begun(struct registration *r);		/* counts it */
void registration_sent(struct registration *r);		/* a REGISTER of the attempt left */
void registration_keep_server(struct registration *r, const struct resolver_result *where);
void registration_sign(struct registration *r);		/* an answer came, the attempt goes on */
void registration_resolved(struct registration *r);	/* wants its turn again */
void registration_resolving(struct registration *r);	/* gives its turn back meanwhile */
void registration_raise(struct registration *r, int32_t seconds);	/* 423 */
void registration_accepted(struct registration *r, const struct sip_answer *answer);
void registration_failed(struct registration *r, const struct attempt_ending *ending);
const struct account *registration_account(const struct registration *r);	/* that the attempt is for */
int32_t registration_asks(const struct registration *r);	/* the expiry of the next REGISTER */

#endif
