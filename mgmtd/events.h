/*
 * GET /events: Server-Sent Events.  The last EVENTS_HELD events are kept; each client reads them at its own pace, and one
 * that falls behind by more is told so and dropped.  Nobody who publishes ever waits for a client.
 */
#ifndef MGMTD_EVENTS_H
#define MGMTD_EVENTS_H

#include "mgmtd/request.h"

#define EVENTS_HELD 10000u
#define EVENTS_CLIENTS 500u
#define EVENTS_HEARTBEAT_MS 15000
#define EVENTS_LINGER_MS 60000

struct events;

int events_open(struct events **e);
void events_close(struct events *e);	/* ends every stream; nobody may sleep any more */
void events_free(struct events *e);

/* Any thread.  type: "registration", …; data: JSON text without line breaks. */
void events_publish(struct events *e, const char *type, const char *data, size_t len);
/* Before one of very many is made: true when nobody listens, nor did a minute ago and may come back.  Then it need not be
 * published, and whoever resumes across it is told of the gap.  Costs next to nothing. */
bool events_unheard(struct events *e);
void events_publish_reset(struct events *e, const char *reason);

void events_set_revision(struct events *e, uint64_t revision);	/* what `reset` tells */
void events_tick(struct events *e);				/* once a second: heartbeats, sessions that ended */
void events_end_session(struct events *e, const char *jti);
void events_end_user(struct events *e, const char *username, const char *but_jti);	/* but that session, unless NULL */

struct events_figures { uint64_t published; unsigned clients; uint64_t slow; };	/* slow: dropped because they fell behind */
void events_look(struct events *e, struct events_figures *figures);	/* any thread */

uint64_t events_next(struct events *e);		/* number of the next event; for tests */

void events_stream(struct request *r);	/* the handler */

/* Where a stream goes on.  last_id: of the header, or NULL.  oldest, next: numbers of the oldest event held and of the next
 * one.  Gives the number of the first event to send; *reason = why events were missed, NULL = none were. */
uint64_t events_resume(const char **reason, const char *last_id, const char *boot, uint64_t oldest, uint64_t next);

#endif
