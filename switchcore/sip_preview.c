#include "sip_stack.h"

#include "chance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What nta_outgoing_mcreate() with NTATAG_USER_VIA() does to a request before it hands it to a transport. */
static int complete(msg_t *message)
{
	char random[17], branch[40];
	sip_t *sip = sip_object(message);

	if (!sip->sip_request || !sip->sip_via)
		return EINVAL;
	if (sip_complete_message(message) < 0)
		return EINVAL;
	chance_hex(random, 16);
	snprintf(branch, sizeof branch, "branch=z9hG4bK%s", random);
	if (msg_serialize(message, (msg_pub_t *)sip) < 0)
		return EINVAL;
	/* It is kept, not copied. */
	return msg_header_replace_param(msg_home(message), sip->sip_via->v_common, su_strdup(msg_home(message), branch)) < 0 ? ENOMEM : 0;
}

int sip_preview(msg_t *message, char *text, size_t size, size_t *len)
{
	msg_iovec_t parts[64];
	size_t at = 0;
	size_t count;
	int error = complete(message);

	if (error)
		return error;
	if (msg_prepare(message) < 0)
		return EINVAL;
	count = (size_t)msg_iovec(message, parts, sizeof parts / sizeof parts[0]);
	if (count > sizeof parts / sizeof parts[0])
		return ENOSPC;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].siv_len > size - at)
			return ENOSPC;
		memcpy(text + at, parts[i].siv_base, parts[i].siv_len);
		at += parts[i].siv_len;
	}
	*len = at;
	return 0;
}
