/* The control socket: doorbells both ways, and commands. */
#ifndef SWITCHCORE_CONTROL_H
#define SWITCHCORE_CONTROL_H

#include "follow.h"
#include "loop.h"

#include <stddef.h>
#include <stdint.h>

struct control;
struct shm_why;

/* The call that is previewed.  use_contact: enum INVITE_MODE_option; inherit = what the routing gateway says itself. */
struct control_call { const char *callee, *caller; int32_t use_contact; };

/* Who obeys which command; NULL = nobody, ENOTSUP.  Each answers 0 or an error of struct control_reply.
 *
 * A preview writes to text[size], which is CONTROL_TEXT_MAX bytes, the text of its reply (shm/control.h), and says in *len how
 * much, and in *code what a caller would get. */
struct control_obeyer {
	void *arg;
	int (*refresh)(void *arg, uint32_t id, uint64_t incarnation, uint64_t *attempt);
	int (*hang_up)(void *arg, uint32_t slot, uint64_t call);
	int (*preview_register)(void *arg, uint32_t id, uint64_t incarnation, char *text, size_t size, size_t *len,
	                        uint32_t *code);
	int (*preview_invite)(void *arg, uint32_t id, uint64_t incarnation, const struct control_call *call, char *text, size_t size,
	                      size_t *len, uint32_t *code);
};

int control_open(struct control **control, struct loop *loop, const char *dir, struct follow *follow,
                 const struct control_obeyer *obeyer, struct shm_why *why);
void control_close(struct control *control);
void control_ring_all(struct control *control);	/* "look at the status segment" */
void control_tick(struct control *control);	/* once a second: the socket may have been removed by hand */

#endif
