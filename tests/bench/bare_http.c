/*
 * What libmicrohttpd alone can do, in the thread mode that mgmtd uses: every request, whatever it is, is read to its end
 * and gets one ready answer.
 *
 *     bare_http FILE
 *
 * FILE holds that answer as a real server gave it: status line, headers, body.  The headers that the library writes
 * itself are left to it.  Listens on a port that the system chooses; prints "bare_http ready ADDR:PORT".  Until SIGTERM.
 */
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ANSWER_MAX (1u << 20)

static char answer[ANSWER_MAX];
static struct MHD_Response *response;
static unsigned status;

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **context)
{
	(void)arg; (void)url; (void)method; (void)version; (void)upload;
	if (!*context) {
		*context = answer;	/* the head; the body, if any, comes next */
		return MHD_YES;
	}
	if (*upload_size > 0) {
		*upload_size = 0;
		return MHD_YES;
	}
	return MHD_queue_response(connection, status, response);
}

static int written_by_library(const char *name)
{
	return strcasecmp(name, "Date") == 0 || strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Connection") == 0;
}

/* Fills response and status from FILE. */
static int read_answer(const char *path)
{
	FILE *in = fopen(path, "r");
	size_t len = in ? fread(answer, 1, sizeof answer - 1, in) : 0;
	char *body = strstr(answer, "\r\n\r\n"), *line, *next;

	if (in)
		fclose(in);
	if (!body || sscanf(answer, "HTTP/1.1 %u", &status) != 1)
		return -1;
	*body = '\0';
	body += 4;
	response = MHD_create_response_from_buffer((size_t)(answer + len - body), body, MHD_RESPMEM_PERSISTENT);
	line = strstr(answer, "\r\n");
	for (line = line ? line + 2 : NULL; response && line; line = next) {
		char *colon = strstr(line, ": ");
		next = strstr(line, "\r\n");
		if (next) {
			*next = '\0';
			next += 2;
		}
		if (!colon)
			return -1;
		*colon = '\0';
		if (!written_by_library(line) && MHD_add_response_header(response, line, colon + 2) != MHD_YES)
			return -1;
	}
	return response ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct MHD_Daemon *daemon;
	sigset_t stop;
	int received;

	if (argc != 2) {
		fputs("usage: bare_http FILE\n", stderr);
		return 2;
	}
	if (read_answer(argv[1]) != 0) {
		fprintf(stderr, "bare_http: %s: not an HTTP answer\n", argv[1]);
		return 1;
	}
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, NULL, MHD_OPTION_CONNECTION_LIMIT, 1200u,
	                          MHD_OPTION_END);
	if (!daemon) {
		fputs("bare_http: the library cannot start\n", stderr);
		return 1;
	}
	printf("bare_http ready 127.0.0.1:%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	sigwait(&stop, &received);
	MHD_stop_daemon(daemon);
	MHD_destroy_response(response);
	return 0;
}
