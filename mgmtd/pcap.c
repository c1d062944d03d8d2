#include "mgmtd/pcap.h"

#include <stdlib.h>
#include <string.h>

#define LINKTYPE_RAW 101
#define SNAPLEN 262144
#define HEAD_MAX (40 + 20)		/* IPv6 and TCP */
#define SEGMENT_MAX 16384
#define DATAGRAM_MAX (65535 - 20 - 8)	/* by the length field of IPv4; that of IPv6 leaves more */
#define HOPS 64
#define TCP_PUSH_ACK 0x18

struct pcap_stream { struct sockaddr_in6 from, to; uint32_t next; };

/* One packet's header; the payload follows it. */
struct head {
	uint8_t bytes[HEAD_MAX];
	size_t ip, len;			/* length of the IP header; of all */
};

static void put16(uint8_t *to, size_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value & 0xffff);
}

/* RFC 1071; a running sum that is folded at the end.  Only the last part may be of odd length. */
static uint64_t add(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	for (; len > 1; p += 2, len -= 2)
		sum += (unsigned)p[0] << 8 | p[1];
	return len ? sum + ((unsigned)p[0] << 8) : sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool is_four(const struct pcap_message *m)
{
	/* A listener on all addresses has no address of its own to show: it takes the family of the peer. */
	bool from = IN6_IS_ADDR_V4MAPPED(&m->from.sin6_addr), to = IN6_IS_ADDR_V4MAPPED(&m->to.sin6_addr);
	return (from || IN6_IS_ADDR_UNSPECIFIED(&m->from.sin6_addr)) && (to || IN6_IS_ADDR_UNSPECIFIED(&m->to.sin6_addr));
}

/* Gives the sum of the pseudo header (RFC 768, RFC 8200 8.1). */
static uint64_t put_ip(struct head *h, const struct pcap_message *m, uint8_t protocol, size_t payload)
{
	uint8_t *p = h->bytes;
	uint64_t sum = protocol + payload;
	if (is_four(m)) {
		h->ip = 20;
		p[0] = 0x45;
		put16(p + 2, 20 + payload);
		p[8] = HOPS;
		p[9] = protocol;
		memcpy(p + 12, &m->from.sin6_addr.s6_addr[12], 4);
		memcpy(p + 16, &m->to.sin6_addr.s6_addr[12], 4);
		put16(p + 10, fold(add(0, p, 20)));
		return add(sum, p + 12, 8);
	}
	h->ip = 40;
	p[0] = 0x60;
	put16(p + 4, payload);
	p[6] = protocol;
	p[7] = HOPS;
	memcpy(p + 8, &m->from.sin6_addr, 16);
	memcpy(p + 24, &m->to.sin6_addr, 16);
	return add(sum, p + 8, 32);
}

static void put_ports(uint8_t *p, const struct pcap_message *m)
{
	memcpy(p, &m->from.sin6_port, 2);
	memcpy(p + 2, &m->to.sin6_port, 2);
}

static void append32(struct buffer *b, uint32_t value)
{
	buffer_append(b, (const char *)&value, sizeof value);
}

/* missing: of the payload, at its end; the packet then is one that was cut when it was captured. */
static void emit(struct pcap *pcap, const struct pcap_message *m, const struct head *h, const char *payload, size_t len, size_t missing)
{
	/* In our own byte order, which the first word of the file tells. */
	append32(pcap->out, (uint32_t)(m->at / 1000000));
	append32(pcap->out, (uint32_t)(m->at % 1000000));
	append32(pcap->out, (uint32_t)(h->len + len));
	append32(pcap->out, (uint32_t)(h->len + len + missing));
	buffer_append(pcap->out, (const char *)h->bytes, h->len);
	buffer_append(pcap->out, payload, len);
}

static void put_datagram(struct pcap *pcap, const struct pcap_message *m)
{
	struct head h = { .ip = 0 };
	size_t len = m->len < DATAGRAM_MAX ? m->len : DATAGRAM_MAX;
	size_t missing = m->missing < DATAGRAM_MAX - len ? m->missing : DATAGRAM_MAX - len;
	uint64_t sum = put_ip(&h, m, IPPROTO_UDP, 8 + len + missing);
	uint8_t *udp = h.bytes + h.ip;
	uint16_t checksum;
	h.len = h.ip + 8;
	put_ports(udp, m);
	put16(udp + 4, 8 + len + missing);
	checksum = fold(add(add(sum, udp, 8), m->bytes, len));
	/* 0 = none was computed; a sum of 0 is written as its other form (RFC 768). */
	put16(udp + 6, missing ? 0 : checksum ? checksum : 0xffff);
	emit(pcap, m, &h, m->bytes, len, missing);
}

static bool same(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return a->sin6_port == b->sin6_port && IN6_ARE_ADDR_EQUAL(&a->sin6_addr, &b->sin6_addr);
}

/* Place of the stream in that direction, made when it is new; SIZE_MAX = out of memory. */
static size_t stream_of(struct pcap *pcap, const struct sockaddr_in6 *from, const struct sockaddr_in6 *to)
{
	for (size_t i = pcap->count; i-- > 0;)
		if (same(&pcap->streams[i].from, from) && same(&pcap->streams[i].to, to))
			return i;
	if (pcap->count == pcap->room) {
		size_t room = pcap->room ? 2 * pcap->room : 16;
		struct pcap_stream *grown = realloc(pcap->streams, room * sizeof *grown);
		if (!grown)
			return SIZE_MAX;
		pcap->streams = grown;
		pcap->room = room;
	}
	pcap->streams[pcap->count] = (struct pcap_stream){ *from, *to, 1 };
	return pcap->count++;
}

static void put_segment(struct pcap *pcap, const struct pcap_message *m, size_t there, size_t back, const char *bytes, size_t len)
{
	struct head h = { .ip = 0 };
	uint64_t sum = put_ip(&h, m, IPPROTO_TCP, 20 + len);
	uint8_t *tcp = h.bytes + h.ip;
	h.len = h.ip + 20;
	put_ports(tcp, m);
	put32(tcp + 4, pcap->streams[there].next);
	put32(tcp + 8, pcap->streams[back].next);
	tcp[12] = 5 << 4;
	tcp[13] = TCP_PUSH_ACK;
	put16(tcp + 14, 65535);
	put16(tcp + 16, fold(add(add(sum, tcp, 20), bytes, len)));
	emit(pcap, m, &h, bytes, len, 0);
	pcap->streams[there].next += (uint32_t)len;
}

static void put_segments(struct pcap *pcap, const struct pcap_message *m)
{
	size_t there = stream_of(pcap, &m->from, &m->to), back = stream_of(pcap, &m->to, &m->from);
	if (there == SIZE_MAX || back == SIZE_MAX) {
		pcap->out->failed = true;
		return;
	}
	for (size_t at = 0; at < m->len; at += SEGMENT_MAX)
		put_segment(pcap, m, there, back, m->bytes + at, m->len - at < SEGMENT_MAX ? m->len - at : SEGMENT_MAX);
	/* What was not kept shows as lost segments. */
	pcap->streams[there].next += (uint32_t)m->missing;
}

void pcap_begin(struct pcap *pcap, struct buffer *out)
{
	*pcap = (struct pcap){ .out = out };
	append32(out, 0xa1b2c3d4);
	buffer_append(out, (const char *)(const uint16_t[]){ 2, 4 }, 4);	/* version 2.4 */
	append32(out, 0);
	append32(out, 0);
	append32(out, SNAPLEN);
	append32(out, LINKTYPE_RAW);
}

void pcap_message(struct pcap *pcap, const struct pcap_message *m)
{
	if (m->stream)
		put_segments(pcap, m);
	else
		put_datagram(pcap, m);
}

void pcap_end(struct pcap *pcap)
{
	free(pcap->streams);
	*pcap = (struct pcap){ 0 };
}
