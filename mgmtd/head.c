#include "mgmtd/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct { const char *name; size_t at; bool single; } known[] = {
	{ "Host",              offsetof(struct head, host),              true },
	{ "Authorization",     offsetof(struct head, authorization),     true },
	{ "Content-Length",    offsetof(struct head, content_length),    true },
	{ "If-Match",          offsetof(struct head, if_match),          true },
	{ "If-None-Match",     offsetof(struct head, if_none_match),     true },
	{ "Content-Type",      offsetof(struct head, content_type),      true },
	{ "Transfer-Encoding", offsetof(struct head, transfer_encoding), true },
	{ "Last-Event-ID",     offsetof(struct head, last_event_id),     true },
	{ "X-CSRF-Token",      offsetof(struct head, csrf_token),        true },
	{ "Origin",            offsetof(struct head, origin),            true },
	{ "Sec-Fetch-Site",    offsetof(struct head, sec_fetch_site),    true },
	{ "Cookie",            offsetof(struct head, cookie),            true },
	{ "Idempotency-Key",   offsetof(struct head, idempotency_key),   true },
	{ "X-Passphrase",      offsetof(struct head, passphrase),        true },
	{ "Accept",            offsetof(struct head, accept),            false },
	{ "Accept-Encoding",   offsetof(struct head, accept_encoding),   false },
	{ "X-Request-Id",      offsetof(struct head, request_id),        false },
};
#define KNOWN (sizeof known / sizeof known[0])

static const struct header *header_at(const struct head *head, size_t i)
{
	return (const struct header *)((const char *)head + known[i].at);
}

static enum MHD_Result take(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct head *head = arg;
	(void)kind;
	for (size_t i = 0; i < KNOWN; i++) {
		if ((name[0] | 0x20) != (known[i].name[0] | 0x20) || strcasecmp(name, known[i].name) != 0)
			continue;
		struct header *header = (struct header *)((char *)head + known[i].at);
		header->value = value ? value : "";
		header->count++;
		break;
	}
	return MHD_YES;
}

void head_take(struct head *head, struct MHD_Connection *connection)
{
	memset(head, 0, sizeof *head);
	MHD_get_connection_values(connection, MHD_HEADER_KIND, take, head);
}

unsigned head_fault(const struct head *head, struct MHD_Connection *connection, const char *version, char *fault, size_t size)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (info && info->header_size > HEAD_MAX) {
		snprintf(fault, size, "the request head must not exceed %u bytes; got %zu", HEAD_MAX, info->header_size);
		return 431;
	}
	if (!head->host.value && strcmp(version, "HTTP/1.0") != 0) {
		snprintf(fault, size, "a request must have a Host header (RFC 9110 7.2)");
		return 400;
	}
	if (head->transfer_encoding.value && head->content_length.value) {
		snprintf(fault, size, "Content-Length and Transfer-Encoding exclude each other (RFC 9112 6.3)");
		return 400;
	}
	/* Any other coding, and there is no telling where the body ends. */
	if (head->transfer_encoding.value && strcasecmp(head->transfer_encoding.value, "chunked") != 0) {
		snprintf(fault, size, "the only Transfer-Encoding taken is chunked (RFC 9112 6.1)");
		return 400;
	}
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].single && header_at(head, i)->count > 1) {
			snprintf(fault, size, "the header %s stands there %u times", known[i].name, header_at(head, i)->count);
			return 400;
		}
	return 0;
}

const char *head_request_id(const struct head *head)
{
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:+/=@-";
	const char *value = head->request_id.value;
	size_t len = value ? strspn(value, legal) : 0;
	return len > 0 && len <= HEAD_REQUEST_ID_MAX && value[len] == '\0' ? value : NULL;
}

int64_t head_body_length(const struct head *head)
{
	if (head->transfer_encoding.value)
		return -1;
	return head->content_length.value ? strtoll(head->content_length.value, NULL, 10) : 0;
}

bool head_has_tag(const struct head *head, const char *tag)
{
	const char *value = head->if_none_match.value;
	return value && (strcmp(value, "*") == 0 || strstr(value, tag));
}

bool head_is_type(const struct head *head, const char *type)
{
	size_t len = strlen(type);
	const char *value = head->content_type.value;
	return value && strncasecmp(value, type, len) == 0 && (value[len] == '\0' || value[len] == ';' || value[len] == ' ');
}
