/*
 * The functions of libc and OpenSSL that this program defines itself, so that the SIP stack, a shared library, calls
 * ours (link with -rdynamic): recvmsg, sendmsg, SSL_read, SSL_write see the exact bytes of the trace; getaddrinfo never
 * asks the DNS, which would block the loop; accept bounds the connections of strangers.
 */
#ifndef SWITCHCORE_CAPTURE_H
#define SWITCHCORE_CAPTURE_H

#include "trace.h"

#define CAPTURE_CONNECTIONS_MAX 1000	/* accepted ones open at once */
#define CAPTURE_CONNECTIONS_PER_SOURCE 20

void capture_start(struct trace *trace);	/* NULL = no trace */

#endif
