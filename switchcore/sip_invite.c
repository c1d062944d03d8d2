#include "sip_invite.h"

#include "sip_client_stack.h"
#include "sip_leg.h"
#include "sip_relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sofia-sip/msg_header.h>

/* One header of text and its quoting is checked where the identity was made. */
static int write_identity(msg_t *message, const struct sip_invite *invite)
{
	const struct invite_identity *id = invite->identity;
	sip_t *sip = sip_object(message);
	char headers[3 * IDENTITY_VALUE_MAX + 128];
	size_t n = 0;

	headers[0] = '\0';
	if (id->p_asserted_identity[0])
		n += (size_t)snprintf(headers + n, sizeof headers - n, "P-Asserted-Identity: %s\r\n", id->p_asserted_identity);
	if (id->p_preferred_identity[0])
		n += (size_t)snprintf(headers + n, sizeof headers - n, "P-Preferred-Identity: %s\r\n", id->p_preferred_identity);
	if (id->remote_party_id[0])
		n += (size_t)snprintf(headers + n, sizeof headers - n, "Remote-Party-ID: %s\r\n", id->remote_party_id);
	if (id->privacy[0])
		n += (size_t)snprintf(headers + n, sizeof headers - n, "Privacy: %s\r\n", id->privacy);
	if (n >= sizeof headers)
		return EMSGSIZE;
	return n && sip_add_tl(message, sip, SIPTAG_HEADER_STR(headers), TAG_END()) < 0 ? EINVAL : 0;
}

static int write_message(msg_t *message, const struct sip_invite *invite)
{
	const struct invite_identity *id = invite->identity;
	sip_t *sip = sip_object(message);
	char uri[NUMBER_ESCAPED_MAX + 300], to[NUMBER_ESCAPED_MAX + 300], from[NUMBER_ESCAPED_MAX + 2 * DISPLAY_MAX + 420];
	char via[340], contact[900], cseq[32], forwards[8];
	int error;

	snprintf(uri, sizeof uri, "sip:%s@%s", id->request_user, invite->gateway);
	snprintf(to, sizeof to, "<sip:%s@%s>", id->to_user, invite->gateway);
	snprintf(from, sizeof from, "%s%s<sip:%s@%s>;tag=%s", id->from_display, id->from_display[0] ? " " : "", id->from_user,
	         invite->from_host, invite->from_tag);
	snprintf(contact, sizeof contact, "<%s>", invite->contact);
	snprintf(cseq, sizeof cseq, "%u INVITE", invite->cseq);
	snprintf(forwards, sizeof forwards, "%u", invite->max_forwards);
	sip_via_text(via, sizeof via, invite->way.listener, &invite->way.target);
	if (sip_add_tl(message, sip,
	               SIPTAG_REQUEST(sip_request_create(msg_home(message), SIP_METHOD_INVITE, (url_string_t *)uri, NULL)),
	               SIPTAG_VIA_STR(via), SIPTAG_MAX_FORWARDS_STR(forwards), SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to),
	               SIPTAG_CALL_ID_STR(invite->call_id), SIPTAG_CSEQ_STR(cseq), SIPTAG_CONTACT_STR(contact),
	               SIPTAG_USER_AGENT_STR("Tandem/" TANDEM_VERSION),
	               TAG_IF(invite->session[0], SIPTAG_SUPPORTED_STR("timer")),
	               TAG_IF(invite->session[0], SIPTAG_HEADER_STR(invite->session)), TAG_END()) < 0 || !sip->sip_request)
		return EINVAL;
	if ((error = write_identity(message, invite)) != 0)
		return error;
	if (invite->original && (error = sip_relay_content(message, invite->original)) != 0)
		return error;
	if (!sip->sip_allow && sip_add_tl(message, sip, SIPTAG_ALLOW_STR(SIP_CALL_ALLOWED), TAG_END()) < 0)
		return ENOMEM;
	return sip_add_credentials(message, "INVITE", uri, invite->username, invite->password, invite->credentials,
	                           invite->credential_count);
}

int sip_invite_send(struct sip *sip, struct sip_client **client, const struct sip_invite *invite, sip_response_f *answered,
                    void *arg)
{
	struct sip_exit exit = { .way = invite->way, .branch = invite->branch };
	msg_t *message = nta_msg_create(sip->agent, 0);
	int error;

	if (!message)
		return ENOMEM;
	error = write_message(message, invite);
	if (error) {
		msg_destroy(message);
		return error;
	}
	return sip_client_send(sip, client, message, &exit, answered, arg);
}

int sip_invite_text(struct sip *sip, char *text, size_t size, size_t *length, const struct sip_invite *invite)
{
	msg_t *message = nta_msg_create(sip->agent, 0);
	int error = message ? write_message(message, invite) : ENOMEM;

	if (!error)
		error = sip_preview(message, text, size, length);
	msg_destroy(message);
	return error;
}

void sip_invite_branch(const struct sip_client *client, char *text, size_t size)
{
	const char *branch = nta_outgoing_branch(client->transaction);

	if (branch && strncmp(branch, "branch=", 7) == 0)
		branch += 7;
	snprintf(text, size, "%s", branch ? branch : "");
}

/* ------------------------------------------------------------------ a 2xx too late */

void sip_invite_end_stray(struct sip *sip, const struct sip_packet *packet)
{
	const struct sip_response response = { .result = SIP_ANSWERED, .message = packet->message, .source = packet->source,
	                                       .connection = packet->connection };
	struct sip_leg_options options = { .listener = packet->listener, .request_address = REQUEST_ADDRESS_SOCKET,
	                                   .tag = sip_message_from_tag(packet->message) };
	struct sip_leg_request ack = { .method = SIP_ACK, .name = "ACK", .cseq = sip_message_cseq(packet->message) };
	struct sip_leg_request bye = { .method = SIP_BYE, .name = "BYE" };
	struct sip_client *client = NULL;
	struct sip_leg *leg;

	if (!packet->listener || strlen(options.tag) >= SIP_TAG_MAX || sip_leg_of_callee(&leg, sip, &response, &options) != 0)
		return;
	sip_leg_send(leg, NULL, &ack, NULL, NULL);
	bye.cseq = sip_leg_next_cseq(leg);
	if (sip_leg_send(leg, &client, &bye, NULL, NULL) == 0)
		sip_client_release(client);
	sip_leg_free(leg);
}
