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
	struct report *report;
	struct config_reader *reader;		/* NULL = no segment yet */
	uint64_t applied;			/* generation */
	bool busy, stopped;
	bool failed;				/* some record could not be taken: no memory; tried again at the next tick */
	uint64_t rejected;			/* generation told last: said once */
	char said[sizeof((struct shm_why *)0)->text];	/* the last complaint: said once */
};

int follow_create(struct follow **follow, const char *dir, struct registrations *registrations, struct report *report)
{
	struct follow *f = calloc(1, sizeof *f);

	if (!f)
		return ENOMEM;
	f->dir = dir;
	f->registrations = registrations;
	f->report = report;
	*follow = f;
	return 0;
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

static void take_removed(const struct record *record, uint32_t id, void *arg)
{
	struct follow *follow = arg;
	const struct registration *r = registrations_at(follow->registrations, id);

	if (r && (!record->present || r->incarnation != record->incarnation))
		registrations_delete(follow->registrations, id);
}

static void take(const struct record *record, uint32_t id, void *arg)
{
	struct follow *follow = arg;

	if (!record->present)
		return;
	report_reserve(follow->report, id + 1);
	if (registrations_put(follow->registrations, (const struct registration_record *)(const void *)record) != 0)
		follow->failed = true;
}

/* Records may refer to the parameters, so those come first.  Then what is gone: a registration made again under another id
 * must find its predecessor, whose removal would otherwise take the new binding away. */
static void apply(struct follow *follow, const struct snapshot *snap)
{
	uint64_t generation = snapshot_generation(snap);
	uint32_t limit = 0;

	follow->failed = false;
	registrations_parameters(follow->registrations, snapshot_parameters(snap));
	config_changes(snap, KIND_REGISTRATION, follow->applied, take_removed, follow, &limit);
	for (uint32_t id = limit; id < registrations_limit(follow->registrations); id++)
		registrations_delete(follow->registrations, id);
	config_changes(snap, KIND_REGISTRATION, follow->applied, take, follow, &limit);
	if (follow->failed && follow->rejected != generation) {
		follow->rejected = generation;
		log_error("configuration: revision %" PRIu64 " could not be applied as a whole: out of memory", snapshot_revision(snap));
		config_rejected(follow->reader, generation);
	}
	if (follow->failed)
		return;
	follow->applied = generation;
	config_applied(follow->reader, generation);
	log_debug("configuration: revision %" PRIu64 " applied, generation %" PRIu64, snapshot_revision(snap), generation);
}

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

void follow_stop(struct follow *follow)
{
	follow->stopped = true;
}
