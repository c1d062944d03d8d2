/*
 * What the SIP stack never gets to see.  Its lists are walked to their end for every header that is added, so one
 * datagram of 10,000 headers takes it 0.4 s; it also takes STUN and SigComp for its own, which nobody here speaks.
 *
 * Header lines and commas of a message's head are counted together.  A call through a hundred proxies stays far below
 * the limit.
 */
#ifndef SWITCHCORE_GUARD_H
#define SWITCHCORE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_ITEMS_MAX 512

/* False: the stack shall not see it, the head is too long or no SIP message begins so.  (Of a part of it the stack
 * would make a message: it takes the end of a datagram for that of the head.) */
bool guard_datagram(const char *bytes, size_t len);

/*
 * A flood.  While there are more datagrams than GUARD_STRANGERS_PER_S, sources that nobody knows get no more than that
 * many requests read; an answer of theirs (a registrar's, perhaps) counts as a tenth.  To drop one costs 2 us, to refuse
 * it 40, so that the socket's buffer has room for the others.  Measured by tenths of a second, in each of which a buffer
 * can fill.  All zero when it begins.
 */
#define GUARD_STRANGERS_PER_S 2000
struct guard_rush {
	uint64_t moment;
	uint32_t all, strangers;	/* of this moment, in tenths of a request */
	uint64_t dropped;		/* ever */
};
/* moment: a number that changes ten times a second.  True: it matters who sent this. */
bool guard_rush(struct guard_rush *rush, const char *bytes, size_t len, uint64_t moment);
/* False: drop it, it came from a stranger. */
bool guard_stranger(struct guard_rush *rush, const char *bytes, size_t len);

/* A connection's state; all zero when it begins. */
struct guard_stream {
	uint64_t body;			/* bytes to come */
	uint64_t length;		/* what Content-Length says, in the head at hand */
	uint32_t items;
	uint8_t at;			/* in the line: how much of a name matched, or what is read now */
	bool line_begun, after_cr, length_known, length_wrong;
};
/* False: nothing of it may be read any more. */
bool guard_stream(struct guard_stream *stream, const char *bytes, size_t len);

#endif
