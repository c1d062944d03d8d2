#include "mgmtd/overview.h"

#include "mgmtd/answer.h"
#include "mgmtd/intake.h"
#include "mgmtd/model.h"
#include "mgmtd/render.h"
#include "mgmtd/watch.h"
#include "mgmtd/writer.h"
#include "shm/status_counter.h"

#include <inttypes.h>

static void render_registrations(struct buffer *b, const struct daemon *daemon)
{
	uint64_t counts[STATE_COUNT];
	model_lock(daemon->model);
	size_t total = model_count(daemon->model, KIND_REGISTRATION);
	model_unlock(daemon->model);
	census_counts(watch_census(daemon->watch), counts);
	buffer_format(b, ",\"registrations\":{\"total\":%zu,\"by_state\":{", total);
	for (size_t i = 0; i < STATE_COUNT; i++)
		buffer_format(b, "%s\"%s\":%" PRIu64, i ? "," : "", status_state_words[i], counts[i]);
	buffer_text(b, "}}");
}

static void render_calls(struct buffer *b, const struct daemon *daemon)
{
	uint32_t active, per_second;
	if (core_calls(watch_core(daemon->watch), &active, &per_second))
		buffer_format(b, ",\"calls\":{\"active\":%" PRIu32 ",\"per_second\":%" PRIu32 "}", active, per_second);
	else
		buffer_text(b, ",\"calls\":{\"active\":null,\"per_second\":null}");
}

static void read_counters(struct status_reader *reader, void *counts)
{
	status_counters(reader, counts);
}

static void render_cdrs(struct buffer *b, const struct daemon *daemon)
{
	struct core *core = watch_core(daemon->watch);
	uint64_t counts[COUNT_COUNT];
	struct intake_figures f;
	intake_look(daemon->intake, &f);
	buffer_format(b, ",\"cdrs\":{\"spool_files\":%" PRIu64 ",\"spool_bytes\":%" PRIu64, f.files, f.bytes);
	if (core_state(core) == CORE_UP && core_with_status(core, read_counters, counts))
		render_number(b, "lost", (int64_t)counts[COUNT_CDRS_LOST], 0);
	else
		render_null(b, "lost");
	buffer_text(b, "}");
}

void overview_status(struct request *r)
{
	const struct daemon *daemon = r->daemon;
	struct writer_state state;
	struct buffer b = { 0 };
	writer_state(daemon->writer, &state);
	buffer_format(&b, "{\"mgmtd\":{\"version\":\"%s\",\"uptime_s\":%" PRId64 ",\"stored_revision\":%" PRIu64
	              ",\"published_generation\":%" PRIu64 ",\"store\":\"%s\"},\"switchcore\":",
	              TANDEM_VERSION, (time_monotonic_ms() - daemon->started_ms) / 1000, state.stored_revision,
	              state.published_generation, state.store_available ? "available" : "unavailable");
	core_render(watch_core(daemon->watch), &b, watch_applied_revision(daemon->watch));
	render_registrations(&b, daemon);
	render_calls(&b, daemon);
	render_cdrs(&b, daemon);
	buffer_format(&b, ",\"segment\":{\"pages_used\":%" PRIu32 ",\"pages_total\":%" PRIu32 "}}", state.pages_used,
	              state.pages_total);
	answer_buffer(r, 200, "application/json", &b);
}

void overview_health(struct request *r)
{
	static const char text[] = "{\"status\":\"ok\"}";
	answer_static(r, 200, "application/json", text, sizeof text - 1);
}

void overview_ready(struct request *r)
{
	static const char text[] = "{\"status\":\"ready\"}";
	struct writer_state state;
	writer_state(r->daemon->writer, &state);
	if (state.published)
		answer_static(r, 200, "application/json", text, sizeof text - 1);
	else
		answer_problem(r, 503, NULL, NULL, "the configuration is not published to the switch yet");
}
