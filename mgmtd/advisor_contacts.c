/*
 * Contacts that cannot be reached, in what gateways send: read from the trace, and only while in-dialog requests of some gateway
 * go to its Contact.  A routing gateway's messages are known by the Call-ID that the switch made; whose an INVITE from outside is
 * tells its call record, until which the Contact waits.
 */
#include "mgmtd/advisor_private.h"

#include "mgmtd/message.h"
#include "mgmtd/party.h"
#include "mgmtd/trace.h"
#include "mgmtd/trace_tell.h"
#include "mgmtd/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_A_HOLD 256u	/* per hold of the status segment */
#define MESSAGES_A_LOOK 65536u

/* ------------------------------------------------------------------ what can be reached */

enum scope { SCOPE_GLOBAL, SCOPE_NOWHERE, SCOPE_FIRST_PRIVATE };

/* RFC 6890: networks that are somebody's own, and those that are nobody's. */
static const struct { uint32_t network; unsigned bits; bool nowhere; } networks4[] = {
	{ 0x0a000000, 8, false }, { 0xac100000, 12, false }, { 0xc0a80000, 16, false }, { 0x64400000, 10, false }, { 0xa9fe0000, 16, false },
	{ 0x7f000000, 8, false }, { 0x00000000, 8, true }, { 0xe0000000, 3, true }, { 0xc0000200, 24, true }, { 0xc6336400, 24, true },
	{ 0xcb007100, 24, true },
};

static int scope4(uint32_t address)
{
	for (size_t i = 0; i < sizeof networks4 / sizeof networks4[0]; i++)
		if ((address ^ networks4[i].network) >> (32 - networks4[i].bits) == 0)
			return networks4[i].nowhere ? SCOPE_NOWHERE : SCOPE_FIRST_PRIVATE + (int)i;
	return SCOPE_GLOBAL;
}

static int scope_of(const struct in6_addr *address)
{
	const uint8_t *b = address->s6_addr;

	if (IN6_IS_ADDR_V4MAPPED(address))
		return scope4((uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15]);
	if ((b[0] & 0xfe) == 0xfc)
		return SCOPE_FIRST_PRIVATE + 100;
	if (IN6_IS_ADDR_LINKLOCAL(address) || IN6_IS_ADDR_LOOPBACK(address))
		return SCOPE_FIRST_PRIVATE + (IN6_IS_ADDR_LOOPBACK(address) ? 101 : 102);
	bool documentation = b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8;
	return IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_MULTICAST(address) || documentation ? SCOPE_NOWHERE : SCOPE_GLOBAL;
}

/* EINVAL: it is a name. */
static int read_host(struct in6_addr *address, const char *host)
{
	char text[64];
	struct in_addr four;
	size_t len = strlen(host);

	if (inet_pton(AF_INET, host, &four) == 1) {
		snprintf(text, sizeof text, "::ffff:%s", host);
		return inet_pton(AF_INET6, text, address) == 1 ? 0 : EINVAL;
	}
	if (len < 2 || len >= sizeof text || host[0] != '[' || host[len - 1] != ']')
		return EINVAL;
	snprintf(text, sizeof text, "%.*s", (int)len - 2, host + 1);
	return inet_pton(AF_INET6, text, address) == 1 ? 0 : EINVAL;
}

bool contact_lost(const char *contact_host, const struct in6_addr *source)
{
	struct in6_addr address;

	if (read_host(&address, contact_host) != 0 || memcmp(&address, source, sizeof address) == 0)
		return false;
	int scope = scope_of(&address);
	return scope == SCOPE_NOWHERE || (scope >= SCOPE_FIRST_PRIVATE && scope != scope_of(source));
}

/* ------------------------------------------------------------------ INVITEs that wait for their record */

static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);	/* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

bool advisor_contact_of(struct advisor *a, const char *call_id, struct lost_contact *contact)
{
	uint64_t hash = hash_of(call_id);

	for (unsigned i = 0; i < WAITING_CONTACTS; i++) {
		if (a->waiting[i].call_hash != hash)
			continue;
		*contact = a->waiting[i].contact;
		a->waiting[i].call_hash = 0;
		return true;
	}
	return false;
}

/* ------------------------------------------------------------------ messages */

static void take_routing(struct advisor *a, uint32_t id, uint64_t at, const struct lost_contact *lost)
{
	const struct record *record = snapshot_record(a->snap, KIND_ROUTING_GATEWAY, id);
	struct seen *seen = record ? advisor_seen_named(a, KIND_ROUTING_GATEWAY, record->name) : NULL;

	if (!seen || at < seen->created_at)
		return;
	if (!lost) {
		free(seen->contact);
		seen->contact = NULL;
	} else if (seen->contact || (seen->contact = malloc(sizeof *seen->contact))) {
		*seen->contact = *lost;
	}
}

static void take_message(struct advisor *a, const struct trace_header *header, size_t len)
{
	size_t n = 0;
	const char *value = header->direction == TRACE_IN ? message_header(a->message, len, "Contact", "m", &n) : NULL;
	struct lost_contact lost = { .at = header->at };
	char call_id[TRACE_CALL_ID_MAX + 1], source[TRACE_ADDRESS_MAX];
	struct party party;
	uint32_t id;

	if (!value || !party_read(&party, value, n))
		return;
	trace_call_id(call_id, a->message, len);
	trace_address_text(source, &header->remote);
	snprintf(lost.contact, sizeof lost.contact, "%s", party.host);
	snprintf(lost.source, sizeof lost.source, "%s", source);
	bool is_lost = contact_lost(party.host, &header->remote.sin6_addr);
	if (message_gateway_id(&id, call_id) == 0)
		take_routing(a, id, header->at, is_lost ? &lost : NULL);
	else if (is_lost && message_is(a->message, len, "INVITE"))
		a->waiting[a->waiting_next++ % WAITING_CONTACTS] = (struct waiting_contact){ hash_of(call_id), lost };
}

struct reading { struct advisor *a; bool end; };

static void read_some(struct status_reader *reader, void *arg)
{
	struct reading *reading = arg;
	struct advisor *a = reading->a;
	struct trace_header header;
	uint64_t lost;

	for (unsigned i = 0; i < MESSAGES_A_HOLD; i++) {
		int e = status_next_trace(reader, &a->trace_cursor, &header, a->message, TRACE_MESSAGE_MAX, &lost);
		if (e == EOVERFLOW)
			continue;
		reading->end = e != 0;
		if (e)
			return;
		size_t len = status_trace_kept(reader, header.length);
		take_message(a, &header, len < TRACE_MESSAGE_MAX ? len : TRACE_MESSAGE_MAX);
	}
}

/* ------------------------------------------------------------------ whether it matters */

static bool steered(struct advisor *a, enum kind_id kind)
{
	for (uint32_t id = 0, left = snapshot_count(a->snap, kind); left > 0 && id < ADVISOR_IDS_MAX; id++) {
		const struct record *record = snapshot_record(a->snap, kind, id);
		if (!record)
			continue;
		left--;
		int32_t address = kind == KIND_ROUTING_GATEWAY ? ((const struct routing_gateway_record *)record)->request_address
		                                               : ((const struct mapping_gateway_record *)record)->request_address;
		if (address != REQUEST_ADDRESS_SOCKET)
			return true;
	}
	return false;
}

void advisor_contacts(struct advisor *a)
{
	struct reading reading = { .a = a };

	if (a->steered_generation != snapshot_generation(a->snap)) {
		a->steered = steered(a, KIND_ROUTING_GATEWAY) || steered(a, KIND_MAPPING_GATEWAY);
		a->steered_generation = snapshot_generation(a->snap);
	}
	for (unsigned i = 0; a->steered && i < MESSAGES_A_LOOK && !reading.end; i += MESSAGES_A_HOLD)
		if (!core_with_status(watch_core(a->daemon->watch), read_some, &reading))
			return;
}
