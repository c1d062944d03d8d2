#include "mgmtd/server.h"

#include "mgmtd/access_line.h"
#include "mgmtd/access_log.h"
#include "mgmtd/answer.h"
#include "mgmtd/client.h"
#include "mgmtd/linger.h"
#include "mgmtd/log.h"
#include "mgmtd/panel_folder.h"
#include "mgmtd/tls.h"
#include "mgmtd/tally.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDLE_S 60u
#define CONNECTIONS_OF_LIBRARY (CLIENT_LIMIT + 200)	/* so that the ones beyond our limit can be told */
#define FILES_WANTED 4096u
/* Head, headers and a stretch of body and answer share it; a head of 16 KiB fits.  No more: the library zeroes all of it
 * between requests. */
#define CONNECTION_MEMORY (24u << 10)
#define LAST_ANSWERS_MS 2000

struct server {
	struct MHD_Daemon *mhd;
	struct clients *clients;
	struct linger_pool *linger;
	_Atomic unsigned active;	/* requests under way */
	_Atomic unsigned suspended;
	_Atomic bool closing;
};

bool server_closing(const struct server *s)
{
	return s && atomic_load_explicit(&s->closing, memory_order_relaxed);
}

void server_suspended(struct server *s, int by)
{
	atomic_fetch_add(&s->suspended, (unsigned)by);
}

/* ------------------------------------------------------------------ callbacks, on the event thread */

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

static void connection_changed(void *arg, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
	struct server *s = arg;
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = client_new(s->clients, connection);
	} else {
		struct client *client = *context;
		if (client && client->request.hurried)
			linger_take(s->linger, client->fd);
		client_free(s->clients, client);
		*context = NULL;
	}
}

static void log_request(struct request *r, bool complete)
{
	struct access_log *log = r->daemon->access_log;
	struct buffer line = { 0 };
	if (!log)
		return;
	access_line_render(&line, r, complete, time_monotonic_us());
	if (!line.failed)
		access_log_write(log, line.text, line.len);
	buffer_free(&line);
}

static void request_completed(void *arg, struct MHD_Connection *connection, void **context,
                              enum MHD_RequestTerminationCode code)
{
	struct server *s = arg;
	struct client *client = *context;
	(void)connection;
	if (!client)
		return;
	*context = NULL;
	log_request(&client->request, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	request_end(&client->request);
	client_idles(client);
	atomic_fetch_sub_explicit(&s->active, 1, memory_order_release);
}

static enum MHD_Result send_answer(struct request *r)
{
	if (r->id[0] && !r->lent)
		answer_header(r, "X-Request-Id", r->id);
	if (r->response && r->route == route_panel && r->status >= 400)
		panel_guard(r->response);
	tally_answer(r->daemon->tally, r->route, r->status, (uint64_t)(time_monotonic_us() - r->begun_us));
	enum MHD_Result done = MHD_queue_response(r->connection, r->status, r->response);
	if (!r->lent)
		MHD_destroy_response(r->response);
	r->response = NULL;
	return done;
}

static enum MHD_Result begin(struct server *s, struct client *client, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version)
{
	struct request *r = &client->request;
	client_reads_body(client);
	atomic_fetch_add_explicit(&s->active, 1, memory_order_relaxed);
	request_begin(r, connection, method, url, version);
	if (client->surplus) {
		answer_problem(r, 503, "too_many_connections", NULL, "more than %u connections", CLIENT_LIMIT);
		r->hurried = true;
	}
	return r->hurried ? send_answer(r) : MHD_YES;
}

/* Called at the end of the head, for each piece of the body, at the end, and again after a wait. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **context)
{
	struct client *client = *context;
	if (!client) {
		*context = client = client_of(connection);
		return client ? begin(arg, client, connection, url, method, version) : MHD_NO;
	}
	struct request *r = &client->request;
	if (r->hurried)
		return MHD_NO;
	if (*upload_size > 0) {
		int e = request_take_body(r, upload, *upload_size);
		*upload_size = 0;
		return e ? MHD_NO : MHD_YES;
	}
	client_answers(client);
	r->suspended = false;
	request_run(r);
	return r->response ? send_answer(r) : MHD_YES;
}

/* The path and the query are decoded by us: here it must stay visible that a slash came as %2F. */
static size_t leave_escaped(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

static void log_library(void *arg, const char *format, va_list args)
{
	char line[512];
	(void)arg;
	vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("http: %s", line);
}

/* ------------------------------------------------------------------ listening */

static void describe(char *text, size_t size, const struct sockaddr_storage *address)
{
	char host[INET6_ADDRSTRLEN] = "";
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
		snprintf(text, size, "[%s]:%u", host, ntohs(six->sin6_port));
	} else {
		const struct sockaddr_in *four = (const struct sockaddr_in *)address;
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
		snprintf(text, size, "%s:%u", host, ntohs(four->sin_port));
	}
}

void server_address(char *text, size_t size, int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof address;
	getsockname(fd, (struct sockaddr *)&address, &len);
	describe(text, size, &address);
}

int server_listen(int *fd, const struct options *options, struct shm_why *why)
{
	const int on = 1;
	int s = socket(options->listen.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		goto fail;
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(s, (const struct sockaddr *)&options->listen, options->listen_len) != 0 || listen(s, 1024) != 0)
		goto fail;
	*fd = s;
	return 0;
fail:;
	int e = errno;
	char address[64] = "";
	describe(address, sizeof address, &options->listen);
	snprintf(why->text, sizeof why->text, "cannot listen on %s: %s", address, strerror(e));
	if (s >= 0)
		close(s);
	return e;
}

/* ------------------------------------------------------------------ life */

static void allow_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= FILES_WANTED)
		return;
	limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < CONNECTIONS_OF_LIBRARY + 100)
		log_warnx("server: only %llu open files are allowed; %u are wanted for %u connections",
		          (unsigned long long)limit.rlim_cur, CONNECTIONS_OF_LIBRARY + 100, CLIENT_LIMIT);
}

int server_start(struct daemon *daemon, int fd, struct shm_why *why)
{
	struct server *s = calloc(1, sizeof *s);
	int e = s ? clients_open(&s->clients, daemon) : ENOMEM;
	if (!e)
		e = linger_open(&s->linger);
	if (e) {
		clients_close(s ? s->clients : NULL);
		free(s);
		snprintf(why->text, sizeof why->text, "server: %s", strerror(e));
		return e;
	}
	allow_files();
	daemon->server = s;
	const struct MHD_OptionItem secure[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)tls_retrieve },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	s->mhd = MHD_start_daemon(flags | (daemon->tls ? MHD_USE_TLS : 0u), 0, NULL, NULL, handle, s,
	                          MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
	                          MHD_OPTION_LISTEN_SOCKET, fd,
	                          MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
	                          MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s,
	                          MHD_OPTION_NOTIFY_COMPLETED, request_completed, s,
	                          MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_OF_LIBRARY,
	                          MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	                          MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
	                          MHD_OPTION_ARRAY, daemon->tls ? secure : secure + 2,
	                          MHD_OPTION_END);
	if (s->mhd)
		return 0;
	snprintf(why->text, sizeof why->text, "the HTTP library cannot start");
	clients_close(s->clients);
	linger_close(s->linger);
	free(s);
	daemon->server = NULL;
	return EIO;
}

void server_drain(struct server *s)
{
	atomic_store(&s->closing, true);
	int fd = MHD_quiesce_daemon(s->mhd);
	if (fd >= 0)
		close(fd);
}

/* Answers under way get a little time; but a request that waits for another thread must be woken before the library may end. */
static void wait_for_answers(struct server *s)
{
	const struct timespec moment = { .tv_nsec = 2000000 };
	for (int64_t began = time_monotonic_ms();;) {
		unsigned active = atomic_load_explicit(&s->active, memory_order_acquire);
		bool late = time_monotonic_ms() - began > LAST_ANSWERS_MS;
		if (atomic_load(&s->suspended) == 0 && (active == 0 || late))
			return;
		nanosleep(&moment, NULL);
	}
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	wait_for_answers(s);
	MHD_stop_daemon(s->mhd);
	clients_close(s->clients);
	linger_close(s->linger);
	free(s);
}
