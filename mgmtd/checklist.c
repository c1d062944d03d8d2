#include "mgmtd/checklist.h"

#include "mgmtd/advice.h"
#include "mgmtd/answer.h"
#include "mgmtd/checklist_private.h"
#include "mgmtd/json_text.h"
#include "mgmtd/model.h"
#include "mgmtd/subject.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct checklist { const char *which; int (*check)(struct advisor *a, struct checklist_names *names, json_t **items); } lists[] = {
	{ "gateway-headers", advisor_check_gateway },
	{ "outbound-registration", advisor_check_registration },
};

/* ------------------------------------------------------------------ items */

json_t *check_item(json_t *items, const char *text)
{
	json_t *item = json_pack("{s:i, s:s, s:s, s:s, s:[], s:n}", "n", (int)json_array_size(items) + 1, "text", text, "state", "manual", "detail",
	                         "", "evidence", "fix");

	json_array_append_new(items, item);
	return item;
}

void check_state(json_t *item, enum check_state state)
{
	static const char *const words[] = { "done", "todo", "warning", "manual" };

	json_object_set_new(item, "state", json_string(words[state]));
}

void check_fix(json_t *item, const struct facts *f, enum trouble trouble)
{
	json_t *advice = advice_item("", WARNING, troubles[trouble].kind, f->record->name, 0);

	troubles[trouble].tell(f, advice);
	json_object_set(item, "fix", json_object_get(advice, "fix"));
	json_decref(advice);
}

json_t *check_unnamed(const char *const *texts, size_t count, const char *query)
{
	json_t *items = json_array();

	for (size_t i = 0; i < count; i++)
		advice_text(check_item(items, texts[i]), "detail", "Name one with ?%s= to have it judged.", query);
	return items;
}

/* ------------------------------------------------------------------ the answer */

static const struct checklist *find(const char *which)
{
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if (strcmp(lists[i].which, which) == 0)
			return &lists[i];
	return NULL;
}

static int check(struct advice_ask *ask)
{
	json_t *items = NULL;
	int e = find(ask->request->argument)->check(ask->request->daemon->advisor, &ask->names, &items);
	char *text = items ? json_dumps(items, JSON_TEXT) : NULL;

	if (!e && !text)
		e = ENOMEM;
	if (!e)
		buffer_text(&ask->out, text);
	free(text);
	json_decref(items);
	return e;
}

static void refuse_missing(struct request *r, const struct checklist_names *names)
{
	enum query_id query = names->missing == names->registration ? Q_CHECK_REGISTRATION
	                      : names->missing == names->gateway    ? Q_CHECK_GATEWAY
	                                                            : Q_CHECK_MAPPING;

	r->error = 0;
	subject_refuse(r, query, schema_kinds[names->missing_kind].noun, names->missing);
}

static void answer_items(struct request *r)
{
	struct advice_ask *ask = r->work;
	struct buffer b = { 0 };

	if (r->error == ENOENT && ask->names.missing) {
		refuse_missing(r, &ask->names);
		return;
	}
	if (advice_failed(r))
		return;
	uint64_t revision = model_newest(r->daemon->model);
	buffer_format(&b, "{\"checklist\":\"%s\",\"items\":", find(r->argument)->which);
	buffer_append(&b, ask->out.text, ask->out.len);
	buffer_format(&b, ",\"next\":null,\"revision\":%" PRIu64 "}", revision);
	answer_buffer(r, 200, "application/json", &b);
}

void checklist_show(struct request *r)
{
	if (!find(r->argument)) {
		answer_problem(r, 404, NULL, NULL, "there is no such checklist; there are %s and %s", lists[0].which, lists[1].which);
		return;
	}
	struct advice_ask *ask = advice_ask_new(r);
	if (!ask)
		return;
	/* The texts are the request's, which outlives the work. */
	ask->names = (struct checklist_names){ .registration = request_query_text(r, Q_CHECK_REGISTRATION),
	                                       .gateway = request_query_text(r, Q_CHECK_GATEWAY),
	                                       .mapping = request_query_text(r, Q_CHECK_MAPPING) };
	advice_ask(r, check, answer_items);
}
