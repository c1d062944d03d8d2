#include "mgmtd/trace_tell.h"

#include "mgmtd/render.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void trace_address_text(char text[TRACE_ADDRESS_MAX], const struct sockaddr_in6 *address)
{
	char host[INET6_ADDRSTRLEN] = "";
	if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
		inet_ntop(AF_INET, &address->sin6_addr.s6_addr[12], host, sizeof host);
		snprintf(text, TRACE_ADDRESS_MAX, "%s:%u", host, ntohs(address->sin6_port));
	} else {
		inet_ntop(AF_INET6, &address->sin6_addr, host, sizeof host);
		snprintf(text, TRACE_ADDRESS_MAX, "[%s]:%u", host, ntohs(address->sin6_port));
	}
}

const char *trace_transport_word(const struct trace_header *header)
{
	static const char *const words[] = { "udp", "tcp", "tls" };
	return header->transport <= TRACE_TLS ? words[header->transport] : "";
}

void trace_tell_json(struct buffer *b, const struct trace_item *item)
{
	const struct trace_header *h = item->header;
	char local[TRACE_ADDRESS_MAX], remote[TRACE_ADDRESS_MAX];
	trace_address_text(local, &h->local);
	trace_address_text(remote, &h->remote);
	buffer_format(b, "{\"seq\":%" PRIu64, h->sequence);
	render_time(b, "at", h->at);
	render_text(b, "direction", h->direction == TRACE_OUT ? "out" : "in");
	render_text(b, "transport", trace_transport_word(h));
	render_text(b, "local", local);
	render_text(b, "remote", remote);
	render_text(b, "registration", item->registration);
	render_text(b, "call_id", item->call_id);
	render_member(b, "summary");
	buffer_json(b, item->summary, strlen(item->summary));
	render_member(b, "message");
	buffer_json(b, item->message, item->len);
	buffer_text(b, "}");
}

/* Bytes that could steer a terminal are shown as '?'. */
static void append_printable(struct buffer *b, const char *text, size_t len)
{
	size_t begin = b->len;
	buffer_append(b, text, len);
	for (size_t i = begin; !b->failed && i < b->len; i++) {
		unsigned char c = (unsigned char)b->text[i];
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			b->text[i] = c == '\r' ? ' ' : '?';
	}
}

void trace_tell_text(struct buffer *b, const struct trace_item *item)
{
	const struct trace_header *h = item->header;
	char at[25], local[TRACE_ADDRESS_MAX], remote[TRACE_ADDRESS_MAX];
	time_text(at, h->at);
	trace_address_text(local, &h->local);
	trace_address_text(remote, &h->remote);
	buffer_format(b, "%s  %s  %s  %s %s %s", at, h->direction == TRACE_OUT ? "out" : "in", trace_transport_word(h), local,
	              h->direction == TRACE_OUT ? "->" : "<-", remote);
	if (item->registration[0])
		buffer_format(b, "  registration %s", item->registration);
	buffer_text(b, "\n\n");
	/* Line ends of the wire are CR LF; people's are LF. */
	for (size_t i = 0; i < item->len;) {
		const char *line = item->message + i, *end = memchr(line, '\n', item->len - i);
		size_t n = end ? (size_t)(end - line) : item->len - i;
		append_printable(b, line, n > 0 && line[n - 1] == '\r' ? n - 1 : n);
		buffer_text(b, "\n");
		i += n + (end != NULL);
	}
	buffer_text(b, "\n");
}

void trace_tell_packet(struct pcap *pcap, const struct trace_item *item)
{
	const struct trace_header *h = item->header;
	bool out = h->direction == TRACE_OUT;
	const struct pcap_message message = {
		.at = h->at, .stream = h->transport == TRACE_TCP, .from = out ? h->local : h->remote, .to = out ? h->remote : h->local,
		.bytes = item->message, .len = item->len, .missing = item->missing,
	};
	pcap_message(pcap, &message);
}
