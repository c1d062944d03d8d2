/* What the kernel says of a process, from /proc. */
#ifndef MGMTD_PROCESS_H
#define MGMTD_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

struct process_figures {
	uint64_t resident_bytes, virtual_bytes;
	uint64_t cpu_us;		/* user and system */
	uint64_t started_us;		/* since the epoch */
	uint64_t open_fds, max_fds, threads;
};

/* pid 0 = this one.  Errors: of open(2), EACCES of another user's, EPROTO not as proc(5) says. */
int process_look(struct process_figures *figures, pid_t pid);

#endif
