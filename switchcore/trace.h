/*
 * The SIP trace: takes what went through the sockets, byte for byte, and puts whole messages into the status segment's
 * ring.  Datagrams are messages; of a stream the messages are cut out by their Content-Length.
 */
#ifndef SWITCHCORE_TRACE_H
#define SWITCHCORE_TRACE_H

#include "target.h"

#include "shm/status.h"

struct trace;

int trace_create(struct trace **trace, struct status_writer *writer);
void trace_destroy(struct trace *trace);

/* One datagram. */
void trace_datagram(struct trace *trace, enum trace_direction direction, const union address *local,
                    const union address *remote, const void *bytes, size_t length);
/* The next bytes of a connection, known by its descriptor; another remote address there is another connection. */
void trace_stream(struct trace *trace, enum trace_direction direction, enum trace_transport transport, int fd,
                  const union address *local, const union address *remote, const void *bytes, size_t length);

#endif
