#include "mgmtd/trace_filter.h"

#include "mgmtd/message.h"
#include "mgmtd/model.h"
#include "mgmtd/party.h"
#include "mgmtd/revision.h"
#include "mgmtd/status.h"
#include "mgmtd/store_history.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ places */

static int whole_number(unsigned *value, const char *text, unsigned most)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || number > most)
		return EINVAL;
	*value = (unsigned)number;
	return 0;
}

static int read_address(struct trace_place *place, const char *text)
{
	struct in_addr four;
	place->bits = 128;
	if (inet_pton(AF_INET6, text, &place->address) == 1)
		return 0;
	if (inet_pton(AF_INET, text, &four) != 1)
		return EINVAL;
	memset(&place->address, 0, sizeof place->address);
	memset(&place->address.s6_addr[10], 0xff, 2);
	memcpy(&place->address.s6_addr[12], &four, 4);
	return 0;
}

int trace_place_read(struct trace_place *place, const char *text)
{
	char copy[SCHEMA_SOURCE_MAX + 1];
	char *address = copy, *length, *port = NULL;
	unsigned value = 0;
	*place = (struct trace_place){ .bits = 128 };
	if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
		return EINVAL;
	if ((length = strchr(copy, '/'))) {
		*length++ = '\0';
	} else if (copy[0] == '[') {
		address = copy + 1;
		if (!(port = strchr(copy, ']')) || (port[1] && port[1] != ':'))
			return EINVAL;
		*port++ = '\0';
		port = *port ? port + 1 : NULL;
	} else if ((port = strchr(copy, ':')) && !strchr(port + 1, ':')) {
		*port++ = '\0';
	} else {
		port = NULL;
	}
	if (read_address(place, address) != 0)
		return EINVAL;
	unsigned below = IN6_IS_ADDR_V4MAPPED(&place->address) ? 96 : 0;
	if (length && whole_number(&value, length, 128 - below) != 0)
		return EINVAL;
	place->bits = length ? below + value : 128;
	if (port && whole_number(&value, port, 65535) != 0)
		return EINVAL;
	place->port = port ? htons((uint16_t)value) : 0;
	return 0;
}

static bool same_network(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	return memcmp(a, b, whole) == 0 && (!rest || ((a->s6_addr[whole] ^ b->s6_addr[whole]) >> (8 - rest)) == 0);
}

bool trace_place_holds(const struct trace_place *place, const struct sockaddr_in6 *address)
{
	/* ::/0 is no place of IPv4. */
	return (place->bits >= 96 || !IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) && (!place->port || place->port == address->sin6_port) &&
	       same_network(&place->address, &address->sin6_addr, place->bits);
}

static void add_place(struct trace_filter *f, const struct trace_place *place)
{
	for (size_t i = 0; i < f->place_count; i++)
		if (memcmp(&f->places[i], place, sizeof *place) == 0)
			return;
	if (f->place_count < TRACE_PLACES_MAX)
		f->places[f->place_count++] = *place;
}

/* ------------------------------------------------------------------ the gateway, and what it takes to tell its messages */

int trace_filter_gateway(struct trace_filter *f, struct daemon *daemon, const char *name)
{
	f->routing = subject_named(daemon, &f->routing_subject, KIND_ROUTING_GATEWAY, name);
	f->mapping = subject_named(daemon, &f->mapping_subject, KIND_MAPPING_GATEWAY, name);
	snprintf(f->gateway, sizeof f->gateway, "%s", name);
	return f->routing || f->mapping ? 0 : ENOENT;
}

/* A new reference; NULL: it is gone meanwhile. */
static json_t *document_of(struct model *model, enum kind_id kind, const char *name)
{
	model_lock(model);
	const struct object *object = model_find(model, kind, name);
	json_t *document = object && object->document ? json_loads(object->document, 0, NULL) : NULL;
	model_unlock(model);
	return document;
}

static int take_time(void *arg, uint64_t revision, const char *record)
{
	char at[TIME_TEXT];
	uint64_t number;
	(void)revision;
	return revision_at(at, &number, record) ? EINVAL : query_time(arg, at);
}

/* When the revision was made that created it; 0 = nobody knows. */
static uint64_t created_at(struct store *store, uint64_t incarnation)
{
	int64_t at = 0;
	if (incarnation == 0 || store_each_record(store, incarnation - 1, incarnation, take_time, &at) != 0)
		return 0;
	return at > 0 ? (uint64_t)at : 0;
}

static void prepare_routing(struct trace_filter *f, struct daemon *daemon)
{
	json_t *document = document_of(daemon->model, KIND_ROUTING_GATEWAY, f->gateway);
	const char *host = json_string_value(json_object_get(document, "host"));
	struct trace_place place;
	f->created_at = created_at(daemon->store, f->routing_subject.incarnation);
	f->learn = host && trace_place_read(&place, host) != 0;
	if (host && !f->learn)
		add_place(f, &place);
	json_decref(document);
}

/* A source of another gateway that lies within one of ours takes its messages away: the longest match wins. */
static void add_other(struct trace_filter *f, const struct trace_place *other)
{
	for (size_t i = 0; i < f->place_count && f->other_count < TRACE_PLACES_MAX; i++) {
		const struct trace_place *ours = &f->places[i];
		bool longer = other->bits > ours->bits || (other->bits == ours->bits && other->port && !ours->port);
		if (!longer || !same_network(&ours->address, &other->address, ours->bits) || (ours->port && ours->port != other->port))
			continue;
		f->others[f->other_count++] = *other;
		return;
	}
}

static void take_sources(struct trace_filter *f, const json_t *document, void (*take)(struct trace_filter *, const struct trace_place *))
{
	const json_t *sources = json_object_get(document, "sources");
	struct trace_place place;
	for (size_t i = 0; i < json_array_size(sources); i++)
		if (json_is_string(json_array_get(sources, i)) && trace_place_read(&place, json_string_value(json_array_get(sources, i))) == 0)
			take(f, &place);
}

static void prepare_mapping(struct trace_filter *f, struct daemon *daemon)
{
	char after[SCHEMA_NAME_MAX + 1] = "";
	json_t *document = document_of(daemon->model, KIND_MAPPING_GATEWAY, f->gateway);
	take_sources(f, document, add_place);
	json_decref(document);
	for (;;) {
		model_lock(daemon->model);
		const struct object *object = model_after(daemon->model, KIND_MAPPING_GATEWAY, after);
		document = object && strcmp(object->name, f->gateway) != 0 && object->document ? json_loads(object->document, 0, NULL) : NULL;
		if (object)
			memcpy(after, object->name, sizeof after);
		model_unlock(daemon->model);
		if (!object)
			return;
		take_sources(f, document, add_other);
		json_decref(document);
	}
}

static int compare_calls(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Of the calls in the switch's table, those just ended included, but for those of an earlier gateway of that name. */
static void prepare_calls(struct trace_filter *f, struct daemon *daemon, struct status_reader *reader)
{
	struct call_status call;
	uint64_t since = created_at(daemon->store, f->mapping_subject.incarnation);
	uint32_t limit = status_limit(reader, STATUS_CALL);
	for (uint32_t slot = 0; slot < limit; slot++) {
		if (status_get(reader, STATUS_CALL, slot, &call) != 0)
			continue;
		status_tame(STATUS_CALL, &call);
		if (!call.call_id_in[0] || call.setup_at < since || strcmp(call.mapping_gateway, f->gateway) != 0)
			continue;
		if (f->call_count == f->call_room) {
			size_t room = f->call_room ? 2 * f->call_room : 64;
			char (*grown)[128] = realloc(f->calls, room * sizeof *grown);
			if (!grown)
				break;
			f->calls = grown;
			f->call_room = room;
		}
		memcpy(f->calls[f->call_count++], call.call_id_in, sizeof *f->calls);
	}
	if (f->call_count)
		qsort(f->calls, f->call_count, sizeof *f->calls, compare_calls);
}

void trace_filter_prepare(struct trace_filter *f, struct daemon *daemon, struct status_reader *reader)
{
	if (f->mapping) {
		prepare_mapping(f, daemon);
		prepare_calls(f, daemon, reader);
	}
	if (f->routing)
		prepare_routing(f, daemon);
}

void trace_filter_free(struct trace_filter *f)
{
	free(f->calls);
	f->calls = NULL;
}

/* ------------------------------------------------------------------ matching */

/* No Call-ID has a comma in it (RFC 3261 25.1), but one that comes with it is still found by itself. */
bool trace_filter_has_call_id(const struct trace_filter *f, const char *call_id)
{
	size_t len = strlen(call_id);
	if (!f->call_id[0] || strcmp(f->call_id, call_id) == 0)
		return true;
	for (const char *at = f->call_id; *at; at += *at == ',') {
		size_t n = strcspn(at, ",");
		if (n > 0 && n == len && memcmp(at, call_id, n) == 0)
			return true;
		at += n;
	}
	return false;
}

static bool made_for_it(const struct trace_filter *f, const struct trace_seen *seen)
{
	uint32_t id;
	return f->routing && message_gateway_id(&id, seen->call_id) == 0 && id == f->routing_subject.id &&
	       seen->header->at >= f->created_at;
}

void trace_filter_learn(struct trace_filter *f, const struct trace_seen *seen)
{
	const struct trace_place place = { .address = seen->header->remote.sin6_addr, .bits = 128 };
	if (made_for_it(f, seen))
		add_place(f, &place);
}

static bool at_its_places(const struct trace_filter *f, const struct sockaddr_in6 *remote)
{
	for (size_t i = 0; i < f->other_count; i++)
		if (trace_place_holds(&f->others[i], remote))
			return false;
	for (size_t i = 0; i < f->place_count; i++)
		if (trace_place_holds(&f->places[i], remote))
			return true;
	return false;
}

static bool is_of_its_calls(const struct trace_filter *f, const char *call_id)
{
	return f->call_count && bsearch(call_id, f->calls, f->call_count, sizeof *f->calls, compare_calls);
}

static bool is_of_gateway(const struct trace_filter *f, const struct trace_seen *seen,
                          bool (*of_registration)(void *arg, const char *call_id), void *arg)
{
	uint32_t other;
	if (made_for_it(f, seen) || is_of_its_calls(f, seen->call_id))
		return true;
	/* At its address, but on the business of another gateway or of a registration. */
	return message_gateway_id(&other, seen->call_id) != 0 && at_its_places(f, &seen->header->remote) &&
	       !of_registration(arg, seen->call_id);
}

static bool is_of_number(const struct trace_filter *f, const struct trace_seen *seen)
{
	struct party party;
	return (party_of_request(&party, seen->message, seen->len) && party_is(&party, f->number)) ||
	       (party_of_header(&party, seen->message, seen->len, "From", "f") && party_is(&party, f->number)) ||
	       (party_of_header(&party, seen->message, seen->len, "To", "t") && party_is(&party, f->number));
}

bool trace_filter_passes(const struct trace_filter *f, const struct trace_seen *seen,
                         bool (*of_registration)(void *arg, const char *call_id), void *arg)
{
	if (seen->header->at < f->since)
		return false;
	if (!trace_filter_has_call_id(f, seen->call_id))
		return false;
	if (f->number[0] && !is_of_number(f, seen))
		return false;
	return !f->gateway[0] || is_of_gateway(f, seen, of_registration, arg);
}
