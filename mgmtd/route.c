#include "mgmtd/route.h"

#include "mgmtd/backup.h"
#include "mgmtd/calls.h"
#include "mgmtd/cdr.h"
#include "mgmtd/configuration.h"
#include "mgmtd/description.h"
#include "mgmtd/events.h"
#include "mgmtd/gateway.h"
#include "mgmtd/history.h"
#include "mgmtd/overview.h"
#include "mgmtd/preview.h"
#include "mgmtd/query.h"
#include "mgmtd/registration.h"
#include "mgmtd/resource.h"
#include "mgmtd/session.h"
#include "mgmtd/trace.h"
#include "mgmtd/write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const role_words[] = { "public", "viewer", "operator", "admin" };

#define API "/api/v1"
#define PARAMETER &schema_kinds[KIND_PARAMETERS]
#define REGISTRATION &schema_kinds[KIND_REGISTRATION]
#define ROUTING_GATEWAY &schema_kinds[KIND_ROUTING_GATEWAY]
#define MAPPING_GATEWAY &schema_kinds[KIND_MAPPING_GATEWAY]

#define PAGED (QUERY_BIT(Q_LIMIT) | QUERY_BIT(Q_CURSOR))
#define FILTERED (PAGED | QUERY_BIT(Q_GROUP) | QUERY_BIT(Q_DIRECTION) | QUERY_BIT(Q_Q))
#define WRITTEN (QUERY_BIT(Q_DRY_RUN) | QUERY_BIT(Q_COMMENT) | QUERY_BIT(Q_WAIT_APPLIED) | QUERY_BIT(Q_TIMEOUT))
#define TRACED (PAGED | QUERY_BIT(Q_CALL_ID) | QUERY_BIT(Q_REGISTRATION) | QUERY_BIT(Q_GATEWAY) | QUERY_BIT(Q_NUMBER) | \
                QUERY_BIT(Q_SINCE))
#define CALLED (PAGED | QUERY_BIT(Q_CDR_SINCE) | QUERY_BIT(Q_CDR_UNTIL) | QUERY_BIT(Q_CDR_GATEWAY) | QUERY_BIT(Q_CDR_NUMBER) | \
                QUERY_BIT(Q_CDR_CODE))
#define REFRESHED (QUERY_BIT(Q_WAIT_OUTCOME) | QUERY_BIT(Q_OUTCOME_TIMEOUT))
#define EFFECTIVE QUERY_BIT(Q_EFFECTIVE)

#define W ROUTE_WRITES
#define WC (ROUTE_WRITES | ROUTE_CONDITIONAL)

/* The rows of a kind of object.  component: "Registration"; plural: "Registrations"; one, several: how people call them. */
#define OBJECTS(path, kind, component, plural, one, several, deleting) \
	{ "GET",    API path "/{name}", ROLE_VIEWER,   kind, BODY_NONE,  0,  EFFECTIVE, resource_get, \
	  "get" component, "One " one ".", NULL, component, 200 }, \
	{ "PUT",    API path "/{name}", ROLE_OPERATOR, kind, BODY_JSON,  WC, WRITTEN,   write_put, \
	  "put" component, "Create it, or replace all of it.", component "Write", "WriteAnswer", 200 }, \
	{ "PATCH",  API path "/{name}", ROLE_OPERATOR, kind, BODY_PATCH, WC, WRITTEN,   write_patch, \
	  "patch" component, "Change some of its fields (RFC 7396; null = default).", component "Patch", "WriteAnswer", 200 }, \
	{ "DELETE", API path "/{name}", ROLE_OPERATOR, kind, BODY_NONE,  WC, WRITTEN,   write_delete, \
	  "delete" component, deleting, NULL, "WriteAnswer", 200 }, \
	{ "GET",    API path,           ROLE_VIEWER,   kind, BODY_NONE,  0,  PAGED,     resource_list, \
	  "list" plural, "The " several ", by name.", NULL, component "Page", 200 }, \
	{ "POST",   API path,           ROLE_OPERATOR, kind, BODY_JSON,  W,  WRITTEN,   write_create, \
	  "create" component, "Create one.", component "Create", "WriteAnswer", 201 }

/*    method    path                                    role           kind          body        flags              queries    handler */
const struct route routes[] = {
	OBJECTS("/registrations", REGISTRATION, "Registration", "Registrations", "outbound registration", "outbound registrations",
	        "Delete it, unless something refers to it; its binding at the registrar is removed."),
	{ "GET",    API "/registrations/{name}/status",     ROLE_VIEWER,   REGISTRATION, BODY_NONE,  0,                 0,         registration_status,
	  "getRegistrationStatus", "What the switch does for it now.", NULL, "RegistrationStatus", 200 },
	{ "GET",    API "/registrations/{name}/attempts",   ROLE_VIEWER,   REGISTRATION, BODY_NONE,  0,                 0,         registration_attempts,
	  "listRegistrationAttempts", "Its last attempts, newest first.", NULL, "AttemptPage", 200 },
	{ "POST",   API "/registrations/{name}/refresh",    ROLE_OPERATOR, REGISTRATION, BODY_NONE,  W,                 REFRESHED, registration_refresh,
	  "refreshRegistration", "Send a REGISTER now, whatever the timer says.", NULL, "RegistrationStatus", 202 },

	OBJECTS("/routing-gateways", ROUTING_GATEWAY, "RoutingGateway", "RoutingGateways", "routing gateway", "routing gateways",
	        "Delete it; calls that it has go on."),

	OBJECTS("/mapping-gateways", MAPPING_GATEWAY, "MappingGateway", "MappingGateways", "mapping gateway", "mapping gateways",
	        "Delete it, unless something refers to it; calls that it has go on."),

	{ "GET",    API "/sip-parameters/{name}",           ROLE_VIEWER,   PARAMETER,    BODY_NONE,  0,                 0,         resource_get,
	  "getParameter", "One SIP parameter.", NULL, "Parameter", 200 },
	{ "PUT",    API "/sip-parameters/{name}",           ROLE_OPERATOR, PARAMETER,    BODY_JSON,  WC,                WRITTEN,   write_put,
	  "putParameter", "Set it.", "ParameterValue", "WriteAnswer", 200 },
	{ "DELETE", API "/sip-parameters/{name}",           ROLE_OPERATOR, PARAMETER,    BODY_NONE,  WC,                WRITTEN,   write_delete,
	  "resetParameter", "Back to its default.", NULL, "WriteAnswer", 200 },
	{ "GET",    API "/sip-parameters",                  ROLE_VIEWER,   PARAMETER,    BODY_NONE,  0,                 FILTERED,  resource_list_parameters,
	  "listParameters", "The SIP parameters, by name.", NULL, "ParameterPage", 200 },
	{ "PATCH",  API "/sip-parameters",                  ROLE_OPERATOR, PARAMETER,    BODY_PATCH, WC,                WRITTEN,   write_parameters,
	  "patchParameters", "Set several at once (RFC 7396; null = default).", "ParametersPatch", "WriteAnswer", 200 },

	{ "POST",   API "/changes",                         ROLE_OPERATOR, NULL,         BODY_JSON,  WC,                WRITTEN,   write_set,
	  "changeSet", "Several changes as one revision: all or none.", "ChangeSet", "WriteAnswer", 200 },
	{ "GET",    API "/config",                          ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         configuration_show,
	  "getConfig", "The whole configuration of one revision as one document, without secrets.", NULL, "Configuration", 200 },
	{ "PUT",    API "/config",                          ROLE_ADMIN,    NULL,         BODY_JSON,  WC | ROUTE_LARGE_BODY, WRITTEN, configuration_replace,
	  "putConfig", "Replace the whole configuration as one revision that holds only what differs; what the document does not name is deleted.",
	  "Configuration", "WriteAnswer", 200 },
	{ "POST",   API "/config/export",                   ROLE_ADMIN,    NULL,         BODY_JSON,  W | ROUTE_SECRET_BODY, 0,     configuration_export,
	  "exportConfig", "The whole configuration with its secrets, sealed with a passphrase, for PUT /config on another machine.",
	  "ExportRequest", "Configuration", 200 },
	{ "POST",   API "/backup",                          ROLE_ADMIN,    NULL,         BODY_JSON,  W,                 0,         backup_make,
	  "makeBackup", "Copy the database, while it is in use, into a new directory below `backups` in the state directory.",
	  "BackupRequest", "Backup", 201 },
	{ "GET",    API "/revisions",                       ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 PAGED,     history_list,
	  "listRevisions", "The history, newest first.", NULL, "RevisionPage", 200 },
	{ "GET",    API "/revisions/{revision}",            ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         history_show,
	  "getRevision", "One revision with what it changed.", NULL, "RevisionDetail", 200 },

	{ "GET",    API "/routing-gateways/{name}/status",  ROLE_VIEWER,   ROUTING_GATEWAY, BODY_NONE, 0,               0,         gateway_status,
	  "getRoutingGatewayStatus", "What the switch does with it now: does it take calls, and how do they go?", NULL, "GatewayStatus", 200 },
	{ "GET",    API "/mapping-gateways/{name}/status",  ROLE_VIEWER,   MAPPING_GATEWAY, BODY_NONE, 0,               0,         gateway_status,
	  "getMappingGatewayStatus", "What the switch does with it now: may it call, and how do its calls go?", NULL, "GatewayStatus", 200 },

	{ "GET",    API "/calls/{id}",                      ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         calls_show,
	  "getCall", "One call that is there now; 404 once it has ended.", NULL, "Call", 200 },
	{ "DELETE", API "/calls/{id}",                      ROLE_OPERATOR, NULL,         BODY_NONE,  W,                 0,         calls_hang_up,
	  "hangUpCall", "Hang it up, both sides.", NULL, NULL, 204 },
	{ "GET",    API "/calls",                           ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 PAGED,     calls_list,
	  "listCalls", "The calls that are there now, the newest last.", NULL, "CallPage", 200 },

	{ "POST",   API "/preview/register",                ROLE_VIEWER,   NULL,         BODY_JSON,  0,                 0,         preview_register,
	  "previewRegister", "The REGISTER that the switch would send now for a registration, disabled or not, and to where; nothing is sent.",
	  "RegisterPreviewRequest", "Preview", 200 },
	{ "POST",   API "/preview/invite",                  ROLE_VIEWER,   NULL,         BODY_JSON,  0,                 0,         preview_invite,
	  "previewInvite", "The INVITE that the switch would send now for a call, and to where; nothing is sent.", "InvitePreviewRequest", "Preview", 200 },
	{ "POST",   API "/verify/call",                     ROLE_VIEWER,   NULL,         BODY_JSON,  0,                 0,         preview_verify,
	  "verifyCall", "The preview of an INVITE, and beside it the next real one to the same number through the same gateway.",
	  "VerifyRequest", "Verification", 200 },

	{ "GET",    API "/status",                          ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         overview_status,
	  "getStatus", "Both daemons at a glance.", NULL, "Status", 200 },
	{ "GET",    API "/cdrs/{id}",                       ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         cdr_show,
	  "getCdr", "One call detail record.", NULL, "Cdr", 200 },
	{ "GET",    API "/cdrs",                            ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 CALLED,    cdr_list,
	  "listCdrs", "The call detail records, last ended first. A page may hold fewer than `limit`, even none: go on while there is a `next`.",
	  NULL, "CdrPage", 200 },
	{ "GET",    API "/trace",                           ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 TRACED,    trace_list,
	  "listTrace", "The last SIP messages; with Accept: text/plain for people to read, application/vnd.tcpdump.pcap for Wireshark.", NULL, "TracePage", 200 },
	{ "GET",    API "/events",                          ROLE_VIEWER,   NULL,         BODY_NONE,  ROUTE_STREAM,      0,         events_stream,
	  "streamEvents", "Server-Sent Events: registration, gateway, call, revision, switchcore, reset.", NULL, NULL, 200 },
	{ "GET",    API "/schema",                          ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         description_schema,
	  "getSchema", "Every kind of object and every field, as data.", NULL, "Schema", 200 },
	{ "GET",    API "/openapi.json",                    ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         description_openapi,
	  "getOpenapi", "This description.", NULL, "Openapi", 200 },

	{ "POST",   API "/session",                         ROLE_PUBLIC,   NULL,         BODY_JSON,  ROUTE_SECRET_BODY, 0,         session_log_in,
	  "logIn", "Log in.", "LogIn", "NewSession", 200 },
	{ "GET",    API "/session",                         ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         session_show,
	  "getSession", "Who is logged in with this token.", NULL, "Session", 200 },
	{ "DELETE", API "/session",                         ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         session_log_out,
	  "logOut", "Log out: the token ends now.", NULL, NULL, 204 },
	{ "PUT",    API "/session/password",                ROLE_VIEWER,   NULL,         BODY_JSON,  ROUTE_SECRET_BODY, 0,         session_change_password,
	  "changePassword", "Change one's password; every other session of this user ends.", "PasswordChange", NULL, 204 },

	{ "GET",    "/healthz",                             ROLE_PUBLIC,   NULL,         BODY_NONE,  0,                 0,         overview_health,
	  "getHealth", "Is mgmtd alive?", NULL, "Word", 200 },
	{ "GET",    "/readyz",                              ROLE_PUBLIC,   NULL,         BODY_NONE,  0,                 0,         overview_ready,
	  "getReady", "Is the configuration published? 503 until it is.", NULL, "Word", 200 },
};
const size_t route_count = sizeof routes / sizeof routes[0];

int route_matches(const char *template, const char *path, const char **argument, size_t *argument_len)
{
	*argument = NULL;
	*argument_len = 0;
	while (*template && *template != '{') {
		if (*template++ != *path++)
			return 0;
	}
	if (!*template)
		return !*path;
	size_t len = strcspn(path, "/");
	if (len == 0)
		return 0;
	*argument = path;
	*argument_len = len;
	return strcmp(strchr(template, '}') + 1, path + len) == 0;
}

static void allow_method(char allow[ROUTE_ALLOW_MAX], const struct route *route)
{
	bool head = strcmp(route->method, "GET") == 0 && !(route->flags & ROUTE_STREAM);
	size_t len = strlen(allow);
	snprintf(allow + len, ROUTE_ALLOW_MAX - len, "%s%s%s", len ? ", " : "", route->method, head ? ", HEAD" : "");
}

int route_find(const struct route **route, char argument[ROUTE_ARGUMENT_MAX], char allow[ROUTE_ALLOW_MAX], const char *method,
               const char *path)
{
	bool head = strcmp(method, "HEAD") == 0;
	allow[0] = '\0';
	for (size_t i = 0; i < route_count; i++) {
		const char *raw;
		size_t len;
		if (!route_matches(routes[i].path, path, &raw, &len))
			continue;
		if (strcmp(routes[i].method, head && !(routes[i].flags & ROUTE_STREAM) ? "GET" : method) != 0) {
			allow_method(allow, &routes[i]);
			continue;
		}
		int e = raw ? query_decode(argument, ROUTE_ARGUMENT_MAX, raw, len) : 0;
		if (e)
			return e == ENOSPC ? ENAMETOOLONG : e;
		*route = &routes[i];
		return 0;
	}
	return allow[0] ? EOPNOTSUPP : ENOENT;
}
