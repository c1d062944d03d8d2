/* The HTTP server: one event thread of libmicrohttpd, its connections, and the watchdog that ends the ones that dawdle. */
#ifndef MGMTD_SERVER_H
#define MGMTD_SERVER_H

#include "mgmtd/daemon.h"
#include "shm/shm.h"

struct server;

/* Binds and listens; before privileges are dropped. */
int server_listen(int *fd, const struct options *options, struct shm_why *why);

/* Serves on fd, which it takes over.  daemon->server is set before the first request. */
int server_start(struct daemon *daemon, int fd, struct shm_why *why);
/* Refuses new requests, waits for those under way (which the other parts must end or cancel), ends the connections. */
void server_drain(struct server *s);	/* part one: no new requests from here on */
void server_stop(struct server *s);

/* "127.0.0.1:8080", "[::1]:8080": where it listens. */
void server_address(char *text, size_t size, int fd);

bool server_closing(const struct server *s);	/* s may be NULL */
void server_suspended(struct server *s, int by);	/* requests that wait for another thread */

#endif
