/*
 * Calls: a back-to-back user agent between mapping gateways (callers) and routing gateways (callees).  Signalling only; session
 * descriptions pass untouched.
 *
 * A call keeps what it began with: counted settings of its gateways and a copy of the parameters.  It holds no page of the
 * configuration beyond an event.
 */
#ifndef SWITCHCORE_CALLS_H
#define SWITCHCORE_CALLS_H

#include "challenge.h"
#include "gateway.h"
#include "resolver.h"
#include "sip.h"

#include "shm/cdr.h"
#include "shm/status.h"

struct calls;
struct control_call;

struct calls_parts {			/* lent, longer-lived than the calls */
	struct sip *sip;
	struct resolver *resolver;
	struct timers *timers;
	struct gateways *gateways;
	struct registrations *registrations;
	struct status_writer *status;
	struct cdr_writer *cdr;
	bool (*overloaded)(void);	/* no new calls now; NULL = never */
};

int calls_create(struct calls **calls, const struct calls_parts *parts);
void calls_destroy(struct calls *calls);		/* what is left is dropped without a word */

void calls_parameters(struct calls *calls, const struct sip_parameters *parameters);
/* Handler of sip_handle(): every request and stray response from outside. */
void calls_received(void *calls, struct sip_packet *packet);

/* For steer_unseen(). */
bool calls_unseen(void *calls, union address *to, const union address *source, const union address *local, const char *host, uint16_t port);
/* For capture_known(): a source of a mapping gateway, or a routing gateway. */
bool calls_know(void *calls, const union address *source, const union address *local);

void calls_tick(struct calls *calls);			/* once a second: counters for the status */
bool calls_take_news(struct calls *calls);		/* true once after something was reported */
uint32_t calls_active(const struct calls *calls);

/* No new calls; those there are hung up on both sides.  stopped: every BYE has its answer. */
void calls_stop(struct calls *calls);
bool calls_stopped(const struct calls *calls);

/* Commands: hang up both legs (ENOENT: it is over).  preview: see struct control_obeyer. */
int calls_hang_up(struct calls *calls, uint32_t slot, uint64_t id);
int calls_preview(struct calls *calls, uint32_t mapping, uint64_t incarnation, const struct control_call *call, char *text, size_t size,
                  size_t *len, uint32_t *code);

#endif
