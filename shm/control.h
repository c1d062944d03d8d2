/*
 * DIR/control: AF_UNIX SOCK_SEQPACKET, mode 0600, the peer's user checked with SO_PEERCRED.  switchcore binds it, mgmtd
 * connects.  Three sorts of packet, told apart by their first byte: a doorbell, either way ("look at the segment"), one byte
 * and nothing else; requests; replies.  Commands are never stored.
 *
 *     doorbell   '!'
 *     request    '?' | length | struct control_request's other fields | length bytes of arguments
 *     reply      '=' | length | struct control_reply's other fields   | length bytes of text
 *
 * A packet whose size is not what its type and length say is dropped.  Everything here is non-blocking and meant for an event
 * loop.
 */
#ifndef SHM_CONTROL_H
#define SHM_CONTROL_H

#include "shm/shm.h"

/*
 *   REFRESH           kind, object, incarnation: of a registration
 *   HANG_UP           kind: STATUS_CALL, object: slot, incarnation: id of the call
 *   PREVIEW_REGISTER  kind, object, incarnation: of a registration
 *   PREVIEW_INVITE    kind, object, incarnation: of a mapping gateway; arguments: callee, caller, and the invite_use_contact
 *                     that is tried ("inherit": the routing gateway's own), each ended by NUL
 *
 * A preview's reply carries text: a head, an empty line, and the message byte for byte; when error is set, instead of that
 * the reason in words, and in `code` what a caller would get.  The head is lines "name value", of what is known, no matter
 * in which order; who reads it passes over names that are new:
 *
 *     target udp:192.0.2.1:5060                  where it goes
 *     gateway carrier                            of an INVITE, as what follows: the routing gateway
 *     invite_use_contact on                      the mode in force: "on" or "off"
 *     skipped backup no capacity                 a gateway that was passed over, and why; a line for each
 *     callee_in 8801234567                       the numbers: under the names of a call record where it has them; an empty
 *     original, caller_in                        one is "name " and nothing
 *     mapped, caller_mapped                      after the mapping gateway's rewriting
 *     prefix 99                                  of the routing gateway, by which it was found; empty: it catches all
 *     routed, caller_out                         after the routing gateway's rewriting
 *     request_uri_out, to_out                    as they stand in the message
 */
enum control_command { CONTROL_REFRESH = 1, CONTROL_HANG_UP, CONTROL_PREVIEW_REGISTER, CONTROL_PREVIEW_INVITE };

#define CONTROL_ARGUMENTS_MAX 512
#define CONTROL_TEXT_MAX 65536

enum control_type { CONTROL_DOORBELL = '!', CONTROL_REQUEST = '?', CONTROL_REPLY = '=' };

struct control_request {
	uint8_t type;		/* of both: type, reserved and length are filled in by the functions below */
	uint8_t reserved0[3];
	uint32_t length;
	uint64_t id;		/* chosen by the asker */
	uint32_t command;	/* enum control_command */
	uint32_t kind;		/* enum kind_id, or STATUS_CALL */
	uint32_t object;	/* id of the object */
	uint32_t reserved1;
	uint64_t incarnation;
};

struct control_reply {
	uint8_t type;
	uint8_t reserved0[3];
	uint32_t length;
	uint64_t id;
	int32_t error;		/* 0 or a positive errno: ENOENT no such object here, ESTALE other incarnation, EINVAL disabled or not
				 * understood, ENOTSUP no such command, EAGAIN ask again in a moment; of a preview any other is a
				 * refusal */
	uint32_t code;		/* of a refused preview: what a caller would get; else 0 */
	uint64_t attempt;	/* refresh: the registration's attempts count once this attempt has begun */
	uint64_t reserved1;
};

/* As received. */
struct control_packet {
	enum control_type type;
	union { struct control_request request; struct control_reply reply; };
	size_t length;				/* bytes of arguments or text */
	char bytes[CONTROL_TEXT_MAX + 1];	/* they, and a NUL behind them */
};

/* Server side.  Removes a stale socket of our own first.  Gives a listening descriptor. */
int control_listen(int *fd, const char *dir, struct shm_why *why);
/* EPERM: the peer is another user and was turned away.  EAGAIN: nobody waits. */
int control_accept(int *fd, int listener);
/* Client side.  ECONNREFUSED, ENOENT: nobody there. */
int control_connect(int *fd, const char *dir);

int control_ring(int fd);	/* doorbell; a full socket buffer is no error: the peer has one waiting */
/* EAGAIN: the peer's buffer is full; EPIPE it is gone; EMSGSIZE: longer than CONTROL_ARGUMENTS_MAX, CONTROL_TEXT_MAX. */
int control_ask(int fd, const struct control_request *request, const void *arguments, size_t length);
int control_answer(int fd, const struct control_reply *reply, const void *text, size_t length);
/* EAGAIN nothing; EPIPE the peer is gone; EBADMSG it is none of the three (dropped). */
int control_receive(int fd, struct control_packet *packet);

#endif
