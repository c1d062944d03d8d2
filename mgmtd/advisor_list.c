/* The advice of the last look as it is told. */
#include "mgmtd/advisor_private.h"

#include "mgmtd/json_text.h"
#include "mgmtd/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *name_of(const struct facts *f, enum kind_id kind)
{
	return kind == KIND_PARAMETERS ? "SS_SIP_USER_AGENT_SEND_UNREGISTER" : f->record->name;
}

/* False: it is over meanwhile. */
static bool tell_one(struct buffer *b, struct advisor *a, unsigned t, uint32_t id, const char *comma)
{
	const struct trouble_kind *kind = &troubles[t];
	static struct facts f;

	if (!advisor_facts(&f, a, kind->kind, id) || !kind->holds(&f))
		return false;
	json_t *item = advice_item(kind->word, kind->severity, kind->kind, name_of(&f, kind->kind), f.seen->since[t]);
	kind->tell(&f, item);
	char *text = item ? json_dumps(item, JSON_TEXT) : NULL;
	json_decref(item);
	b->failed |= !text;
	if (text) {
		buffer_text(b, comma);
		buffer_text(b, text);
	}
	free(text);
	return true;
}

/* The ids that may have it: all, or that of the name. */
static void range_of(struct advisor *a, enum kind_id kind, const char *name, uint32_t *first, uint32_t *end)
{
	*end = a->seen[kind].room;
	if (!name)
		return;
	const struct record *record = kind == KIND_PARAMETERS ? NULL : snapshot_find(a->snap, kind, name);
	bool parameter = kind == KIND_PARAMETERS && strcmp(name, "SS_SIP_USER_AGENT_SEND_UNREGISTER") == 0;
	uint32_t id = record ? record->id : 0;
	if ((!record && !parameter) || id < *first || id >= *end)
		*end = *first;
	else
		*first = id, *end = id + 1;
}

static bool wanted(const struct advice_filter *filter, unsigned t)
{
	return (filter->severity < 0 || troubles[t].severity == (enum advice_severity)filter->severity) &&
	       (filter->kind < 0 || troubles[t].kind == (enum kind_id)filter->kind);
}

/* *next is where the page ends; its trouble is TROUBLE_COUNT when that is the end of all. */
static void tell_page(struct advisor *a, const struct advice_filter *filter, struct buffer *b, struct advice_cursor *next)
{
	unsigned count = 0;

	for (unsigned t = filter->from.trouble; t < TROUBLE_COUNT; t++) {
		uint32_t id = t == filter->from.trouble ? filter->from.id : 0, end;
		if (!wanted(filter, t) || a->counts[t] == 0)
			continue;
		range_of(a, troubles[t].kind, filter->name, &id, &end);
		for (; id < end; id++) {
			if (!(a->seen[troubles[t].kind].v[id].bits >> t & 1))
				continue;
			if (count == filter->limit) {
				*next = (struct advice_cursor){ t, id };
				return;
			}
			count += tell_one(b, a, t, id, count ? "," : "");
		}
	}
	next->trouble = TROUBLE_COUNT;
}

int advisor_list(struct advisor *a, const struct advice_filter *filter, struct buffer *b)
{
	uint64_t totals[SEVERITY_COUNT] = { 0 }, now;
	struct advice_cursor next = { 0 };

	if (advisor_look(a) != 0)
		return ENOENT;
	buffer_text(b, "{\"items\":[");
	tell_page(a, filter, b, &next);
	if (next.trouble == TROUBLE_COUNT)
		buffer_text(b, "],\"next\":null");
	else
		buffer_format(b, "],\"next\":\"a%" PRIx32 "-%" PRIx32 "\"", next.trouble, next.id);
	for (unsigned t = 0; t < TROUBLE_COUNT; t++)
		totals[troubles[t].severity] += a->counts[t];
	now = time_now_us();
	buffer_format(b, ",\"revision\":%" PRIu64 ",\"at\":", snapshot_revision(a->snap));
	buffer_json_time(b, a->at);
	buffer_format(b, ",\"age_ms\":%" PRIu64 ",\"stale\":%s,\"totals\":{\"critical\":%" PRIu64 ",\"warning\":%" PRIu64 ",\"info\":%" PRIu64 "}}",
	              now > a->at ? (now - a->at) / 1000 : 0, core_state(watch_core(a->daemon->watch)) == CORE_UP ? "false" : "true", totals[CRITICAL],
	              totals[WARNING], totals[INFO]);
	advisor_idle(a);
	return 0;
}
