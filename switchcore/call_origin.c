#include "call.h"

#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The mapping gateway that a trunk or a routing gateway hands its calls to; NULL: none, or one that takes none. */
static struct mapping_gateway *handed_to(const struct calls *calls, const char *name)
{
	struct mapping_gateway *m = name[0] ? gateways_mapping(calls->parts.gateways, name) : NULL;

	return m && gateway_of_mapping(m)->settings->mapping->enabled ? m : NULL;
}

static void treat_as(struct origin *origin, struct mapping_gateway *mapping)
{
	const struct mapping_gateway_record *record = gateway_of_mapping(mapping)->settings->mapping;

	origin->mapping = mapping;
	origin->caller_source = record->caller;
	origin->reply_address = record->reply_address;
	origin->request_address = record->request_address;
	origin->session_timer = record->session_timer == SESSION_TIMER_ON;
}

/* A routing gateway's own settings say how it is spoken to and where its caller numbers stand. */
static void speak_to(struct origin *origin, const struct routing_gateway_record *record)
{
	origin->caller_source = record->peer_number_information;
	origin->reply_address = record->reply_address;
	origin->request_address = record->request_address;
	origin->session_timer = record->session_timer == SESSION_TIMER_ON;
}

/* Through a trunk: the source must be the registrar's, or one of the mapping gateway's. */
static int from_trunk(const struct calls *calls, struct origin *origin, struct registration *trunk,
                      const struct sip_packet *packet, uint16_t *code)
{
	const union address *source = &packet->source.address;
	struct mapping_gateway *mapping = handed_to(calls, registration_inbound_mapping(trunk));
	struct routing_gateway *gateway;

	*code = 403;
	if (!mapping)
		return EACCES;
	if (!registration_from(trunk, source) &&
	    gateways_by_source(calls->parts.gateways, source, packet->listener->name) != mapping)
		return EACCES;
	treat_as(origin, mapping);
	origin->trunk = trunk;
	origin->vouched = true;
	if (gateways_by_host(calls->parts.gateways, &gateway, source) == 0)
		speak_to(origin, gateway_of_routing(gateway)->settings->routing);
	return 0;
}

static int from_gateway(const struct calls *calls, struct origin *origin, struct routing_gateway *gateway, uint16_t *code)
{
	const struct routing_gateway_record *record = gateway_of_routing(gateway)->settings->routing;
	struct mapping_gateway *mapping = handed_to(calls, record->inbound_mapping);

	*code = 403;
	if (!mapping)
		return EACCES;
	treat_as(origin, mapping);
	speak_to(origin, record);
	origin->vouched = true;
	return 0;
}

/* By the account that it names in its answer to our challenge, else in From. */
static struct mapping_gateway *by_account(const struct calls *calls, const struct sip_packet *packet)
{
	struct numbers_store store;
	struct challenge_answer answer;
	const char *username;

	if (sip_message_answer(packet->message, &answer, &store))
		username = answer.username ? answer.username : "";
	else
		username = sip_message_from_user(packet->message, &store);
	return username[0] ? gateways_by_username(calls->parts.gateways, username) : NULL;
}

int origin_find(struct calls *calls, struct origin *origin, const struct sip_packet *packet, uint16_t *code)
{
	const union address *source = &packet->source.address;
	struct gateways *gateways = calls->parts.gateways;
	struct mapping_gateway *mapping;
	struct routing_gateway *gateway;
	struct registration *trunk;
	char text[NUMBER_MAX + 1];
	int error;

	memset(origin, 0, sizeof *origin);
	*code = 403;
	sip_message_line(packet->message, text, sizeof text);
	if (text[0] && (trunk = registrations_by_line(calls->parts.registrations, text)))
		return from_trunk(calls, origin, trunk, packet, code);
	if ((mapping = gateways_by_source(gateways, source, packet->listener->name))) {
		treat_as(origin, mapping);
		return 0;
	}
	sip_message_request_user(packet->message, text, sizeof text);
	error = text[0] ? registrations_by_contact(calls->parts.registrations, &trunk, text, source) : ENOENT;
	if (error != ENOENT)
		return error ? EACCES : from_trunk(calls, origin, trunk, packet, code);
	error = gateways_by_host(gateways, &gateway, source);
	if (error != ENOENT)
		return error ? EACCES : from_gateway(calls, origin, gateway, code);
	if ((mapping = by_account(calls, packet))) {
		treat_as(origin, mapping);
		return 0;
	}
	*code = gateways_ask_anyone(gateways) ? 401 : 403;
	return ENOENT;
}

/* ------------------------------------------------------------------ digest */

static void challenge(struct calls *calls, struct sip_packet *packet, const union address *reply_to, bool stale)
{
	bool proxy = calls->parameters.SS_SIP_AUTHENTICATION_CODE == 407;
	const char *name = proxy ? "Proxy-Authenticate" : "WWW-Authenticate";
	char headers[CHALLENGE_VALUES * (CHALLENGE_VALUE_MAX + 24)];
	struct challenge made;
	size_t n = 0;

	if (challenge_make(calls->challenges, &made, &packet->source.address, stale, loop_now()) != 0) {
		sip_packet_answer(packet, 500, "Server Internal Error", NULL, reply_to);
		return;
	}
	for (size_t i = 0; i < made.count; i++)
		n += (size_t)snprintf(headers + n, sizeof headers - n, "%s: %s\r\n", name, made.value[i]);
	sip_packet_answer(packet, proxy ? 407 : 401, proxy ? "Proxy Authentication Required" : "Unauthorized", headers, reply_to);
}

bool origin_authenticate(struct calls *calls, const struct origin *origin, struct sip_packet *packet)
{
	const struct gateway_settings *settings = gateway_of_mapping(origin->mapping)->settings;
	const struct mapping_gateway_record *record = settings->mapping;
	struct challenge_account account = { record->username[0] ? record->username : settings->head->name, record->password };
	struct challenge_answer answer;
	struct numbers_store store;
	union address reply_to;
	bool given;

	if (record->authentication != AUTHENTICATION_DIGEST || origin->vouched)
		return true;
	sip_reply_address(&reply_to, packet, origin->reply_address);
	given = sip_message_answer(packet->message, &answer, &store);
	switch (challenge_check(calls->challenges, &account, given ? &answer : NULL, "INVITE", &packet->source.address,
	                        &calls->parameters, loop_now())) {
	case CHALLENGE_OK:
		return true;
	case CHALLENGE_NONE:
	case CHALLENGE_WRONG:
		challenge(calls, packet, &reply_to, false);
		break;
	case CHALLENGE_STALE:
		challenge(calls, packet, &reply_to, true);
		break;
	case CHALLENGE_REFUSED:
		sip_packet_answer(packet, 403, "Forbidden", NULL, &reply_to);
		break;
	case CHALLENGE_MALFORMED:
		sip_packet_answer(packet, 400, "Bad Authorization Header", NULL, &reply_to);
		break;
	}
	return false;
}

/* ------------------------------------------------------------------ strangers */

void origin_turn_away(struct calls *calls, struct sip_packet *packet, uint16_t code)
{
	if (!calls->parameters.SS_REPLY_UNAUTHORIZED)
		sip_packet_drop(packet);
	else if (code == 401)
		challenge(calls, packet, &packet->source.address, false);
	else
		sip_packet_refuse(packet, code, NULL);
}

/* The reply_address of the gateway that a source is; false: of none. */
static bool known_mode(const struct calls *calls, int32_t *mode, const union address *source, const char *listener_name)
{
	struct mapping_gateway *mapping = gateways_by_source(calls->parts.gateways, source, listener_name);
	struct routing_gateway *gateway;
	int error = mapping ? 0 : gateways_by_host(calls->parts.gateways, &gateway, source);

	*mode = REPLY_ADDRESS_SOCKET;
	if (mapping)
		*mode = gateway_of_mapping(mapping)->settings->mapping->reply_address;
	else if (error == 0)
		*mode = gateway_of_routing(gateway)->settings->routing->reply_address;
	return error != ENOENT;
}

bool origin_known(struct calls *calls, const struct sip_packet *packet, union address *reply_to)
{
	int32_t mode;
	bool known = known_mode(calls, &mode, &packet->source.address, packet->listener->name);

	sip_reply_address(reply_to, packet, mode);
	return known;
}

bool calls_unseen(void *arg, union address *to, const union address *source, const union address *local, const char *host, uint16_t port)
{
	struct calls *calls = arg;
	struct target from = { .transport = TRANSPORT_UDP, .address = *source };
	const struct listener *listener = sip_listener_at(calls->parts.sip, local);
	int32_t mode;
	bool known = known_mode(calls, &mode, source, listener ? listener->name : "");

	sip_reply_place(to, &from, mode, host[0] ? host : NULL, port);
	return known || calls->parameters.SS_REPLY_UNAUTHORIZED;
}

bool calls_know(void *arg, const union address *source, const union address *local)
{
	const struct calls *calls = arg;
	const struct listener *listener = sip_listener_at(calls->parts.sip, local);
	int32_t mode;

	return known_mode(calls, &mode, source, listener ? listener->name : "");
}
