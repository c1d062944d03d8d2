#include "shm/cdr_format.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { AT_LENGTH = 8, AT_CHECK = 12, AT_SEQUENCE = 16, AT_ID = 24 };

#define FIELD_HEADER 6

/* Texts are cut at CDR_TEXT_MAX; the lists share the room that is left when every text is that long. */
enum {
#define CDR_TIME(name) + FIELD_HEADER + 8
#define CDR_NUMBER(name) + FIELD_HEADER + 4
#define CDR_TEXT(name) + FIELD_HEADER + CDR_TEXT_MAX + 1
#define CDR_LIST(name, member)
	BYTES_BUT_LISTS = CDR_HEADER
#include "shm/cdr.def"
	,
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
#define CDR_TIME(name)
#define CDR_NUMBER(name)
#define CDR_TEXT(name)
#define CDR_LIST(name, member) + 1
	LISTS = 0
#include "shm/cdr.def"
	,
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	LIST_MAX = (CDR_BYTES_MAX - BYTES_BUT_LISTS) / LISTS - FIELD_HEADER - 1
};

_Static_assert(LIST_MAX >= 2048, "each list has 2 KiB at least");
_Static_assert(CDR_BYTES_MAX <= UINT16_MAX, "a field's size has 16 bits");

/* One per field, in the order of cdr.def. */
enum {
#define CDR_TIME(name) TAG_##name,
#define CDR_NUMBER(name) TAG_##name,
#define CDR_TEXT(name) TAG_##name,
#define CDR_LIST(name, member) TAG_##name,
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	TAGS
};

static uint32_t tags[TAGS];
static uint32_t crc_table[8][256];
static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

uint32_t cdr_tag(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

static void make_tables(void)
{
#define CDR_TIME(name) tags[TAG_##name] = cdr_tag(#name);
#define CDR_NUMBER(name) tags[TAG_##name] = cdr_tag(#name);
#define CDR_TEXT(name) tags[TAG_##name] = cdr_tag(#name);
#define CDR_LIST(name, member) tags[TAG_##name] = cdr_tag(#name);
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);	/* Castagnoli, reflected */
		crc_table[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int t = 1; t < 8; t++)
			crc_table[t][i] = crc_table[t - 1][i] >> 8 ^ crc_table[0][crc_table[t - 1][i] & 0xff];
}

/* ------------------------------------------------------------------ numbers in little-endian order */

static void put16(uint8_t *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof value);
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof value);
}

static void put64(uint8_t *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof value);
}

static uint16_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof value);
	return le16toh(value);
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof value);
	return le64toh(value);
}

/* Eight bytes a step: a byte at a time would cost more than the write(2). */
uint32_t cdr_crc(uint32_t crc, const uint8_t *bytes, size_t size)
{
	pthread_once(&tables_made, make_tables);
	crc = ~crc;
	for (; size >= 8; size -= 8, bytes += 8) {
		uint32_t low = get32(bytes) ^ crc, high = get32(bytes + 4);
		crc = crc_table[7][low & 0xff] ^ crc_table[6][low >> 8 & 0xff] ^ crc_table[5][low >> 16 & 0xff] ^ crc_table[4][low >> 24] ^
		      crc_table[3][high & 0xff] ^ crc_table[2][high >> 8 & 0xff] ^ crc_table[1][high >> 16 & 0xff] ^ crc_table[0][high >> 24];
	}
	for (; size > 0; size--, bytes++)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *bytes) & 0xff];
	return ~crc;
}

static uint32_t crc_of_record(const uint8_t *bytes, size_t length)
{
	return cdr_crc(cdr_crc(0, bytes, AT_CHECK), bytes + AT_CHECK + 4, length - AT_CHECK - 4);
}

/* ------------------------------------------------------------------ encoding */

static uint8_t *put_head(uint8_t *to, unsigned tag, size_t size)
{
	put32(to, tags[tag]);
	put16(to + 4, (uint16_t)size);
	return to + FIELD_HEADER;
}

static uint8_t *put_time(uint8_t *to, unsigned tag, uint64_t us)
{
	if (us == 0)
		return to;
	to = put_head(to, tag, 8);
	put64(to, us);
	return to + 8;
}

static uint8_t *put_number(uint8_t *to, unsigned tag, uint32_t number)
{
	if (number == 0)
		return to;
	to = put_head(to, tag, 4);
	put32(to, number);
	return to + 4;
}

static uint8_t *put_bytes(uint8_t *to, unsigned tag, const char *text, size_t len)
{
	if (len == 0)
		return to;
	to = put_head(to, tag, len + 1);
	memcpy(to, text, len);
	to[len] = '\0';
	return to + len + 1;
}

static uint8_t *put_text(uint8_t *to, unsigned tag, const char *text)
{
	size_t len = text ? strnlen(text, CDR_TEXT_MAX + 1) : 0;

	if (len > CDR_TEXT_MAX)	/* not within a character of UTF-8 */
		for (len = CDR_TEXT_MAX; len > CDR_TEXT_MAX - 3 && ((uint8_t)text[len] & 0xc0) == 0x80;)
			len--;
	return put_bytes(to, tag, text, len);
}

static uint8_t *put_list(uint8_t *to, unsigned tag, const char *lines)
{
	size_t len = lines ? strnlen(lines, LIST_MAX + 1) : 0;

	if (len > LIST_MAX)
		for (len = LIST_MAX; len > 0 && lines[len - 1] != '\n';)
			len--;
	return put_bytes(to, tag, lines, len);
}

size_t cdr_encode(uint8_t *bytes, const struct cdr *cdr, uint64_t sequence)
{
	uint8_t *to = bytes + CDR_HEADER;
	size_t length;

	pthread_once(&tables_made, make_tables);
#define CDR_TIME(name) to = put_time(to, TAG_##name, cdr->name);
#define CDR_NUMBER(name) to = put_number(to, TAG_##name, cdr->name);
#define CDR_TEXT(name) to = put_text(to, TAG_##name, cdr->name);
#define CDR_LIST(name, member) to = put_list(to, TAG_##name, cdr->name);
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	length = (size_t)(to - bytes);
	memcpy(bytes, CDR_MAGIC, CDR_MAGIC_LEN);
	put32(bytes + AT_LENGTH, (uint32_t)length);
	put64(bytes + AT_SEQUENCE, sequence);
	put64(bytes + AT_ID, cdr->id);
	put32(bytes + AT_CHECK, crc_of_record(bytes, length));
	return length;
}

/* ------------------------------------------------------------------ decoding */

int cdr_check(size_t *length, const uint8_t *bytes, size_t size)
{
	uint32_t told;

	if (memcmp(bytes, CDR_MAGIC, size < CDR_MAGIC_LEN ? size : CDR_MAGIC_LEN) != 0)
		return EBADMSG;
	if (size < CDR_HEADER)
		return EAGAIN;
	told = get32(bytes + AT_LENGTH);
	if (told < CDR_HEADER || told > CDR_BYTES_MAX)
		return EBADMSG;
	if (told > size)
		return EAGAIN;
	if (get32(bytes + AT_CHECK) != crc_of_record(bytes, told))
		return EBADMSG;
	*length = told;
	return 0;
}

static int get_time(uint64_t *us, const uint8_t *value, size_t size)
{
	if (size != 8)
		return EBADMSG;
	*us = get64(value);
	return 0;
}

static int get_number(uint32_t *number, const uint8_t *value, size_t size)
{
	if (size != 4)
		return EBADMSG;
	*number = get32(value);
	return 0;
}

static int get_text(const char **text, const uint8_t *value, size_t size)
{
	if (size == 0 || memchr(value, '\0', size) != value + size - 1)
		return EBADMSG;
	*text = (const char *)value;
	return 0;
}

static int get_field(struct cdr *cdr, uint32_t tag, const uint8_t *value, size_t size)
{
#define CDR_TIME(name) if (tag == tags[TAG_##name]) return get_time(&cdr->name, value, size);
#define CDR_NUMBER(name) if (tag == tags[TAG_##name]) return get_number(&cdr->name, value, size);
#define CDR_TEXT(name) if (tag == tags[TAG_##name]) return get_text(&cdr->name, value, size);
#define CDR_LIST(name, member) if (tag == tags[TAG_##name]) return get_text(&cdr->name, value, size);
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	return 0;
}

int cdr_decode(struct cdr *cdr, uint64_t *sequence, const uint8_t *bytes, size_t length)
{
	struct cdr found = {
#define CDR_TIME(name)
#define CDR_NUMBER(name)
#define CDR_TEXT(name) .name = "",
#define CDR_LIST(name, member) .name = "",
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	};
	const uint8_t *at = bytes + CDR_HEADER, *end = bytes + length;

	pthread_once(&tables_made, make_tables);
	found.id = get64(bytes + AT_ID);
	while (at < end) {
		size_t left = (size_t)(end - at), size;
		if (left < FIELD_HEADER || (size = get16(at + 4)) > left - FIELD_HEADER ||
		    get_field(&found, get32(at), at + FIELD_HEADER, size) != 0)
			return EBADMSG;
		at += FIELD_HEADER + size;
	}
	*sequence = get64(bytes + AT_SEQUENCE);
	*cdr = found;
	return 0;
}
