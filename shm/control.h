/*
 * DIR/control: AF_UNIX SOCK_SEQPACKET, mode 0600, the peer's user checked with SO_PEERCRED.  switchcore binds it, mgmtd
 * connects.  Two sorts of packet: a doorbell of one byte, either way ("look at the segment"), and commands with their
 * answers.  Commands are never stored.
 *
 * Everything here is non-blocking and meant for an event loop.
 */
#ifndef SHM_CONTROL_H
#define SHM_CONTROL_H

#include "shm/shm.h"

enum control_command { CONTROL_REFRESH = 1 };

struct control_request {
	uint64_t id;		/* chosen by the asker */
	uint32_t command;	/* enum control_command */
	uint32_t kind;		/* enum kind_id */
	uint32_t object;	/* id of the object */
	uint32_t reserved;
	uint64_t incarnation;
};

struct control_reply {
	uint64_t id;
	int32_t error;		/* 0 or a positive errno: ENOENT no such object here, ESTALE other incarnation, EINVAL disabled */
	uint32_t reserved;
	uint64_t attempt;	/* refresh: the registration's attempts count once this attempt has begun */
};

union control_packet { struct control_request request; struct control_reply reply; unsigned char doorbell; };

/* Server side.  Removes a stale socket of our own first.  Gives a listening descriptor. */
int control_listen(int *fd, const char *dir, struct shm_why *why);
/* EPERM: the peer is another user and was turned away.  EAGAIN: nobody waits. */
int control_accept(int *fd, int listener);
/* Client side.  ECONNREFUSED, ENOENT: nobody there. */
int control_connect(int *fd, const char *dir);

int control_ring(int fd);	/* doorbell; a full socket buffer is no error: the peer has one waiting */
int control_send(int fd, const void *packet, size_t size);
/* *size = bytes received, 1 for a doorbell.  EAGAIN nothing; EPIPE the peer is gone; EBADMSG of no known size
 * (dropped). */
int control_receive(int fd, union control_packet *packet, size_t *size);

#endif
