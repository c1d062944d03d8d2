/* A traced message as it is told: as JSON, as text for people, as a packet. */
#ifndef MGMTD_TRACE_TELL_H
#define MGMTD_TRACE_TELL_H

#include "mgmtd/pcap.h"
#include "mgmtd/trace_filter.h"

struct trace_item {
	const struct trace_header *header;
	const char *message;			/* masked */
	size_t len;
	size_t missing;				/* bytes that were not kept */
	const char *call_id, *registration;	/* "" = none */
	char summary[256];
};

void trace_tell_json(struct buffer *b, const struct trace_item *item);
void trace_tell_text(struct buffer *b, const struct trace_item *item);
void trace_tell_packet(struct pcap *pcap, const struct trace_item *item);

/* "192.0.2.1:5060", "[2001:db8::1]:5060" */
#define TRACE_ADDRESS_MAX 64
void trace_address_text(char text[TRACE_ADDRESS_MAX], const struct sockaddr_in6 *address);
const char *trace_transport_word(const struct trace_header *header);

#endif
