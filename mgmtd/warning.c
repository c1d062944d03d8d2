/* Warnings: what a change makes is legal, but probably not meant. */
#include "mgmtd/stage_private.h"

#include "mgmtd/buffer.h"
#include "mgmtd/link.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"
#include "mgmtd/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATEWAYS_NAMED 10

/* ------------------------------------------------------------------ registrations */

/* A number or, for a keyword such as auto, 0. */
static int32_t plain(int32_t value)
{
	return value > 0 ? value : 0;
}

static void warn_late_retry(json_t *warnings, const char *prefix, const char *member, const char *subject, int32_t delay, int32_t expiry)
{
	if (expiry > 0 && 2 * delay > expiry)
		problem_violation(warnings, prefix, member, "cross_field",
		                  "%s: the retry delay of %d s is more than half of the expiry of %d s: a failed refresh is"
		                  " retried after the binding ended", subject, delay, expiry);
}

/* Routing gateways that leave through it, and are not part of the change: those are judged for themselves. */
static void warn_gateways_without(json_t *warnings, struct stage *st, const struct object *object)
{
	const struct link *link = links_find(model_links(st->model), LINK_REGISTRATION, object->name);
	struct buffer b = { 0 };
	size_t count = 0, len;

	for (; link; link = links_next(link)) {
		const struct routing_gateway_record *gateway = (const void *)stage_record(st, link->object);
		if (!gateway || !gateway->enabled || objects_find(&st->mine[KIND_ROUTING_GATEWAY], link->object->name))
			continue;
		if (count++ < GATEWAYS_NAMED)
			buffer_format(&b, "%s%s", b.len ? ", " : "", link->object->name);
	}
	if (count > GATEWAYS_NAMED)
		buffer_format(&b, " and %zu more", count - GATEWAYS_NAMED);
	if (count == 0)
		return;
	char *names = buffer_take(&b, &len);
	if (!names)
		log_fatal("out of memory");
	problem_violation(warnings, object->pointer, "enabled", "registration_disabled",
	                  "registration %s is disabled: no calls leave through routing gateway%s %s", object->name, count == 1 ? "" : "s", names);
	free(names);
}

static void warn_registration(json_t *warnings, struct stage *st, const struct sip_parameters *parameters, const struct object *object)
{
	const struct registration_record *record = object->deleted ? NULL : (const void *)object->record;
	const struct record *published = object->old ? config_writer_record(st->segment, KIND_REGISTRATION, object->id) : NULL;
	char subject[SCHEMA_NAME_MAX + 20];

	snprintf(subject, sizeof subject, "registration %s", object->name);
	if (record)
		warn_late_retry(warnings, object->pointer, "retry_delay", subject,
		                plain(record->retry_delay < 0 ? parameters->SS_SIP_USER_AGENT_RETRY_DELAY : record->retry_delay),
		                plain(record->register_period == KEYWORD(REGISTER_PERIOD_INHERIT) ? parameters->SS_SIP_USER_AGENT_EXPIRE
		                                                                                  : record->register_period));
	if (record && !record->enabled)
		warn_gateways_without(warnings, st, object);
	bool ends = published && ((const struct registration_record *)published)->enabled && (!record || !record->enabled);
	if (ends && parameters->SS_SIP_USER_AGENT_SEND_UNREGISTER && st->hooks->switch_up && !st->hooks->switch_up(st->hooks->arg))
		problem_violation(warnings, "", NULL, "binding_stays",
		                  "%s: switchcore is down and cannot unregister: the binding at the registrar stays until it ends", subject);
}

/* ------------------------------------------------------------------ gateways */

static void warn_late_trying(json_t *warnings, const char *prefix, const char *member, const char *subject, int32_t invite, int32_t trying)
{
	if (invite > trying)
		problem_violation(warnings, prefix, member, "cross_field",
		                  "%s: an unanswered INVITE is given up after %d s, one that got a 100 after %d s already", subject, invite, trying);
}

static void warn_routing_gateway(json_t *warnings, struct stage *st, const struct sip_parameters *parameters, const struct object *object)
{
	const struct routing_gateway_record *record = (const void *)object->record;
	const struct object *trunk = record->registration[0] ? stage_now(st, &schema_kinds[KIND_REGISTRATION], record->registration) : NULL;
	const struct registration_record *registration = (const void *)stage_record(st, trunk);
	char subject[SCHEMA_NAME_MAX + 20], sip[PROBLEM_POINTER];

	snprintf(subject, sizeof subject, "routing gateway %s", object->name);
	problem_pointer(sip, object->pointer, "sip");
	warn_late_trying(warnings, sip, "timeout_invite", subject,
	                 record->timeout_invite < 0 ? parameters->SS_SIP_TIMEOUT_INVITE : record->timeout_invite,
	                 record->timeout_trying < 0 ? parameters->SS_SIP_TIMEOUT_TRYING : record->timeout_trying);
	if (record->enabled && registration && !registration->enabled)
		problem_violation(warnings, object->pointer, "registration", "registration_disabled",
		                  "%s: registration %s is disabled: no calls leave through it", subject, record->registration);
}

static void warn_mapping_gateway(json_t *warnings, const struct object *object)
{
	const struct mapping_gateway_record *record = (const void *)object->record;

	if (record->authentication == AUTHENTICATION_DIGEST && !record->password[0])
		problem_violation(warnings, object->pointer, "password", "no_password",
		                  "mapping gateway %s: digest authentication without a password: no call is let in", object->name);
	if (record->authentication == AUTHENTICATION_IP && record->sources.count == 0)
		problem_violation(warnings, object->pointer, "sources", "no_sources",
		                  "mapping gateway %s has no sources: it gets calls only as inbound_mapping of a registration or routing gateway",
		                  object->name);
}

/* ------------------------------------------------------------------ all */

static void warn_parameters(json_t *warnings, const struct objects *changed, const struct sip_parameters *parameters)
{
	if (objects_find(changed, "SS_SIP_USER_AGENT_RETRY_DELAY") || objects_find(changed, "SS_SIP_USER_AGENT_EXPIRE"))
		warn_late_retry(warnings, "", "SS_SIP_USER_AGENT_RETRY_DELAY", "all registrations that inherit",
		                parameters->SS_SIP_USER_AGENT_RETRY_DELAY, plain(parameters->SS_SIP_USER_AGENT_EXPIRE));
	if (objects_find(changed, "SS_SIP_TIMEOUT_INVITE") || objects_find(changed, "SS_SIP_TIMEOUT_TRYING"))
		warn_late_trying(warnings, "", "SS_SIP_TIMEOUT_INVITE", "all routing gateways that inherit",
		                 parameters->SS_SIP_TIMEOUT_INVITE, parameters->SS_SIP_TIMEOUT_TRYING);
}

json_t *warning_list(struct stage *st)
{
	const struct objects *changed = &st->mine[KIND_PARAMETERS];
	struct sip_parameters parameters = st->parameters;
	json_t *warnings = json_array();

	for (size_t i = 0; i < changed->count; i++)
		segment_set_parameter(&parameters, changed->v[i]);
	warn_parameters(warnings, changed, &parameters);
	for (size_t k = KIND_PARAMETERS + 1; k < KIND_COUNT; k++)
		for (size_t i = 0; i < st->mine[k].count; i++) {
			const struct object *object = st->mine[k].v[i];
			if (k == KIND_REGISTRATION)
				warn_registration(warnings, st, &parameters, object);
			else if (k == KIND_ROUTING_GATEWAY && !object->deleted)
				warn_routing_gateway(warnings, st, &parameters, object);
			else if (k == KIND_MAPPING_GATEWAY && !object->deleted)
				warn_mapping_gateway(warnings, object);
		}
	return warnings;
}
