#include "control.h"

#include "log.h"

#include "shm/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEERS_MAX 16

struct peer {
	struct control *control;
	struct loop_watch *watch;
	int fd;				/* -1 = free */
};

struct control {
	struct loop *loop;
	struct loop_watch *watch;
	struct follow *follow;
	struct registrations *registrations;
	const char *dir;
	int listener;
	ino_t inode;			/* of the socket's name */
	struct peer peers[PEERS_MAX];
};

static void drop(struct peer *peer)
{
	loop_unwatch(peer->watch);
	close(peer->fd);
	peer->watch = NULL;
	peer->fd = -1;
}

static void obey(struct peer *peer, const struct control_request *request)
{
	struct control_reply reply = { .id = request->id, .error = EINVAL };

	/* What the command is about may have been published a moment ago. */
	follow_look(peer->control->follow);
	if (request->command == CONTROL_REFRESH && request->kind == KIND_REGISTRATION)
		reply.error = registrations_refresh(peer->control->registrations, request->object, request->incarnation,
		                                    &reply.attempt);
	if (control_send(peer->fd, &reply, sizeof reply) != 0)
		log_debug("control: an answer was lost");
}

static void peer_readable(void *arg)
{
	struct peer *peer = arg;
	union control_packet packet;
	size_t size;
	int error;

	/* Bounded: a peer that never stops must not keep the loop. */
	for (int i = 0; i < 64; i++) {
		error = control_receive(peer->fd, &packet, &size);
		if (error == EAGAIN)
			return;
		if (error == EBADMSG)
			continue;
		if (error) {
			drop(peer);
			return;
		}
		if (size == sizeof packet.request)
			obey(peer, &packet.request);
		else
			follow_look(peer->control->follow);
	}
}

static void listener_readable(void *arg)
{
	struct control *control = arg;
	int fd, error = control_accept(&fd, control->listener);

	if (error == EPERM)
		log_warning("control: a program of another user was turned away");
	if (error)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &control->peers[i];
		if (peer->fd >= 0)
			continue;
		peer->fd = fd;
		if (loop_watch(&peer->watch, control->loop, fd, peer_readable, peer) != 0)
			drop(peer);
		return;
	}
	log_warning("control: more than %d programs at once; one was turned away", PEERS_MAX);
	close(fd);
}

static ino_t inode_of(const char *dir)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof path, "%s/control", dir);
	return lstat(path, &st) == 0 ? st.st_ino : 0;
}

static int open_listener(struct control *control, struct shm_why *why)
{
	int error = control_listen(&control->listener, control->dir, why);

	if (error) {
		control->listener = -1;
		return error;
	}
	control->inode = inode_of(control->dir);
	error = loop_watch(&control->watch, control->loop, control->listener, listener_readable, control);
	if (error) {
		close(control->listener);
		control->listener = -1;
	}
	return error;
}

int control_open(struct control **control, struct loop *loop, const char *dir, struct follow *follow,
                 struct registrations *registrations, struct shm_why *why)
{
	struct control *c = calloc(1, sizeof *c);
	int error;

	if (!c)
		return ENOMEM;
	c->loop = loop;
	c->follow = follow;
	c->registrations = registrations;
	c->dir = dir;
	for (size_t i = 0; i < PEERS_MAX; i++)
		c->peers[i] = (struct peer){ c, NULL, -1 };
	error = open_listener(c, why);
	if (error) {
		free(c);
		return error;
	}
	*control = c;
	return 0;
}

static void close_listener(struct control *control)
{
	loop_unwatch(control->watch);
	control->watch = NULL;
	if (control->listener >= 0)
		close(control->listener);
	control->listener = -1;
}

void control_close(struct control *control)
{
	char path[4096];

	if (!control)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (control->peers[i].fd >= 0)
			drop(&control->peers[i]);
	if (control->listener >= 0 && inode_of(control->dir) == control->inode) {
		snprintf(path, sizeof path, "%s/control", control->dir);
		unlink(path);
	}
	close_listener(control);
	free(control);
}

void control_ring_all(struct control *control)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (control->peers[i].fd >= 0 && control_ring(control->peers[i].fd) == EPIPE)
			drop(&control->peers[i]);
}

void control_tick(struct control *control)
{
	struct shm_why why = { "" };

	if (control->listener >= 0 && inode_of(control->dir) == control->inode)
		return;
	close_listener(control);
	if (open_listener(control, &why) == 0)
		log_warning("control: %s/control was removed; made again", control->dir);
}
