#include "sip_message.h"

#include "sip_stack.h"

#include "sip_relay.h"
#include "steer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/msg_header.h>

static const sip_t *parsed(const struct sip_message *m)
{
	return (const sip_t *)(const void *)m;
}

/* ------------------------------------------------------------------ reading */

enum sip_method sip_message_method(const struct sip_message *m)
{
	const sip_t *sip = parsed(m);
	sip_method_t method = sip->sip_request ? sip->sip_request->rq_method : sip->sip_cseq->cs_method;

	switch (method) {
	case sip_method_invite:		return SIP_INVITE;
	case sip_method_ack:		return SIP_ACK;
	case sip_method_cancel:		return SIP_CANCEL;
	case sip_method_bye:		return SIP_BYE;
	case sip_method_prack:		return SIP_PRACK;
	case sip_method_update:		return SIP_UPDATE;
	case sip_method_info:		return SIP_INFO;
	case sip_method_options:	return SIP_OPTIONS;
	case sip_method_register:	return SIP_REGISTER;
	case sip_method_unknown:	return SIP_UNKNOWN;
	default:			return SIP_KNOWN;
	}
}

const char *sip_message_method_name(const struct sip_message *m)
{
	return parsed(m)->sip_cseq ? parsed(m)->sip_cseq->cs_method_name : "";
}

uint16_t sip_message_code(const struct sip_message *m)
{
	return parsed(m)->sip_status ? (uint16_t)parsed(m)->sip_status->st_status : 0;
}

const char *sip_message_phrase(const struct sip_message *m)
{
	const sip_status_t *status = parsed(m)->sip_status;

	return status && status->st_phrase ? status->st_phrase : "";
}

const char *sip_message_call_id(const struct sip_message *m)
{
	return parsed(m)->sip_call_id ? parsed(m)->sip_call_id->i_id : "";
}

const char *sip_message_from_tag(const struct sip_message *m)
{
	const sip_from_t *from = parsed(m)->sip_from;

	return from && from->a_tag ? from->a_tag : "";
}

const char *sip_message_to_tag(const struct sip_message *m)
{
	const sip_to_t *to = parsed(m)->sip_to;

	return to && to->a_tag ? to->a_tag : "";
}

const char *sip_message_branch(const struct sip_message *m)
{
	const sip_via_t *via = parsed(m)->sip_via;

	return via && via->v_branch ? via->v_branch : "";
}

uint32_t sip_message_cseq(const struct sip_message *m)
{
	return parsed(m)->sip_cseq ? parsed(m)->sip_cseq->cs_seq : 0;
}

int32_t sip_message_retry_after(const struct sip_message *m)
{
	const sip_retry_after_t *after = parsed(m)->sip_retry_after;

	return !after ? -1 : after->af_delta > INT32_MAX ? INT32_MAX : (int32_t)after->af_delta;
}

uint32_t sip_message_max_forwards(const struct sip_message *m)
{
	const sip_max_forwards_t *max = parsed(m)->sip_max_forwards;

	return !max ? 70 : max->mf_count > 255 ? 255 : (uint32_t)max->mf_count;
}

bool sip_message_has_body(const struct sip_message *m)
{
	return parsed(m)->sip_payload && parsed(m)->sip_payload->pl_len > 0;
}

bool sip_message_has_sdp(const struct sip_message *m)
{
	const sip_content_type_t *type = parsed(m)->sip_content_type;

	/* A multipart body of a call has a session description in it (RFC 5621 8.2). */
	return sip_message_has_body(m) && type && type->c_type &&
	       (strcasecmp(type->c_type, "application/sdp") == 0 || strncasecmp(type->c_type, "multipart/", 10) == 0);
}

bool sip_message_reliable(const struct sip_message *m)
{
	return parsed(m)->sip_rseq != NULL;
}

uint32_t sip_message_rack(const struct sip_message *m)
{
	return parsed(m)->sip_rack ? parsed(m)->sip_rack->ra_response : 0;
}

const char *sip_phrase(uint16_t code)
{
	const char *phrase = sip_status_phrase(code);

	return phrase ? phrase : "";
}

void sip_message_line(const struct sip_message *m, char *text, size_t size)
{
	const sip_request_t *request = parsed(m)->sip_request;

	text[0] = '\0';
	if (request && request->rq_url->url_params && url_param(request->rq_url->url_params, "line", text, (isize_t)size) <= 0)
		text[0] = '\0';
}

bool sip_message_scheme_known(const struct sip_message *m)
{
	enum url_type_e type = (enum url_type_e)parsed(m)->sip_request->rq_url->url_type;

	return type == url_sip || type == url_sips || type == url_tel;
}

static bool extension_known(const char *tag, bool timer)
{
	return strcasecmp(tag, "100rel") == 0 || (timer && strcasecmp(tag, "timer") == 0);
}

void sip_message_unsupported(const struct sip_message *m, bool timer, char *text, size_t size)
{
	const sip_require_t *require = parsed(m)->sip_require;
	size_t n = 0;

	text[0] = '\0';
	for (; require; require = require->k_next)
		for (size_t i = 0; require->k_items && require->k_items[i] && n < size; i++)
			if (!extension_known(require->k_items[i], timer))
				n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", require->k_items[i]);
}

/* ------------------------------------------------------------------ numbers */

static const char *store_text(struct numbers_store *store, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	char *copy = store->text + store->used;

	if (len == 0 || len >= sizeof store->text - store->used)
		return "";
	memcpy(copy, text, len + 1);
	store->used += len + 1;
	return copy;
}

static const char *store_user(struct numbers_store *store, const url_t *url)
{
	char plain[NUMBER_MAX + 1];

	number_from_user(plain, sizeof plain, url->url_user);
	return store_text(store, plain);
}

static int user_fault(const url_t *url)
{
	char plain[NUMBER_MAX + 1];

	return number_from_user(plain, sizeof plain, url->url_user);
}

/* The first address with a user, of a header that the stack does not parse for us. */
static const char *store_user_of_text(struct numbers_store *store, const char *value)
{
	su_home_t home[SU_HOME_AUTO_SIZE(1024)];
	const char *user = "";

	su_home_auto(home, sizeof home);
	for (const sip_contact_t *m = sip_contact_make(home, value); m && !user[0]; m = m->m_next)
		user = store_user(store, m->m_url);
	su_home_deinit(home);
	return user;
}

static const char *store_display(struct numbers_store *store, const char *display)
{
	char plain[DISPLAY_MAX + 1];

	display_from_header(plain, sizeof plain, display);
	return store_text(store, plain);
}

/* A header given several times counts as one list. */
static const char *join(struct numbers_store *store, const char *before, const char *value)
{
	char both[2048];

	if (!before[0])
		return store_text(store, value);
	snprintf(both, sizeof both, "%s, %s", before, value);
	return store_text(store, both);
}

static void store_unknown(struct numbers_in *in, struct numbers_store *store, const sip_unknown_t *u)
{
	const char *name = u->un_name, *value = u->un_value;

	if (!name || !value)
		return;
	if (strcasecmp(name, "P-Asserted-Identity") == 0) {
		in->p_asserted_identity = join(store, in->p_asserted_identity, value);
		if (!in->p_asserted_identity_user[0])
			in->p_asserted_identity_user = store_user_of_text(store, value);
	} else if (strcasecmp(name, "P-Preferred-Identity") == 0) {
		in->p_preferred_identity = join(store, in->p_preferred_identity, value);
		if (!in->p_preferred_identity_user[0])
			in->p_preferred_identity_user = store_user_of_text(store, value);
	} else if (strcasecmp(name, "Remote-Party-ID") == 0 && !in->remote_party_id_user[0]) {
		in->remote_party_id_user = store_user_of_text(store, value);
	} else if (strcasecmp(name, "Diversion") == 0 && !in->diversion_user[0]) {
		in->diversion_user = store_user_of_text(store, value);
	}
}

/* There is room for more than is passed on: what is cut here is refused there. */
static const char *store_privacy(struct numbers_store *store, const sip_privacy_t *privacy)
{
	char text[256];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; privacy && privacy->priv_values && privacy->priv_values[i] && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? ";" : "", privacy->priv_values[i]);
	return store_text(store, text);
}

void sip_message_numbers(const struct sip_message *m, struct numbers_in *in, struct numbers_store *store)
{
	const sip_t *sip = parsed(m);

	store->used = 0;
	*in = (struct numbers_in){ .request_user = "", .diversion_user = "", .remote_party_id_user = "", .p_asserted_identity_user = "",
	                           .p_preferred_identity_user = "", .p_asserted_identity = "", .p_preferred_identity = "" };
	in->unreadable = user_fault(sip->sip_to->a_url);
	if (!in->unreadable)
		in->unreadable = user_fault(sip->sip_request->rq_url);
	in->request_user = store_user(store, sip->sip_request->rq_url);
	in->to_user = store_user(store, sip->sip_to->a_url);
	in->from_user = store_user(store, sip->sip_from->a_url);
	in->from_display = store_display(store, sip->sip_from->a_display);
	in->privacy = store_privacy(store, sip->sip_privacy);
	for (const sip_unknown_t *u = sip->sip_unknown; u; u = u->un_next)
		store_unknown(in, store, u);
}

const char *sip_message_request_user(const struct sip_message *m, char *text, size_t size)
{
	struct numbers_store store = { .used = 0 };

	snprintf(text, size, "%s", store_user(&store, parsed(m)->sip_request->rq_url));
	return text;
}

/* ------------------------------------------------------------------ credentials */

static const char *store_parameter(struct numbers_store *store, const msg_param_t *params, const char *name)
{
	const char *value = msg_params_find(params, name);
	char plain[512];
	size_t n = 0;

	if (!value)
		return NULL;
	if (value[0] != '"')
		return store_text(store, value);
	for (const char *p = value + 1; *p && *p != '"' && n + 1 < sizeof plain; p++) {
		if (*p == '\\' && p[1])
			p++;
		plain[n++] = *p;
	}
	plain[n] = '\0';
	return store_text(store, plain);
}

bool sip_message_answer(const struct sip_message *m, struct challenge_answer *answer, struct numbers_store *store)
{
	const msg_auth_t *const lists[] = { parsed(m)->sip_authorization, parsed(m)->sip_proxy_authorization };

	for (size_t i = 0; i < 2; i++)
		for (const msg_auth_t *au = lists[i]; au; au = au->au_next) {
			const char *realm;
			store->used = 0;
			if (!au->au_scheme || strcasecmp(au->au_scheme, "Digest") != 0 || !au->au_params)
				continue;
			realm = store_parameter(store, au->au_params, "realm=");
			if (!realm || strcmp(realm, CHALLENGE_REALM) != 0)
				continue;
			*answer = (struct challenge_answer){
				.realm = realm,
				.username = store_parameter(store, au->au_params, "username="),
				.nonce = store_parameter(store, au->au_params, "nonce="),
				.uri = store_parameter(store, au->au_params, "uri="),
				.response = store_parameter(store, au->au_params, "response="),
				.algorithm = store_parameter(store, au->au_params, "algorithm="),
				.qop = store_parameter(store, au->au_params, "qop="),
				.cnonce = store_parameter(store, au->au_params, "cnonce="),
				.nc = store_parameter(store, au->au_params, "nc="),
			};
			return true;
		}
	return false;
}

const char *sip_message_from_user(const struct sip_message *m, struct numbers_store *store)
{
	store->used = 0;
	return store_user(store, parsed(m)->sip_from->a_url);
}

/* ------------------------------------------------------------------ answers without state */

void sip_packet_drop(struct sip_packet *packet)
{
	msg_destroy(packet->raw);
	packet->raw = NULL;
}

void sip_packet_answer(struct sip_packet *packet, uint16_t code, const char *phrase, const char *headers,
                       const union address *to)
{
	msg_t *raw = packet->raw;

	if (sip_message_method(packet->message) == SIP_ACK) {
		sip_packet_drop(packet);
		return;
	}
	/* The stack would choose by the Via alone. */
	if (packet->source.transport == TRANSPORT_UDP)
		steer_response(to ? to : &packet->source.address);
	nta_msg_treply(packet->sip->agent, raw, code, phrase, TAG_IF(headers, SIPTAG_HEADER_STR(headers)),
	               SIPTAG_ALLOW_STR(SIP_CALL_ALLOWED), SIPTAG_SERVER_STR("Tandem/" TANDEM_VERSION), TAG_END());
	steer_response(NULL);
	packet->raw = NULL;
}

void sip_packet_refuse(struct sip_packet *packet, uint16_t code, const char *phrase)
{
	sip_packet_answer(packet, code, phrase, NULL, NULL);
}

void sip_reply_place(union address *to, const struct target *source, int32_t mode, const char *host, uint16_t port)
{
	*to = source->address;
	if (mode == REPLY_ADDRESS_SOCKET || !host)
		return;
	if (port == 0)
		port = target_default_port(source->transport);
	if (mode != REPLY_ADDRESS_VIA || !address_parse(to, host, port) || to->family != source->address.family) {
		*to = source->address;
		address_set_port(to, port);
	}
}

void sip_reply_address(union address *to, const struct sip_packet *packet, int32_t mode)
{
	const sip_via_t *via = parsed(packet->message)->sip_via;
	unsigned long port = via && via->v_port ? strtoul(via->v_port, NULL, 10) : 0;

	sip_reply_place(to, &packet->source, mode, via ? via->v_host : NULL, port > 65535 ? 0 : (uint16_t)port);
}
