/* Packets made up around messages: lengths, checksums, sequence numbers. */
#include "mgmtd/pcap.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t *at(const struct buffer *b, size_t offset)
{
	assert_true(offset < b->len);
	return (const uint8_t *)b->text + offset;
}

static uint32_t own32(const struct buffer *b, size_t offset)
{
	uint32_t value;
	memcpy(&value, at(b, offset + 3) - 3, 4);
	return value;
}

static unsigned net16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t net32(const uint8_t *p)
{
	return (uint32_t)net16(p) << 16 | net16(p + 2);
}

static unsigned sum(const uint8_t *p, size_t len, unsigned start)
{
	uint64_t total = start;
	for (size_t i = 0; i < len; i++)
		total += i % 2 ? p[i] : (unsigned)p[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (unsigned)total;
}

static struct sockaddr_in6 address(const char *text, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

static struct pcap_message message(const char *bytes, size_t len, bool stream)
{
	return (struct pcap_message){ .at = UINT64_C(1700000000123456), .stream = stream, .from = address("::ffff:192.0.2.1", 5060),
	                              .to = address("::ffff:192.0.2.2", 5070), .bytes = bytes, .len = len };
}

static void the_file_says_what_it_is(void **state)
{
	struct buffer b = { 0 };
	struct pcap pcap;
	(void)state;
	pcap_begin(&pcap, &b);
	pcap_end(&pcap);
	assert_int_equal(b.len, 24);
	assert_int_equal(own32(&b, 0), 0xa1b2c3d4);
	assert_int_equal(((const uint16_t *)(const void *)b.text)[2], 2);
	assert_int_equal(((const uint16_t *)(const void *)b.text)[3], 4);
	assert_int_equal(own32(&b, 20), 101);
	buffer_free(&b);
}

static void a_datagram_has_right_lengths_and_checksums(void **state)
{
	struct buffer b = { 0 };
	struct pcap pcap;
	struct pcap_message m = message("OPTIONS", 7, false);
	(void)state;
	pcap_begin(&pcap, &b);
	pcap_message(&pcap, &m);
	pcap_end(&pcap);
	assert_int_equal(own32(&b, 24), 1700000000);
	assert_int_equal(own32(&b, 28), 123456);
	assert_int_equal(own32(&b, 32), 35);
	assert_int_equal(own32(&b, 36), 35);
	const uint8_t *ip = at(&b, 40), *udp = ip + 20;
	assert_int_equal(b.len, 40 + 35);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(net16(ip + 2), 35);
	assert_int_equal(sum(ip, 20, 0), 0xffff);
	assert_int_equal(net32(ip + 12), 0xc0000201);
	assert_int_equal(net32(ip + 16), 0xc0000202);
	assert_int_equal(net16(udp), 5060);
	assert_int_equal(net16(udp + 2), 5070);
	assert_int_equal(net16(udp + 4), 15);
	assert_int_equal(sum(udp, 15, sum(ip + 12, 8, 17 + 15)), 0xffff);
	assert_memory_equal(udp + 8, "OPTIONS", 7);
	buffer_free(&b);
}

static void ipv6_has_its_own_header(void **state)
{
	struct buffer b = { 0 };
	struct pcap pcap;
	struct pcap_message m = message("OPTIONS", 7, false);
	(void)state;
	m.from = address("2001:db8::1", 5060);
	m.to = address("2001:db8::2", 5070);
	pcap_begin(&pcap, &b);
	pcap_message(&pcap, &m);
	pcap_end(&pcap);
	const uint8_t *ip = at(&b, 40), *udp = ip + 40;
	assert_int_equal(b.len, 40 + 55);
	assert_int_equal(ip[0], 0x60);
	assert_int_equal(net16(ip + 4), 15);
	assert_int_equal(ip[6], 17);
	assert_int_equal(sum(udp, 15, sum(ip + 8, 32, 17 + 15)), 0xffff);
	buffer_free(&b);
}

static void an_unspecified_address_takes_the_family_of_its_peer(void **state)
{
	struct buffer b = { 0 };
	struct pcap pcap;
	struct pcap_message m = message("OPTIONS", 7, false);
	(void)state;
	m.from = address("::", 5060);
	pcap_begin(&pcap, &b);
	pcap_message(&pcap, &m);
	pcap_end(&pcap);
	assert_int_equal(*at(&b, 40), 0x45);
	assert_int_equal(net32(at(&b, 40 + 12)), 0);
	buffer_free(&b);
}

static void a_stream_goes_on_where_it_was_each_way(void **state)
{
	struct buffer b = { 0 };
	struct pcap pcap;
	struct pcap_message there = message("INVITE...", 9, true), back = message("SIP/2.0", 7, true);
	(void)state;
	back.from = there.to;
	back.to = there.from;
	pcap_begin(&pcap, &b);
	pcap_message(&pcap, &there);
	pcap_message(&pcap, &back);
	pcap_message(&pcap, &there);
	pcap_end(&pcap);
	const uint8_t *first = at(&b, 40), *second = first + 49 + 16, *third = second + 47 + 16;
	assert_int_equal(b.len, 24 + 3 * 16 + 49 + 47 + 49);
	assert_int_equal(net32(first + 24), 1);
	assert_int_equal(net32(first + 28), 1);
	assert_int_equal(net32(second + 24), 1);
	assert_int_equal(net32(second + 28), 10);
	assert_int_equal(net32(third + 24), 10);
	assert_int_equal(net32(third + 28), 8);
	assert_int_equal(sum(third + 20, 29, sum(third + 12, 8, 6 + 29)), 0xffff);
	buffer_free(&b);
}

static void a_large_message_is_cut_into_segments_of_which_none_is_lost(void **state)
{
	static char large[100000];
	struct buffer b = { 0 };
	struct pcap pcap;
	struct pcap_message m = message(large, sizeof large, true);
	size_t offset = 24, got = 0;
	(void)state;
	for (size_t i = 0; i < sizeof large; i++)
		large[i] = (char)(i * 7 >> 2);
	pcap_begin(&pcap, &b);
	pcap_message(&pcap, &m);
	pcap_end(&pcap);
	while (offset < b.len) {
		size_t len = own32(&b, offset + 8);
		const uint8_t *ip = at(&b, offset + 16);
		assert_int_equal(own32(&b, offset + 12), len);
		assert_int_equal(net16(ip + 2), len);
		assert_int_equal(net32(ip + 24), 1 + got);
		assert_memory_equal(ip + 40, large + got, len - 40);
		got += len - 40;
		offset += 16 + len;
	}
	assert_int_equal(got, sizeof large);
	buffer_free(&b);
}

static void what_was_not_kept_shows(void **state)
{
	struct buffer b = { 0 };
	struct pcap pcap;
	struct pcap_message m = message("INVITE", 6, false), s = message("INVITE", 6, true);
	(void)state;
	m.missing = s.missing = 100;
	pcap_begin(&pcap, &b);
	pcap_message(&pcap, &m);
	pcap_message(&pcap, &s);
	s.missing = 0;
	pcap_message(&pcap, &s);
	pcap_end(&pcap);
	assert_int_equal(own32(&b, 32), 34);
	assert_int_equal(own32(&b, 36), 134);
	assert_int_equal(net16(at(&b, 40 + 2)), 134);
	assert_int_equal(net16(at(&b, 40 + 24)), 114);
	assert_int_equal(net32(at(&b, 24 + 16 + 34 + 16 + 46 + 16 + 24)), 1 + 106);
	buffer_free(&b);
}

static void no_datagram_is_longer_than_its_length_field(void **state)
{
	static char large[130000];
	struct buffer b = { 0 };
	struct pcap pcap;
	struct pcap_message m = message(large, sizeof large, false);
	(void)state;
	m.missing = 70000;
	pcap_begin(&pcap, &b);
	pcap_message(&pcap, &m);
	pcap_end(&pcap);
	assert_int_equal(own32(&b, 32), 65535);
	assert_int_equal(own32(&b, 36), 65535);
	assert_int_equal(net16(at(&b, 42)), 65535);
	assert_int_equal(b.len, 24 + 16 + 65535);
	buffer_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_says_what_it_is),
		cmocka_unit_test(a_datagram_has_right_lengths_and_checksums),
		cmocka_unit_test(ipv6_has_its_own_header),
		cmocka_unit_test(an_unspecified_address_takes_the_family_of_its_peer),
		cmocka_unit_test(a_stream_goes_on_where_it_was_each_way),
		cmocka_unit_test(a_large_message_is_cut_into_segments_of_which_none_is_lost),
		cmocka_unit_test(what_was_not_kept_shows),
		cmocka_unit_test(no_datagram_is_longer_than_its_length_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
