#include "session_timer.h"

#include <stdio.h>

#define MARGIN 32u	/* s: RFC 4028 10 */

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t less(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ------------------------------------------------------------------ as client */

uint32_t session_offered(const struct session_terms *now, uint32_t ttl, uint32_t min)
{
	return greater(greater(now->interval ? now->interval : ttl, min), SESSION_FLOOR);
}

void session_write_offer(char lines[SESSION_LINES_MAX], const struct session_terms *now, uint32_t ttl, uint32_t min)
{
	const char *refresher = !now->interval ? "" : now->ours ? ";refresher=uac" : ";refresher=uas";

	snprintf(lines, SESSION_LINES_MAX, "Session-Expires: %u%s\r\nMin-SE: %u\r\n", session_offered(now, ttl, min), refresher,
	         greater(min, SESSION_FLOOR));
}

void session_agree(struct session_terms *terms, const struct session_words *answer)
{
	terms->interval = answer->expires ? less(greater(answer->expires, SESSION_FLOOR), SESSION_CEILING) : 0;
	/* One that says nobody must have been written by a proxy: somebody has to. */
	terms->ours = terms->interval && answer->refresher != REFRESHER_UAS;
}

bool session_raise(uint32_t *min, uint32_t offered, const struct session_words *refusal)
{
	if (refusal->min <= offered || refusal->min > SESSION_RAISED_MAX)
		return false;
	*min = refusal->min;
	return true;
}

/* ------------------------------------------------------------------ as server */

bool session_too_small(const struct session_words *request)
{
	return request->supported && request->expires && request->expires < SESSION_FLOOR;
}

static uint32_t granted(const struct session_terms *now, const struct session_words *request, uint32_t ttl)
{
	uint32_t least = greater(request->min, SESSION_FLOOR);

	if (request->expires >= SESSION_FLOOR)
		return less(request->expires, greater(ttl, least));
	if (request->supported)
		return greater(ttl, least);
	return now->interval;
}

static bool we_refresh(const struct session_terms *now, const struct session_words *request)
{
	if (!request->supported)
		return true;
	if (request->refresher != REFRESHER_UNSAID)
		return request->refresher == REFRESHER_UAS;
	return !now->interval || now->ours;
}

void session_accept(struct session_terms *terms, char lines[SESSION_LINES_MAX], const struct session_words *request, uint32_t ttl)
{
	struct session_terms result = { .interval = granted(terms, request, ttl) };

	result.ours = result.interval && we_refresh(terms, request);
	lines[0] = '\0';
	if (result.interval)
		snprintf(lines, SESSION_LINES_MAX, "Supported: timer\r\nSession-Expires: %u;refresher=%s\r\n%s", result.interval,
		         result.ours ? "uas" : "uac", request->supported ? "Require: timer\r\n" : "");
	*terms = result;
}

/* ------------------------------------------------------------------ when */

uint32_t session_refresh_after(uint32_t interval, uint32_t segment)
{
	return interval / (segment ? segment : 2);
}

uint32_t session_hang_up_after(uint32_t interval, uint32_t early)
{
	return interval - less(early ? early : MARGIN, interval / 3);
}
