/* mgmtd: puts the parts together, serves until it is told to stop, takes them apart. */
#include "mgmtd/access_log.h"
#include "mgmtd/account.h"
#include "mgmtd/advisor.h"
#include "mgmtd/audit.h"
#include "mgmtd/daemon.h"
#include "mgmtd/description.h"
#include "mgmtd/events.h"
#include "mgmtd/intake.h"
#include "mgmtd/log.h"
#include "mgmtd/offline.h"
#include "mgmtd/panel.h"
#include "mgmtd/refusal.h"
#include "mgmtd/resource.h"
#include "mgmtd/server.h"
#include "mgmtd/store_export.h"
#include "mgmtd/tally.h"
#include "mgmtd/throttle.h"
#include "mgmtd/tls.h"
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
#define USES_WRITTEN_S 60
#define AUDITOR_NICE 10
#define AUDITOR_QUEUE 4
#define BULK_QUEUE 8

static int fail(const char *what, int error, struct shm_why *why)
{
	if (!why->text[0])
		snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(error));
	return error;
}

/* Every thread inherits it: signals are taken by the main thread, where it waits for them. */
static void block_signals(sigset_t *awaited)
{
	sigemptyset(awaited);
	sigaddset(awaited, SIGTERM);
	sigaddset(awaited, SIGINT);
	sigaddset(awaited, SIGHUP);
	pthread_sigmask(SIG_BLOCK, awaited, NULL);
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

/* Who may do what. */
static int start_accounts(struct daemon *d, struct shm_why *why)
{
	const struct options *o = &d->options;
	int e;
	if (o->tls_certificate && (e = tls_open(&d->tls, o->tls_certificate, o->tls_key, why)))
		return e;
	if ((e = account_prepare(d->writer, o, why)) || (e = tokens_open(&d->tokens, o->state, d->store, why)) ||
	    (e = throttle_open(&d->throttle)))
		return e;
	return refusals_open(&d->refusals, o->state, why);
}

static int start_parts(struct daemon *d, int fd, struct shm_why *why)
{
	struct writer_hooks hooks;
	int e;
	if ((e = tally_open(&d->tally)) ||
	    (e = d->options.access_log ? access_log_open(&d->access_log, d->options.access_log, why) : 0))
		return fail("mgmtd", e, why);
	if ((e = panel_open(&d->panel, d->options.www, why)))
		return fail("panel", e, why);
	if ((e = description_make()) || (e = events_open(&d->events)) || (e = watch_open(&d->watch, d->options.run, d->events, why)))
		return fail("mgmtd", e, why);
	watch_hooks(d->watch, &hooks);
	hooks.tally = d->tally;
	if ((e = writer_open(&d->writer, d->options.state, d->options.run, &hooks, why)))
		return fail("mgmtd", e, why);
	d->model = writer_model(d->writer);
	d->store = writer_store(d->writer);
	if ((e = store_cdrs_open(&d->cdrs, d->options.state, why)))
		return fail("mgmtd", e, why);
	if ((e = store_export_open(&d->exports, d->options.state, why)) || (e = start_accounts(d, why)))
		return fail("mgmtd", e, why);
	if ((e = worker_start(&d->hasher, "hasher", HASHER_NICE, HASHER_QUEUE)) ||
	    (e = worker_start(&d->bulk, "bulk", 0, BULK_QUEUE)) || (e = worker_start(&d->backup, "backup", 0, 1)) ||
	    (e = worker_start(&d->reader, "reader", 0, READER_QUEUE)) ||
	    (e = worker_start(&d->auditor, "auditor", AUDITOR_NICE, AUDITOR_QUEUE)) || (e = watch_start(d->watch, d->writer)) ||
	    (e = intake_start(&d->intake, d->cdrs, d->options.cdr_spool, d->options.cdr_keep_days)) ||
	    (e = advisor_start(&d->advisor, d)))
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
		worker_cancel(d->auditor);
		advisor_cancel(d->advisor);
		worker_cancel(d->bulk);
		worker_cancel(d->backup);
	}
	server_stop(d->server);
	resource_forget();
	advisor_stop(d->advisor);
	watch_stop(d->watch);
	worker_stop(d->hasher);
	worker_stop(d->reader);
	worker_stop(d->auditor);
	worker_stop(d->bulk);
	worker_stop(d->backup);
	store_export_close(d->exports);
	intake_stop(d->intake);
	store_cdrs_close(d->cdrs);
	if (d->tokens)
		token_uses_write(token_uses(d->tokens), d->writer);
	writer_close(d->writer);
	watch_close(d->watch);
	refusals_close(d->refusals);
	throttle_close(d->throttle);
	tokens_close(d->tokens);
	tls_close(d->tls);
	panel_close(d->panel);
	events_free(d->events);
	access_log_close(d->access_log);
	tally_close(d->tally);
	description_free();
}

static void reload(struct daemon *d)
{
	struct shm_why why = { "" };
	if (d->access_log)
		access_log_reopen(d->access_log);
	if (!d->tls)
		log_info("mgmtd: SIGHUP; there is no certificate to be read again");
	else if (tls_reload(d->tls, &why) == 0)
		log_info("mgmtd: SIGHUP; new connections get the certificate of %s", d->options.tls_certificate);
	else
		log_error("mgmtd: SIGHUP; the certificate stays as it was: %s", why.text);
	if (panel_reload(d->panel, &why) != 0)
		log_error("mgmtd: SIGHUP; the panel stays as it was: %s", why.text);
}

static void serve(struct daemon *d, const char *address, const sigset_t *awaited)
{
	const char *scheme = d->tls ? "https" : "http";
	const struct timespec while_uses_wait = { .tv_sec = USES_WRITTEN_S };
	int sig;
	printf("mgmtd ready %s://%s\n", scheme, address);
	fflush(stdout);
	log_info("mgmtd: %s, serving %s://%s", TANDEM_VERSION, scheme, address);
	while ((sig = sigtimedwait(awaited, NULL, &while_uses_wait)) != SIGTERM && sig != SIGINT) {
		if (sig == SIGHUP)
			reload(d);
		token_uses_write(token_uses(d->tokens), d->writer);
	}
	log_info("mgmtd: %s, stopping", sig == SIGTERM ? "SIGTERM" : "SIGINT");
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct shm_why why = { "" };
	sigset_t awaited;
	char address[64] = "";
	int exit_code = 0, fd = -1, e;
	if (options_parse(&d.options, argc, argv, &exit_code) != 0)
		return exit_code;
	umask(0077);
	if (d.options.verify_audit)
		return sodium_init() < 0 ? 1 : audit_file(d.options.verify_audit, d.options.audit_head);
	block_signals(&awaited);
	d.started_ms = time_monotonic_ms();
	e = sodium_init() < 0 ? EIO : 0;
	if (!e && (d.options.export_file || d.options.import_file)) {
		if ((e = offline_run(&d.options, &why)))
			fprintf(stderr, "mgmtd: %s\n", why.text[0] ? why.text : strerror(e));
		return e ? 1 : 0;
	}
	if (!e)
		e = server_listen(&fd, &d.options, &why);
	if (!e)
		server_address(address, sizeof address, fd);
	if (!e && d.options.user)
		e = become(&d.options, &why);
	if (!e)
		e = prepare_directories(&d.options, &why);
	if (!e)
		e = start_parts(&d, fd, &why);
	if (!e)
		serve(&d, address, &awaited);
	stop_parts(&d);
	if (!e)
		log_info("mgmtd: stopped");
	else
		fprintf(stderr, "mgmtd: %s\n", why.text[0] ? why.text : strerror(e));
	return e ? 1 : 0;
}
