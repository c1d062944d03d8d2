/* Of events*.c only. */
#ifndef MGMTD_EVENTS_PRIVATE_H
#define MGMTD_EVENTS_PRIVATE_H

#include "mgmtd/events.h"

#include <pthread.h>
#include <stdatomic.h>

#define BOOT 9		/* 8 hex digits and NUL */
#define GREETING 256

struct event {
	unsigned refs;		/* under the lock */
	unsigned type;
	size_t len;
	char text[];
};

struct subscriber {
	struct events *events;
	struct MHD_Connection *connection;
	struct subscriber *next, **link;
	struct request *request;
	unsigned types;			/* that it asked for */
	uint64_t wanted;		/* number of the event to send next */
	struct event *current;		/* being sent */
	size_t offset;
	char greeting[GREETING];	/* goes before all events; later: the last words */
	size_t greeting_len, greeting_sent;
	bool sleeping, beat, ended;
	int64_t sent_ms;
	int64_t expires_at;
	char jti[STORE_JTI], username[STORE_ACTOR];
	int fd;
};

struct events {
	pthread_mutex_t lock;
	char boot[BOOT];
	struct event *held[EVENTS_HELD];	/* event n at n % EVENTS_HELD */
	uint64_t next;				/* number of the next event; from 1 */
	_Atomic uint64_t revision;
	struct subscriber *subscribers;
	unsigned count;
	_Atomic unsigned listeners;		/* count, read without the lock */
	_Atomic int64_t left_ms;		/* when a client left last, 0 = none ever did */
	_Atomic bool gap;			/* the newest number stands for events that are left out */
	uint64_t whole_from;			/* nothing was left out from this number on */
	bool closing;
	_Atomic uint64_t slow;			/* clients that were dropped because they fell behind */
};

/* Under the lock. */
uint64_t events_oldest(const struct events *e);		/* number of the oldest event held */
void events_drop(struct event *event);			/* gives a reference back; NULL is allowed */
int events_reset_data(const struct events *e, char *text, size_t size, const char *reason);

#endif
