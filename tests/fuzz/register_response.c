/*
 * Bytes as a registrar might send them: parsed by the SIP stack, classified by ours, and the challenges answered.  Nothing
 * may crash, and what comes out stays within its bounds whatever went in.
 */
#include "switchcore/sip_stack.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer_challenges(const struct sip_answer *answer)
{
	const struct digest_request request = { .username = "alice", .password = "secret", .method = "REGISTER",
	                                        .uri = "sip:example.net", .cnonce = "0123456789abcdef", .count = 1 };
	char value[4096];

	for (size_t i = 0; i < answer->challenge_count; i++) {
		struct sip_credential copy;
		assert(answer->challenges[i].realm && answer->challenges[i].nonce);
		assert(sip_credential_copy(&copy, &answer->challenges[i]) == 0);
		if (digest_answer(value, sizeof value, &copy.challenge, &request) == 0)
			assert(!strpbrk(value, "\r\n"));
		sip_credential_free(&copy);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sip_contact ours = { "alice", "192.0.2.7", "5060", "0123456789abcdef0123456789abcdef" };
	su_home_t home[1] = { SU_HOME_INIT(home) };
	struct sip_answer answer;
	msg_t *message;

	su_home_init(home);
	message = msg_make(sip_default_mclass(), 0, data, (ssize_t)size);
	if (message) {
		sip_answer_read(&answer, home, sip_object(message), &ours);
		assert(answer.granted >= -1 && answer.min_expires >= -1 && answer.retry_after >= -1);
		assert(answer.challenge_count <= SIP_CHALLENGES_MAX);
		assert(memchr(answer.phrase, '\0', sizeof answer.phrase));
		assert(memchr(answer.redirect_host, '\0', sizeof answer.redirect_host));
		answer_challenges(&answer);
		msg_destroy(message);
	}
	su_home_deinit(home);
	return 0;
}
