#include "mgmtd/route.h"

#include "mgmtd/account.h"
#include "mgmtd/advice.h"
#include "mgmtd/api_token.h"
#include "mgmtd/audit.h"
#include "mgmtd/backup.h"
#include "mgmtd/calls.h"
#include "mgmtd/cdr.h"
#include "mgmtd/checklist.h"
#include "mgmtd/configuration.h"
#include "mgmtd/description.h"
#include "mgmtd/events.h"
#include "mgmtd/gateway.h"
#include "mgmtd/history.h"
#include "mgmtd/metrics.h"
#include "mgmtd/overview.h"
#include "mgmtd/panel.h"
#include "mgmtd/preset.h"
#include "mgmtd/preview.h"
#include "mgmtd/query.h"
#include "mgmtd/refusal.h"
#include "mgmtd/registration.h"
#include "mgmtd/resource.h"
#include "mgmtd/restore.h"
#include "mgmtd/session.h"
#include "mgmtd/trace.h"
#include "mgmtd/user.h"
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
#define LIVE (PAGED | QUERY_BIT(Q_STATUS))
#define FILTERED (PAGED | QUERY_BIT(Q_GROUP) | QUERY_BIT(Q_DIRECTION) | QUERY_BIT(Q_Q))
#define WRITTEN (QUERY_BIT(Q_DRY_RUN) | QUERY_BIT(Q_COMMENT) | QUERY_BIT(Q_WAIT_APPLIED) | QUERY_BIT(Q_TIMEOUT) | \
                 QUERY_BIT(Q_CONFIRM_WITHIN))
#define TRACED (PAGED | QUERY_BIT(Q_CALL_ID) | QUERY_BIT(Q_REGISTRATION) | QUERY_BIT(Q_GATEWAY) | QUERY_BIT(Q_NUMBER) | \
                QUERY_BIT(Q_SINCE))
#define CALLED (PAGED | QUERY_BIT(Q_CDR_SINCE) | QUERY_BIT(Q_CDR_UNTIL) | QUERY_BIT(Q_CDR_GATEWAY) | QUERY_BIT(Q_CDR_NUMBER) | \
                QUERY_BIT(Q_CDR_CODE))
#define REFRESHED (QUERY_BIT(Q_WAIT_OUTCOME) | QUERY_BIT(Q_OUTCOME_TIMEOUT))
#define ADVISED (PAGED | QUERY_BIT(Q_ADVICE_SEVERITY) | QUERY_BIT(Q_ADVICE_KIND) | QUERY_BIT(Q_ADVICE_NAME))
#define PRESET (QUERY_BIT(Q_PRESET_REGISTRATION) | QUERY_BIT(Q_PRESET_ROUTING) | QUERY_BIT(Q_PRESET_MAPPING))
#define CHECKED (QUERY_BIT(Q_CHECK_REGISTRATION) | QUERY_BIT(Q_CHECK_GATEWAY) | QUERY_BIT(Q_CHECK_MAPPING))
#define EFFECTIVE QUERY_BIT(Q_EFFECTIVE)
#define REVISED (PAGED | QUERY_BIT(Q_ACTOR) | QUERY_BIT(Q_KIND) | QUERY_BIT(Q_NAME) | QUERY_BIT(Q_REVISION_SINCE) | \
                 QUERY_BIT(Q_REVISION_UNTIL) | QUERY_BIT(Q_REVISION_Q) | QUERY_BIT(Q_PENDING))
#define COMPARED (QUERY_BIT(Q_FROM) | QUERY_BIT(Q_TO))

#define W ROUTE_WRITES
#define WS (ROUTE_WRITES | ROUTE_SECRET_BODY)
#define WC (ROUTE_WRITES | ROUTE_CONDITIONAL)

/* The rows of a kind of object.  component: "Registration"; plural: "Registrations"; one, several: how people call them; list: who
 * answers for all of them. */
#define OBJECTS(path, kind, component, plural, one, several, list, deleting) \
	{ "GET",    API path "/{name}", ROLE_VIEWER,   kind, BODY_NONE,  ROUTE_TAGGED, EFFECTIVE, resource_get, \
	  "get" component, "One " one ".", NULL, component, 200 }, \
	{ "PUT",    API path "/{name}", ROLE_OPERATOR, kind, BODY_JSON,  WC, WRITTEN,   write_put, \
	  "put" component, "Create it, or replace all of it.", component "Write", "WriteAnswer", 200 }, \
	{ "PATCH",  API path "/{name}", ROLE_OPERATOR, kind, BODY_PATCH, WC, WRITTEN,   write_patch, \
	  "patch" component, "Change some of its fields (RFC 7396; null = default).", component "Patch", "WriteAnswer", 200 }, \
	{ "DELETE", API path "/{name}", ROLE_OPERATOR, kind, BODY_NONE,  WC, WRITTEN,   write_delete, \
	  "delete" component, deleting, NULL, "WriteAnswer", 200 }, \
	{ "GET",    API path,           ROLE_VIEWER,   kind, BODY_NONE,  ROUTE_TAGGED, LIVE, list, \
	  "list" plural, "The " several ", by name.", NULL, component "Page", 200 }, \
	{ "POST",   API path,           ROLE_OPERATOR, kind, BODY_JSON,  W,  WRITTEN,   write_create, \
	  "create" component, "Create one.", component "Create", "WriteAnswer", 201 }

/*    method    path                                    role           kind          body        flags              queries    handler */
const struct route routes[] = {
	OBJECTS("/registrations", REGISTRATION, "Registration", "Registrations", "outbound registration", "outbound registrations",
	        registration_list, "Delete it, unless something refers to it; its binding at the registrar is removed."),
	{ "GET",    API "/registrations/{name}/status",     ROLE_VIEWER,   REGISTRATION, BODY_NONE,  0,                 0,         registration_status,
	  "getRegistrationStatus", "What the switch does for it now.", NULL, "RegistrationStatus", 200 },
	{ "GET",    API "/registrations/{name}/attempts",   ROLE_VIEWER,   REGISTRATION, BODY_NONE,  0,                 0,         registration_attempts,
	  "listRegistrationAttempts", "Its last attempts, newest first.", NULL, "AttemptPage", 200 },
	{ "POST",   API "/registrations/{name}/refresh",    ROLE_OPERATOR, REGISTRATION, BODY_NONE,  W | ROUTE_COMMANDS, REFRESHED, registration_refresh,
	  "refreshRegistration", "Send a REGISTER now, whatever the timer says.", NULL, "RegistrationStatus", 202 },

	OBJECTS("/routing-gateways", ROUTING_GATEWAY, "RoutingGateway", "RoutingGateways", "routing gateway", "routing gateways",
	        gateway_list, "Delete it; calls that it has go on."),

	OBJECTS("/mapping-gateways", MAPPING_GATEWAY, "MappingGateway", "MappingGateways", "mapping gateway", "mapping gateways",
	        gateway_list, "Delete it, unless something refers to it; calls that it has go on."),

	{ "GET",    API "/sip-parameters/{name}",           ROLE_VIEWER,   PARAMETER,    BODY_NONE,  ROUTE_TAGGED,      0,         resource_get,
	  "getParameter", "One SIP parameter.", NULL, "Parameter", 200 },
	{ "PUT",    API "/sip-parameters/{name}",           ROLE_OPERATOR, PARAMETER,    BODY_JSON,  WC,                WRITTEN,   write_put,
	  "putParameter", "Set it.", "ParameterValue", "WriteAnswer", 200 },
	{ "DELETE", API "/sip-parameters/{name}",           ROLE_OPERATOR, PARAMETER,    BODY_NONE,  WC,                WRITTEN,   write_delete,
	  "resetParameter", "Back to its default.", NULL, "WriteAnswer", 200 },
	{ "GET",    API "/sip-parameters",                  ROLE_VIEWER,   PARAMETER,    BODY_NONE,  ROUTE_TAGGED,      FILTERED,  resource_list_parameters,
	  "listParameters", "The SIP parameters, by name.", NULL, "ParameterPage", 200 },
	{ "PATCH",  API "/sip-parameters",                  ROLE_OPERATOR, PARAMETER,    BODY_PATCH, WC,                WRITTEN,   write_parameters,
	  "patchParameters", "Set several at once (RFC 7396; null = default).", "ParametersPatch", "WriteAnswer", 200 },

	{ "POST",   API "/changes",                         ROLE_OPERATOR, NULL,         BODY_JSON,  WC,                WRITTEN,   write_set,
	  "changeSet", "Several changes as one revision: all or none.", "ChangeSet", "WriteAnswer", 200 },
	{ "GET",    API "/config",                          ROLE_VIEWER,   NULL,         BODY_NONE,  ROUTE_TAGGED,      0,         configuration_show,
	  "getConfig", "The whole configuration of one revision as one document, without secrets.", NULL, "Configuration", 200 },
	{ "PUT",    API "/config",                          ROLE_ADMIN,    NULL,         BODY_JSON,  WC | ROUTE_LARGE_BODY, WRITTEN, configuration_replace,
	  "putConfig", "Replace the whole configuration as one revision that holds only what differs; what the document does not name is deleted.",
	  "Configuration", "WriteAnswer", 200 },
	{ "POST",   API "/config/export",                   ROLE_ADMIN,    NULL,         BODY_JSON,  W | ROUTE_SECRET_BODY, 0,     configuration_export,
	  "exportConfig", "The whole configuration with its secrets, sealed with a passphrase, for PUT /config on another machine.",
	  "ExportRequest", "Configuration", 200 },
	{ "POST",   API "/backup",                          ROLE_ADMIN,    NULL,         BODY_JSON,  W,                 0,         backup_make,
	  "makeBackup", "Copy the database, while it is in use, into a new directory below `backups` in the state directory.",
	  "BackupRequest", "Backup", 200 },
	{ "GET",    API "/revisions",                       ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 REVISED,   history_list,
	  "listRevisions", "The history, newest first. A page may hold fewer than `limit`, even none: go on while there is a `next`.",
	  NULL, "RevisionPage", 200 },
	{ "GET",    API "/revisions/{revision}",            ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         history_show,
	  "getRevision", "One revision with what it changed.", NULL, "RevisionDetail", 200 },
	{ "GET",    API "/revisions/{revision}/config",     ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         history_config,
	  "getRevisionConfig", "The whole configuration as of a revision.", NULL, "Configuration", 200 },
	{ "POST",   API "/revisions/{revision}/restore",    ROLE_ADMIN,    NULL,         BODY_OPTIONAL, WC,             WRITTEN,   restore_start,
	  "restoreRevision", "Make the configuration of a revision, or one object of it, current again: as a new revision.", "Restore", "WriteAnswer", 200 },
	{ "POST",   API "/revisions/{revision}/confirm",    ROLE_OPERATOR, NULL,         BODY_NONE,  W,                 0,         restore_confirm,
	  "confirmRevision", "Keep a change that was made with confirm_within.", NULL, "Confirmed", 200 },
	{ "GET",    API "/audit/verify",                    ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 QUERY_BIT(Q_HEAD), audit_verify,
	  "verifyAudit", "Is the history what was written? Reads all of it: a million revisions take seconds.", NULL, "Audit", 200 },
	{ "GET",    API "/audit/head",                      ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         audit_head,
	  "getAuditHead", "The newest revision and its hash, to be kept elsewhere.", NULL, "AuditHead", 200 },
	{ "GET",    API "/diff",                            ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 COMPARED,  history_diff,
	  "diffRevisions", "What differs between the configurations as of two revisions.", NULL, "RevisionsDiff", 200 },

	{ "GET",    API "/routing-gateways/{name}/status",  ROLE_VIEWER,   ROUTING_GATEWAY, BODY_NONE, 0,               0,         gateway_status,
	  "getRoutingGatewayStatus", "What the switch does with it now: does it take calls, and how do they go?", NULL, "GatewayStatus", 200 },
	{ "GET",    API "/mapping-gateways/{name}/status",  ROLE_VIEWER,   MAPPING_GATEWAY, BODY_NONE, 0,               0,         gateway_status,
	  "getMappingGatewayStatus", "What the switch does with it now: may it call, and how do its calls go?", NULL, "GatewayStatus", 200 },

	{ "GET",    API "/calls/{id}",                      ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 0,         calls_show,
	  "getCall", "One call that is there now; 404 once it has ended.", NULL, "Call", 200 },
	{ "DELETE", API "/calls/{id}",                      ROLE_OPERATOR, NULL,         BODY_NONE,  W | ROUTE_COMMANDS, 0,        calls_hang_up,
	  "hangUpCall", "Hang it up, both sides.", NULL, NULL, 204 },
	{ "GET",    API "/calls",                           ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 PAGED,     calls_list,
	  "listCalls", "The calls that are there now, the newest last.", NULL, "CallPage", 200 },

	{ "POST",   API "/preview/register",                ROLE_VIEWER,   NULL,         BODY_JSON,  ROUTE_COMMANDS,    0,         preview_register,
	  "previewRegister", "The REGISTER that the switch would send now for a registration, disabled or not, and to where; nothing is sent.",
	  "RegisterPreviewRequest", "Preview", 200 },
	{ "POST",   API "/preview/invite",                  ROLE_VIEWER,   NULL,         BODY_JSON,  ROUTE_COMMANDS,    0,         preview_invite,
	  "previewInvite", "The INVITE that the switch would send now for a call, and to where; nothing is sent.", "InvitePreviewRequest", "InvitePreview", 200 },
	{ "POST",   API "/verify/call",                     ROLE_VIEWER,   NULL,         BODY_JSON,  ROUTE_COMMANDS,    0,         preview_verify,
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
	{ "GET",    API "/advice",                          ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 ADVISED,   advice_list,
	  "listAdvice", "The troubles that the switch recognises now, the worst first, each with its cause, steps, and where one change mends it, that change-set.",
	  NULL, "AdvicePage", 200 },
	{ "GET",    API "/presets",                         ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 PRESET,    preset_list,
	  "listPresets", "Settings for known scenarios, as change-sets for the objects that the query names.", NULL, "PresetPage", 200 },
	{ "GET",    API "/checklists/{which}",              ROLE_VIEWER,   NULL,         BODY_NONE,  0,                 CHECKED,   checklist_show,
	  "getChecklist", "gateway-headers or outbound-registration: what to look at, and how far it is.", NULL, "Checklist", 200 },
	{ "GET",    API "/events",                          ROLE_VIEWER,   NULL,         BODY_NONE,  ROUTE_STREAM,      QUERY_BIT(Q_TYPES), events_stream,
	  "streamEvents", "Server-Sent Events: registration, gateway, call, revision, switchcore, reset; Last-Event-ID goes on where a stream broke.", NULL, NULL, 200 },
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

	{ "GET",    API "/users/{username}",                ROLE_ADMIN,    NULL,         BODY_NONE,  0,                 0,         user_get,
	  "getUser", "One user.", NULL, "User", 200 },
	{ "PUT",    API "/users/{username}",                ROLE_ADMIN,    NULL,         BODY_JSON,  WS,                0,         user_put,
	  "putUser", "Create the user, or replace all of it; a change ends the user's sessions.", "UserWrite", "User", 200 },
	{ "PATCH",  API "/users/{username}",                ROLE_ADMIN,    NULL,         BODY_PATCH, WS,                0,         user_patch,
	  "patchUser", "Change some of it (RFC 7396); a change ends the user's sessions.", "UserPatch", "User", 200 },
	{ "DELETE", API "/users/{username}",                ROLE_ADMIN,    NULL,         BODY_NONE,  W,                 0,         user_delete,
	  "deleteUser", "Delete the user and end its sessions; not oneself, and not the last admin.", NULL, NULL, 204 },
	{ "GET",    API "/users",                           ROLE_ADMIN,    NULL,         BODY_NONE,  0,                 PAGED,     user_list,
	  "listUsers", "The users, by name.", NULL, "UserPage", 200 },
	{ "POST",   API "/users",                           ROLE_ADMIN,    NULL,         BODY_JSON,  WS,                0,         user_create,
	  "createUser", "Create a user.", "UserCreate", "User", 201 },
	{ "GET",    API "/tokens/{name}",                   ROLE_ADMIN,    NULL,         BODY_NONE,  0,                 0,         api_token_get,
	  "getToken", "One API token, without the token itself.", NULL, "ApiToken", 200 },
	{ "DELETE", API "/tokens/{name}",                   ROLE_ADMIN,    NULL,         BODY_NONE,  W,                 0,         api_token_delete,
	  "deleteToken", "Revoke it: it ends now.", NULL, NULL, 204 },
	{ "GET",    API "/tokens",                          ROLE_ADMIN,    NULL,         BODY_NONE,  0,                 PAGED,     api_token_list,
	  "listTokens", "The API tokens, by name.", NULL, "ApiTokenPage", 200 },
	{ "POST",   API "/tokens",                          ROLE_ADMIN,    NULL,         BODY_JSON,  WS,                0,         api_token_create,
	  "createToken", "Make an API token for a script; the token itself is told this once.", "ApiTokenCreate", "NewApiToken", 201 },
	{ "GET",    API "/refusals",                        ROLE_ADMIN,    NULL,         BODY_NONE,  0,                 PAGED,     refusal_list,
	  "listRefusals", "Refused log-ins and refused changes, the newest first.", NULL, "RefusalPage", 200 },
	{ "GET",    API "/account-changes",                 ROLE_ADMIN,    NULL,         BODY_NONE,  0,                 PAGED,     account_list_changes,
	  "listAccountChanges", "Who changed which user or API token, the newest first.", NULL, "AccountChangePage", 200 },

	{ "GET",    "/healthz",                             ROLE_PUBLIC,   NULL,         BODY_NONE,  0,                 0,         overview_health,
	  "getHealth", "Is mgmtd alive?", NULL, "Word", 200 },
	{ "GET",    "/readyz",                              ROLE_PUBLIC,   NULL,         BODY_NONE,  0,                 0,         overview_ready,
	  "getReady", "Is the configuration published? 503 until it is.", NULL, "Word", 200 },
	{ "GET",    "/metrics",                             ROLE_VIEWER,   NULL,         BODY_NONE,  ROUTE_METRICS,     0,         metrics_get,
	  "getMetrics", "Counters and gauges for Prometheus, as text (exposition format 0.0.4).", NULL, NULL, 200 },

	{ "GET",    "panel",                                ROLE_PUBLIC,   NULL,         BODY_NONE,  0,                 0,         panel_get,
	  NULL, NULL, NULL, NULL, 200 },
};
const size_t route_count = sizeof routes / sizeof routes[0] - 1;
const struct route *const route_panel = &routes[sizeof routes / sizeof routes[0] - 1];

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
