/* REGISTER on the wire: writing it, its transaction, and the way from the stack's callback to a struct sip_answer. */
#include "sip_stack.h"

#include "chance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#ifndef TANDEM_VERSION
#define TANDEM_VERSION "0"
#endif

#define HOST_PORT_MAX 300
#define USER_ESCAPED_MAX (3 * 128 + 1)
#define CONTACT_MAX (USER_ESCAPED_MAX + HOST_PORT_MAX + 100)
#define AUTHORIZATION_MAX 8192
#define T1_US 500000u	/* RFC 3261 17.1.1.1: the first retransmission */

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

/* One header for each challenge answered in this attempt. */
static int add_credentials(msg_t *message, sip_t *sip, const struct sip_register *r, const char *uri)
{
	const char *password = account_text(r->account, ACCOUNT_PASSWORD);
	int error = 0;

	for (size_t i = 0; i < r->credential_count && !error; i++) {
		struct sip_credential *credential = &r->credentials[i];
		char cnonce[17], value[AUTHORIZATION_MAX];
		struct digest_request request = {
			.username = account_auth_username(r->account), .password = password, .method = "REGISTER",
			.uri = uri, .cnonce = cnonce, .count = ++credential->count,
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
	return add_credentials(message, sip, r, uri);
}

/* The target as the stack wants it: for TLS the name that is to be verified, with the address in maddr. */
static void write_destination(char *text, size_t size, const struct sip_register *r)
{
	char address[64], host[64];

	address_host(&r->target.address, host, sizeof host);
	address_text(&r->target.address, address, sizeof address);
	if (r->target.transport == TRANSPORT_TLS)
		snprintf(text, size, "sip:%s:%u;transport=tls;maddr=%s", r->tls_name, address_port(&r->target.address), host);
	else
		snprintf(text, size, "sip:%s;transport=%s", address, target_transport_word(r->target.transport));
}

/* Only the first packet may be judged by its refusal: with a retransmission out, an earlier one may have arrived.  A stream
 * is refused before anything is sent on it. */
static bool surely_lost(const struct sip_transaction *t, int error)
{
	bool refused = error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;

	return refused && loop_now() - t->sent_at < T1_US;
}

static void describe_failure(struct sip_answer *answer, struct sip_transaction *t, const sip_t *sip)
{
	msg_t *request = nta_outgoing_getrequest(t->request);
	int error = request ? msg_errno(request) : 0;
	char fault[128] = "";

	memset(answer, 0, sizeof *answer);
	answer->granted = answer->min_expires = answer->retry_after = -1;
	if (!sip || sip->sip_status->st_status == 408) {
		answer->result = SIP_SILENT;
		snprintf(answer->detail, sizeof answer->detail, "no answer");
	} else {
		answer->result = SIP_BROKEN;
		if (t->tls_name[0])
			sip_log_take_tls_fault(fault, sizeof fault);
		answer->unsent = (t->handshake && fault[0]) || surely_lost(t, error);
		if (fault[0])
			snprintf(answer->detail, sizeof answer->detail, "%s", fault);
		else if (error > 0 && error != EPIPE)
			snprintf(answer->detail, sizeof answer->detail, "%s", strerror(error));
		else
			snprintf(answer->detail, sizeof answer->detail, "connection closed by the peer");
	}
	msg_destroy(request);
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

static int received(struct sip_transaction *t, nta_outgoing_t *orq, sip_t const *sip)
{
	struct sip_answer answer;
	uint64_t now;

	/* The configuration may change right here, and this transaction be released by that. */
	t->sip->before(t->sip->arg);
	if (t->released)
		return 0;
	if (sip && sip->sip_status->st_status < 200)
		return 0;
	now = loop_now();
	if (!sip || nta_sip_is_internal(sip)) {
		describe_failure(&answer, t, sip);
	} else {
		su_home_t home[SU_HOME_AUTO_SIZE(2048)];
		char line[SCHEMA_LINE_LEN + 2];
		struct sip_contact ours;
		su_home_auto(home, sizeof home);
		ours = contact_sent(home, orq, line, sizeof line);
		sip_answer_read(&answer, home, sip, &ours);
		answer.rtt_us = (uint32_t)(now - t->sent_at > UINT32_MAX ? UINT32_MAX : now - t->sent_at);
		t->answer(t->arg, &answer);
		su_home_deinit(home);
		return 0;
	}
	t->answer(t->arg, &answer);
	return 0;
}

static const struct sip_port *port_of(const struct sip *sip, const struct listener *listener)
{
	for (size_t i = 0; i < sip->port_count; i++)
		if (sip->ports[i].listener == listener)
			return &sip->ports[i];
	return NULL;
}

static int start(struct sip *sip, struct sip_transaction *t, const struct sip_register *r, msg_t *message)
{
	const struct sip_port *port = port_of(sip, r->listener);
	bool tls = r->target.transport == TRANSPORT_TLS;
	bool verified = tls && r->account->tls_verify;
	struct sip_flow *flow = tls ? sip_flow_find(sip, port, verified, r->tls_name, &r->target.address) : NULL;
	tport_t *tport = flow ? sip_flow_tport(flow) : tls && !verified ? port->unverified : port->tport, *used;
	char destination[400], stale[128];

	write_destination(destination, sizeof destination, r);
	t->handshake = tls && !flow;
	if (t->handshake)
		sip_log_take_tls_fault(stale, sizeof stale);
	t->sent_at = loop_now();
	t->request = nta_outgoing_mcreate(sip->agent, received, t, URL_STRING_MAKE(destination), message,
	                                  NTATAG_TPORT(tport), NTATAG_USER_VIA(1), TAG_IF(tls && !flow, TPTAG_FRESH(1)),
	                                  TAG_END());
	if (!t->request)
		return EINVAL;
	if (tls && !flow && (used = nta_outgoing_transport(t->request))) {
		if (tport_is_secondary(used) && !tport_is_closed(used))
			sip_flow_of(sip, used, r->tls_name);
		tport_unref(used);
	}
	return 0;
}

int sip_register_send(struct sip *sip, struct sip_transaction **transaction, const struct sip_register *request,
                      sip_answer_f *answer, void *arg)
{
	const char *tls_name = request->target.transport == TRANSPORT_TLS ? request->tls_name : "";
	size_t size = strlen(tls_name) + 1;
	struct sip_transaction *t = calloc(1, sizeof *t + size);
	msg_t *message = nta_msg_create(sip->agent, 0);
	int error = ENOMEM;

	if (!t || !message)
		goto out;
	t->sip = sip;
	t->answer = answer;
	t->arg = arg;
	memcpy(t->tls_name, tls_name, size);
	error = write_message(message, request);
	if (!error)
		error = start(sip, t, request, message);
	if (!error) {
		*transaction = t;
		return 0;
	}
out:
	msg_destroy(message);
	free(t);
	return error;
}

static int ignored(struct sip_transaction *none, nta_outgoing_t *orq, sip_t const *sip)
{
	(void)none;
	(void)orq;
	(void)sip;
	return 0;
}

void sip_transaction_release(struct sip_transaction *transaction)
{
	if (!transaction)
		return;
	/* The stack may be in the middle of delivering to it: sip_turn() does the rest. */
	nta_outgoing_bind(transaction->request, ignored, NULL);
	transaction->released = true;
	transaction->next = transaction->sip->abandoned;
	transaction->sip->abandoned = transaction;
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
