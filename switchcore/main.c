/* switchcore: the SIP process.  Opens everything, turns the loop, stops cleanly. */
#include "calls.h"
#include "capture.h"
#include "chance.h"
#include "control.h"
#include "follow.h"
#include "log.h"
#include "options.h"
#include "registration.h"
#include "report.h"
#include "steer.h"
#include "trace.h"
#include "shm/cdr.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEARTBEAT_US (SECOND_US / 2)
/* Status news are told at once, but in a busy time only so often. */
#define RING_US 2000
/* News of calls, which come by the thousand: half a doorbell a message would be a tenth of what a call costs. */
#define CALLS_RING_US 50000
/* After so many requests at once the heap is full of holes; given back to the system when all is quiet again. */
#define BURST_REQUESTS 40
#define TRIM_US (60 * SECOND_US)

struct core {
	struct options options;
	char dir[4096];
	char listeners[1024];			/* their labels, comma-separated */
	struct loop *loop;
	struct loop_watch *signals;
	int signal_fd;
	struct sip *sip;
	struct resolver *resolver;
	struct pacing *pacing;
	struct status_writer *status;
	struct trace *trace;
	struct cdr_writer *cdr;
	struct report *report;
	struct registrations *registrations;
	struct gateways *gateways;
	struct calls *calls;
	struct follow *follow;
	struct control *control;
	bool stop, hurry;
	bool news, call_news;		/* not told yet */
	bool burst;			/* since the heap was trimmed */
	uint64_t heartbeat_at, tick_at, rang_at, trim_at;
};

/* ------------------------------------------------------------------ the world of the registrations */

static uint64_t world_now(void *arg)
{
	(void)arg;
	return loop_now();
}

static uint64_t world_wall(void *arg)
{
	(void)arg;
	return loop_wall();
}

static uint32_t world_random(void *arg)
{
	(void)arg;
	return chance_word();
}

static const struct listener *world_listener(void *arg, const char *name, int32_t transport, sa_family_t family)
{
	return sip_listener(((struct core *)arg)->sip, name, transport, family);
}

static const char *world_listeners(void *arg)
{
	return ((struct core *)arg)->listeners;
}

static int world_resolve(void *arg, struct resolver_wait *wait, struct resolver_result *result, const char *host,
                         uint16_t port, int32_t transport)
{
	return resolver_find(((struct core *)arg)->resolver, wait, result, host, port, transport);
}

static int world_send(void *arg, struct sip_transaction **transaction, const struct sip_register *request,
                      sip_answer_f *answer, void *answer_arg)
{
	return sip_register_send(((struct core *)arg)->sip, transaction, request, answer, answer_arg);
}

static int world_preview(void *arg, const struct sip_register *request, char *text, size_t size, size_t *len)
{
	return sip_register_preview(((struct core *)arg)->sip, request, text, size, len);
}

static void world_release(void *arg, struct sip_transaction *transaction)
{
	(void)arg;
	sip_transaction_release(transaction);
}

static void world_join(void *arg, struct sip_flow_user *user, struct sip_transaction *transaction)
{
	(void)arg;
	sip_flow_join(user, transaction);
}

static void world_keep_alive(void *arg, const struct listener *listener, const struct target *target, struct sip_flow *flow)
{
	sip_keep_alive(((struct core *)arg)->sip, listener, target, flow);
}

static void world_transition(void *arg, struct registration *r, enum registration_state from)
{
	struct core *core = arg;

	report_transition(core->report, r, from);
	gateways_registration(core->gateways, r);
}

static void world_begun(void *arg, const struct registration *r)
{
	report_begun(((struct core *)arg)->report, r);
}

static void world_sent(void *arg, const struct registration *r)
{
	report_sent(((struct core *)arg)->report, r);
}

static void world_over(void *arg, const struct registration *r, const struct registration_outcome *outcome)
{
	report_over(((struct core *)arg)->report, r, outcome);
}

static void world_changed(void *arg, struct registration *r)
{
	struct core *core = arg;

	report_changed(core->report, r);
	gateways_registration(core->gateways, r);
}

static void world_filled(void *arg, struct registration *r)
{
	gateways_registration(((struct core *)arg)->gateways, r);
}

static struct registration_world world_of(struct core *core)
{
	return (struct registration_world){
		.arg = core, .now = world_now, .wall = world_wall, .random = world_random, .listener = world_listener,
		.listeners = world_listeners, .resolve = world_resolve, .send = world_send, .release = world_release,
		.join = world_join, .keep_alive = world_keep_alive, .transition = world_transition, .begun = world_begun,
		.sent = world_sent, .over = world_over, .changed = world_changed, .preview = world_preview, .filled = world_filled,
	};
}

/* ------------------------------------------------------------------ the world of the gateways */

static int world_probe(void *arg, struct sip_transaction **transaction, const struct sip_probe *probe,
                       sip_answer_f *answer, void *answer_arg)
{
	return sip_probe_send(((struct core *)arg)->sip, transaction, probe, answer, answer_arg);
}

static void world_report(void *arg, enum kind_id kind, uint32_t id, const struct gateway_status *status)
{
	report_gateway(((struct core *)arg)->report, kind, id, status);
}

static void world_event(void *arg, const struct status_event *event)
{
	report_event(((struct core *)arg)->report, event);
}

static struct gateway_world gateway_world_of(struct core *core)
{
	return (struct gateway_world){
		.arg = core, .now = world_now, .wall = world_wall, .random = world_random, .listener = world_listener,
		.resolve = world_resolve, .probe = world_probe, .release = world_release, .report = world_report,
		.event = world_event,
	};
}

/* ------------------------------------------------------------------ commands */

static int obey_refresh(void *arg, uint32_t id, uint64_t incarnation, uint64_t *attempt)
{
	return registrations_refresh(((struct core *)arg)->registrations, id, incarnation, attempt);
}

static int obey_preview_register(void *arg, uint32_t id, uint64_t incarnation, char *text, size_t size, size_t *len,
                                 uint32_t *code)
{
	(void)code;
	return registrations_preview(((struct core *)arg)->registrations, id, incarnation, text, size, len);
}

static int obey_hang_up(void *arg, uint32_t slot, uint64_t call)
{
	return calls_hang_up(((struct core *)arg)->calls, slot, call);
}

static int obey_preview_invite(void *arg, uint32_t id, uint64_t incarnation, const struct control_call *call, char *text, size_t size,
                               size_t *len, uint32_t *code)
{
	return calls_preview(((struct core *)arg)->calls, id, incarnation, call, text, size, len, code);
}

static struct control_obeyer obeyer_of(struct core *core)
{
	return (struct control_obeyer){ .arg = core, .refresh = obey_refresh, .hang_up = obey_hang_up,
	                                .preview_register = obey_preview_register, .preview_invite = obey_preview_invite };
}

/* ------------------------------------------------------------------ opening */

static void before_message(void *arg)
{
	struct core *core = arg;

	loop_refresh_clock();
	if (core->follow)
		follow_look(core->follow);
}

static void signalled(void *arg)
{
	struct core *core = arg;
	struct signalfd_siginfo info;

	while (read(core->signal_fd, &info, sizeof info) == sizeof info) {
		core->hurry = core->stop;	/* asked twice */
		core->stop = true;
	}
}

static int open_signals(struct core *core)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return errno;
	core->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (core->signal_fd < 0)
		return errno;
	return loop_watch(&core->signals, core->loop, core->signal_fd, signalled, core);
}

/* Connections take descriptors: as many as the system allows. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void label_listeners(struct core *core)
{
	size_t at = 0;

	for (size_t i = 0; i < core->options.listener_count; i++) {
		struct listener *l = &core->options.listeners[i];
		int n;
		if (l->name[0])
			snprintf(l->label, sizeof l->label, "%s", l->name);
		else
			target_text(&l->bound, l->label, sizeof l->label);
		n = snprintf(core->listeners + at, sizeof core->listeners - at, "%s%s", i ? "," : "", l->label);
		if (n > 0 && (size_t)n < sizeof core->listeners - at)
			at += (size_t)n;
	}
}

static int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *format, ...)
{
	char text[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	log_error("switchcore: %s", text);
	return EXIT_FAILURE;
}

static int open_sip(struct core *core)
{
	struct sip_options options = {
		.tls_ca = core->options.tls_ca, .tls_certificate = core->options.tls_certificate,
		.tls_key = core->options.tls_key, .tls_scratch = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
		.before = before_message, .arg = core,
	};
	struct resolver_options resolver = {
		.dns_server = core->options.dns_server, .hosts_file = core->options.hosts_file,
	};
	struct sip_why why = { "" };
	int error;

	if (sip_open(&core->sip, core->loop, core->options.listeners, core->options.listener_count, &options, &why) != 0)
		return fail("%s", why.text);
	label_listeners(core);
	for (size_t i = 0; i < core->options.listener_count; i++) {
		bool v6 = core->options.listeners[i].bound.address.family == AF_INET6;
		resolver.ipv6 = resolver.ipv6 || v6;
		resolver.ipv4 = resolver.ipv4 || !v6;
	}
	error = resolver_create(&core->resolver, core->loop, &resolver);
	return error ? fail("cannot start the resolver: %s", strerror(error)) : 0;
}

/* Made while we still may, for the user that we are about to become. */
static int give_directory(const char *dir, const struct passwd *user)
{
	if (!dir || mkdir(dir, 0700) != 0 || chown(dir, user->pw_uid, user->pw_gid) == 0)
		return 0;
	return fail("%s: %s", dir, strerror(errno));
}

/* Bound to its ports, the process gives up what it no longer needs. */
static int become_user(struct core *core)
{
	const char *name = core->options.user;
	const struct passwd *user;

	if (!name)
		return 0;
	user = getpwnam(name);
	if (!user)
		return fail("--user %s: no such user", name);
	if (geteuid() == user->pw_uid)
		return 0;
	if (give_directory(core->options.run, user) != 0 || give_directory(core->options.cdr_spool, user) != 0)
		return EXIT_FAILURE;
	if (initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
		return fail("--user %s: %s", name, strerror(errno));
	return 0;
}

static int open_directory(struct core *core)
{
	struct shm_why why = { "" };
	uint64_t room;
	bool tmpfs;
	int error = 0;

	if (core->options.run)
		snprintf(core->dir, sizeof core->dir, "%s", core->options.run);
	else
		error = shm_default_dir(core->dir, sizeof core->dir, &why);
	if (!error)
		error = shm_prepare_dir(core->dir, &tmpfs, &room, &why);
	if (error)
		return fail("%s", why.text[0] ? why.text : strerror(error));
	if (!tmpfs)
		log_warning("switchcore: %s is not on tmpfs: every status change may cost disk writes", core->dir);
	return 0;
}

static int open_cdr(struct core *core)
{
	struct shm_why why = { "" };
	char dir[sizeof core->dir + sizeof CDR_SUBDIR + 1];
	int error;

	snprintf(dir, sizeof dir, "%s/" CDR_SUBDIR, core->dir);
	error = cdr_writer_open(&core->cdr, core->options.cdr_spool ? core->options.cdr_spool : dir, &why);
	if (error)
		return fail("%s", why.text[0] ? why.text : strerror(error));
	cdr_writer_limit(core->cdr, core->options.cdr_spool_bytes);
	return 0;
}

static void take_parameters(void *arg, const struct sip_parameters *parameters)
{
	calls_parameters(arg, parameters);
}

static int open_calls(struct core *core)
{
	struct calls_parts parts = {
		.sip = core->sip, .resolver = core->resolver, .timers = loop_timers(core->loop), .gateways = core->gateways,
		.registrations = core->registrations, .status = core->status, .cdr = core->cdr,
		.overloaded = capture_overloaded,
	};
	int error = calls_create(&core->calls, &parts);

	if (error)
		return fail("%s", strerror(error));
	follow_parameters(core->follow, take_parameters, core->calls);
	sip_handle(core->sip, calls_received, core->calls);
	steer_unseen(calls_unseen, core->calls);
	capture_known(calls_know, core->calls);
	return 0;
}

static int open_segments(struct core *core)
{
	struct status_options options = {
		.version = TANDEM_VERSION, .listeners = core->listeners, .trace_bytes = core->options.trace_bytes,
	};
	struct registration_world world = world_of(core);
	struct control_obeyer obeyer = obeyer_of(core);
	struct gateway_world gateway_world = gateway_world_of(core);
	struct shm_why why = { "" };
	int error;

	error = status_writer_open(&core->status, core->dir, &options, &why);
	if (error == EBUSY)
		return fail("%s: another switchcore runs there", core->dir);
	if (error)
		return fail("%s", why.text[0] ? why.text : strerror(error));
	if ((error = trace_create(&core->trace, core->status)) != 0 ||
	    (error = report_create(&core->report, core->status)) != 0 ||
	    (error = pacing_create(&core->pacing, &core->options.limits)) != 0 ||
	    (error = registrations_create(&core->registrations, &world, loop_timers(core->loop), core->pacing)) != 0 ||
	    (error = gateways_create(&core->gateways, &gateway_world, loop_timers(core->loop), core->registrations)) != 0 ||
	    (error = follow_create(&core->follow, core->dir, core->registrations, core->gateways, core->report)) != 0)
		return fail("%s", strerror(error));
	error = control_open(&core->control, core->loop, core->dir, core->follow, &obeyer, &why);
	if (error == EADDRINUSE)
		return fail("%s: another switchcore runs there", core->dir);
	if (error)
		return fail("%s", why.text[0] ? why.text : strerror(error));
	capture_start(core->options.no_trace ? NULL : core->trace);
	return 0;
}

static void say_ready(const struct core *core)
{
	char text[TARGET_TEXT_MAX];

	fputs("switchcore ready", stdout);
	for (size_t i = 0; i < core->options.listener_count; i++) {
		target_text(&core->options.listeners[i].bound, text, sizeof text);
		printf(" %s", text);
	}
	putchar('\n');
	fflush(stdout);
}

/* ------------------------------------------------------------------ turning */

/* mimalloc's, where the program is linked with it. */
extern void mi_collect(bool force) __attribute__((weak));

static void trim_heap(struct core *core)
{
	uint32_t in_flight = pacing_in_flight(core->pacing);

	if (in_flight >= BURST_REQUESTS)
		core->burst = true;
	if (!core->burst || in_flight > 0 || loop_now() < core->trim_at)
		return;
	if (mi_collect)
		mi_collect(true);
	else
		malloc_trim(0);
	core->burst = false;
	core->trim_at = loop_now() + TRIM_US;
}

static void tick(struct core *core)
{
	uint64_t now = loop_now();

	if (now >= core->heartbeat_at) {
		status_heartbeat(core->status);
		core->heartbeat_at = now + HEARTBEAT_US;
	}
	gateways_tick(core->gateways);
	if (now >= core->tick_at) {
		follow_tick(core->follow);
		control_tick(core->control);
		report_tick(core->report);
		registrations_sweep(core->registrations);
		calls_tick(core->calls);
		capture_tick();
		trim_heap(core);
		core->tick_at = now + SECOND_US;
	}
}

static uint64_t ring_due(const struct core *core)
{
	if (core->news)
		return core->rang_at + RING_US;
	return core->call_news ? core->rang_at + CALLS_RING_US : UINT64_MAX;
}

static void tell_news(struct core *core)
{
	core->news = report_take_news(core->report) || core->news;
	core->news = follow_take_news(core->follow) || core->news;
	core->call_news = calls_take_news(core->calls) || core->call_news;
	if (loop_now() < ring_due(core))
		return;
	control_ring_all(core->control);
	core->news = core->call_news = false;
	core->rang_at = loop_now();
}

static void turn(struct core *core, uint64_t deadline)
{
	uint64_t until = core->heartbeat_at < core->tick_at ? core->heartbeat_at : core->tick_at;
	uint64_t next = pacing_next(core->pacing), part = follow_turn(core->follow);

	if (gateways_next(core->gateways) < until)
		until = gateways_next(core->gateways);
	if (next < until)
		until = next;
	if (part < until)
		until = part;
	if (deadline < until)
		until = deadline;
	if (ring_due(core) < until)
		until = ring_due(core);
	follow_idle(core->follow);
	loop_step(core->loop, until);
	follow_look(core->follow);
	timers_run(loop_timers(core->loop), loop_now());
	pacing_run(core->pacing, loop_now());
	sip_turn(core->sip);
	tick(core);
	tell_news(core);
}

static void stop(struct core *core)
{
	uint64_t deadline = loop_now() + core->options.stop_timeout_s * SECOND_US;
	uint64_t left;

	log_info("switchcore: stopping");
	core->stop = core->hurry = false;
	follow_stop(core->follow);
	gateways_stop(core->gateways);
	calls_stop(core->calls);
	registrations_stop(core->registrations);
	pacing_run(core->pacing, loop_now());
	while ((!registrations_stopped(core->registrations) || !calls_stopped(core->calls)) && loop_now() < deadline && !core->stop)
		turn(core, deadline);
	control_ring_all(core->control);
	left = registrations_unconfirmed(core->registrations);
	if (left)
		log_warning("switchcore: stopped; the removal of %" PRIu64 " bindings was not confirmed", left);
	else
		log_info("switchcore: stopped");
}

static void close_all(struct core *core)
{
	capture_start(NULL);
	steer_unseen(NULL, NULL);
	capture_known(NULL, NULL);
	calls_destroy(core->calls);
	gateways_destroy(core->gateways);
	registrations_destroy(core->registrations);
	control_close(core->control);
	follow_destroy(core->follow);
	sip_close(core->sip);
	resolver_destroy(core->resolver);
	pacing_destroy(core->pacing);
	report_destroy(core->report);
	trace_destroy(core->trace);
	cdr_writer_close(core->cdr);
	status_writer_close(core->status);
	loop_unwatch(core->signals);
	if (core->signal_fd >= 0)
		close(core->signal_fd);
	loop_destroy(core->loop);
}

int main(int argc, char **argv)
{
	static struct core core = { .signal_fd = -1 };
	int error = options_parse(&core.options, argc, argv);

	if (error)
		return error == ECANCELED ? EXIT_SUCCESS : 2;
	log_set_level((enum log_level)core.options.log_level);
	raise_descriptor_limit();
	if (loop_create(&core.loop) != 0 || open_signals(&core) != 0)
		error = fail("cannot make an event loop: %s", strerror(errno));
	if (!error)
		error = open_sip(&core);
	if (!error)
		error = become_user(&core);
	if (!error)
		error = open_directory(&core);
	if (!error)
		error = open_segments(&core);
	if (!error)
		error = open_cdr(&core);
	if (!error)
		error = open_calls(&core);
	if (!error) {
		tick(&core);
		say_ready(&core);
		while (!core.stop)
			turn(&core, TIMER_NEVER);
		stop(&core);
	}
	close_all(&core);
	return error;
}
