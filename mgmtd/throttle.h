/*
 * Slows down who guesses passwords: each failure delays the pair of account and address, and an address has so many tries a
 * minute over all accounts.  Tables of a fixed size, the longest unused place is taken; on one thread only.  A restart
 * forgets all.
 */
#ifndef MGMTD_THROTTLE_H
#define MGMTD_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_FREE 2			/* failures of a pair that delay nothing: people mistype */
#define THROTTLE_FIRST_MS 2000		/* delay after the next one; each further one doubles it */
#define THROTTLE_MOST_MS (15 * 60 * 1000)
#define THROTTLE_FORGET_MS (60 * 60 * 1000)	/* after a delay has ended */
#define THROTTLE_TRIES 20		/* a minute, of one address; a log-in that succeeds is none */
#define THROTTLE_WINDOW_MS 60000

struct throttle;

int throttle_open(struct throttle **t);
void throttle_close(struct throttle *t);

/* Whether this try may go on; if not, 0 < the milliseconds until the next one may.  What may go on counts as failed until it is
 * told otherwise, so that many tries at once are no way around.  IPv6: a whole /64 is one address.
 * *known = the account is known to exist, from an earlier failure (false when not known). */
int64_t throttle_try(struct throttle *t, const char *account, const char *address, int64_t now_ms, bool *known);

enum throttle_outcome { THROTTLE_PASSED, THROTTLE_FAILED, THROTTLE_UNDECIDED };
/* known: the account exists */
void throttle_end(struct throttle *t, const char *account, const char *address, enum throttle_outcome outcome, bool known,
                  int64_t now_ms);

#endif
