#include "mgmtd/advisor_private.h"

#include "mgmtd/store_advice.h"
#include "mgmtd/trace.h"
#include "mgmtd/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NICE 5
#define QUEUE 64
#define BEAT_MS 10000
#define STRETCH 1024u		/* records per hold of the status segment */
/* A look is not repeated before it is so many times as old as it took: at most a twentieth of a core goes into looking. */
#define REST 20u
#define REST_MAX_US UINT64_C(2000000)

const struct trouble_kind troubles[TROUBLE_COUNT] = {
#define TROUBLE_ROW(id, word, severity, kind, family) { word, severity, kind, family##_holds, family##_tell },
	TROUBLES(TROUBLE_ROW)
#undef TROUBLE_ROW
};

/* ------------------------------------------------------------------ judging one */

static struct core *core_of(struct advisor *a)
{
	return watch_core(a->daemon->watch);
}

static void read_status(struct facts *f, uint32_t id)
{
	int e = core_status(core_of(f->advisor), KIND_REGISTRATION, id, &f->status);

	f->known = (e == 0 || e == EBUSY) && f->status.incarnation == f->record->incarnation;
}

static void find_trunk(struct facts *f)
{
	const char *name = facts_gateway(f)->registration;

	f->trunk_seen = advisor_seen_named(f->advisor, KIND_REGISTRATION, name);
	f->trunk = f->trunk_seen ? (const void *)snapshot_find(f->advisor->snap, KIND_REGISTRATION, name) : NULL;
}

bool advisor_facts(struct facts *f, struct advisor *a, enum kind_id kind, uint32_t id)
{
	static const struct record parameters = { .present = 1 };

	f->advisor = a;
	f->now = time_now_us();
	f->parameters = &a->parameters;
	f->record = kind == KIND_PARAMETERS ? &parameters : snapshot_record(a->snap, kind, id);
	f->seen = f->record ? advisor_seen(a, kind, id) : NULL;
	f->trunk = NULL;
	f->trunk_seen = NULL;
	f->known = false;
	if (!f->seen)
		return false;
	if (kind == KIND_REGISTRATION)
		read_status(f, id);
	else if (kind == KIND_ROUTING_GATEWAY)
		find_trunk(f);
	return true;
}

static void judge(struct facts *f, enum kind_id kind, struct seen *seen)
{
	uint32_t bits = 0;

	for (unsigned t = 0; t < TROUBLE_COUNT; t++)
		if (troubles[t].kind == kind && troubles[t].holds(f))
			bits |= UINT32_C(1) << t;
	advisor_note(f->advisor, seen, bits, f->now);
}

/* ------------------------------------------------------------------ registrations */

struct stretch { uint32_t first, count; uint64_t changes[STRETCH]; };

static void read_changes(struct status_reader *reader, void *arg)
{
	struct stretch *s = arg;

	for (uint32_t i = 0; i < s->count; i++)
		s->changes[i] = status_changes(reader, KIND_REGISTRATION, s->first + i);
}

static uint16_t answer_of(const struct registration_status *s, uint16_t before)
{
	for (uint64_t i = 0; i < s->attempt_count && i < s->attempts; i++) {
		const struct registration_attempt *attempt = &s->attempt[(s->attempts - 1 - i) % STATUS_ATTEMPTS];
		if (attempt->done && attempt->code)
			return attempt->code;
	}
	return before;
}

static void take_status(struct seen *seen, const struct facts *f)
{
	seen->known = f->known;
	if (!f->known)
		return;
	seen->state = f->status.state;
	seen->state_since = f->status.since;
	seen->binding_end = f->status.binding_expires_at;
	seen->last_answer = answer_of(&f->status, seen->last_answer);
}

static void judge_registration(struct advisor *a, uint32_t id, uint64_t changes)
{
	const struct record *record = snapshot_record(a->snap, KIND_REGISTRATION, id);
	struct seen *seen = record || id < a->seen[KIND_REGISTRATION].room ? advisor_seen(a, KIND_REGISTRATION, id) : NULL;
	static struct facts f;	/* the thread's own; 4 KB */

	if (!seen)
		return;
	if (!record && seen->incarnation)
		advisor_forget(a, seen);
	if (!record)
		return;
	advisor_adopt(a, KIND_REGISTRATION, seen, record);
	if (seen->revision == record->revision && seen->changes == changes && seen->basis == a->basis)
		return;
	if (!advisor_facts(&f, a, KIND_REGISTRATION, id))
		return;
	take_status(seen, &f);
	judge(&f, KIND_REGISTRATION, seen);
	seen->revision = record->revision;
	seen->changes = changes;
	seen->basis = a->basis;
}

/* Ids are dense; the room is looked through for what was deleted. */
static void judge_registrations(struct advisor *a)
{
	static struct stretch s;
	uint32_t left = snapshot_count(a->snap, KIND_REGISTRATION);

	for (uint32_t id = 0; (left > 0 || id < a->seen[KIND_REGISTRATION].room) && id < ADVISOR_IDS_MAX; id += STRETCH) {
		s = (struct stretch){ .first = id, .count = STRETCH };
		core_with_status(core_of(a), read_changes, &s);
		for (uint32_t i = 0; i < STRETCH; i++) {
			left -= left && snapshot_record(a->snap, KIND_REGISTRATION, id + i);
			judge_registration(a, id + i, s.changes[i]);
		}
	}
}

/* ------------------------------------------------------------------ the others */

static void judge_gateways(struct advisor *a, enum kind_id kind)
{
	uint32_t left = snapshot_count(a->snap, kind);
	static struct facts f;

	for (uint32_t id = 0; (left > 0 || id < a->seen[kind].room) && id < ADVISOR_IDS_MAX; id++) {
		const struct record *record = snapshot_record(a->snap, kind, id);
		struct seen *seen = record || id < a->seen[kind].room ? advisor_seen(a, kind, id) : NULL;
		left -= left && record;
		if (!seen)
			continue;
		if (!record && seen->incarnation)
			advisor_forget(a, seen);
		if (!record)
			continue;
		advisor_adopt(a, kind, seen, record);
		if (advisor_facts(&f, a, kind, id))
			judge(&f, kind, seen);
	}
}

static void judge_parameters(struct advisor *a)
{
	static struct facts f;
	struct seen *seen = advisor_seen(a, KIND_PARAMETERS, 0);

	if (seen && advisor_facts(&f, a, KIND_PARAMETERS, 0))
		judge(&f, KIND_PARAMETERS, seen);
}

/* ------------------------------------------------------------------ a look at everything */

static void read_start(struct status_reader *reader, void *arg)
{
	struct status_info info;

	status_info(reader, &info);
	*(uint64_t *)arg = info.started_at;
}

/* What all verdicts rest on. */
static void take_basis(struct advisor *a)
{
	uint64_t started_at = 0;

	core_with_status(core_of(a), read_start, &started_at);
	if (started_at != a->status_started_at) {
		a->status_started_at = started_at;
		a->trace_cursor = 0;
		a->basis++;
	}
	if (memcmp(&a->parameters, snapshot_parameters(a->snap), sizeof a->parameters) != 0) {
		a->parameters = *snapshot_parameters(a->snap);
		a->basis++;
	}
	if (snapshot_generation(a->snap) != a->generation && advisor_routes(a) == 0)
		a->generation = snapshot_generation(a->snap);
}

static void look(struct advisor *a)
{
	int64_t began = time_monotonic_ms();

	a->at = time_now_us();
	take_basis(a);
	advisor_contacts(a);
	advisor_calls(a);
	judge_registrations(a);
	judge_gateways(a, KIND_ROUTING_GATEWAY);
	judge_gateways(a, KIND_MAPPING_GATEWAY);
	judge_parameters(a);
	a->looked = true;
	a->took_us = (uint64_t)(time_monotonic_ms() - began) * 1000;
}

static int take_snapshot(struct advisor *a)
{
	struct shm_why why;
	int e = a->config ? 0 : config_reader_open(&a->config, a->daemon->options.run, READER_TOOL, &why);

	if (!e)
		e = config_refresh(a->config, &a->snap, NULL, &why);
	if (e)
		a->snap = NULL;
	return e ? ENOENT : 0;
}

int advisor_look(struct advisor *a)
{
	uint64_t now = time_now_us(), rest = REST * a->took_us < REST_MAX_US ? REST * a->took_us : REST_MAX_US;

	if (take_snapshot(a) != 0)
		return ENOENT;
	/* A clock that was set back is no reason to wait. */
	if (snapshot_generation(a->snap) != a->generation || now < a->at || now - a->at >= rest)
		look(a);
	return 0;
}

void advisor_idle(struct advisor *a)
{
	if (a->config)
		config_idle(a->config);
	a->snap = NULL;
}

static void beat(void *arg)
{
	struct advisor *a = arg;

	if (take_snapshot(a) == 0)
		look(a);
	advisor_idle(a);
}

/* ------------------------------------------------------------------ life */

int advisor_submit(struct advisor *a, struct job *job)
{
	return worker_submit(a->worker, job);
}

int advisor_start(struct advisor **out, struct daemon *daemon)
{
	struct advisor *a = calloc(1, sizeof *a);
	int e = ENOMEM;

	if (!a)
		return e;
	a->daemon = daemon;
	a->message = malloc(TRACE_MESSAGE_MAX);
	if (a->message)
		e = store_advice_open(&a->records, daemon->options.state);
	if (!e)
		e = worker_start(&a->worker, "advisor", NICE, QUEUE);
	if (e) {
		advisor_stop(a);
		return e;
	}
	worker_beat(a->worker, BEAT_MS, beat, a);
	*out = a;
	return 0;
}

void advisor_cancel(struct advisor *a)
{
	if (a)
		worker_cancel(a->worker);
}

void advisor_stop(struct advisor *a)
{
	if (!a)
		return;
	worker_stop(a->worker);
	config_reader_close(a->config);
	store_advice_close(a->records);
	for (unsigned k = 0; k < KIND_COUNT; k++) {
		for (uint32_t id = 0; id < a->seen[k].room; id++)
			advisor_forget(a, &a->seen[k].v[id]);
		free(a->seen[k].v);
	}
	free(a->message);
	free(a);
}
