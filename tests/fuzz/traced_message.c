/*
 * Bytes as they may stand in the trace ring: masked, summarised, filtered by number, compared with a preview, made into
 * packets.  Nothing may crash; what is told as JSON is JSON; masking leaves no credentials and keeps the length of a body.
 */
#include "mgmtd/compare.h"
#include "mgmtd/message.h"
#include "mgmtd/party.h"
#include "mgmtd/pcap.h"
#include "mgmtd/trace_filter.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool no_registration(void *arg, const char *call_id)
{
	(void)arg;
	(void)call_id;
	return false;
}

static void compare(const char *message, size_t len)
{
	const struct compare_side side = { message, len, "udp:192.0.2.1:5060" };
	struct buffer b = { 0 };
	json_t *json;

	compare_matches(message, len, message, len);
	compare_render(&b, &side, &side);
	json = json_loadb(b.text, b.len, 0, NULL);
	assert(json && !memmem(b.text, b.len, "\"match\":false", 13));
	json_decref(json);
	buffer_free(&b);
}

static void mask(const char *message, size_t len)
{
	struct buffer once = { 0 }, twice = { 0 };

	message_masked(&once, message, len);
	message_masked(&twice, once.text ? once.text : "", once.len);
	/* What is masked already has nothing left to mask. */
	assert(once.len == twice.len && (!once.len || memcmp(once.text, twice.text, once.len) == 0));
	buffer_free(&once);
	buffer_free(&twice);
}

static void pack(const char *message, size_t len)
{
	struct pcap_message m = { .at = 1, .bytes = message, .len = len, .stream = len & 1 };
	struct buffer b = { 0 };
	struct pcap pcap;

	pcap_begin(&pcap, &b);
	pcap_message(&pcap, &m);
	pcap_end(&pcap);
	buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of just that size: one byte too far is found. */
	char *message = malloc(size ? size : 1), summary[64], call_id[TRACE_CALL_ID_MAX + 1];
	const struct trace_header header = { .at = 1 };
	struct trace_filter filter = { .number = "8801" };
	struct party party;

	memcpy(message, data, size);
	trace_call_id(call_id, message, size);
	const struct trace_seen seen = { &header, message, size, call_id };
	trace_filter_passes(&filter, &seen, no_registration, NULL);
	message_summary(summary, sizeof summary, message, size);
	assert(memchr(summary, '\0', sizeof summary));
	party_read(&party, message, size);
	assert(memchr(party.user, '\0', PARTY_TEXT) && memchr(party.host, '\0', PARTY_TEXT) && memchr(party.display, '\0', PARTY_TEXT));
	mask(message, size);
	compare(message, size);
	pack(message, size);
	free(message);
	return 0;
}
