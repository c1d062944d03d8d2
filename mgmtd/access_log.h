/*
 * The access log: one JSON line for each request, written by a thread of its own.  Nobody who logs ever waits for the disk or
 * for whoever reads the pipe: what does not fit into the buffer is dropped, counted, and told in a line of its own.
 */
#ifndef MGMTD_ACCESS_LOG_H
#define MGMTD_ACCESS_LOG_H

#include "shm/shm.h"

#include <stddef.h>
#include <stdint.h>

#define ACCESS_LOG_ROOM (1u << 20)	/* bytes that wait */
#define ACCESS_LINE_MAX 4096u		/* bytes with the line's end: what a pipe takes as a whole (PIPE_BUF) */

struct access_log;

/* path: a file that is appended to, made with mode 0600 when it is missing, or a FIFO that somebody reads; "-" = stderr. */
int access_log_open(struct access_log **log, const char *path, struct shm_why *why);
void access_log_close(struct access_log *log);	/* writes what it has, unless the reader is stuck; NULL is allowed */
/* Any thread: opens the path again, for those who rotate logs.  If it cannot be, the old file goes on.  NULL is allowed. */
void access_log_reopen(struct access_log *log);

/* Any thread; never waits.  line: without its end, at most ACCESS_LINE_MAX - 1 bytes. */
void access_log_write(struct access_log *log, const char *line, size_t len);
uint64_t access_log_dropped(const struct access_log *log);	/* lines, so far; NULL is allowed */

#endif
