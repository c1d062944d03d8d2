#include "sip_relay.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Headers that the stack does not know, but which concern both ends of a call. */
static const char *const passed[] = {
	"Alert-Info", "Info-Package", "Recv-Info", "P-Early-Media",
};

static bool has_feature(const msg_list_t *list, const char *feature)
{
	return list && msg_params_find(list->k_items, feature) != NULL;
}

/* Of the methods that the sender allows, those that we pass. */
static int add_allow(msg_t *to, sip_t *sip, const sip_allow_t *allow)
{
	static const char *const ours[] = { "INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "INFO", "OPTIONS" };
	char text[128];
	size_t n = 0;

	if (!allow)
		return 0;
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		if (!msg_params_find(allow->k_items, ours[i]))
			continue;
		if (n) {
			memcpy(text + n, ", ", 2);
			n += 2;
		}
		memcpy(text + n, ours[i], strlen(ours[i]));
		n += strlen(ours[i]);
	}
	text[n] = '\0';
	return n ? sip_add_tl(to, sip, SIPTAG_ALLOW_STR(text), TAG_END()) : 0;
}

static int add_unknown(msg_t *to, sip_t *sip, const sip_unknown_t *list)
{
	for (const sip_unknown_t *u = list; u; u = u->un_next)
		for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
			if (u->un_name && strcasecmp(u->un_name, passed[i]) == 0) {
				sip_unknown_t one = *u;
				one.un_next = NULL;
				if (sip_add_dup(to, sip, (sip_header_t *)&one) < 0)
					return -1;
			}
	return 0;
}

int sip_relay_content(msg_t *to, const struct sip_message *message)
{
	const sip_t *from = (const sip_t *)(const void *)message;
	sip_t *sip = sip_object(to);
	bool supported = has_feature(from->sip_supported, "100rel"), required = has_feature(from->sip_require, "100rel");

	if (sip_add_tl(to, sip,
	               TAG_IF(from->sip_content_type, SIPTAG_CONTENT_TYPE(from->sip_content_type)),
	               TAG_IF(from->sip_content_disposition, SIPTAG_CONTENT_DISPOSITION(from->sip_content_disposition)),
	               TAG_IF(from->sip_content_encoding, SIPTAG_CONTENT_ENCODING(from->sip_content_encoding)),
	               TAG_IF(from->sip_content_language, SIPTAG_CONTENT_LANGUAGE(from->sip_content_language)),
	               TAG_IF(from->sip_mime_version, SIPTAG_MIME_VERSION(from->sip_mime_version)),
	               TAG_IF(from->sip_rseq, SIPTAG_RSEQ(from->sip_rseq)),
	               TAG_IF(from->sip_reason, SIPTAG_REASON(from->sip_reason)),
	               TAG_IF(from->sip_warning, SIPTAG_WARNING(from->sip_warning)),
	               TAG_IF(from->sip_event, SIPTAG_EVENT(from->sip_event)),
	               TAG_IF(from->sip_accept, SIPTAG_ACCEPT(from->sip_accept)),
	               TAG_IF(supported, SIPTAG_SUPPORTED_STR("100rel")),
	               TAG_IF(required, SIPTAG_REQUIRE_STR("100rel")),
	               TAG_IF(from->sip_payload, SIPTAG_PAYLOAD(from->sip_payload)),
	               TAG_END()) < 0 ||
	    add_allow(to, sip, from->sip_allow) < 0 || add_unknown(to, sip, from->sip_unknown) < 0)
		return ENOMEM;
	return 0;
}
