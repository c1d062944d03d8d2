/*
 * The one description of every parameter and resource.
 *
 * parameters.def and <kind>.def are X-macro tables.  From them come, here, the C structs that lie in shared memory and
 * the descriptor tables; and from the descriptors, elsewhere, JSON both ways, validation, diff, the API description and
 * the layout hash.  Adding a parameter is one line in one .def file.
 *
 * How a value lies in a struct:
 *   BOOL            uint8_t, 0 or 1
 *   INT             int32_t
 *   INT_OR_KEYWORD  int32_t: the number, or KEYWORD(n) for the n-th word of the field's options
 *   ENUM            int32_t: index into the field's options
 *   texts           char[max + 1], UTF-8, NUL-terminated, zero-filled; empty = not given
 *   references      char[max + 1]: name of the object referred to; empty = null
 *   INTERVALS       struct intervals: milliseconds (JSON: a list of seconds)
 *   CODES           struct codes
 *   PREFIXES, REWRITES, SOURCES  struct prefixes, rewrites, sources; max is the greatest count
 */
#ifndef SCHEMA_SCHEMA_H
#define SCHEMA_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#define SCHEMA_NAME_MAX 63
#define SCHEMA_LINE_LEN 32	/* hex digits of a registration's line token */

/* Keywords of an INT_OR_KEYWORD are stored below every legal number. */
#define KEYWORD(n) (-1 - (int32_t)(n))

/* From FT_INTERVALS on a value is a list. */
enum field_type {
	FT_BOOL, FT_INT, FT_INT_OR_KEYWORD, FT_ENUM, FT_TEXT, FT_USER, FT_NAME, FT_HOST, FT_HOST_PORT,
	FT_REGISTRATION_REF, FT_MAPPING_REF,
	FT_INTERVALS, FT_CODES, FT_PREFIXES, FT_REWRITES, FT_SOURCES,
};
enum field_unit { NO_UNIT, SECONDS };
enum field_applies { LIVE, NEW_CALLS, REREGISTER };
enum field_direction { OUTBOUND, INBOUND, BOTH };
/* SIP: in JSON a member of the object `sip`; names are unique in a kind nevertheless.  ZERO_INHERITS: 0 is another way to
 * write "inherit". */
enum field_flag {
	REQUIRED = 1, SECRET = 2, RECORDLESS = 4, ZERO_OFF = 8, SIP = 16, ZERO_INHERITS = 32,
	SIP_ZERO_INHERITS = SIP | ZERO_INHERITS,
};

#define SCHEMA_PREFIX_MAX 20		/* of 0-9 * # + */
#define SCHEMA_SOURCE_MAX 47		/* "[2001:db8:…]:65535", or an address with /length */
#define SCHEMA_INTERVALS_MAX 16
#define SCHEMA_CODES_MAX 32
#define SCHEMA_PREFIXES_MAX 64
#define SCHEMA_REWRITES_MAX 32
#define SCHEMA_SOURCES_MAX 32
#define SCHEMA_INTERVALS_MIN 2
#define SCHEMA_INTERVALS_SUM_MS 64000
#define SCHEMA_CODE_MIN 300		/* final codes that are no success */
#define SCHEMA_CODE_MAX 599

struct intervals { int32_t count, ms[SCHEMA_INTERVALS_MAX]; };
struct codes { int32_t count, code[SCHEMA_CODES_MAX]; };
struct prefixes { int32_t count; char prefix[SCHEMA_PREFIXES_MAX][SCHEMA_PREFIX_MAX + 1]; };
struct rewrite { char match[SCHEMA_PREFIX_MAX + 1], replace[SCHEMA_PREFIX_MAX + 1]; };
struct rewrites { int32_t count; struct rewrite rule[SCHEMA_REWRITES_MAX]; };
struct sources { int32_t count; char source[SCHEMA_SOURCES_MAX][SCHEMA_SOURCE_MAX + 1]; };

/* enum EXPIRE_option { EXPIRE_AUTO }, … */
#define OPTIONS(set) enum set##_option {
#define OPTION(set, id, word, label, help, recommended) set##_##id,
#define END_OPTIONS(set) set##_COUNT };
#include "options.def"
#undef OPTIONS
#undef OPTION
#undef END_OPTIONS

struct option_word {
	const char *word;		/* NULL ends a table */
	const char *label;
	const char *help;
	int recommended;
};

struct field {
	const char *name;
	enum field_type type;
	int32_t min, max;		/* of the number, or of the text in bytes */
	const char *fallback;		/* the default, as JSON text */
	const struct option_word *options;	/* NULL where the type has none */
	enum field_unit unit;
	enum field_applies applies;
	enum field_direction direction;
	unsigned flags;			/* enum field_flag */
	const char *inherits;		/* parameter behind the word "inherit", or NULL */
	const char *group, *title, *help;
	uint32_t offset, size;		/* in the struct; size 0 for a RECORDLESS field */
};

/* Every record of a kind begins with this.  A record's identity is (id, incarnation): ids are small, dense and reused;
 * the incarnation is the revision that created the object. */
struct record {
	uint32_t id;
	uint32_t present;		/* 0 = no object has this id */
	uint64_t incarnation;
	uint64_t revision;		/* the revision that last changed it */
	char name[SCHEMA_NAME_MAX + 1];
};

#define C_BOOL(name, max) uint8_t name;
#define C_INT(name, max) int32_t name;
#define C_INT_OR_KEYWORD(name, max) int32_t name;
#define C_ENUM(name, max) int32_t name;
#define C_TEXT(name, max) char name[(max) + 1];
#define C_USER(name, max) char name[(max) + 1];
#define C_NAME(name, max) char name[(max) + 1];
#define C_HOST(name, max) char name[(max) + 1];
#define C_HOST_PORT(name, max) char name[(max) + 1];
#define C_REGISTRATION_REF(name, max) char name[(max) + 1];
#define C_MAPPING_REF(name, max) char name[(max) + 1];
#define C_INTERVALS(name, max) struct intervals name;
#define C_CODES(name, max) struct codes name;
#define C_PREFIXES(name, max) struct prefixes name;
#define C_REWRITES(name, max) struct rewrites name;
#define C_SOURCES(name, max) struct sources name;
#define C_MEMBER_0(type, name, max) C_##type(name, max)
#define C_MEMBER_REQUIRED(type, name, max) C_##type(name, max)
#define C_MEMBER_SECRET(type, name, max) C_##type(name, max)
#define C_MEMBER_ZERO_OFF(type, name, max) C_##type(name, max)
#define C_MEMBER_SIP(type, name, max) C_##type(name, max)
#define C_MEMBER_SIP_ZERO_INHERITS(type, name, max) C_##type(name, max)
#define C_MEMBER_RECORDLESS(type, name, max)
#define FIELD(name, type, min, max, fallback, options, unit, applies, group, direction, flags, inherits, title, help) \
	C_MEMBER_##flags(type, name, max)

struct sip_parameters {
#include "parameters.def"
};

struct registration_record {
	struct record head;
	char line[SCHEMA_LINE_LEN + 1];	/* Contact's line= token: HMAC of the name, the same after a restart */
#include "registration.def"
};

struct routing_gateway_record {
	struct record head;
#include "routing_gateway.def"
};

struct mapping_gateway_record {
	struct record head;
#include "mapping_gateway.def"
};
#undef FIELD

/* Room for a record of any kind. */
union any_record {
	struct record head;
	struct registration_record registration;
	struct routing_gateway_record routing_gateway;
	struct mapping_gateway_record mapping_gateway;
};

_Static_assert(sizeof(struct registration_record) <= 2048, "a registration must fit 2 KiB");
_Static_assert(sizeof(struct routing_gateway_record) <= 8192, "a gateway must fit 8 KiB");
_Static_assert(sizeof(struct mapping_gateway_record) <= 8192, "a gateway must fit 8 KiB");

/* The kinds of object a configuration holds.  The parameters are objects of the kind "sip-parameters", each named by
 * the parameter, but lie together in one struct; the others are records numbered by id. */
enum kind_id { KIND_PARAMETERS, KIND_REGISTRATION, KIND_ROUTING_GATEWAY, KIND_MAPPING_GATEWAY, KIND_COUNT };

struct kind {
	enum kind_id id;
	const char *path;		/* "registrations": the word in URLs, change-sets, SQL and history */
	const char *noun;		/* "registration": the word in logs and events */
	const struct field *fields;
	size_t nfields;
	uint32_t record_size;
};

extern const struct kind schema_kinds[KIND_COUNT];

const struct kind *schema_kind_by_path(const char *path);	/* or NULL */
const struct field *schema_field(const struct kind *kind, const char *name);	/* or NULL */

/* FNV-1a over name, type, offset and size of every field of every kind: two programs whose hashes agree lay out the
 * same structs. */
uint64_t schema_layout_hash(void);

const char *schema_type_word(enum field_type type);		/* "int", "text", "number_list", … as in the API */
const char *schema_unit_word(enum field_unit unit);		/* "s" or "" */
const char *schema_applies_word(enum field_applies applies);	/* "live", … */
const char *schema_direction_word(enum field_direction direction);

/* Index of a word among the field's options, or -1. */
int schema_option(const struct field *field, const char *word);

/* The kind a reference refers to; KIND_COUNT: the type is no reference. */
enum kind_id schema_target(enum field_type type);

/* How long a list may be, and what limits an item: the number (of INTERVALS in ms), else bytes of UTF-8.  All zero for a
 * type that is no list. */
struct list_limits { int32_t min_items, max_items, min, max; };
struct list_limits schema_list_limits(const struct field *field);

/* Says why `text` (len bytes, not necessarily NUL-terminated) is no legal value of a text field, reference, or item of a
 * list of texts: NULL when it is legal, else a static sentence without the value.  Checks UTF-8, control characters and the
 * type's syntax, not the length. */
const char *schema_text_fault(enum field_type type, const char *text, size_t len);

/* The same for an item of SOURCES: an address, CIDR or address:port.  Gives its canonical form, in which equal sources are
 * equal texts: addresses as inet_ntop() writes them, no /32 of IPv4, no /128 of IPv6. */
const char *schema_source(char canonical[SCHEMA_SOURCE_MAX + 1], const char *text, size_t len);

/* The same for the name of an object: 1 to 63 of A-Z a-z 0-9 . _ -, first a letter, digit or underscore. */
const char *schema_name_fault(const char *name, size_t len);

/* Why an integer is out of the field's range: 0 = legal. */
int schema_int_outside(const struct field *field, int64_t value);

#endif
