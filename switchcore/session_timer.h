/*
 * Session timers (RFC 4028) of one dialog: what the headers ask, what is answered and agreed, and when that is due.  Pure: no type
 * of the SIP stack, no clock.
 *
 * The choices that the RFC leaves:
 *  - our INVITE names no refresher, the gateway chooses (7.1); where the choice is ours, we refresh;
 *  - a longer interval than ours is asked for: ours is granted, or the Min-SE of the request if that is more;
 *  - a 2xx without Session-Expires ends the timer, whoever refreshed (7.2);
 *  - a request in the dialog that names neither `timer` nor Session-Expires leaves the timer as it is, and us as its refresher
 *    (table 2, first line).
 */
#ifndef SWITCHCORE_SESSION_TIMER_H
#define SWITCHCORE_SESSION_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_FLOOR 90u		/* s: no interval is shorter (RFC 4028 4) */
#define SESSION_RAISED_MAX 7200u	/* s: a 422 that asks for more is a refusal */
#define SESSION_CEILING 86400u		/* s: what a peer agrees to beyond counts as this */
#define SESSION_LINES_MAX 128

enum session_refresher { REFRESHER_UNSAID, REFRESHER_UAC, REFRESHER_UAS };

/* What a message says of it. */
struct session_words {
	uint32_t expires;		/* Session-Expires, s; 0 = none */
	uint32_t min;			/* Min-SE, s; 0 = none */
	enum session_refresher refresher;
	bool supported;			/* Supported lists `timer` */
};

/* What holds in the dialog. */
struct session_terms {
	uint32_t interval;		/* s; 0 = the session does not expire */
	bool ours;			/* we refresh */
};

/* What our request offers: `ttl` at first, then what was agreed on, never less than `min`, the greatest Min-SE that a 422 asked for. */
uint32_t session_offered(const struct session_terms *now, uint32_t ttl, uint32_t min);
/* Its header lines. */
void session_write_offer(char lines[SESSION_LINES_MAX], const struct session_terms *now, uint32_t ttl, uint32_t min);
/* What a 2xx to it agrees on (7.2). */
void session_agree(struct session_terms *terms, const struct session_words *answer);
/* A 422 to it, that can be followed: raises *min. */
bool session_raise(uint32_t *min, uint32_t offered, const struct session_words *refusal);

/* A request that gets 422 with Min-SE (9). */
bool session_too_small(const struct session_words *request);
/* Our 2xx to a request, with table 2 of section 9: terms holds what was in force, and then what is.  lines: "" = nothing is said. */
void session_accept(struct session_terms *terms, char lines[SESSION_LINES_MAX], const struct session_words *request, uint32_t ttl);

/* From a refresh on, in seconds: when the refresher refreshes, and when a session that was not refreshed is hung up; early: 0 = as
 * section 10 advises. */
uint32_t session_refresh_after(uint32_t interval, uint32_t segment);
uint32_t session_hang_up_after(uint32_t interval, uint32_t early);

#endif
