/*
 * Reads the configuration segment beside the switch and checks every snapshot for agreement with itself:
 *
 *     snapshot_watch RUN-DIRECTORY
 *
 * The test changes SS_SIP_USER_AGENT_RETRY_DELAY and every registration's retry_delay together, in one change-set, to
 * the same value.  A snapshot in which they differ is torn.  It is checked, held for a while, and checked again: a page
 * that was reused under the pin shows then.  Revision and generation never go back.
 *
 * Until SIGTERM; then prints "N snapshots, revision R" and ends with 0.  A violation is printed and ends it with 1.
 */
#include "shm/config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static void nap_ms(long ms)
{
	const struct timespec nap = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&nap, NULL);
}

struct check {
	const struct snapshot *snap;
	int32_t delay;
	uint32_t seen;
	char fault[200];
};

static void check_record(const struct record *rec, uint32_t id, void *arg)
{
	const struct registration_record *registration = (const struct registration_record *)rec;
	struct check *check = arg;

	if (!rec->present)
		return;
	check->seen++;
	if (rec->id != id)
		snprintf(check->fault, sizeof check->fault, "record %u says it is %u", id, rec->id);
	else if (rec->revision > snapshot_revision(check->snap))
		snprintf(check->fault, sizeof check->fault, "%s is of revision %llu, later than the snapshot", rec->name,
		         (unsigned long long)rec->revision);
	else if (registration->retry_delay != check->delay)
		snprintf(check->fault, sizeof check->fault, "%s has retry_delay %d, the parameter is %d", rec->name,
		         registration->retry_delay, check->delay);
	else if (snapshot_find(check->snap, KIND_REGISTRATION, rec->name) != rec)
		snprintf(check->fault, sizeof check->fault, "%s is not found by its name", rec->name);
}

/* 0 when the snapshot agrees with itself. */
static int check_snapshot(const struct snapshot *snap, const char *when)
{
	struct check check = { .snap = snap, .delay = snapshot_parameters(snap)->SS_SIP_USER_AGENT_RETRY_DELAY };
	uint32_t limit;

	config_changes(snap, KIND_REGISTRATION, 0, check_record, &check, &limit);
	if (!check.fault[0] && check.seen != snapshot_count(snap, KIND_REGISTRATION))
		snprintf(check.fault, sizeof check.fault, "%u records, the root says %u", check.seen,
		         snapshot_count(snap, KIND_REGISTRATION));
	if (!check.fault[0])
		return 0;
	printf("generation %llu, revision %llu, %s: %s\n", (unsigned long long)snapshot_generation(snap),
	       (unsigned long long)snapshot_revision(snap), when, check.fault);
	return 1;
}

static int watch(struct config_reader *reader)
{
	unsigned long long count = 0, revision = 0, generation = 0;
	struct shm_why why;

	while (!stopping) {
		const struct snapshot *snap;
		bool changed;
		int err = config_refresh(reader, &snap, &changed, &why);

		if (err == ENOENT) {
			nap_ms(1);
			continue;
		}
		if (err) {
			printf("refresh: %s: %s\n", strerror(err), why.text);
			return 1;
		}
		if (snapshot_revision(snap) < revision || (changed && snapshot_revision(snap) == revision &&
		                                           snapshot_generation(snap) < generation)) {
			printf("revision %llu after %llu\n", (unsigned long long)snapshot_revision(snap), revision);
			return 1;
		}
		revision = snapshot_revision(snap);
		generation = snapshot_generation(snap);
		if (changed) {
			count++;
			if (check_snapshot(snap, "fresh"))
				return 1;
			nap_ms((long)(count % 5));
			if (check_snapshot(snap, "held"))
				return 1;
		}
		config_idle(reader);
		nap_ms(1);
	}
	printf("%llu snapshots, revision %llu\n", count, revision);
	return 0;
}

int main(int argc, char **argv)
{
	struct config_reader *reader = NULL;
	struct shm_why why = { "" };
	int err = ENOENT;

	if (argc != 2) {
		fprintf(stderr, "usage: snapshot_watch RUN-DIRECTORY\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	while (!stopping && (err = config_reader_open(&reader, argv[1], READER_TOOL, &why)) == ENOENT)
		nap_ms(2);
	if (err) {
		printf("open: %s: %s\n", strerror(err), why.text);
		return 1;
	}
	err = watch(reader);
	config_reader_close(reader);
	return err;
}
