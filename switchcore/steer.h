/*
 * Answers that the SIP stack sends by itself, or without a transaction, go where the request's Via says; some must go
 * elsewhere, or nowhere.  The stack sends a datagram within the event that makes it, so the place is told here, and taken
 * where the datagram leaves.
 */
#ifndef SWITCHCORE_STEER_H
#define SWITCHCORE_STEER_H

#include "target.h"

/* The next response that leaves as a datagram goes there; NULL = wherever the stack says. */
void steer_response(const union address *to);

/* A datagram came in: what was told before is over; a CANCEL may have a place of its own. */
void steer_received(const void *bytes, size_t length, const union address *source);
/* The stack handed the request on: it will not answer it by itself. */
void steer_seen(void);
/* A datagram leaves from the socket bound to `local`: where to, or NULL = wherever the stack says.  *silent: it must not. */
const union address *steer_sent(bool *silent, const void *bytes, size_t length, const union address *local);

/* Where to answer a request that nobody but the stack saw: one it cannot read (400), too large (413) or of another version
 * (505).  False: it is not answered.  host, port: the sent-by of its topmost Via; port 0 = none was said. */
typedef bool steer_unseen_f(void *arg, union address *to, const union address *source, const union address *local, const char *host,
                            uint16_t port);
void steer_unseen(steer_unseen_f *place, void *arg);

#endif
