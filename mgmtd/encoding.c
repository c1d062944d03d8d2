#include "mgmtd/encoding.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define BEST 1000	/* a weight of 1, in thousandths */
#define BARELY 1	/* identity that nobody mentions: rather than nothing */

const char *const encoding_words[ENCODING_COUNT] = { "br", "gzip", "identity" };
const char *const encoding_suffixes[ENCODING_COUNT] = { ".br", ".gz", "" };

static const char blanks[] = " \t";

/* What stands behind "q=", in thousandths; what is no weight counts as a refusal. */
static int read_weight(const char *at)
{
	int weight = 0, digit = BEST;
	if (*at != '0' && *at != '1')
		return 0;
	weight = (*at++ - '0') * BEST;
	if (*at == '.')
		while (*++at >= '0' && *at <= '9' && digit > 1)
			weight += (*at - '0') * (digit /= 10);
	return weight > BEST ? BEST : weight;
}

/* The weight of one member of the list, which ends at `end`. */
static int weight_of(const char *at, const char *end)
{
	while ((at = memchr(at, ';', (size_t)(end - at)))) {
		at++;
		at += strspn(at, blanks);
		if (end - at >= 2 && strncasecmp(at, "q=", 2) == 0)
			return read_weight(at + 2);
	}
	return BEST;
}

/* The weights that the list gives; -1 = it does not name that one.  [ENCODING_COUNT] is that of "*". */
static void read_list(int weights[ENCODING_COUNT + 1], const char *accept)
{
	static const char *const names[] = { "br", "gzip", "identity", "*", "x-gzip" };
	static const int places[] = { ENCODING_BR, ENCODING_GZIP, ENCODING_IDENTITY, ENCODING_COUNT, ENCODING_GZIP };
	for (const char *at = accept, *end; *at; at = end + (*end == ',')) {
		at += strspn(at, blanks);
		end = at + strcspn(at, ",");
		size_t len = strcspn(at, ";, \t");
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (strlen(names[i]) == len && strncasecmp(names[i], at, len) == 0)
				weights[places[i]] = weight_of(at, end);
	}
}

enum encoding encoding_choose(const char *accept, unsigned available)
{
	int weights[ENCODING_COUNT + 1] = { -1, -1, -1, -1 }, most = 0;
	enum encoding best = ENCODING_IDENTITY;
	read_list(weights, accept ? accept : "");
	for (enum encoding e = 0; e < ENCODING_COUNT; e++) {
		int weight = weights[e] >= 0 ? weights[e] : weights[ENCODING_COUNT];
		if (weight < 0)
			weight = e == ENCODING_IDENTITY ? BARELY : 0;
		if ((e == ENCODING_IDENTITY || (available & 1u << e)) && weight > most) {
			most = weight;
			best = e;
		}
	}
	return best;
}
