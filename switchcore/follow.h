/*
 * Follows the configuration: at each quiescent point looks whether the segment moved, and if so hands every changed
 * record to the registrations and gateways.  Works without mgmtd, and before there is a segment.
 */
#ifndef SWITCHCORE_FOLLOW_H
#define SWITCHCORE_FOLLOW_H

#include "gateway.h"
#include "registration.h"
#include "report.h"

struct follow;

int follow_create(struct follow **follow, const char *dir, struct registrations *registrations, struct gateways *gateways,
                  struct report *report);
void follow_destroy(struct follow *follow);
/* Who else is handed the parameters of every revision. */
void follow_parameters(struct follow *follow, void (*take)(void *arg, const struct sip_parameters *parameters), void *arg);

/* One relaxed load when nothing moved.  Before a message or timer is handled; not from inside its own callbacks. */
void follow_look(struct follow *follow);
/* In every turn of the loop: goes on with a revision that changed too much to be applied at once; calls and registrations are
 * served in between.  When it wants the next turn; TIMER_NEVER: it is done. */
uint64_t follow_turn(struct follow *follow);
/* Before blocking: an idle reader holds no pages. */
void follow_idle(struct follow *follow);
/* Once a second: opens the segment when there was none, or finds a new one; tries again what memory was short for. */
void follow_tick(struct follow *follow);
/* Whether a revision was applied since the last call: who waits for it is told. */
bool follow_take_news(struct follow *follow);
void follow_stop(struct follow *follow);	/* looks no more */

#endif
