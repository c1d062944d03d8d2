/* OPTIONS on the wire: the probe of a gateway. */
#include "sip_stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOST_PORT_MAX 300

static int write_message(msg_t *message, const struct sip_probe *p)
{
	const struct target *target = &p->way.target;
	const char *word = target_transport_word(target->transport);
	char port[8] = "", uri[300], to[310], ours[HOST_PORT_MAX], from[HOST_PORT_MAX + 60], contact[HOST_PORT_MAX + 40];
	char via[HOST_PORT_MAX + 40], cseq[32], transport[32] = "";
	static const char *const protocols[] = { "UDP", "TCP", "TLS" };
	sip_t *sip = sip_object(message);

	listener_host_port(p->way.listener, &target->address, ours, sizeof ours);
	if (p->port)
		snprintf(port, sizeof port, ":%u", p->port);
	if (target->transport != TRANSPORT_UDP)
		snprintf(transport, sizeof transport, ";transport=%s", word);
	snprintf(uri, sizeof uri, "sip:%s%s%s", p->host, port, transport);
	snprintf(to, sizeof to, "<sip:%s%s>", p->host, port);
	snprintf(from, sizeof from, "<sip:%s>;tag=%s", ours, p->from_tag);
	snprintf(contact, sizeof contact, "<sip:%s%s>", ours, transport);
	snprintf(via, sizeof via, "SIP/2.0/%s %s;rport", protocols[target->transport], ours);
	snprintf(cseq, sizeof cseq, "%u OPTIONS", p->cseq);
	if (sip_add_tl(message, sip,
	               SIPTAG_REQUEST(sip_request_create(msg_home(message), SIP_METHOD_OPTIONS, (url_string_t *)uri, NULL)),
	               SIPTAG_VIA_STR(via),
	               SIPTAG_MAX_FORWARDS_STR("70"),
	               SIPTAG_FROM_STR(from),
	               SIPTAG_TO_STR(to),
	               SIPTAG_CALL_ID_STR(p->call_id),
	               SIPTAG_CSEQ_STR(cseq),
	               SIPTAG_CONTACT_STR(contact),
	               SIPTAG_ACCEPT_STR("application/sdp"),
	               SIPTAG_USER_AGENT_STR("Tandem/" TANDEM_VERSION),
	               TAG_END()) < 0 || !sip->sip_request)
		return EINVAL;
	return 0;
}

static void read_answer(struct sip_answer *answer, su_home_t *home, nta_outgoing_t *orq, const sip_t *sip)
{
	static const struct sip_contact none = { "", "", "", "" };

	(void)orq;
	sip_answer_read(answer, home, sip, &none);
}

int sip_probe_send(struct sip *sip, struct sip_transaction **transaction, const struct sip_probe *probe,
                   sip_answer_f *answer, void *arg)
{
	msg_t *message = nta_msg_create(sip->agent, 0);
	int error = message ? write_message(message, probe) : ENOMEM;

	if (error) {
		msg_destroy(message);
		return error;
	}
	return sip_transaction_send(sip, transaction, &probe->way, message, read_answer, answer, arg);
}
