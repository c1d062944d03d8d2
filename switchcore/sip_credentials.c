/* Digest challenges answered in a request: one header for each. */
#include "sip_stack.h"

#include "chance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define AUTHORIZATION_MAX 8192

int sip_add_credentials(msg_t *message, const char *method, const char *uri, const char *username, const char *password,
                        struct sip_credential *credentials, size_t count)
{
	sip_t *sip = sip_object(message);
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		struct sip_credential *credential = &credentials[i];
		char cnonce[17], value[AUTHORIZATION_MAX];
		struct digest_request request = {
			.username = username, .password = password, .method = method, .uri = uri, .cnonce = cnonce,
			.count = ++credential->count,
		};
		sip_header_t *header;
		chance_hex(cnonce, 16);
		error = digest_answer(value, sizeof value, &credential->challenge, &request);
		if (error)
			break;
		header = credential->challenge.proxy ? (sip_header_t *)sip_proxy_authorization_make(msg_home(message), value)
		                                     : (sip_header_t *)sip_authorization_make(msg_home(message), value);
		OPENSSL_cleanse(value, sizeof value);
		if (!header || msg_header_insert(message, (msg_pub_t *)sip, (msg_header_t *)header) < 0)
			error = EINVAL;
	}
	return error;
}

int sip_credential_copy(struct sip_credential *credential, const struct digest_challenge *challenge)
{
	char *realm = strdup(challenge->realm), *nonce = strdup(challenge->nonce);
	char *opaque = challenge->opaque ? strdup(challenge->opaque) : NULL;

	if (!realm || !nonce || (challenge->opaque && !opaque)) {
		free(realm);
		free(nonce);
		free(opaque);
		return ENOMEM;
	}
	credential->challenge = *challenge;
	credential->challenge.realm = realm;
	credential->challenge.nonce = nonce;
	credential->challenge.opaque = opaque;
	credential->count = 0;
	return 0;
}

void sip_credential_free(struct sip_credential *credential)
{
	free((char *)credential->challenge.realm);
	free((char *)credential->challenge.nonce);
	free((char *)credential->challenge.opaque);
	memset(credential, 0, sizeof *credential);
}
