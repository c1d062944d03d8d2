#include "mgmtd/metrics.h"

#include "mgmtd/access_log.h"
#include "mgmtd/answer.h"
#include "mgmtd/events.h"
#include "mgmtd/exposition.h"
#include "mgmtd/intake.h"
#include "mgmtd/metrics_switch.h"
#include "mgmtd/process.h"
#include "mgmtd/tally.h"
#include "mgmtd/watch.h"
#include "mgmtd/worker.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct scrape {
	struct job job;
	struct request *request;
	struct buffer out;
};

static uint64_t read_count(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* ------------------------------------------------------------------ what mgmtd counts */

static void render_configuration(struct buffer *b, struct daemon *daemon)
{
	struct writer_state state;

	writer_state(daemon->writer, &state);
	exposition_gauge(b, "tandem_stored_revision", "Newest revision of the configuration.", state.stored_revision);
	exposition_gauge(b, "tandem_published_generation", "Newest generation of the configuration segment.", state.published_generation);
	exposition_gauge(b, "tandem_applied_generation", "Generation that the switch acts on.", core_applied_generation(watch_core(daemon->watch)));
	exposition_gauge_seconds(b, "tandem_applied_lag_seconds",
	                         "For how long a published change has waited for the switch to act on it; 0 = none waits.",
	                         watch_applied_lag(daemon->watch));
	exposition_gauge(b, "tandem_store_available", "0 when the last change could not be stored.", state.store_available);
	exposition_head(b, "tandem_segment_pages", "gauge", "Pages of the configuration segment.");
	exposition_count(b, "tandem_segment_pages", "state=\"used\"", state.pages_used);
	exposition_count(b, "tandem_segment_pages", "state=\"total\"", state.pages_total);
}

static void render_changes(struct buffer *b, const struct tally *t)
{
	char labels[48];

	exposition_head(b, "tandem_changes_total", "counter", "Changes of the configuration that were asked for, by what became of them.");
	for (size_t i = 0; i < TALLY_RESULT_COUNT; i++) {
		snprintf(labels, sizeof labels, "result=\"%s\"", tally_result_words[i]);
		exposition_count(b, "tandem_changes_total", labels, read_count(&t->changes[i]));
	}
	exposition_head(b, "tandem_change_duration_seconds", "histogram", "Time from a change's request until it was durable and published.");
	exposition_times(b, "tandem_change_duration_seconds", NULL, &t->change_times);
}

static void label_route(char *labels, size_t size, size_t i)
{
	if (i != TALLY_NO_ROUTE)
		snprintf(labels, size, "method=\"%s\",route=\"%s\"", routes[i].method, routes[i].path);
	else
		snprintf(labels, size, "method=\"\",route=\"\"");
}

static bool was_timed(const struct histogram *h)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (read_count(&h->count[i]))
			return true;
	return false;
}

static void render_requests(struct buffer *b, const struct tally *t)
{
	char route[192], labels[224];

	exposition_head(b, "tandem_http_requests_total", "counter",
	                "Requests answered, by route and first digit of the status; empty labels: no route fitted; panel: its files. What never came is left out.");
	for (size_t i = 0; i < TALLY_ROUTES; i++)
		for (unsigned digit = 1; digit < TALLY_CLASSES; digit++) {
			uint64_t count = read_count(&t->routes[i].answers[digit]);
			if (!count)
				continue;
			label_route(route, sizeof route, i);
			snprintf(labels, sizeof labels, "%s,status=\"%uxx\"", route, digit);
			exposition_count(b, "tandem_http_requests_total", labels, count);
		}
	exposition_head(b, "tandem_http_request_duration_seconds", "histogram", "Time from a request's head until its answer stood; not of streams.");
	for (size_t i = 0; i < TALLY_ROUTES; i++) {
		label_route(route, sizeof route, i);
		if (was_timed(&t->routes[i].times))
			exposition_times(b, "tandem_http_request_duration_seconds", route, &t->routes[i].times);
	}
}

static void render_log_ins(struct buffer *b, const struct tally *t)
{
	exposition_counter(b, "tandem_log_ins_total", "Log-ins that succeeded.", read_count(&t->log_ins));
	exposition_head(b, "tandem_log_in_failures_total", "counter", "Log-ins that failed, and those turned away unheard because too many failed before.");
	exposition_count(b, "tandem_log_in_failures_total", "reason=\"credentials\"", read_count(&t->log_ins_refused));
	exposition_count(b, "tandem_log_in_failures_total", "reason=\"throttled\"", read_count(&t->log_ins_throttled));
}

static void render_events(struct buffer *b, struct daemon *daemon)
{
	struct events_figures f;

	events_look(daemon->events, &f);
	exposition_gauge(b, "tandem_events_clients", "Clients that listen to /events now.", f.clients);
	exposition_counter(b, "tandem_events_published_total", "Events told, or left out because nobody listened.", f.published);
	exposition_counter(b, "tandem_events_slow_clients_total", "Clients of /events that were dropped because they fell behind.", f.slow);
	exposition_counter(b, "tandem_access_log_dropped_total", "Lines of the access log that could not be written in time.",
	                   access_log_dropped(daemon->access_log));
}

static void render_cdrs(struct buffer *b, struct daemon *daemon)
{
	struct intake_figures f;

	intake_look(daemon->intake, &f);
	exposition_gauge(b, "tandem_cdr_spool_files", "Files of the spool with call records that are not in the database yet.", f.files);
	exposition_gauge(b, "tandem_cdr_spool_bytes", "Bytes of the spool that are not in the database yet.", f.bytes);
	exposition_counter(b, "tandem_cdrs_stored_total", "Call records taken from the spool into the database.", f.taken);
	exposition_counter(b, "tandem_cdrs_missing_total", "Call records that were numbered but never came.", f.missing);
}

static void render_process(struct buffer *b)
{
	struct process_figures p;

	exposition_head(b, "tandem_build_info", "gauge", "1, with the version of mgmtd.");
	exposition_count(b, "tandem_build_info", "version=\"" TANDEM_VERSION "\"", 1);
	if (process_look(&p, 0) != 0)
		return;
	exposition_gauge(b, "process_resident_memory_bytes", "Memory of mgmtd, shared memory included.", p.resident_bytes);
	exposition_gauge(b, "process_virtual_memory_bytes", "Address space of mgmtd.", p.virtual_bytes);
	exposition_head(b, "process_cpu_seconds_total", "counter", "Processor time of mgmtd.");
	exposition_seconds(b, "process_cpu_seconds_total", NULL, p.cpu_us);
	exposition_gauge(b, "process_open_fds", "Open files and sockets of mgmtd.", p.open_fds);
	exposition_gauge(b, "process_max_fds", "Most that it may have.", p.max_fds);
	exposition_gauge(b, "process_threads", "Threads of mgmtd.", p.threads);
	exposition_gauge_seconds(b, "process_start_time_seconds", "When mgmtd started, since the epoch.", p.started_us);
}

/* ------------------------------------------------------------------ the request */

static void scrape_free(void *work)
{
	struct scrape *s = work;

	buffer_free(&s->out);
	free(s);
}

static void render(struct job *job, bool cancelled)
{
	struct scrape *s = (struct scrape *)job;	/* its first member */
	struct daemon *daemon = s->request->daemon;

	s->request->error = cancelled ? ECANCELED : 0;
	if (!cancelled) {
		render_process(&s->out);
		metrics_switch(&s->out, daemon);
		render_configuration(&s->out, daemon);
		render_changes(&s->out, daemon->tally);
		render_requests(&s->out, daemon->tally);
		render_log_ins(&s->out, daemon->tally);
		render_events(&s->out, daemon);
		render_cdrs(&s->out, daemon);
	}
	request_wake(s->request);
}

static void answer_scrape(struct request *r)
{
	struct scrape *s = r->work;

	if (r->error)
		answer_unavailable(r, NULL, "readers");
	else
		answer_buffer(r, 200, EXPOSITION_TYPE, &s->out);
}

void metrics_get(struct request *r)
{
	struct scrape *s = calloc(1, sizeof *s);

	if (!s)
		return;
	s->request = r;
	s->job.run = render;
	r->work = s;
	r->work_free = scrape_free;
	request_hand_over(r, r->daemon->reader, &s->job, answer_scrape);
}
