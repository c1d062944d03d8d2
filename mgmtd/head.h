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
	struct header if_match, if_none_match, accept, last_event_id;
	struct header idempotency_key, passphrase;
};

void head_take(struct head *head, struct MHD_Connection *connection);

/* What makes a head unacceptable whatever it asks for: the status to refuse it with, and a sentence; 0 = nothing. */
unsigned head_fault(const struct head *head, struct MHD_Connection *connection, const char *version, char *fault, size_t size);

int64_t head_body_length(const struct head *head);	/* as announced; -1 = chunked */
bool head_is_type(const struct head *head, const char *type);	/* of the body, whatever its parameters */

#endif
