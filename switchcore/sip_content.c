#include "sip_content.h"

#include "sip_stack.h"

#include <stdlib.h>
#include <string.h>

struct sip_content *sip_content_keep(const struct sip_message *m)
{
	const sip_t *sip = (const sip_t *)(const void *)m;
	su_home_t home[SU_HOME_AUTO_SIZE(512)];
	struct sip_content *content = NULL;
	const char *type;

	if (!sip_message_has_sdp(m))
		return NULL;
	su_home_auto(home, sizeof home);
	type = sip_header_as_string(home, (const sip_header_t *)sip->sip_content_type);
	if (type && (content = malloc(sizeof *content + strlen(type) + 1 + sip->sip_payload->pl_len))) {
		char *text = (char *)(content + 1);
		memcpy(text, type, strlen(type) + 1);
		memcpy(text + strlen(type) + 1, sip->sip_payload->pl_data, sip->sip_payload->pl_len);
		*content = (struct sip_content){ .length = sip->sip_payload->pl_len, .type = text, .body = text + strlen(type) + 1 };
	}
	su_home_deinit(home);
	return content;
}

void sip_content_free(struct sip_content *content)
{
	free(content);
}
