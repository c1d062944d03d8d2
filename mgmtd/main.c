/* mgmtd: puts the parts together, serves until it is told to stop, takes them apart. */
#include "mgmtd/account.h"
#include "mgmtd/daemon.h"
#include "mgmtd/description.h"
#include "mgmtd/events.h"
#include "mgmtd/intake.h"
#include "mgmtd/log.h"
#include "mgmtd/offline.h"
#include "mgmtd/resource.h"
#include "mgmtd/server.h"
#include "mgmtd/store_export.h"
#include "mgmtd/token.h"
#include "mgmtd/watch.h"
#include "mgmtd/worker.h"
#include "mgmtd/writer.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASHER_NICE 19
#define HASHER_QUEUE 64
#define READER_QUEUE 256
#define BULK_QUEUE 8

static int fail(const char *what, int error, struct shm_why *why)
{
	if (!why->text[0])
		snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(error));
	return error;
}

/* Every thread inherits it: signals are taken by the main thread, where it waits for them. */
static void block_signals(sigset_t *stopping)
{
	sigemptyset(stopping);
	sigaddset(stopping, SIGTERM);
	sigaddset(stopping, SIGINT);
	sigaddset(stopping, SIGHUP);
	pthread_sigmask(SIG_BLOCK, stopping, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* A directory for the user that we are about to become. */
static int give_directory(const char *dir, const struct passwd *user, struct shm_why *why)
{
	if (mkdir(dir, 0700) != 0)
		return errno == EEXIST ? 0 : fail(dir, errno, why);
	return chown(dir, user->pw_uid, user->pw_gid) == 0 ? 0 : fail(dir, errno, why);
}

static int become(const struct options *options, struct shm_why *why)
{
	const struct passwd *user = getpwnam(options->user);
	if (!user) {
		snprintf(why->text, sizeof why->text, "--user: there is no user %s", options->user);
		return ENOENT;
	}
	int e = give_directory(options->state, user, why);
	if (!e)
		e = give_directory(options->run, user, why);
	if (e)
		return e;
	if (geteuid() == user->pw_uid)
		return 0;
	if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
		return fail("--user: cannot become that user", errno, why);
	return 0;
}

/* Empty, or a database of ours is in it. */
static bool may_be_closed(const char *dir)
{
	bool empty = true, ours = false;
	DIR *d = opendir(dir);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
		ours |= strcmp(entry->d_name, "tandem.db") == 0;
	}
	if (d)
		closedir(d);
	return empty || ours;
}

static int prepare_directories(const struct options *options, struct shm_why *why)
{
	bool tmpfs;
	uint64_t room;
	if (mkdir(options->state, 0700) != 0 && errno != EEXIST)
		return fail(options->state, errno, why);
	/* One with other things in it may be a slip of the pen, as /var/lib: it is left as it is, and refused if others may enter. */
	if (may_be_closed(options->state) && chmod(options->state, 0700) != 0)
		return fail(options->state, errno, why);
	int e = shm_prepare_dir(options->run, &tmpfs, &room, why);
	if (!e && !tmpfs)
		log_warnx("mgmtd: %s is not on tmpfs: every publish may wait for a disk", options->run);
	return e;
}

static int start_parts(struct daemon *d, int fd, struct shm_why *why)
{
	struct writer_hooks hooks;
	int e;
	if ((e = description_make()) || (e = events_open(&d->events)) || (e = watch_open(&d->watch, d->options.run, d->events, why)))
		return fail("mgmtd", e, why);
	watch_hooks(d->watch, &hooks);
	if ((e = writer_open(&d->writer, d->options.state, d->options.run, &hooks, why)))
		return fail("mgmtd", e, why);
	d->model = writer_model(d->writer);
	d->store = writer_store(d->writer);
	if ((e = store_cdrs_open(&d->cdrs, d->options.state, why)))
		return fail("mgmtd", e, why);
	if ((e = store_export_open(&d->exports, d->options.state, why)))
		return fail("mgmtd", e, why);
	if ((e = account_prepare(d->writer, &d->options, why)) || (e = tokens_open(&d->tokens, d->options.state, d->store, why)))
		return fail("mgmtd", e, why);
	if ((e = worker_start(&d->hasher, "hasher", HASHER_NICE, HASHER_QUEUE)) ||
	    (e = worker_start(&d->bulk, "bulk", 0, BULK_QUEUE)) || (e = worker_start(&d->backup, "backup", 0, 1)) ||
	    (e = worker_start(&d->reader, "reader", 0, READER_QUEUE)) || (e = watch_start(d->watch, d->writer)) ||
	    (e = intake_start(&d->intake, d->cdrs, d->options.cdr_spool, d->options.cdr_keep_days)))
		return fail("mgmtd", e, why);
	return server_start(d, fd, why);
}

static void stop_parts(struct daemon *d)
{
	/* First nobody may come in, then those who wait are woken, then what they waited for may go. */
	if (d->server) {
		server_drain(d->server);
		events_close(d->events);
		waiters_cancel(watch_waiters(d->watch));
		worker_cancel(d->hasher);
		worker_cancel(d->reader);
		worker_cancel(d->bulk);
		worker_cancel(d->backup);
	}
	server_stop(d->server);
	resource_forget();
	watch_stop(d->watch);
	worker_stop(d->hasher);
	worker_stop(d->reader);
	worker_stop(d->bulk);
	worker_stop(d->backup);
	store_export_close(d->exports);
	intake_stop(d->intake);
	store_cdrs_close(d->cdrs);
	writer_close(d->writer);
	watch_close(d->watch);
	tokens_close(d->tokens);
	events_free(d->events);
	description_free();
}

static void serve(int fd, const sigset_t *stopping)
{
	char address[64];
	int sig;
	server_address(address, sizeof address, fd);
	printf("mgmtd ready http://%s\n", address);
	fflush(stdout);
	log_info("mgmtd: %s, serving http://%s", TANDEM_VERSION, address);
	sigwait(stopping, &sig);
	log_info("mgmtd: %s, stopping", sig == SIGTERM ? "SIGTERM" : sig == SIGINT ? "SIGINT" : "SIGHUP");
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct shm_why why = { "" };
	sigset_t stopping;
	int exit_code = 0, fd = -1, e;
	if (options_parse(&d.options, argc, argv, &exit_code) != 0)
		return exit_code;
	umask(0077);
	block_signals(&stopping);
	d.started_ms = time_monotonic_ms();
	e = sodium_init() < 0 ? EIO : 0;
	if (!e && (d.options.export_file || d.options.import_file)) {
		if ((e = offline_run(&d.options, &why)))
			fprintf(stderr, "mgmtd: %s\n", why.text[0] ? why.text : strerror(e));
		return e ? 1 : 0;
	}
	if (!e)
		e = server_listen(&fd, &d.options, &why);
	if (!e && d.options.user)
		e = become(&d.options, &why);
	if (!e)
		e = prepare_directories(&d.options, &why);
	if (!e)
		e = start_parts(&d, fd, &why);
	if (!e)
		serve(fd, &stopping);
	stop_parts(&d);
	if (!e)
		log_info("mgmtd: stopped");
	else
		fprintf(stderr, "mgmtd: %s\n", why.text[0] ? why.text : strerror(e));
	return e ? 1 : 0;
}
