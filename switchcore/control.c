#include "control.h"

#include "log.h"

#include "shm/control.h"
#include "shm/status.h"

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
	struct control_obeyer obeyer;
	const char *dir;
	int listener;
	ino_t inode;			/* of the socket's name */
	struct peer peers[PEERS_MAX];
	struct control_packet packet;	/* the one at hand */
	char text[CONTROL_TEXT_MAX];
};

static void drop(struct peer *peer)
{
	loop_unwatch(peer->watch);
	close(peer->fd);
	peer->watch = NULL;
	peer->fd = -1;
}

/* So many texts, each ended by NUL, and nothing else. */
static bool split(const struct control_packet *packet, const char **texts, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		if (at >= packet->length)
			return false;
		texts[i] = packet->bytes + at;
		at += strlen(texts[i]) + 1;
	}
	return at == packet->length;
}

static int refresh(struct control *control, const struct control_packet *packet, struct control_reply *reply)
{
	const struct control_obeyer *obeyer = &control->obeyer;
	const struct control_request *request = &packet->request;

	if (request->kind != KIND_REGISTRATION)
		return EINVAL;
	return obeyer->refresh ? obeyer->refresh(obeyer->arg, request->object, request->incarnation, &reply->attempt) : ENOTSUP;
}

static int hang_up(struct control *control, const struct control_packet *packet)
{
	const struct control_obeyer *obeyer = &control->obeyer;
	const struct control_request *request = &packet->request;

	if (request->kind != STATUS_CALL)
		return EINVAL;
	return obeyer->hang_up ? obeyer->hang_up(obeyer->arg, request->object, request->incarnation) : ENOTSUP;
}

static int preview_register(struct control *control, const struct control_packet *packet, struct control_reply *reply,
                            size_t *len)
{
	const struct control_obeyer *obeyer = &control->obeyer;
	const struct control_request *request = &packet->request;

	if (request->kind != KIND_REGISTRATION)
		return EINVAL;
	if (!obeyer->preview_register)
		return ENOTSUP;
	return obeyer->preview_register(obeyer->arg, request->object, request->incarnation, control->text, sizeof control->text,
	                                len, &reply->code);
}

static int preview_invite(struct control *control, const struct control_packet *packet, struct control_reply *reply,
                          size_t *len)
{
	const struct control_obeyer *obeyer = &control->obeyer;
	const struct control_request *request = &packet->request;
	const char *texts[3];
	struct control_call call;

	if (request->kind != KIND_MAPPING_GATEWAY || !split(packet, texts, 3))
		return EINVAL;
	call = (struct control_call){
		.callee = texts[0], .caller = texts[1],
		.use_contact = schema_option(schema_field(&schema_kinds[KIND_ROUTING_GATEWAY], "invite_use_contact"), texts[2]),
	};
	if (call.use_contact < 0)
		return EINVAL;
	if (!obeyer->preview_invite)
		return ENOTSUP;
	return obeyer->preview_invite(obeyer->arg, request->object, request->incarnation, &call, control->text,
	                              sizeof control->text, len, &reply->code);
}

static void obey(struct peer *peer, const struct control_packet *packet)
{
	struct control *control = peer->control;
	struct control_reply reply = { .id = packet->request.id };
	size_t len = 0;

	/* What the command is about may have been published a moment ago. */
	follow_look(control->follow);
	switch (packet->request.command) {
	case CONTROL_REFRESH:
		reply.error = refresh(control, packet, &reply);
		break;
	case CONTROL_HANG_UP:
		reply.error = hang_up(control, packet);
		break;
	case CONTROL_PREVIEW_REGISTER:
		reply.error = preview_register(control, packet, &reply, &len);
		break;
	case CONTROL_PREVIEW_INVITE:
		reply.error = preview_invite(control, packet, &reply, &len);
		break;
	default:
		reply.error = ENOTSUP;
	}
	if (len > sizeof control->text)
		len = sizeof control->text;
	if (control_answer(peer->fd, &reply, control->text, len) != 0)
		log_debug("control: an answer was lost");
}

static void peer_readable(void *arg)
{
	struct peer *peer = arg;
	struct control_packet *packet = &peer->control->packet;
	int error;

	/* Bounded: a peer that never stops must not keep the loop. */
	for (int i = 0; i < 64; i++) {
		error = control_receive(peer->fd, packet);
		if (error == EAGAIN)
			return;
		if (error == EBADMSG)
			continue;
		if (error) {
			drop(peer);
			return;
		}
		if (packet->type == CONTROL_REQUEST)
			obey(peer, packet);
		else if (packet->type == CONTROL_DOORBELL)
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
                 const struct control_obeyer *obeyer, struct shm_why *why)
{
	struct control *c = calloc(1, sizeof *c);
	int error;

	if (!c)
		return ENOMEM;
	c->loop = loop;
	c->follow = follow;
	c->obeyer = *obeyer;
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
