#include "follow.h"

#include "log.h"
#include "loop.h"

#include "shm/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So long at a time the loop is held up, and so long it then serves what came meanwhile: a turn of it may be one datagram. */
#define PART_US 2000

struct follow {
	const char *dir;
	struct registrations *registrations;
	struct gateways *gateways;
	void (*take_parameters)(void *arg, const struct sip_parameters *parameters);
	void *take_arg;
	struct report *report;
	struct config_reader *reader;		/* NULL = no segment yet */
	uint64_t applied;			/* generation */
	bool busy, stopped;
	const struct snapshot *taking;		/* is being applied, in parts; NULL = none */
	size_t step;				/* of `taking`: see take_part() */
	uint32_t place;				/* in that step */
	uint64_t part_ends, next_part;
	bool news;				/* a generation was applied and nobody was told */
	bool failed;				/* some record could not be taken: no memory; tried again at the next tick */
	uint64_t rejected;			/* generation told last: said once */
	char said[sizeof((struct shm_why *)0)->text];	/* the last complaint: said once */
};

int follow_create(struct follow **follow, const char *dir, struct registrations *registrations, struct gateways *gateways,
                  struct report *report)
{
	struct follow *f = calloc(1, sizeof *f);

	if (!f)
		return ENOMEM;
	f->dir = dir;
	f->registrations = registrations;
	f->gateways = gateways;
	f->report = report;
	*follow = f;
	return 0;
}

void follow_parameters(struct follow *follow, void (*take)(void *arg, const struct sip_parameters *parameters), void *arg)
{
	follow->take_parameters = take;
	follow->take_arg = arg;
}

void follow_destroy(struct follow *follow)
{
	if (!follow)
		return;
	config_reader_close(follow->reader);
	free(follow);
}

static void complain(struct follow *follow, const char *what, const struct shm_why *why)
{
	if (strcmp(follow->said, why->text) == 0)
		return;
	memcpy(follow->said, why->text, sizeof follow->said);
	log_warning("configuration: %s%s", why->text, what);
}

/* ------------------------------------------------------------------ kinds */

struct following {			/* one kind's record being followed */
	enum kind_id kind;
	uint64_t (*incarnation)(const struct follow *follow, uint32_t id);	/* of the object there is; 0 = none */
	uint32_t (*limit)(const struct follow *follow);
	int (*put)(struct follow *follow, const struct record *record);
	void (*delete)(struct follow *follow, uint32_t id);
};

static uint64_t registration_incarnation(const struct follow *f, uint32_t id)
{
	const struct registration *r = registrations_at(f->registrations, id);
	return r ? r->incarnation : 0;
}

static uint32_t registration_limit(const struct follow *f)
{
	return registrations_limit(f->registrations);
}

static int registration_put(struct follow *f, const struct record *record)
{
	return registrations_put(f->registrations, (const struct registration_record *)(const void *)record);
}

static void registration_delete(struct follow *f, uint32_t id)
{
	registrations_delete(f->registrations, id);
}

static uint64_t mapping_incarnation(const struct follow *f, uint32_t id)
{
	const struct gateway *g = gateways_at(f->gateways, KIND_MAPPING_GATEWAY, id);
	return g ? g->incarnation : 0;
}

static uint32_t mapping_limit(const struct follow *f)
{
	return gateways_limit(f->gateways, KIND_MAPPING_GATEWAY);
}

static int mapping_put(struct follow *f, const struct record *record)
{
	return gateways_put_mapping(f->gateways, (const struct mapping_gateway_record *)(const void *)record);
}

static void mapping_delete(struct follow *f, uint32_t id)
{
	gateways_delete(f->gateways, KIND_MAPPING_GATEWAY, id);
}

static uint64_t routing_incarnation(const struct follow *f, uint32_t id)
{
	const struct gateway *g = gateways_at(f->gateways, KIND_ROUTING_GATEWAY, id);
	return g ? g->incarnation : 0;
}

static uint32_t routing_limit(const struct follow *f)
{
	return gateways_limit(f->gateways, KIND_ROUTING_GATEWAY);
}

static int routing_put(struct follow *f, const struct record *record)
{
	return gateways_put_routing(f->gateways, (const struct routing_gateway_record *)(const void *)record);
}

static void routing_delete(struct follow *f, uint32_t id)
{
	gateways_delete(f->gateways, KIND_ROUTING_GATEWAY, id);
}

/* Objects refer to each other by name, looked up at use: the order only spares a moment of "does not exist". */
static const struct following kinds[] = {
	{ KIND_REGISTRATION, registration_incarnation, registration_limit, registration_put, registration_delete },
	{ KIND_MAPPING_GATEWAY, mapping_incarnation, mapping_limit, mapping_put, mapping_delete },
	{ KIND_ROUTING_GATEWAY, routing_incarnation, routing_limit, routing_put, routing_delete },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct pass { struct follow *follow; const struct following *of; };

static bool enough(void *arg)
{
	const struct pass *p = arg;

	loop_refresh_clock();
	return loop_now() >= p->follow->part_ends;
}

static void take_removed(const struct record *record, uint32_t id, void *arg)
{
	const struct pass *p = arg;
	uint64_t incarnation = p->of->incarnation(p->follow, id);

	if (incarnation && (!record->present || incarnation != record->incarnation))
		p->of->delete(p->follow, id);
}

/* What lies beyond the ids of the snapshot is gone, too. */
static bool take_tail(struct pass *p, uint32_t limit)
{
	struct follow *follow = p->follow;

	for (follow->place = follow->place > limit ? follow->place : limit; follow->place < p->of->limit(follow); follow->place++) {
		if (p->of->incarnation(follow, follow->place) == 0)
			continue;
		p->of->delete(follow, follow->place);
		if (enough(p))
			return false;
	}
	return true;
}

static void take(const struct record *record, uint32_t id, void *arg)
{
	const struct pass *p = arg;

	if (!record->present)
		return;
	report_reserve(p->follow->report, p->of->kind, id + 1);
	if (p->of->put(p->follow, record) != 0)
		p->follow->failed = true;
}

/* First what is gone: a registration made again under another id must find its predecessor, whose removal would otherwise take
 * the new binding away. */
enum { STEP_REMOVED = 0, STEP_TAIL = KINDS, STEP_TAKEN = 2 * KINDS, STEPS = 3 * KINDS };

/* False: time is up; it goes on there. */
static bool take_step(struct follow *follow)
{
	struct pass pass = { follow, &kinds[follow->step % KINDS] };
	void (*each)(const struct record *record, uint32_t id, void *arg) = follow->step < STEP_TAIL ? take_removed : take;
	uint32_t limit = snapshot_limit(follow->taking, pass.of->kind);

	if (follow->step >= STEP_TAIL && follow->step < STEP_TAKEN)
		return take_tail(&pass, limit);
	return config_changes_part(follow->taking, pass.of->kind, follow->applied, &follow->place, each, enough, &pass, &limit);
}

static void finish(struct follow *follow)
{
	const struct snapshot *snap = follow->taking;
	uint64_t generation = snapshot_generation(snap);

	follow->taking = NULL;
	if (follow->failed && follow->rejected != generation) {
		follow->rejected = generation;
		log_error("configuration: revision %" PRIu64 " could not be applied as a whole: out of memory", snapshot_revision(snap));
		config_rejected(follow->reader, generation);
	}
	if (follow->failed)
		return;
	follow->applied = generation;
	config_applied(follow->reader, generation);
	follow->news = true;
	log_debug("configuration: revision %" PRIu64 " applied, generation %" PRIu64, snapshot_revision(snap), generation);
}

static void take_part(struct follow *follow)
{
	follow->busy = true;
	loop_refresh_clock();
	follow->part_ends = loop_now() + PART_US;
	while (follow->step < STEPS && take_step(follow)) {
		follow->step++;
		follow->place = 0;
	}
	if (follow->step == STEPS)
		finish(follow);
	follow->busy = false;
	loop_refresh_clock();
	follow->next_part = loop_now() + PART_US;
}

/* Records may refer to the parameters, so those come first, and at once. */
static void begin(struct follow *follow, const struct snapshot *snap)
{
	follow->failed = false;
	follow->taking = snap;
	follow->step = STEP_REMOVED;
	follow->place = 0;
	follow->busy = true;
	registrations_parameters(follow->registrations, snapshot_parameters(snap));
	gateways_parameters(follow->gateways, snapshot_parameters(snap));
	if (follow->take_parameters)
		follow->take_parameters(follow->take_arg, snapshot_parameters(snap));
	follow->busy = false;
}

/* ------------------------------------------------------------------ looking */

static void look(struct follow *follow, bool again)
{
	const struct snapshot *snap;
	struct shm_why why = { "" };
	bool changed;
	int error;

	if (!follow->reader || follow->busy || follow->stopped || follow->taking)
		return;
	error = config_refresh(follow->reader, &snap, &changed, &why);
	if (error) {
		if (error == EPROTO)
			config_rejected(follow->reader, follow->applied + 1);
		complain(follow, "; going on with the configuration taken last", &why);
		return;
	}
	if (!changed && !again)
		return;
	follow->said[0] = '\0';
	begin(follow, snap);
	take_part(follow);
}

void follow_look(struct follow *follow)
{
	look(follow, false);
}

uint64_t follow_turn(struct follow *follow)
{
	if (follow->taking && !follow->busy && loop_now() >= follow->next_part)
		take_part(follow);
	return follow->taking ? follow->next_part : TIMER_NEVER;
}

void follow_idle(struct follow *follow)
{
	if (follow->reader && !follow->busy && !follow->taking)
		config_idle(follow->reader);
}

void follow_tick(struct follow *follow)
{
	struct shm_why why = { "" };
	int error;

	if (!follow->reader && !follow->stopped) {
		error = config_reader_open(&follow->reader, follow->dir, READER_SWITCHCORE, &why);
		if (error) {
			follow->reader = NULL;
			if (!why.text[0])
				snprintf(why.text, sizeof why.text, "%s: %s", follow->dir, strerror(error));
			complain(follow, error == EPROTO ? "; waiting for one that fits" : "; waiting for mgmtd", &why);
			return;
		}
		follow->said[0] = '\0';
		log_info("configuration: attached to %s", follow->dir);
	}
	look(follow, follow->failed);
}

bool follow_take_news(struct follow *follow)
{
	bool news = follow->news;

	follow->news = false;
	return news;
}

void follow_stop(struct follow *follow)
{
	follow->taking = NULL;
	follow->stopped = true;
}
