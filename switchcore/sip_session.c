#include "sip_session.h"

#include "sip_stack.h"

#include <strings.h>

static const sip_t *parsed(const struct sip_message *m)
{
	return (const sip_t *)(const void *)m;
}

static uint32_t seconds(unsigned long delta)
{
	return delta > UINT32_MAX ? UINT32_MAX : (uint32_t)delta;
}

static enum session_refresher refresher(const char *word)
{
	if (!word)
		return REFRESHER_UNSAID;
	return strcasecmp(word, "uac") == 0 ? REFRESHER_UAC : strcasecmp(word, "uas") == 0 ? REFRESHER_UAS : REFRESHER_UNSAID;
}

void sip_session_read(struct session_words *words, const struct sip_message *m)
{
	const sip_session_expires_t *expires = parsed(m)->sip_session_expires;
	const sip_min_se_t *min = parsed(m)->sip_min_se;

	*words = (struct session_words){
		.expires = expires ? seconds(expires->x_delta) : 0, .refresher = expires ? refresher(expires->x_refresher) : REFRESHER_UNSAID,
		.min = min ? seconds(min->min_delta) : 0, .supported = sip_has_feature(parsed(m)->sip_supported, "timer"),
	};
}
