/* The control socket: doorbells both ways, and commands for registrations. */
#ifndef SWITCHCORE_CONTROL_H
#define SWITCHCORE_CONTROL_H

#include "follow.h"
#include "loop.h"
#include "registration.h"

struct control;
struct shm_why;

int control_open(struct control **control, struct loop *loop, const char *dir, struct follow *follow,
                 struct registrations *registrations, struct shm_why *why);
void control_close(struct control *control);
void control_ring_all(struct control *control);	/* "look at the status segment" */
void control_tick(struct control *control);	/* once a second: the socket may have been removed by hand */

#endif
