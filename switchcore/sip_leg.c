#include "sip_leg.h"

#include "sip_client_stack.h"
#include "sip_relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct sip_leg {
	su_home_t home[1];		/* first: what the stack allocates for it */
	struct sip *sip;
	struct resolver *resolver;
	const struct listener *listener;
	int32_t request_address;
	bool tls_verify, session_timer, takes_update;
	char tag[SIP_TAG_MAX];
	char *tls_name, *contact, *username, *password;
	sip_from_t *local;		/* From of our requests, without the tag */
	sip_to_t *remote;
	sip_call_id_t *call_id;
	sip_route_t *route;		/* fixed once a response made the dialog (RFC 3261 12.1) */
	sip_contact_t *target;
	uint32_t cseq, remote_cseq;
	struct target heard;		/* where the peer's last message came from */
	tport_t *connection;		/* the same, of a stream; referenced */
	msg_t *ack;			/* sent last */
	uint32_t ack_cseq;
};

static const sip_t *parsed(const struct sip_message *m)
{
	return (const sip_t *)(const void *)m;
}

/* ------------------------------------------------------------------ birth and death */

void sip_leg_free(struct sip_leg *leg)
{
	if (!leg)
		return;
	tport_unref(leg->connection);
	msg_destroy(leg->ack);
	if (leg->password)
		explicit_bzero(leg->password, strlen(leg->password));
	su_home_unref(leg->home);
}

static struct sip_leg *create(struct sip *sip, const struct sip_leg_options *o)
{
	struct sip_leg *leg = su_home_new(sizeof *leg);

	if (!leg)
		return NULL;
	leg->sip = sip;
	leg->resolver = o->resolver;
	leg->listener = o->listener;
	leg->request_address = o->request_address;
	leg->tls_verify = o->tls_verify;
	leg->session_timer = o->session_timer;
	leg->tls_name = o->tls_name && o->tls_name[0] ? su_strdup(leg->home, o->tls_name) : NULL;
	snprintf(leg->tag, sizeof leg->tag, "%s", o->tag);
	return leg;
}

static bool complete(const struct sip_leg *leg)
{
	return leg->local && leg->remote && leg->call_id;
}

static sip_contact_t *first_contact(struct sip_leg *leg, const sip_contact_t *contact)
{
	sip_contact_t one;

	if (!contact || (contact->m_url->url_type != url_sip && contact->m_url->url_type != url_sips))
		return NULL;
	one = *contact;
	one.m_next = NULL;
	return sip_contact_dup(leg->home, &one);
}

int sip_leg_of_caller(struct sip_leg **out, struct sip *sip, const struct sip_server *invite, const struct sip_leg_options *options)
{
	const sip_t *request = parsed(sip_server_request(invite));
	const struct sip_packet *packet = sip_server_packet(invite);
	struct sip_leg *leg = create(sip, options);

	if (!leg)
		return ENOMEM;
	leg->local = sip_from_dup(leg->home, request->sip_to);
	leg->remote = sip_to_dup(leg->home, request->sip_from);
	leg->call_id = sip_call_id_dup(leg->home, request->sip_call_id);
	if (request->sip_record_route)
		leg->route = sip_route_dup(leg->home, request->sip_record_route);	/* same order for a server */
	leg->cseq = 0;
	leg->remote_cseq = request->sip_cseq->cs_seq;
	if (!complete(leg)) {
		sip_leg_free(leg);
		return ENOMEM;
	}
	sip_leg_heard(leg, &packet->source, packet->connection, sip_server_request(invite), true);
	*out = leg;
	return 0;
}

int sip_leg_of_callee(struct sip_leg **out, struct sip *sip, const struct sip_response *response,
                      const struct sip_leg_options *options)
{
	const sip_t *answer = parsed(response->message);
	struct sip_leg *leg = create(sip, options);

	if (!leg)
		return ENOMEM;
	leg->local = sip_from_dup(leg->home, answer->sip_from);
	leg->remote = sip_to_dup(leg->home, answer->sip_to);
	leg->call_id = sip_call_id_dup(leg->home, answer->sip_call_id);
	if (answer->sip_record_route) {
		leg->route = sip_route_dup(leg->home, answer->sip_record_route);
		leg->route = sip_route_reverse(leg->home, leg->route);
	}
	leg->cseq = answer->sip_cseq->cs_seq;
	if (!complete(leg)) {
		sip_leg_free(leg);
		return ENOMEM;
	}
	sip_leg_heard(leg, &response->source, response->connection, response->message, true);
	*out = leg;
	return 0;
}

/* ------------------------------------------------------------------ what it knows */

const char *sip_leg_tag(const struct sip_leg *leg)
{
	return leg->tag;
}

void sip_leg_set_tag(struct sip_leg *leg, const char *tag)
{
	snprintf(leg->tag, sizeof leg->tag, "%s", tag);
}

const char *sip_leg_remote_tag(const struct sip_leg *leg)
{
	return leg->remote->a_tag ? leg->remote->a_tag : "";
}

const char *sip_leg_call_id(const struct sip_leg *leg)
{
	return leg->call_id->i_id;
}

bool sip_leg_is(const struct sip_leg *leg, const char *call_id, const char *remote_tag)
{
	return strcmp(leg->call_id->i_id, call_id) == 0 && strcasecmp(sip_leg_remote_tag(leg), remote_tag) == 0;
}

bool sip_leg_session_timer(const struct sip_leg *leg)
{
	return leg->session_timer;
}

bool sip_leg_takes_update(const struct sip_leg *leg)
{
	return leg->takes_update;
}

const char *sip_leg_contact(const struct sip_leg *leg)
{
	return leg->contact ? leg->contact : "";
}

void sip_leg_set_contact(struct sip_leg *leg, const char *contact)
{
	su_free(leg->home, leg->contact);
	leg->contact = su_strdup(leg->home, contact);
}

void sip_leg_set_account(struct sip_leg *leg, const char *username, const char *password)
{
	leg->username = su_strdup(leg->home, username);
	leg->password = su_strdup(leg->home, password);
}

void sip_leg_heard(struct sip_leg *leg, const struct target *source, void *connection, const struct sip_message *message,
                   bool refresh)
{
	sip_contact_t *target = refresh ? first_contact(leg, parsed(message)->sip_contact) : NULL;
	const sip_allow_t *allow = parsed(message)->sip_allow;

	if (refresh && allow)
		leg->takes_update = sip_is_allowed(allow, sip_method_update, "UPDATE");
	if (target) {
		su_free(leg->home, leg->target);
		leg->target = target;
	}
	if (source->address.family == AF_UNSPEC)
		return;
	leg->heard = *source;
	if (leg->connection == connection)
		return;
	tport_unref(leg->connection);
	leg->connection = connection && source->transport != TRANSPORT_UDP ? tport_ref(connection) : NULL;
}

bool sip_leg_in_order(struct sip_leg *leg, uint32_t cseq)
{
	if (cseq <= leg->remote_cseq && leg->remote_cseq != 0)
		return false;
	leg->remote_cseq = cseq;
	return true;
}

uint32_t sip_leg_next_cseq(struct sip_leg *leg)
{
	return ++leg->cseq;
}

void sip_leg_set_cseq(struct sip_leg *leg, uint32_t cseq)
{
	leg->cseq = cseq;
}

/* ------------------------------------------------------------------ where its requests go */

static void nothing(struct resolver_wait *wait, const struct resolver_result *result)
{
	(void)wait;
	(void)result;
}

static int32_t transport_of(const url_t *url, int32_t otherwise)
{
	char word[8] = "";

	if (url->url_type == url_sips)
		return TRANSPORT_TLS;
	if (url->url_params && url_param(url->url_params, "transport", word, sizeof word) > 0) {
		if (strcasecmp(word, "tcp") == 0)
			return TRANSPORT_TCP;
		if (strcasecmp(word, "tls") == 0)
			return TRANSPORT_TLS;
		if (strcasecmp(word, "udp") == 0)
			return TRANSPORT_UDP;
	}
	return otherwise;
}

static uint16_t port_of(const url_t *url)
{
	unsigned long port = url->url_port ? strtoul(url->url_port, NULL, 10) : 0;

	return port <= 65535 ? (uint16_t)port : 0;
}

/* Host and port of the topmost Route, else of the Contact.  False: they are not known, or no listener can send there. */
static bool address_of_contact(const struct sip_leg *leg, struct sip_exit *exit)
{
	const url_t *url = leg->route ? leg->route->r_url : leg->target ? leg->target->m_url : NULL;
	struct resolver_wait wait = { .done = nothing };
	struct resolver_result result;
	const struct listener *listener = leg->listener;
	int32_t transport;

	if (!url || !url->url_host)
		return false;
	transport = transport_of(url, leg->heard.transport);
	if (resolver_find(leg->resolver, &wait, &result, url->url_host, port_of(url), transport) != 0) {
		/* Asked for when the Contact came; a name that is not known by now is as good as unreachable. */
		resolver_forget(&wait);
		return false;
	}
	if (transport != leg->heard.transport || result.targets[0].address.family != listener->bound.address.family)
		listener = sip_listener(leg->sip, "", transport, result.targets[0].address.family);
	if (!listener)
		return false;
	exit->way.target = result.targets[0];
	exit->way.listener = listener;
	return true;
}

static void find_exit(const struct sip_leg *leg, struct sip_exit *exit)
{
	uint16_t port = leg->target ? port_of(leg->target->m_url) : 0;

	*exit = (struct sip_exit){ .way = { .listener = leg->listener, .target = leg->heard, .tls_verify = leg->tls_verify,
	                                    .tls_name = leg->tls_name } };
	if (leg->request_address == REQUEST_ADDRESS_CONTACT_PORT && leg->target)
		address_set_port(&exit->way.target.address, port ? port : target_default_port(leg->heard.transport));
	/* A stream that is closed left a port behind that nobody listens on. */
	else if (leg->request_address == REQUEST_ADDRESS_CONTACT || (leg->connection && tport_is_closed(leg->connection)))
		address_of_contact(leg, exit);
	if (leg->connection && exit->way.target.transport == leg->heard.transport &&
	    address_equal(&exit->way.target.address, &leg->heard.address))
		exit->connection = leg->connection;
}

/* A TLS connection needs a name to verify; without one of its own the leg takes the address. */
static void name_exit(struct sip_exit *exit, char *name, size_t size)
{
	if (exit->way.tls_name)
		return;
	address_host(&exit->way.target.address, name, size);
	exit->way.tls_name = name;
}

/* ------------------------------------------------------------------ sending */

static sip_method_t stack_method(enum sip_method method)
{
	switch (method) {
	case SIP_INVITE:	return sip_method_invite;
	case SIP_ACK:		return sip_method_ack;
	case SIP_BYE:		return sip_method_bye;
	case SIP_PRACK:		return sip_method_prack;
	case SIP_UPDATE:	return sip_method_update;
	case SIP_INFO:		return sip_method_info;
	default:		return sip_method_unknown;
	}
}

static bool loose(const sip_route_t *route)
{
	return route->r_url->url_params && url_has_param(route->r_url, "lr");
}

/* Request-URI and Route (RFC 3261 12.2.1.1). */
static int write_route(msg_t *message, const struct sip_leg *leg, const struct sip_leg_request *r)
{
	const url_t *uri = leg->target ? leg->target->m_url : leg->remote->a_url;
	su_home_t *home = msg_home(message);
	sip_t *sip = sip_object(message);
	sip_route_t last;
	url_t plain;

	if (leg->route && !loose(leg->route)) {
		/* A strict router: it wants itself in the Request-URI, and the target as the last Route. */
		sip_route_init(&last);
		*last.r_url = *uri;
		if ((leg->route->r_next && sip_add_tl(message, sip, SIPTAG_ROUTE(leg->route->r_next), TAG_END()) < 0) ||
		    sip_add_tl(message, sip, SIPTAG_ROUTE(&last), TAG_END()) < 0)
			return ENOMEM;
		uri = leg->route->r_url;
	} else if (leg->route && sip_add_tl(message, sip, SIPTAG_ROUTE(leg->route), TAG_END()) < 0) {
		return ENOMEM;
	}
	plain = *uri;
	plain.url_headers = NULL;	/* RFC 3261 19.1.1: not in a Request-URI */
	sip->sip_request = NULL;
	return sip_add_tl(message, sip, SIPTAG_REQUEST(sip_request_create(home, stack_method(r->method), r->name,
	                                                                  (url_string_t *)&plain, NULL)), TAG_END()) < 0 ? ENOMEM : 0;
}

static int answer_challenge(msg_t *message, const struct sip_leg *leg, const struct sip_leg_request *r)
{
	struct sip_credential credentials[SIP_CHALLENGES_MAX];
	struct sip_challenge_list list;
	char *uri;
	int error;

	if (!leg->password || sip_challenges_read(&list, r->challenge) != 0)
		return EACCES;
	for (size_t i = 0; i < list.count; i++)
		credentials[i] = (struct sip_credential){ .challenge = list.challenges[i] };
	uri = url_as_string(msg_home(message), sip_object(message)->sip_request->rq_url);
	error = list.count == 0 ? EACCES : !uri ? ENOMEM :
	        sip_add_credentials(message, r->name, uri, leg->username, leg->password, credentials, list.count);
	sip_challenges_free(&list);
	return error;
}

static int write_request(msg_t *message, const struct sip_leg *leg, const struct sip_leg_request *r, const struct sip_exit *exit)
{
	bool contact = leg->contact && (r->method == SIP_INVITE || r->method == SIP_UPDATE);
	bool timer = leg->session_timer && r->method != SIP_ACK;
	su_home_t *home = msg_home(message);
	sip_t *sip = sip_object(message);
	char via[340];
	int error;

	sip_via_text(via, sizeof via, exit->way.listener, &exit->way.target);
	if ((error = write_route(message, leg, r)) != 0)
		return error;
	if (sip_add_tl(message, sip, SIPTAG_VIA_STR(via), SIPTAG_MAX_FORWARDS_STR("70"), SIPTAG_FROM(leg->local),
	               SIPTAG_TO(leg->remote), SIPTAG_CALL_ID(leg->call_id),
	               SIPTAG_CSEQ(sip_cseq_create(home, r->cseq, stack_method(r->method), r->name)),
	               TAG_IF(contact, SIPTAG_CONTACT_STR(leg->contact)),
	               SIPTAG_USER_AGENT_STR("Tandem/" TANDEM_VERSION), TAG_IF(timer, SIPTAG_SUPPORTED_STR("timer")),
	               TAG_IF(r->headers, SIPTAG_HEADER_STR(r->headers)), TAG_END()) < 0)
		return EINVAL;
	if (!sip->sip_from->a_tag || strcmp(sip->sip_from->a_tag, leg->tag) != 0) {
		msg_header_remove_param(sip->sip_from->a_common, "tag");
		if (sip_from_tag(home, sip->sip_from, leg->tag) < 0)
			return ENOMEM;
	}
	if (r->relay && (error = sip_relay_content(message, r->relay)) != 0)
		return error;
	if (r->content && sip_add_tl(message, sip, SIPTAG_CONTENT_TYPE_STR(r->content->type),
	                             SIPTAG_PAYLOAD(sip_payload_create(home, r->content->body, (isize_t)r->content->length)), TAG_END()) < 0)
		return ENOMEM;
	return r->challenge ? answer_challenge(message, leg, r) : 0;
}

static int send_ack(struct sip_leg *leg, msg_t *message, const struct sip_exit *exit, uint32_t cseq)
{
	msg_destroy(leg->ack);
	leg->ack = msg_ref(message);
	leg->ack_cseq = cseq;
	return sip_client_send_ack(leg->sip, message, exit);
}

int sip_leg_send(struct sip_leg *leg, struct sip_client **client, const struct sip_leg_request *request,
                 sip_response_f *answered, void *arg)
{
	msg_t *message = nta_msg_create(leg->sip->agent, 0);
	struct sip_exit exit;
	char name[64];
	int error;

	if (!message)
		return ENOMEM;
	find_exit(leg, &exit);
	name_exit(&exit, name, sizeof name);
	error = write_request(message, leg, request, &exit);
	if (error) {
		msg_destroy(message);
		return error;
	}
	if (request->method == SIP_ACK)
		return send_ack(leg, message, &exit, request->cseq);
	return sip_client_send(leg->sip, client, message, &exit, answered, arg);
}

void sip_leg_repeat_ack(struct sip_leg *leg, uint32_t cseq)
{
	struct sip_exit exit;
	char name[64];
	msg_t *copy;

	if (!leg->ack || leg->ack_cseq != cseq || !(copy = msg_dup(leg->ack)))
		return;
	find_exit(leg, &exit);
	name_exit(&exit, name, sizeof name);
	sip_client_send_ack(leg->sip, copy, &exit);
}
