/*
 * Does more come in than can be handled?  Judged by how long datagrams waited in the socket, as CoDel judges a queue
 * (RFC 8289): one that waited long is a burst, but when for a whole LOAD_INTERVAL_US none waited less than
 * LOAD_TARGET_US, the queue only grows.  New calls are then refused, so that those that are there go on: without that,
 * answers come later than half a second, everything is sent again, and nothing gets through any more.
 */
#ifndef SWITCHCORE_LOAD_H
#define SWITCHCORE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_TARGET_US 250000u
#define LOAD_INTERVAL_US 200000u

struct load {			/* all zero when it begins */
	uint64_t since_us;	/* the first of the datagrams at hand that waited too long; 0 = the last one did not */
	uint64_t last_us;
};

/* A datagram was read at now_us (monotonic) that waited so long. */
void load_waited(struct load *load, uint64_t now_us, int64_t waited_us);

/* What was seen longer ago than an interval says nothing any more. */
bool load_is_too_high(const struct load *load, uint64_t now_us);

#endif
