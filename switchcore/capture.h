/*
 * The functions of libc and OpenSSL that this program defines itself, so that the SIP stack, a shared library, calls
 * ours (link with -rdynamic): recvmsg, sendmsg, SSL_read, SSL_write see the exact bytes of the trace, and keep from the
 * stack what guard.h says; getaddrinfo never asks the DNS, which would block the loop; epoll_wait does not spin; accept
 * bounds the connections of strangers.
 */
#ifndef SWITCHCORE_CAPTURE_H
#define SWITCHCORE_CAPTURE_H

#include "trace.h"

#define CAPTURE_CONNECTIONS_MAX 1000	/* accepted ones open at once */
#define CAPTURE_CONNECTIONS_PER_SOURCE 20

void capture_start(struct trace *trace);	/* NULL = no trace */

/* Whether a datagram that came to the listener bound to `local` is of a source that is configured: asked only while there are very
 * many (guard.h); what then comes from others is dropped unread, and is not in the trace. */
typedef bool capture_known_f(void *arg, const union address *source, const union address *local);
void capture_known(capture_known_f *known, void *arg);
bool capture_overloaded(void);	/* more comes in than can be handled (load.h) */
void capture_tick(void);	/* once a second: says what was dropped */

#endif
