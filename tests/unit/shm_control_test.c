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

static void a_command_and_its_answer_arrive_whole(void **state)
{
	struct fixture *f = *state;
	struct control_request request = { .id = 7, .command = CONTROL_REFRESH, .kind = 1, .object = 12, .incarnation = 99 };
	struct control_reply reply = { .id = 7, .error = ESTALE, .attempt = 3 };
	union control_packet packet;
	size_t size = 0;

	assert_int_equal(control_receive(f->far, &packet, &size), EAGAIN);
	assert_int_equal(control_send(f->near, &request, sizeof request), 0);
	assert_int_equal(control_receive(f->far, &packet, &size), 0);
	assert_int_equal(size, sizeof request);
	assert_memory_equal(&packet.request, &request, sizeof request);
	assert_int_equal(control_send(f->far, &reply, sizeof reply), 0);
	assert_int_equal(control_receive(f->near, &packet, &size), 0);
	assert_int_equal(size, sizeof reply);
	assert_memory_equal(&packet.reply, &reply, sizeof reply);
	assert_int_equal(control_receive(f->near, &packet, &size), EAGAIN);
}

static void a_doorbell_rings_either_way_and_never_blocks(void **state)
{
	struct fixture *f = *state;
	union control_packet packet;
	size_t size;

	assert_int_equal(control_ring(f->far), 0);
	assert_int_equal(control_receive(f->near, &packet, &size), 0);
	assert_int_equal(size, 1);
	/* Nobody takes them; the buffer fills up, and that is no error. */
	for (int i = 0; i < 100000; i++)
		assert_int_equal(control_ring(f->near), 0);
	assert_int_equal(control_send(f->near, "x", 1), EAGAIN);
	assert_int_equal(control_receive(f->far, &packet, &size), 0);
	assert_int_equal(size, 1);
}

static void a_peer_that_is_gone_is_noticed(void **state)
{
	struct fixture *f = *state;
	union control_packet packet;
	size_t size;

	close(f->far);
	assert_int_equal(control_receive(f->near, &packet, &size), EPIPE);
	assert_int_equal(control_ring(f->near), EPIPE);
	f->far = dup(f->near);
}

static void a_packet_of_no_known_size_is_dropped(void **state)
{
	struct fixture *f = *state;
	union control_packet packet;
	char odd[300] = { 0 };
	size_t size;

	assert_int_equal(control_send(f->near, odd, 2), 0);
	assert_int_equal(control_send(f->near, odd, sizeof odd), 0);
	assert_int_equal(control_ring(f->near), 0);
	assert_int_equal(control_receive(f->far, &packet, &size), EBADMSG);
	assert_int_equal(control_receive(f->far, &packet, &size), EBADMSG);
	assert_int_equal(control_receive(f->far, &packet, &size), 0);
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
		TEST(a_doorbell_rings_either_way_and_never_blocks),
		TEST(a_peer_that_is_gone_is_noticed),
		TEST(a_packet_of_no_known_size_is_dropped),
		TEST(a_stale_socket_is_taken_over_and_a_live_one_is_not),
		TEST(nobody_there_is_told),
		TEST(what_is_no_socket_of_ours_is_left_alone),
		TEST(the_socket_is_for_its_user_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
