#include "follow.h"

#include "log.h"

#include "shm/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void take_removed(const struct record *record, uint32_t id, void *arg)
{
	const struct pass *p = arg;
	uint64_t incarnation = p->of->incarnation(p->follow, id);

	if (incarnation && (!record->present || incarnation != record->incarnation))
		p->of->delete(p->follow, id);
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

static void remove_gone(struct follow *follow, const struct snapshot *snap, const struct following *of)
{
	struct pass pass = { follow, of };
	uint32_t limit = 0;

	config_changes(snap, of->kind, follow->applied, take_removed, &pass, &limit);
	for (uint32_t id = limit; id < of->limit(follow); id++)
		of->delete(follow, id);
}

/* Records may refer to the parameters, so those come first.  Then what is gone: a registration made again under another id
 * must find its predecessor, whose removal would otherwise take the new binding away. */
static void apply(struct follow *follow, const struct snapshot *snap)
{
	uint64_t generation = snapshot_generation(snap);
	uint32_t limit;

	follow->failed = false;
	registrations_parameters(follow->registrations, snapshot_parameters(snap));
	gateways_parameters(follow->gateways, snapshot_parameters(snap));
	if (follow->take_parameters)
		follow->take_parameters(follow->take_arg, snapshot_parameters(snap));
	for (size_t i = 0; i < KINDS; i++)
		remove_gone(follow, snap, &kinds[i]);
	for (size_t i = 0; i < KINDS; i++) {
		struct pass pass = { follow, &kinds[i] };
		config_changes(snap, kinds[i].kind, follow->applied, take, &pass, &limit);
	}
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

/* ------------------------------------------------------------------ looking */

static void look(struct follow *follow, bool again)
{
	const struct snapshot *snap;
	struct shm_why why = { "" };
	bool changed;
	int error;

	if (!follow->reader || follow->busy || follow->stopped)
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
	follow->busy = true;
	apply(follow, snap);
	follow->busy = false;
}

void follow_look(struct follow *follow)
{
	look(follow, false);
}

void follow_idle(struct follow *follow)
{
	if (follow->reader && !follow->busy)
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
	follow->stopped = true;
}
