/* REGISTER on the wire: writing it, and what of it is needed to read the answer. */
#include "sip_stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TANDEM_VERSION
#define TANDEM_VERSION "0"
#endif

#define HOST_PORT_MAX 300
#define USER_ESCAPED_MAX (3 * 128 + 1)
#define CONTACT_MAX (USER_ESCAPED_MAX + HOST_PORT_MAX + 100)

/* user = unreserved / escaped / user-unreserved (RFC 3261 25.1). */
static void escape_user(char *to, size_t size, const char *user)
{
	static const char plain[] = "-_.!~*'()&=+$,;?/";
	size_t n = 0;

	for (; *user && n + 4 <= size; user++) {
		unsigned char c = (unsigned char)*user;
		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr(plain, c))
			to[n++] = (char)c;
		else
			n += (size_t)snprintf(to + n, size - n, "%%%02X", c);
	}
	to[n] = '\0';
}

void sip_contact_text(char *text, size_t size, const struct account *account, const char *user,
                      const struct listener *listener, const struct target *target)
{
	char escaped[USER_ESCAPED_MAX], host[HOST_PORT_MAX];

	escape_user(escaped, sizeof escaped, user);
	listener_host_port(listener, &target->address, host, sizeof host);
	snprintf(text, size, "sip:%s@%s;line=%s%s%s", escaped, host, account_text(account, ACCOUNT_LINE),
	         target->transport == TRANSPORT_UDP ? "" : ";transport=",
	         target->transport == TRANSPORT_UDP ? "" : target_transport_word(target->transport));
}

static void quote_display(char *to, size_t size, const char *name)
{
	size_t n = 0;

	if (name[0] && size > 4) {
		to[n++] = '"';
		for (; *name && n + 5 <= size; name++) {
			if (*name == '"' || *name == '\\')
				to[n++] = '\\';
			to[n++] = *name;
		}
		to[n++] = '"';
		to[n++] = ' ';
	}
	to[n] = '\0';
}

static void write_uri(char *text, size_t size, const struct sip_register *r)
{
	if (r->redirect_host && r->redirect_port)
		snprintf(text, size, "sip:%s:%u", r->redirect_host, r->redirect_port);
	else
		snprintf(text, size, "sip:%s", r->redirect_host ? r->redirect_host : account_domain(r->account));
}

static void write_contacts(char *text, size_t size, const struct sip_register *r)
{
	char uri[CONTACT_MAX], old[CONTACT_MAX];

	sip_contact_text(uri, sizeof uri, r->account, account_contact_user(r->account), r->listener, &r->target);
	if (r->old_contact_user) {
		sip_contact_text(old, sizeof old, r->account, r->old_contact_user, r->listener, &r->target);
		snprintf(text, size, "<%s>;expires=%d, <%s>;expires=0", uri, r->expires, old);
	} else {
		snprintf(text, size, "<%s>;expires=%d", uri, r->expires);
	}
}

static void write_route(char *text, size_t size, const struct account *account)
{
	const char *proxy = account_text(account, ACCOUNT_OUTBOUND_PROXY);
	const char *word = target_transport_word(account->transport);

	if (!proxy[0])
		text[0] = '\0';
	else if (account->transport == TRANSPORT_UDP)
		snprintf(text, size, "<sip:%s;lr>", proxy);
	else
		snprintf(text, size, "<sip:%s;transport=%s;lr>", proxy, word);
}

static int write_message(msg_t *message, const struct sip_register *r)
{
	const struct account *a = r->account;
	const char *agent = account_text(a, ACCOUNT_USER_AGENT);
	char uri[300], user[USER_ESCAPED_MAX], display[2 * 128 + 8], aor[1100], from[1200], contacts[2 * CONTACT_MAX + 40];
	char via[HOST_PORT_MAX + 40], host[HOST_PORT_MAX], route[320], cseq[32], expires[16];
	static const char *const protocols[] = { "UDP", "TCP", "TLS" };
	sip_t *sip = sip_object(message);

	write_uri(uri, sizeof uri, r);
	escape_user(user, sizeof user, account_text(a, ACCOUNT_USERNAME));
	quote_display(display, sizeof display, account_text(a, ACCOUNT_DISPLAY_NAME));
	snprintf(aor, sizeof aor, "%s<sip:%s@%s>", display, user, account_domain(a));
	snprintf(from, sizeof from, "%s;tag=%s", aor, r->from_tag);
	write_contacts(contacts, sizeof contacts, r);
	write_route(route, sizeof route, a);
	listener_host_port(r->listener, &r->target.address, host, sizeof host);
	snprintf(via, sizeof via, "SIP/2.0/%s %s;rport", protocols[r->target.transport], host);
	snprintf(cseq, sizeof cseq, "%u REGISTER", r->cseq);
	snprintf(expires, sizeof expires, "%d", r->expires);
	if (sip_add_tl(message, sip,
	               SIPTAG_REQUEST(sip_request_create(msg_home(message), SIP_METHOD_REGISTER, (url_string_t *)uri, NULL)),
	               SIPTAG_VIA_STR(via),
	               TAG_IF(route[0], SIPTAG_ROUTE_STR(route)),
	               SIPTAG_MAX_FORWARDS_STR("70"),
	               SIPTAG_FROM_STR(from),
	               SIPTAG_TO_STR(aor),
	               SIPTAG_CALL_ID_STR(r->call_id),
	               SIPTAG_CSEQ_STR(cseq),
	               SIPTAG_CONTACT_STR(contacts),
	               SIPTAG_EXPIRES_STR(expires),
	               TAG_IF(r->privacy == PRIVACY_ID, SIPTAG_PRIVACY_STR("id")),
	               TAG_IF(r->privacy == PRIVACY_NONE, SIPTAG_PRIVACY_STR("none")),
	               SIPTAG_USER_AGENT_STR(agent[0] ? agent : "Tandem/" TANDEM_VERSION),
	               TAG_END()) < 0 || !sip->sip_request)
		return EINVAL;
	return sip_add_credentials(message, "REGISTER", uri, account_auth_username(a), account_text(a, ACCOUNT_PASSWORD),
	                           r->credentials, r->credential_count);
}

static struct sip_contact contact_sent(su_home_t *home, nta_outgoing_t *orq, char *line, size_t size)
{
	struct sip_contact ours = { "", "", "", line };
	msg_t *request = nta_outgoing_getrequest(orq);
	const sip_t *sip = request ? sip_object(request) : NULL;

	line[0] = '\0';
	if (sip && sip->sip_contact) {
		const url_t *url = sip->sip_contact->m_url;
		char *user = su_strdup(home, url->url_user);
		if (user)
			url_unescape(user, user);
		ours.user = user ? user : "";
		ours.host = su_strdup(home, url->url_host);
		ours.port = su_strdup(home, url->url_port ? url->url_port : "5060");
		url_param(url->url_params, "line", line, (isize_t)size);
	}
	msg_destroy(request);
	return ours;
}

static void read_answer(struct sip_answer *answer, su_home_t *home, nta_outgoing_t *orq, const sip_t *sip)
{
	char line[SCHEMA_LINE_LEN + 2];
	struct sip_contact ours = contact_sent(home, orq, line, sizeof line);

	sip_answer_read(answer, home, sip, &ours);
}

int sip_register_send(struct sip *sip, struct sip_transaction **transaction, const struct sip_register *request,
                      sip_answer_f *answer, void *arg)
{
	const struct sip_way way = { .listener = request->listener, .target = request->target, .tls_name = request->tls_name,
	                             .tls_verify = request->account->tls_verify };
	msg_t *message = nta_msg_create(sip->agent, 0);
	int error = message ? write_message(message, request) : ENOMEM;

	if (error) {
		msg_destroy(message);
		return error;
	}
	return sip_transaction_send(sip, transaction, &way, message, read_answer, answer, arg);
}

int sip_register_preview(struct sip *sip, const struct sip_register *request, char *text, size_t size, size_t *len)
{
	msg_t *message = nta_msg_create(sip->agent, 0);
	int error = message ? write_message(message, request) : ENOMEM;

	if (!error)
		error = sip_preview(message, text, size, len);
	msg_destroy(message);
	return error;
}
