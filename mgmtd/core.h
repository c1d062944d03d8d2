/*
 * The running switchcore as mgmtd sees it: is it there, what does its status segment say, what has it acted on.
 * core_look(), core_receive() belong to one thread; the rest is for any.
 */
#ifndef MGMTD_CORE_H
#define MGMTD_CORE_H

#include "mgmtd/buffer.h"
#include "shm/control.h"
#include "shm/status.h"

struct core;

/* CORE_STARTING is told as "down", but what waits for the switch goes on waiting. */
enum core_state { CORE_DOWN, CORE_STARTING, CORE_UP, CORE_MISMATCH };

enum applied { APPLIED_YES, APPLIED_PENDING, APPLIED_DOWN, APPLIED_REJECTED };
extern const char *const applied_words[];	/* "yes", "pending", "switchcore_down", "rejected" */

int core_open(struct core **c, const char *run, struct shm_why *why);
void core_close(struct core *c);

/* Once a second, and when its socket broke: connects, opens the status segment again if it was replaced, judges.
 * published: newest generation, 0 = none.  What happened, as bits: */
enum core_news { CORE_STATE_CHANGED = 1, CORE_NEW_STATUS = 2, CORE_CONNECTED = 4 };
unsigned core_look(struct core *c, uint64_t published);

int core_control(struct core *c);	/* the socket, for poll(); -1 = none */
/* As control_receive(); EPIPE: it was closed here, too. */
int core_receive(struct core *c, struct control_packet *packet);

enum core_state core_state(struct core *c);
void core_ring(struct core *c);
/* As control_ask(); ECONNREFUSED: not connected. */
int core_ask(struct core *c, const struct control_request *request, const void *arguments, size_t length);
enum applied core_applied(struct core *c, uint64_t generation);
uint64_t core_applied_generation(struct core *c);
bool core_listeners(struct core *c, char *names, size_t size);

/* As status_get(), tamed; ENOENT also while there is no status segment. */
int core_status(struct core *c, unsigned table, uint32_t id, void *status);
/* f(reader) while the segment cannot go away; false: there is none. */
bool core_with_status(struct core *c, void (*f)(struct status_reader *reader, void *arg), void *arg);

#define CORE_REVISION_UNKNOWN UINT64_MAX
/* False, and nothing said, unless the switch is up. */
bool core_calls(struct core *c, uint32_t *active, uint32_t *per_second);
/* `/status`.switchcore */
void core_render(struct core *c, struct buffer *b, uint64_t applied_revision);

#endif
