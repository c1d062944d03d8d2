/*
 * Lingering close.  A refusal that is sent before the whole request has come would be lost: closing a socket with unread
 * bytes resets the connection (RFC 9112 9.6).  Such sockets are read empty here for a while, then closed.
 */
#ifndef MGMTD_LINGER_H
#define MGMTD_LINGER_H

struct linger_pool;

int linger_open(struct linger_pool **l);
void linger_close(struct linger_pool *l);

/* Keeps the connection behind fd, which the caller is about to close, until its peer has finished. */
void linger_take(struct linger_pool *l, int fd);

#endif
