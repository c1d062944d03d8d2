/*
 * Which traced messages are asked for.  Made on the event thread, prepared and used on the reader thread.
 *
 * A gateway's messages: of a routing gateway those whose Call-ID the switch made for it (calls to it, and probes), and the
 * calls that come in from its host; of a mapping gateway those that come from or go to its sources, and those of its calls that
 * the switch still knows.  A name that both kinds have stands for both.
 */
#ifndef MGMTD_TRACE_FILTER_H
#define MGMTD_TRACE_FILTER_H

#include "mgmtd/daemon.h"
#include "mgmtd/query.h"
#include "mgmtd/subject.h"
#include "mgmtd/trace.h"
#include "shm/status.h"

#include <netinet/in.h>

#define TRACE_NUMBER_MAX 128
#define TRACE_CALL_IDS_MAX 1024
#define TRACE_PLACES_MAX 64

/* Where messages come from or go to. */
struct trace_place {
	struct in6_addr address;	/* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;			/* of it that count */
	in_port_t port;			/* in network order; 0 = any */
};

/* "192.0.2.1", "192.0.2.0/24", "192.0.2.1:5060", the same of IPv6 with brackets before a port.  EINVAL. */
int trace_place_read(struct trace_place *place, const char *text);
bool trace_place_holds(const struct trace_place *place, const struct sockaddr_in6 *address);

struct trace_filter {
	uint64_t since;					/* us */
	char call_id[TRACE_CALL_IDS_MAX + 1];		/* "" = any; several with commas between them */
	char number[TRACE_NUMBER_MAX + 1];		/* "" = any */
	char gateway[SCHEMA_NAME_MAX + 1];		/* "" = any */
	/* of the gateway */
	bool routing, mapping;				/* there is one */
	struct subject routing_subject, mapping_subject;
	uint64_t created_at;				/* of the routing gateway; what is older is of another one of its id */
	bool learn;					/* its host is a name: the addresses are those its calls went to */
	struct trace_place places[TRACE_PLACES_MAX];
	size_t place_count;
	struct trace_place others[TRACE_PLACES_MAX];	/* within those, but of other mapping gateways */
	size_t other_count;
	char (*calls)[128];				/* call_id_in, sorted */
	size_t call_count, call_room;
};

/* A message as the filter needs it. */
struct trace_seen {
	const struct trace_header *header;
	const char *message;
	size_t len;
	const char *call_id;				/* "" = none */
};

/* The gateway named; ENOENT: there is none of either kind. */
int trace_filter_gateway(struct trace_filter *filter, struct daemon *daemon, const char *name);
/* What it takes to tell a gateway's messages. */
void trace_filter_prepare(struct trace_filter *filter, struct daemon *daemon, struct status_reader *reader);
/* Is it among those that are asked for?  True also when any is. */
bool trace_filter_has_call_id(const struct trace_filter *filter, const char *call_id);
/* For each message before the first trace_filter_passes(), while `learn` is set. */
void trace_filter_learn(struct trace_filter *filter, const struct trace_seen *seen);

/* of_registration: whether the Call-ID is that of a registration. */
bool trace_filter_passes(const struct trace_filter *filter, const struct trace_seen *seen,
                         bool (*of_registration)(void *arg, const char *call_id), void *arg);
void trace_filter_free(struct trace_filter *filter);

#endif
