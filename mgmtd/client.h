/*
 * The connections.  The event thread notes what each is doing; a watchdog thread looks once a second and shuts the sockets
 * of those that send a head or a body too slowly, since the library's time-out only counts silence.
 */
#ifndef MGMTD_CLIENT_H
#define MGMTD_CLIENT_H

#include "mgmtd/request.h"

#define CLIENT_LIMIT 1000u
#define CLIENT_HEAD_S 10
#define CLIENT_BODY_S 60
#define CLIENT_SURPLUS_S 2

struct clients;

struct client {
	struct request request;
	bool surplus;			/* beyond CLIENT_LIMIT: is told so, and ended */
	int fd;
	_Atomic int phase;		/* enum phase of client.c */
	_Atomic int64_t since_ms;	/* of the phase; CLOCK_MONOTONIC_COARSE */
	_Atomic bool fresh;		/* no request was answered yet */
	int64_t head_seen_ms;		/* the watchdog's: 0 = no byte of a head was seen */
	struct client *next, **link;
	char address[REQUEST_ADDRESS_MAX];
};

int clients_open(struct clients **c, struct daemon *daemon);
void clients_close(struct clients *c);

struct client *client_new(struct clients *c, struct MHD_Connection *connection);	/* NULL = out of memory */
void client_free(struct clients *c, struct client *client);

void client_reads_body(struct client *client);
void client_answers(struct client *client);
void client_idles(struct client *client);

#endif
