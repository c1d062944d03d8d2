/*
 * Server names to targets (RFC 3263), asynchronously: NAPTR and SRV when no port is given, then A and AAAA; /etc/hosts
 * before all.  Results live as long as their TTL and are shared by all who ask for the same name, so a name server that
 * hangs holds up only those who wait for that name, and for RESOLVER_PATIENCE_US at most.
 */
#ifndef SWITCHCORE_RESOLVER_H
#define SWITCHCORE_RESOLVER_H

#include "loop.h"
#include "target.h"

#define RESOLVER_TARGETS_MAX 8
#define RESOLVER_PATIENCE_US (10 * SECOND_US)

struct resolver;

struct resolver_result {
	struct target targets[RESOLVER_TARGETS_MAX];	/* in the order to try: SRV priority, weight by lot */
	size_t count;
	char fault[160];		/* why there is none, in words */
};

struct resolver_wait {			/* embedded in what waits */
	struct resolver_wait *next, *previous;
	void *lookup;			/* NULL = not waiting */
	void (*done)(struct resolver_wait *wait, const struct resolver_result *result);
};

struct resolver_options {
	const char *dns_server;		/* "ADDR" or "ADDR:PORT"; NULL = those of /etc/resolv.conf */
	const char *hosts_file;		/* NULL = /etc/hosts */
	bool ipv4, ipv6;		/* families that some listener can send to */
};

int resolver_create(struct resolver **resolver, struct loop *loop, const struct resolver_options *options);
void resolver_destroy(struct resolver *resolver);

/* Fills in *result at once when the host is an address or is known; else EINPROGRESS, and wait->done comes later, once.
 * Errors: ENOENT there is no address (result->fault says why); ENOMEM. */
int resolver_find(struct resolver *resolver, struct resolver_wait *wait, struct resolver_result *result,
                  const char *host, uint16_t port, int32_t transport);
void resolver_forget(struct resolver_wait *wait);	/* no done() any more */

#endif
