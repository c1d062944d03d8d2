/* The control socket: doorbells and commands between two ends of one user. */
#include "shm/control.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <cmocka.h>

struct fixture {
	char *dir;
	int listener, near, far;
	struct shm_why why;
	struct control_packet packet;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = scratch_dir();
	assert_int_equal(control_listen(&f->listener, f->dir, &f->why), 0);
	assert_int_equal(control_connect(&f->near, f->dir), 0);
	assert_int_equal(control_accept(&f->far, f->listener), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->listener);
	close(f->near);
	close(f->far);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

static void send_raw(int fd, const void *bytes, size_t size)
{
	assert_int_equal(send(fd, bytes, size, MSG_DONTWAIT), (ssize_t)size);
}

static void a_command_and_its_answer_arrive_whole(void **state)
{
	struct fixture *f = *state;
	struct control_request request = { .id = 7, .command = CONTROL_REFRESH, .kind = 1, .object = 12, .incarnation = 99 };
	struct control_reply reply = { .id = 7, .error = ESTALE, .code = 404, .attempt = 3 };
	struct control_packet *packet = &f->packet;

	assert_int_equal(control_receive(f->far, packet), EAGAIN);
	assert_int_equal(control_ask(f->near, &request, NULL, 0), 0);
	assert_int_equal(control_receive(f->far, packet), 0);
	assert_int_equal(packet->type, CONTROL_REQUEST);
	assert_int_equal(packet->length, 0);
	assert_int_equal(packet->request.id, 7);
	assert_int_equal(packet->request.command, CONTROL_REFRESH);
	assert_int_equal(packet->request.kind, 1);
	assert_int_equal(packet->request.object, 12);
	assert_int_equal(packet->request.incarnation, 99);
	assert_int_equal(control_answer(f->far, &reply, NULL, 0), 0);
	assert_int_equal(control_receive(f->near, packet), 0);
	assert_int_equal(packet->type, CONTROL_REPLY);
	assert_int_equal(packet->reply.id, 7);
	assert_int_equal(packet->reply.error, ESTALE);
	assert_int_equal(packet->reply.code, 404);
	assert_int_equal(packet->reply.attempt, 3);
	assert_int_equal(control_receive(f->near, packet), EAGAIN);
}

static void arguments_and_texts_arrive_byte_for_byte(void **state)
{
	struct fixture *f = *state;
	struct control_request request = { .command = CONTROL_PREVIEW_INVITE };
	struct control_reply reply = { .id = 1 };
	struct control_packet *packet = &f->packet;
	static const char arguments[] = "8801234567\0alice";
	static char text[CONTROL_TEXT_MAX + 1];

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 31 >> 3);
	memset(packet->bytes, 'x', sizeof packet->bytes);
	assert_int_equal(control_ask(f->near, &request, arguments, sizeof arguments), 0);
	assert_int_equal(control_receive(f->far, packet), 0);
	assert_int_equal(packet->length, sizeof arguments);
	assert_memory_equal(packet->bytes, arguments, sizeof arguments);
	assert_int_equal(packet->bytes[sizeof arguments], '\0');
	assert_int_equal(control_answer(f->far, &reply, text, CONTROL_TEXT_MAX), 0);
	assert_int_equal(control_receive(f->near, packet), 0);
	assert_int_equal(packet->length, CONTROL_TEXT_MAX);
	assert_memory_equal(packet->bytes, text, CONTROL_TEXT_MAX);
	assert_int_equal(packet->bytes[CONTROL_TEXT_MAX], '\0');
	assert_int_equal(control_ask(f->near, &request, text, CONTROL_ARGUMENTS_MAX), 0);
	assert_int_equal(control_receive(f->far, packet), 0);
	assert_int_equal(packet->length, CONTROL_ARGUMENTS_MAX);
	assert_int_equal(control_ask(f->near, &request, text, CONTROL_ARGUMENTS_MAX + 1), EMSGSIZE);
	assert_int_equal(control_answer(f->far, &reply, text, CONTROL_TEXT_MAX + 1), EMSGSIZE);
	assert_int_equal(control_receive(f->far, packet), EAGAIN);
}

/* A request of the size of a reply is a request all the same, and the other way round. */
static void packets_are_told_apart_by_their_type(void **state)
{
	struct fixture *f = *state;
	struct control_request request = { .id = 1 };
	struct control_reply reply = { .id = 2 };

	assert_int_equal(control_ask(f->near, &request, "12345678", 8), 0);
	assert_int_equal(control_answer(f->near, &reply, "12345678", 8), 0);
	assert_int_equal(control_ring(f->near), 0);
	assert_int_equal(control_receive(f->far, &f->packet), 0);
	assert_int_equal(f->packet.type, CONTROL_REQUEST);
	assert_int_equal(control_receive(f->far, &f->packet), 0);
	assert_int_equal(f->packet.type, CONTROL_REPLY);
	assert_int_equal(control_receive(f->far, &f->packet), 0);
	assert_int_equal(f->packet.type, CONTROL_DOORBELL);
	assert_int_equal(f->packet.length, 0);
}

static void a_doorbell_rings_either_way_and_never_blocks(void **state)
{
	struct fixture *f = *state;
	struct control_request request = { .id = 1 };

	assert_int_equal(control_ring(f->far), 0);
	assert_int_equal(control_receive(f->near, &f->packet), 0);
	assert_int_equal(f->packet.type, CONTROL_DOORBELL);
	/* Nobody takes them; the buffer fills up, and that is no error. */
	for (int i = 0; i < 100000; i++)
		assert_int_equal(control_ring(f->near), 0);
	assert_int_equal(control_ask(f->near, &request, NULL, 0), EAGAIN);
	assert_int_equal(control_receive(f->far, &f->packet), 0);
	assert_int_equal(f->packet.type, CONTROL_DOORBELL);
}

static void a_peer_that_is_gone_is_noticed(void **state)
{
	struct fixture *f = *state;

	close(f->far);
	assert_int_equal(control_receive(f->near, &f->packet), EPIPE);
	assert_int_equal(control_ring(f->near), EPIPE);
	f->far = dup(f->near);
}

/* Whatever a peer sends: it is a packet of a type whose length is what it says, or it is dropped. */
static void a_packet_that_lies_about_itself_is_dropped(void **state)
{
	struct fixture *f = *state;
	static unsigned char odd[sizeof(struct control_request) + CONTROL_TEXT_MAX + 64];
	struct control_request request = { .type = CONTROL_REQUEST };
	const size_t fixed = sizeof request;
	static const struct { unsigned char type; uint32_t length; size_t size; } cases[] = {
		{ 0, 0, 1 }, { '?', 0, 1 }, { '=', 0, 1 }, { '!', 0, 2 }, { '!', 0, 40 }, { '?', 0, 39 }, { '=', 0, 39 }, { '?', 0, 41 },
		{ '?', 2, 41 }, { '?', 0xffffffff, 41 }, { '=', 0xffffffd8, 40 }, { '?', 513, 553 }, { '=', 65537, 65577 },
		{ '=', 65600, 65640 }, { '=', 65536, 65600 }, { '=', 5, 44 }, { '=', 0, 41 }, { 'R', 0, 40 }, { 'R', 8, 48 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		request.type = cases[i].type;
		request.length = cases[i].length;
		memcpy(odd, &request, fixed);
		send_raw(f->near, odd, cases[i].size);
		assert_int_equal(control_ring(f->near), 0);
		assert_int_equal(control_receive(f->far, &f->packet), EBADMSG);
		assert_int_equal(control_receive(f->far, &f->packet), 0);
		assert_int_equal(f->packet.type, CONTROL_DOORBELL);
	}
}

static void a_stale_socket_is_taken_over_and_a_live_one_is_not(void **state)
{
	struct fixture *f = *state;
	int second = -1;

	assert_int_equal(control_listen(&second, f->dir, &f->why), EADDRINUSE);
	assert_non_null(strstr(f->why.text, "another program"));
	close(f->listener);
	assert_int_equal(control_listen(&f->listener, f->dir, &f->why), 0);
	assert_int_equal(control_accept(&second, f->listener), EAGAIN);
}

static void nobody_there_is_told(void **state)
{
	struct fixture *f = *state;
	char path[256];
	int fd = -1;

	close(f->listener);
	assert_int_equal(control_connect(&fd, f->dir), ECONNREFUSED);
	scratch_path(path, sizeof path, f->dir, "control");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(control_connect(&fd, f->dir), ENOENT);
	f->listener = dup(f->near);
}

static void what_is_no_socket_of_ours_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char path[256];
	int fd = -1;

	scratch_path(path, sizeof path, f->dir, "control");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(control_listen(&fd, f->dir, &f->why), EPERM);
	assert_int_equal(rmdir(path), 0);
	memset(path, 'x', 200);
	path[200] = '\0';
	assert_int_equal(control_listen(&fd, path, &f->why), ENAMETOOLONG);
}

static void the_socket_is_for_its_user_alone(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[256];
	int fd, status = 0;
	pid_t child;

	scratch_path(path, sizeof path, f->dir, "control");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	if (geteuid() != 0)
		skip();
	/* Even where the modes would let another user in, the peer check does not. */
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	child = fork();
	if (child == 0) {
		int mine;
		if (setgid(12345) != 0 || setuid(12345) != 0)
			_exit(2);
		_exit(control_connect(&mine, f->dir) == EPERM ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(control_accept(&fd, f->listener), EPERM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_command_and_its_answer_arrive_whole),
		TEST(arguments_and_texts_arrive_byte_for_byte),
		TEST(packets_are_told_apart_by_their_type),
		TEST(a_doorbell_rings_either_way_and_never_blocks),
		TEST(a_peer_that_is_gone_is_noticed),
		TEST(a_packet_that_lies_about_itself_is_dropped),
		TEST(a_stale_socket_is_taken_over_and_a_live_one_is_not),
		TEST(nobody_there_is_told),
		TEST(what_is_no_socket_of_ours_is_left_alone),
		TEST(the_socket_is_for_its_user_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
