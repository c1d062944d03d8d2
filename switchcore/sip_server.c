#include "sip_server.h"

#include "sip_relay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEERED_BUCKETS 1024u		/* a power of two */

struct sip_server {
	struct sip *sip;
	nta_incoming_t *transaction;
	msg_t *request;			/* referenced */
	struct sip_packet packet;
	sip_via_t *via;			/* of the answers: all of the request's, the topmost with received and rport */
	void (*cancelled)(void *arg, const struct sip_message *cancel);
	void *arg;
	union address reply_to;
	bool steered;			/* in the table below */
	uint16_t status;
	struct sip_server *next;
};

/*
 * The stack answers a CANCEL itself, by what its Via says.  Where the gateway's reply_address wants another place, the INVITE's
 * transaction is found here by its branch, which the CANCEL repeats (RFC 3261 9.1).
 */
static struct sip_server *steered[STEERED_BUCKETS];

static struct sip_server **bucket_of(const char *branch, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)branch[i]) * 16777619u;
	return &steered[hash & (STEERED_BUCKETS - 1)];
}

static void steer(struct sip_server *server)
{
	const char *branch = sip_message_branch(sip_server_request(server));
	struct sip_server **bucket = bucket_of(branch, strlen(branch));

	server->steered = true;
	server->next = *bucket;
	*bucket = server;
}

static void unsteer(struct sip_server *server)
{
	const char *branch = sip_message_branch(sip_server_request(server));
	struct sip_server **at = bucket_of(branch, strlen(branch));

	while (*at != server)
		at = &(*at)->next;
	*at = server->next;
	server->steered = false;
}

bool sip_server_cancel_address(const char *bytes, size_t length, union address *to)
{
	const char *branch = memmem(bytes, length, "branch=", 7), *end = bytes + length;
	size_t n = 0;

	if (!branch)
		return false;
	branch += 7;
	while (branch + n < end && !strchr(";, \t\r\n", branch[n]))
		n++;
	for (struct sip_server *s = *bucket_of(branch, n); s; s = s->next) {
		const char *known = sip_message_branch(sip_server_request(s));
		if (strlen(known) == n && memcmp(known, branch, n) == 0) {
			*to = s->reply_to;
			return true;
		}
	}
	return false;
}

/* ------------------------------------------------------------------ opening */

static int acked_or_cancelled(void *arg, nta_incoming_t *transaction, sip_t const *sip)
{
	struct sip_server *server = arg;

	(void)transaction;
	server->sip->before(server->sip->arg);
	if (sip && sip->sip_request && sip->sip_request->rq_method == sip_method_cancel && server->cancelled)
		server->cancelled(server->arg, (const struct sip_message *)(const void *)sip);
	return 0;
}

/* RFC 3261 18.2.1 and RFC 3581 4: the stack leaves `received` out where it equals the sent-by, also when rport is asked for. */
static int complete_via(struct sip_server *server, sip_t *sip)
{
	su_home_t *home = msg_home(server->request);
	sip_via_t *via = sip->sip_via;
	char host[64], text[80];

	if (via->v_received || !via->v_rport)
		return 0;
	address_host(&server->packet.source.address, host, sizeof host);
	if (host[0] == '[') {
		host[strlen(host) - 1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	snprintf(text, sizeof text, "received=%s", host);
	msg_fragment_clear_chain((msg_header_t *)via);
	return msg_header_replace_param(home, via->v_common, su_strdup(home, text)) < 0 ? ENOMEM : 0;
}

/* The transaction sends by the Via that it is made with: one that names the place. */
static int create_transaction(struct sip_server *server, sip_t *sip)
{
	su_home_t *home = msg_home(server->request);
	sip_via_t *original = sip->sip_via, *steering = su_alloc(home, sizeof *steering);
	sip_require_t *require = sip->sip_require;
	char host[64], port[8];

	if (!steering)
		return ENOMEM;
	*steering = *original;
	address_host(&server->reply_to, host, sizeof host);
	snprintf(port, sizeof port, "%u", address_port(&server->reply_to));
	steering->v_received = su_strdup(home, host);
	steering->v_rport = su_strdup(home, port);
	steering->v_maddr = NULL;
	sip->sip_via = steering;
	/* 100rel passes end to end: the stack must not make answers reliable by itself. */
	sip->sip_require = NULL;
	server->transaction = nta_incoming_create(server->sip->agent, NULL, msg_ref(server->request), sip,
	                                          NTATAG_TPORT(server->packet.connection), TAG_END());
	sip->sip_via = original;
	sip->sip_require = require;
	return server->transaction ? 0 : ENOMEM;
}

int sip_server_open(struct sip_server **out, struct sip *sip, struct sip_packet *packet, const union address *reply_to,
                    void (*cancelled)(void *arg, const struct sip_message *cancel), void *arg)
{
	struct sip_server *server = calloc(1, sizeof *server);
	sip_t *request = sip_object((msg_t *)packet->raw);
	int error = ENOMEM;

	if (!server) {
		sip_packet_drop(packet);
		return ENOMEM;
	}
	server->sip = sip;
	server->request = packet->raw;		/* the packet's reference becomes ours */
	server->packet = *packet;
	server->reply_to = *reply_to;
	server->cancelled = cancelled;
	server->arg = arg;
	packet->raw = NULL;
	if (complete_via(server, request) != 0 || (error = create_transaction(server, request)) != 0) {
		msg_destroy(server->request);
		free(server);
		return error;
	}
	server->via = request->sip_via;
	nta_incoming_bind(server->transaction, acked_or_cancelled, server);
	if (cancelled && packet->source.transport == TRANSPORT_UDP)
		steer(server);
	*out = server;
	return 0;
}

void sip_server_close(struct sip_server *server)
{
	if (!server)
		return;
	if (server->status < 200)
		sip_server_reply(server, &(struct sip_reply){ .code = 500 });
	if (server->steered)
		unsteer(server);
	nta_incoming_destroy(server->transaction);
	msg_destroy(server->request);
	free(server);
}

const struct sip_message *sip_server_request(const struct sip_server *server)
{
	return (const struct sip_message *)(const void *)sip_object(server->request);
}

const struct sip_packet *sip_server_packet(const struct sip_server *server)
{
	return &server->packet;
}

uint16_t sip_server_status(const struct sip_server *server)
{
	return server->status;
}

/* ------------------------------------------------------------------ answering */

static int write_reply(struct sip_server *server, msg_t *message, const struct sip_reply *reply)
{
	const sip_t *request = sip_object(server->request);
	sip_t *sip = sip_object(message);
	const char *phrase = reply->phrase ? reply->phrase : sip_status_phrase(reply->code);
	bool allow = (reply->contact && reply->code < 300) || reply->code == 405;
	int error;

	if (sip_add_tl(message, sip,
	               SIPTAG_STATUS(sip_status_create(msg_home(message), reply->code, phrase ? phrase : "", NULL)),
	               SIPTAG_VIA(server->via), SIPTAG_FROM(request->sip_from), SIPTAG_TO(request->sip_to),
	               TAG_IF(reply->contact, SIPTAG_CONTACT_STR(reply->contact)),
	               SIPTAG_SERVER_STR("Tandem/" TANDEM_VERSION),
	               TAG_IF(reply->headers, SIPTAG_HEADER_STR(reply->headers)),
	               TAG_END()) < 0)
		return EINVAL;
	if (reply->to_tag && reply->code > 100 && !sip->sip_to->a_tag && sip_to_tag(msg_home(message), sip->sip_to, reply->to_tag) < 0)
		return ENOMEM;
	if (reply->relay && (error = sip_relay_content(message, reply->relay)) != 0)
		return error;
	if (allow && !sip->sip_allow && sip_add_tl(message, sip, SIPTAG_ALLOW_STR(SIP_CALL_ALLOWED), TAG_END()) < 0)
		return ENOMEM;
	/* From, Call-ID, CSeq, and for a dialog the Record-Routes (RFC 3261 12.1.1). */
	return nta_incoming_complete_response(server->transaction, message, reply->code, NULL, TAG_END()) < 0 ? EINVAL : 0;
}

int sip_server_reply(struct sip_server *server, const struct sip_reply *reply)
{
	msg_t *message;
	int error;

	if (server->status >= 200)
		return ECANCELED;
	message = nta_msg_create(server->sip->agent, 0);
	if (!message)
		return ENOMEM;
	error = write_reply(server, message, reply);
	if (error) {
		msg_destroy(message);
		return error;
	}
	/* What cannot be sent now is sent by the retransmissions: ours of a 2xx, the stack's of others. */
	nta_incoming_mreply(server->transaction, message);
	server->status = reply->code;
	return 0;
}

void sip_server_repeat(struct sip_server *server)
{
	msg_t *answer = nta_incoming_getresponse(server->transaction), *copy = answer ? msg_dup(answer) : NULL;

	msg_destroy(answer);
	if (copy)
		nta_incoming_mreply(server->transaction, copy);
}
