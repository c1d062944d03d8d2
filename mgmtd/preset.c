#include "mgmtd/preset.h"

#include "mgmtd/advice_item.h"
#include "mgmtd/answer.h"
#include "mgmtd/model.h"
#include "mgmtd/subject.h"

#include <errno.h>
#include <string.h>

#define SUBJECTS_MAX 64

/* parameters.md, "Advice".  period 0 = auto. */
static const struct { const char *id, *scenario; int period, delay; const char *expiry_range, *delay_range, *why; } trunks[] = {
	{ "unknown-provider", "Unknown provider, general use", 0, 60, "auto", "60", "Most compatible." },
	{ "behind-nat", "Behind NAT", 180, 45, "120-300", "30-60", "Keeps the pinhole open without flooding." },
	{ "same-lan", "Same LAN or data centre", 1800, 60, "auto or 600-3600", "60", "Less REGISTER traffic." },
	{ "wholesale-trunk", "Wholesale carrier trunk", 0, 60, "auto", "60", "The carrier knows its limits." },
	{ "unstable-link", "Unstable link", 90, 30, "60-120", "30", "Quick recovery." },
	{ "several-trunks", "Several trunks to one provider", 450, 60, "300-600", "60",
	  "Moderate traffic; starts are spread, so that they do not all register at once." },
	{ "primary-trunk", "Primary trunk", 180, 30, "120-300", "30-45", "Least disruption." },
	{ "backup-trunk", "Backup trunk", 0, 180, "any", "120-300", "Little needless traffic." },
};

static const struct { const char *id, *scenario, *mode, *callee, *reply, *request, *why; } gateways[] = {
	{ "standard-carrier", "Standard SIP carrier", "off", "to", "socket", "socket",
	  "Request line and To carry the routed number, as most carriers expect." },
	{ "legacy-request-line", "Legacy, routes on the request line", "on", "request_line", "socket", "socket",
	  "The request line carries the routed number, To the one dialled." },
	{ "pstn-prefix-conversion", "PSTN gateway with prefix conversion", "on", "request_line", "socket", "contact",
	  "It must receive the routed number in the request line and the dialled one in To." },
	{ "gateway-behind-nat", "Gateway behind NAT", "off", "to", "socket", "socket",
	  "What it writes into Via and Contact cannot be reached: everything goes where its packets come from." },
	{ "wholesale-prefixes", "Wholesale carrier, several prefixes", "on", "request_line", "socket", "contact",
	  "It routes by the prefix in the request line and bills by To." },
};

static const struct { int delay_s; const char *load, *best_for; } delays[] = {
	{ 30, "higher", "mission-critical trunks" }, { 60, "moderate", "standard" }, { 120, "low", "stable enterprise links" },
	{ 300, "very low", "backup trunks only" },
};

struct subjects { char name[SUBJECTS_MAX][SCHEMA_NAME_MAX + 1]; size_t count; };

/* A comma-separated list of names.  EINVAL: one is unknown, or there are too many, and that was answered. */
static int take_subjects(struct request *r, struct subjects *s, enum query_id query, enum kind_id kind)
{
	const char *text = request_query_text(r, query);
	struct subject found;

	s->count = 0;
	for (size_t len; text && s->count < SUBJECTS_MAX; text = text[len] ? text + len + 1 : NULL) {
		char *name = s->name[s->count++];
		len = strcspn(text, ",");
		size_t kept = len <= SCHEMA_NAME_MAX ? len : 0;
		memcpy(name, text, kept);
		name[kept] = '\0';
		if (!subject_named(r->daemon, &found, kind, name)) {
			subject_refuse(r, query, schema_kinds[kind].noun, name);
			return EINVAL;
		}
	}
	if (text) {
		answer_problem(r, 422, NULL, NULL, "%s: at most %d names in one change-set", query_parameters[query].name, SUBJECTS_MAX);
		return EINVAL;
	}
	return 0;
}

/* One item; changes (NULL = no subject was named) is taken. */
static void add(json_t *items, const char *id, enum kind_id kind, const char *scenario, const char *why, json_t *recommended, json_t *values,
                json_t *changes)
{
	json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "id", id, "kind", schema_kinds[kind].path, "title",
	                                       scenario, "scenario", scenario, "why", why, "recommended", recommended, "values", values,
	                                       "changes", changes ? changes : json_null()));
}

static void add_trunks(json_t *items, const struct subjects *registrations)
{
	for (size_t i = 0; i < sizeof trunks / sizeof trunks[0]; i++) {
		json_t *period = trunks[i].period ? json_integer(trunks[i].period) : json_string("auto");
		json_t *values = json_pack("{s:o, s:i}", "register_period", period, "retry_delay", trunks[i].delay);
		json_t *set = registrations->count ? advice_change_set(trunks[i].scenario) : NULL;
		for (size_t s = 0; s < registrations->count; s++)
			advice_change(set, KIND_REGISTRATION, registrations->name[s], json_incref(values));
		add(items, trunks[i].id, KIND_REGISTRATION, trunks[i].scenario, trunks[i].why,
		    json_pack("{s:s, s:s}", "register_period", trunks[i].expiry_range, "retry_delay", trunks[i].delay_range), values, set);
	}
}

static json_t *gateway_set(size_t i, const struct subjects *routing, const struct subjects *mapping)
{
	json_t *set = advice_change_set(gateways[i].scenario);

	for (size_t s = 0; s < routing->count; s++)
		advice_change(set, KIND_ROUTING_GATEWAY, routing->name[s],
		              json_pack("{s:{s:s, s:s, s:s}}", "sip", "invite_use_contact", gateways[i].mode, "reply_address", gateways[i].reply,
		                        "request_address", gateways[i].request));
	for (size_t s = 0; s < mapping->count; s++)
		advice_change(set, KIND_MAPPING_GATEWAY, mapping->name[s], json_pack("{s:{s:s}}", "sip", "callee", gateways[i].callee));
	return set;
}

static void add_gateways(json_t *items, const struct subjects *routing, const struct subjects *mapping)
{
	for (size_t i = 0; i < sizeof gateways / sizeof gateways[0]; i++) {
		json_t *values = json_pack("{s:s, s:s, s:s, s:s}", "invite_use_contact", gateways[i].mode, "callee", gateways[i].callee,
		                           "reply_address", gateways[i].reply, "request_address", gateways[i].request);
		add(items, gateways[i].id, KIND_ROUTING_GATEWAY, gateways[i].scenario, gateways[i].why, json_incref(values), values,
		    routing->count ? gateway_set(i, routing, mapping) : NULL);
	}
}

/* What a retry delay means. */
static json_t *retry_delays(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:i, s:s, s:s}", "retry_delay", delays[i].delay_s, "first_retry_s",
		                                      delays[i].delay_s, "five_retries_s", 5 * delays[i].delay_s, "load", delays[i].load,
		                                      "best_for", delays[i].best_for));
	return list;
}

void preset_list(struct request *r)
{
	static struct subjects registrations, routing, mapping;	/* the event thread's */

	if (take_subjects(r, &registrations, Q_PRESET_REGISTRATION, KIND_REGISTRATION) ||
	    take_subjects(r, &routing, Q_PRESET_ROUTING, KIND_ROUTING_GATEWAY) ||
	    take_subjects(r, &mapping, Q_PRESET_MAPPING, KIND_MAPPING_GATEWAY))
		return;
	json_t *items = json_array();
	if (registrations.count || !(routing.count + mapping.count))
		add_trunks(items, &registrations);
	if (routing.count || mapping.count || !registrations.count)
		add_gateways(items, &routing, &mapping);
	model_lock(r->daemon->model);
	json_int_t revision = (json_int_t)model_revision(r->daemon->model);
	model_unlock(r->daemon->model);
	answer_value(r, 200, json_pack("{s:o, s:n, s:I, s:o, s:s}", "items", items, "next", "revision", revision, "retry_delays", retry_delays(),
	                               "note", "A silent server adds up to 32 s to each try; one that refuses adds nothing."));
}
