#include "mgmtd/metrics_switch.h"

#include "mgmtd/exposition.h"
#include "mgmtd/model.h"
#include "mgmtd/process.h"
#include "mgmtd/watch.h"
#include "shm/status_counter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STRETCH 64	/* gateways per hold of the model's lock */

struct switch_figures { struct status_info info; uint64_t counts[COUNT_COUNT]; };

static void look(struct status_reader *reader, void *arg)
{
	struct switch_figures *f = arg;

	status_info(reader, &f->info);
	status_counters(reader, f->counts);
}

/* ------------------------------------------------------------------ registrations */

static void render_states(struct buffer *b, const struct daemon *daemon)
{
	uint64_t counts[STATE_COUNT];
	char labels[64];

	census_counts(watch_census(daemon->watch), counts);
	exposition_head(b, "tandem_registrations", "gauge", "Registrations by state.");
	for (size_t i = 0; i < STATE_COUNT; i++) {
		snprintf(labels, sizeof labels, "state=\"%s\"", status_state_words[i]);
		exposition_count(b, "tandem_registrations", labels, counts[i]);
	}
}

static void render_transitions(struct buffer *b, const uint64_t *counts)
{
	static const char name[] = "tandem_registration_transitions_total";
	char labels[96];

	exposition_head(b, name, "counter", "Changes of registrations from one state to another.");
	for (size_t from = 0; from < STATE_COUNT; from++)
		for (size_t to = 0; to < STATE_COUNT; to++) {
			if (from == to)
				continue;
			snprintf(labels, sizeof labels, "from=\"%s\",to=\"%s\"", status_state_words[from], status_state_words[to]);
			exposition_count(b, name, labels, counts[COUNT_TRANSITIONS + from * STATE_COUNT + to]);
		}
}

static void render_registers(struct buffer *b, const uint64_t *counts)
{
	static const uint32_t bounds[] = STATUS_RTT_BOUNDS;
	static const char failures[] = "tandem_register_failures_total";
	char labels[64];

	exposition_counter(b, "tandem_register_successes_total", "Attempts to register, refresh or unregister that the far side accepted.",
	                   counts[COUNT_REGISTER_ENDS + REASON_NONE]);
	exposition_head(b, failures, "counter", "Attempts to register, refresh or unregister that failed, by reason.");
	for (size_t i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		snprintf(labels, sizeof labels, "reason=\"%s\"", status_reason_words[i]);
		exposition_count(b, failures, labels, counts[COUNT_REGISTER_ENDS + i]);
	}
	exposition_head(b, "tandem_register_rtt_seconds", "histogram", "Time from a REGISTER to its final answer.");
	exposition_histogram(b, "tandem_register_rtt_seconds", NULL, bounds, &counts[COUNT_RTT], STATUS_RTT_BUCKETS, counts[COUNT_RTT_US]);
}

/* ------------------------------------------------------------------ gateways */

/* A metric's samples stand together, so each has a text of its own while the gateways are gone through once. */
enum gateway_metric { ROUTABLE, CALLS, CALLS_TOTAL, ANSWERED, FAILURES, GATEWAY_METRICS };
static const struct { const char *name, *type, *help; } gateway_metrics[GATEWAY_METRICS] = {
	[ROUTABLE] = { "tandem_gateway_routable", "gauge", "1 while the gateway takes new calls." },
	[CALLS] = { "tandem_gateway_calls", "gauge", "Calls through the gateway now." },
	[CALLS_TOTAL] = { "tandem_gateway_calls_total", "counter",
	                  "Calls in through a mapping gateway, or attempts through a routing gateway." },
	[ANSWERED] = { "tandem_gateway_calls_answered_total", "counter", "Calls through the gateway that were answered." },
	[FAILURES] = { "tandem_call_failures_total", "counter",
	               "Final codes that a mapping gateway was told, and of each attempt through a routing gateway; none that never came." },
};

struct gateway_place { uint32_t id; uint64_t incarnation; char name[SCHEMA_NAME_MAX + 1]; };

static void render_gateway(struct buffer texts[GATEWAY_METRICS], const char *path, const char *name, const struct gateway_status *s)
{
	const uint64_t values[] = { [ROUTABLE] = s->routable != 0, [CALLS] = s->calls, [CALLS_TOTAL] = s->calls_total,
	                            [ANSWERED] = s->answered_total };
	char labels[192];

	/* Names hold nothing that needs escaping. */
	snprintf(labels, sizeof labels, "kind=\"%s\",gateway=\"%s\"", path + (*path == '/'), name);
	for (size_t i = 0; i < FAILURES; i++)
		exposition_count(&texts[i], gateway_metrics[i].name, labels, values[i]);
	size_t len = strlen(labels);
	for (size_t i = 0; i < FAILURE_COUNT; i++) {
		if (s->failures[i] == 0)
			continue;
		snprintf(labels + len, sizeof labels - len, ",code=\"%s\"", status_failure_words[i]);
		exposition_count(&texts[FAILURES], gateway_metrics[FAILURES].name, labels, s->failures[i]);
	}
}

static size_t next_places(struct gateway_place *places, struct model *model, enum kind_id kind, const char *after)
{
	const struct object *object;
	size_t n = 0;

	model_lock(model);
	while (n < STRETCH && (object = model_after(model, kind, n ? places[n - 1].name : after))) {
		places[n].id = object->id;
		places[n].incarnation = object->incarnation;
		memcpy(places[n++].name, object->name, sizeof places->name);
	}
	model_unlock(model);
	return n;
}

static void render_kind(struct buffer texts[GATEWAY_METRICS], struct daemon *daemon, enum kind_id kind)
{
	struct gateway_place places[STRETCH];
	struct gateway_status status;
	char after[SCHEMA_NAME_MAX + 1] = "";
	size_t n;

	do {
		n = next_places(places, daemon->model, kind, after);
		for (size_t i = 0; i < n; i++)
			if (core_status(watch_core(daemon->watch), kind, places[i].id, &status) == 0 && status.incarnation == places[i].incarnation)
				render_gateway(texts, schema_kinds[kind].path, places[i].name, &status);
		if (n)
			memcpy(after, places[n - 1].name, sizeof after);
	} while (n == STRETCH);
}

static void render_gateways(struct buffer *b, struct daemon *daemon)
{
	struct buffer texts[GATEWAY_METRICS] = { 0 };

	render_kind(texts, daemon, KIND_ROUTING_GATEWAY);
	render_kind(texts, daemon, KIND_MAPPING_GATEWAY);
	for (size_t i = 0; i < GATEWAY_METRICS; i++) {
		exposition_head(b, gateway_metrics[i].name, gateway_metrics[i].type, gateway_metrics[i].help);
		if (texts[i].len)
			buffer_append(b, texts[i].text, texts[i].len);
		b->failed |= texts[i].failed;
		buffer_free(&texts[i]);
	}
}

/* ------------------------------------------------------------------ calls, and the switch itself */

static void render_calls(struct buffer *b, const struct switch_figures *f)
{
	exposition_gauge(b, "tandem_calls_active", "Calls now, as of a second ago.", f->info.calls_active);
	exposition_counter(b, "tandem_calls_total", "Calls begun.", f->counts[COUNT_CALLS]);
	exposition_counter(b, "tandem_calls_answered_total", "Calls answered.", f->counts[COUNT_CALLS_ANSWERED]);
	exposition_counter(b, "tandem_calls_refused_overload_total", "New calls refused with 503 because more came in than could be handled.",
	                   f->counts[COUNT_CALLS_SHED]);
	exposition_counter(b, "tandem_cdrs_written_total", "Call records that the switch wrote to the spool.", f->counts[COUNT_CDRS]);
	exposition_counter(b, "tandem_cdrs_lost_total", "Call records that the switch could not write: calls nobody can bill.",
	                   f->counts[COUNT_CDRS_LOST]);
}

static void render_process(struct buffer *b, const struct switch_figures *f)
{
	struct process_figures p;

	exposition_gauge_seconds(b, "tandem_switchcore_heartbeat_age_seconds", "Age of the switch's last sign of life.",
	                         (uint64_t)f->info.heartbeat_age_ms * 1000);
	exposition_gauge_seconds(b, "tandem_switchcore_start_time_seconds", "When the switch started, since the epoch.", f->info.started_at);
	if (process_look(&p, f->info.pid) != 0)
		return;
	exposition_gauge(b, "tandem_switchcore_resident_memory_bytes", "Memory of the switch, shared memory included.", p.resident_bytes);
	exposition_head(b, "tandem_switchcore_cpu_seconds_total", "counter", "Processor time of the switch.");
	exposition_seconds(b, "tandem_switchcore_cpu_seconds_total", NULL, p.cpu_us);
	exposition_gauge(b, "tandem_switchcore_open_fds", "Open files and sockets of the switch.", p.open_fds);
	exposition_gauge(b, "tandem_switchcore_max_fds", "Most that it may have.", p.max_fds);
}

static void render_version(struct buffer *b, const struct status_info *info)
{
	exposition_head(b, "tandem_switchcore_info", "gauge", "1, with the version of the switch that runs.");
	buffer_text(b, "tandem_switchcore_info{version=\"");
	exposition_escape(b, info->version);
	buffer_text(b, "\"} 1\n");
}

void metrics_switch(struct buffer *b, struct daemon *daemon)
{
	struct core *core = watch_core(daemon->watch);
	struct switch_figures f;
	bool up = core_state(core) == CORE_UP && core_with_status(core, look, &f);

	exposition_gauge(b, "tandem_switchcore_up", "1 while the switch runs and speaks our language; what it counts is left out while it does not.", up);
	if (!up)
		return;
	f.info.version[sizeof f.info.version - 1] = '\0';
	render_version(b, &f.info);
	render_process(b, &f);
	render_states(b, daemon);
	render_transitions(b, f.counts);
	render_registers(b, f.counts);
	render_calls(b, &f);
	render_gateways(b, daemon);
}
