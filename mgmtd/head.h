/* What of a request's head we look at; the texts live as long as the request. */
#ifndef MGMTD_HEAD_H
#define MGMTD_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_MAX (16u << 10)	/* bytes */

struct header { const char *value; unsigned count; };	/* value of the last one; NULL = none */

struct head {
	struct header host, authorization, content_type, content_length, transfer_encoding;
	struct header if_match, if_none_match, accept, accept_encoding, last_event_id, request_id;
	struct header csrf_token, origin, sec_fetch_site, cookie;
	struct header idempotency_key, passphrase;
};

void head_take(struct head *head, struct MHD_Connection *connection);

/* What makes a head unacceptable whatever it asks for: the status to refuse it with, and a sentence; 0 = nothing. */
unsigned head_fault(const struct head *head, struct MHD_Connection *connection, const char *version, char *fault, size_t size);

/* The client's X-Request-Id, if it is one that may be kept and answered: 1 to HEAD_REQUEST_ID_MAX of A-Z a-z 0-9 . _ : + / = @ -; else NULL. */
#define HEAD_REQUEST_ID_MAX 64
const char *head_request_id(const struct head *head);

int64_t head_body_length(const struct head *head);	/* as announced; -1 = chunked */
bool head_has_tag(const struct head *head, const char *tag);	/* in If-None-Match; weak comparison (RFC 9110 13.1.2) */
bool head_is_type(const struct head *head, const char *type);	/* of the body, whatever its parameters */

#endif
