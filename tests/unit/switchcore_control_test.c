/* Commands over the control socket: who obeys which, and what becomes of those that are not understood. */
#include "shm/control.h"
#include "shm/status.h"
#include "switchcore/control.h"
#include "tests/shm/scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

static unsigned looks;

void __wrap_follow_look(struct follow *follow);
void __wrap_follow_look(struct follow *follow)
{
	(void)follow;
	looks++;
}

struct fixture {
	char *dir;
	struct loop *loop;
	struct control *control;
	int peer;
	struct shm_why why;
	struct control_packet packet;
	/* what the obeyers saw */
	unsigned obeyed;
	uint64_t object, incarnation;
	char callee[CONTROL_ARGUMENTS_MAX + 1], caller[CONTROL_ARGUMENTS_MAX + 1];
	int32_t use_contact;
};

static int note(struct fixture *f, uint64_t object, uint64_t incarnation)
{
	assert_true(looks > 0);		/* the configuration first */
	f->obeyed++;
	f->object = object;
	f->incarnation = incarnation;
	return 0;
}

static int refresh(void *arg, uint32_t id, uint64_t incarnation, uint64_t *attempt)
{
	*attempt = 77;
	return note(arg, id, incarnation);
}

static int hang_up(void *arg, uint32_t slot, uint64_t call)
{
	note(arg, slot, call);
	return ENOENT;
}

static int preview_register(void *arg, uint32_t id, uint64_t incarnation, char *text, size_t size, size_t *len, uint32_t *code)
{
	(void)code;
	assert_int_equal(size, CONTROL_TEXT_MAX);
	memset(text, 'x', size);
	*len = size;
	return note(arg, id, incarnation);
}

static int preview_invite(void *arg, uint32_t id, uint64_t incarnation, const struct control_call *call, char *text, size_t size,
                          size_t *len, uint32_t *code)
{
	struct fixture *f = arg;

	(void)size;
	snprintf(f->callee, sizeof f->callee, "%s", call->callee);
	snprintf(f->caller, sizeof f->caller, "%s", call->caller);
	f->use_contact = call->use_contact;
	memcpy(text, "not allowed", 11);
	*len = 11;
	*code = 403;
	note(f, id, incarnation);
	return EACCES;
}

static void open_control(struct fixture *f, const struct control_obeyer *obeyer)
{
	f->dir = scratch_dir();
	assert_int_equal(loop_create(&f->loop), 0);
	assert_int_equal(control_open(&f->control, f->loop, f->dir, NULL, obeyer, &f->why), 0);
	assert_int_equal(control_connect(&f->peer, f->dir), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const struct control_obeyer obeyer = { .arg = f, .refresh = refresh, .hang_up = hang_up, .preview_register = preview_register,
	                                       .preview_invite = preview_invite };

	looks = 0;
	open_control(f, &obeyer);
	*state = f;
	return 0;
}

static int setup_without_obeyers(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const struct control_obeyer nobody = { .arg = f };

	open_control(f, &nobody);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->peer);
	control_close(f->control);
	loop_destroy(f->loop);
	scratch_remove(f->dir);
	free(f);
	return 0;
}

/* Turns the loop until there is an answer; its error. */
static int answer(struct fixture *f)
{
	for (int i = 0; i < 100; i++) {
		int error = control_receive(f->peer, &f->packet);
		if (error == 0) {
			assert_int_equal(f->packet.type, CONTROL_REPLY);
			return f->packet.reply.error;
		}
		assert_int_equal(error, EAGAIN);
		loop_step(f->loop, loop_now() + 10000);
	}
	fail_msg("no answer");
	return 0;
}

static int ask(struct fixture *f, uint32_t command, uint32_t kind, const char *arguments, size_t len)
{
	const struct control_request request = { .id = 5, .command = command, .kind = kind, .object = 12, .incarnation = 99 };
	int error;

	assert_int_equal(control_ask(f->peer, &request, arguments, len), 0);
	error = answer(f);
	assert_int_equal(f->packet.reply.id, 5);
	return error;
}

static void each_command_has_its_obeyer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, CONTROL_REFRESH, KIND_REGISTRATION, "", 0), 0);
	assert_int_equal(f->packet.reply.attempt, 77);
	assert_int_equal(f->object, 12);
	assert_int_equal(f->incarnation, 99);
	assert_int_equal(ask(f, CONTROL_HANG_UP, STATUS_CALL, "", 0), ENOENT);
	assert_int_equal(f->packet.length, 0);
	assert_int_equal(ask(f, CONTROL_PREVIEW_REGISTER, KIND_REGISTRATION, "", 0), 0);
	assert_int_equal(f->packet.length, CONTROL_TEXT_MAX);
	assert_int_equal(f->packet.bytes[CONTROL_TEXT_MAX - 1], 'x');
	assert_int_equal(ask(f, CONTROL_PREVIEW_INVITE, KIND_MAPPING_GATEWAY, "880\0" "100\0" "off", 12), EACCES);
	assert_int_equal(f->packet.reply.code, 403);
	assert_string_equal(f->packet.bytes, "not allowed");
	assert_string_equal(f->callee, "880");
	assert_string_equal(f->caller, "100");
	assert_int_equal(f->use_contact, INVITE_MODE_OFF);
	assert_int_equal(f->obeyed, 4);
}

static void a_caller_may_be_empty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, CONTROL_PREVIEW_INVITE, KIND_MAPPING_GATEWAY, "880\0" "\0" "inherit", 13), EACCES);
	assert_string_equal(f->callee, "880");
	assert_string_equal(f->caller, "");
	assert_int_equal(f->use_contact, INVITE_MODE_INHERIT);
}

static void arguments_that_are_not_two_texts_and_a_mode_are_refused(void **state)
{
	struct fixture *f = *state;
	static const struct { const char *bytes; size_t len; } cases[] = {
		{ "", 0 }, { "\0", 1 }, { "880", 3 }, { "880\0", 4 }, { "880\0" "100", 7 }, { "880\0" "100", 8 }, { "880\0" "100\0", 9 },
		{ "880\0" "1\0" "on", 8 }, { "880\0" "1\0" "on\0", 10 }, { "880\0" "1\0" "on\0" "2", 11 }, { "880\0" "1\0" "", 7 },
		{ "880\0" "1\0" "ON", 9 }, { "880\0" "1\0" "of", 9 },
	};
	char full[CONTROL_ARGUMENTS_MAX];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(ask(f, CONTROL_PREVIEW_INVITE, KIND_MAPPING_GATEWAY, cases[i].bytes, cases[i].len), EINVAL);
	memset(full, '1', sizeof full);
	assert_int_equal(ask(f, CONTROL_PREVIEW_INVITE, KIND_MAPPING_GATEWAY, full, sizeof full), EINVAL);
	assert_int_equal(f->obeyed, 0);
}

static void a_command_about_another_kind_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, CONTROL_REFRESH, KIND_MAPPING_GATEWAY, "", 0), EINVAL);
	assert_int_equal(ask(f, CONTROL_HANG_UP, KIND_REGISTRATION, "", 0), EINVAL);
	assert_int_equal(ask(f, CONTROL_PREVIEW_REGISTER, KIND_ROUTING_GATEWAY, "", 0), EINVAL);
	assert_int_equal(ask(f, CONTROL_PREVIEW_INVITE, KIND_ROUTING_GATEWAY, "1\0" "2\0" "on", 7), EINVAL);
	assert_int_equal(ask(f, 0, KIND_REGISTRATION, "", 0), ENOTSUP);
	assert_int_equal(ask(f, 99, KIND_REGISTRATION, "", 0), ENOTSUP);
	assert_int_equal(f->obeyed, 0);
}

static void what_nobody_obeys_is_said(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, CONTROL_REFRESH, KIND_REGISTRATION, "", 0), ENOTSUP);
	assert_int_equal(ask(f, CONTROL_HANG_UP, STATUS_CALL, "", 0), ENOTSUP);
	assert_int_equal(ask(f, CONTROL_PREVIEW_REGISTER, KIND_REGISTRATION, "", 0), ENOTSUP);
	assert_int_equal(ask(f, CONTROL_PREVIEW_INVITE, KIND_MAPPING_GATEWAY, "1\0" "2\0" "on", 7), ENOTSUP);
}

static void bytes_that_are_no_packet_are_passed_over(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(send(f->peer, "??", 2, 0), 2);
	assert_int_equal(send(f->peer, "=0123456789012345678901234567890123456789", 41, 0), 41);
	assert_int_equal(ask(f, CONTROL_REFRESH, KIND_REGISTRATION, "", 0), 0);
	assert_int_equal(f->obeyed, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_command_has_its_obeyer),
		TEST(a_caller_may_be_empty),
		TEST(arguments_that_are_not_two_texts_and_a_mode_are_refused),
		TEST(a_command_about_another_kind_is_refused),
		cmocka_unit_test_setup_teardown(what_nobody_obeys_is_said, setup_without_obeyers, teardown),
		TEST(bytes_that_are_no_packet_are_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
