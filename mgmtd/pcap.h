/*
 * Traced messages as a classic pcap file (draft-gharris-opsawg-pcap): microseconds, LINKTYPE_RAW, so each packet begins with an
 * IPv4 or IPv6 header.  The headers are made up around the messages, with right lengths and checksums: one datagram for what
 * went by UDP; segments of a stream, without its handshake, for TCP.  TLS is shown as it was inside, which is why it is put
 * into datagrams: in a stream to port 5061 a reader would look for records to decrypt.
 */
#ifndef MGMTD_PCAP_H
#define MGMTD_PCAP_H

#include "mgmtd/buffer.h"

#include <netinet/in.h>

struct pcap_stream;

struct pcap {
	struct buffer *out;
	struct pcap_stream *streams;	/* one each direction */
	size_t count, room;
};

struct pcap_message {
	uint64_t at;				/* us since the epoch */
	bool stream;				/* TCP */
	struct sockaddr_in6 from, to;		/* IPv4 as ::ffff:a.b.c.d */
	const char *bytes;
	size_t len;
	size_t missing;				/* bytes of it that were not kept */
};

void pcap_begin(struct pcap *pcap, struct buffer *out);
void pcap_message(struct pcap *pcap, const struct pcap_message *message);
void pcap_end(struct pcap *pcap);

#endif
