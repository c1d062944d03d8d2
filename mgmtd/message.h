/* A traced SIP message as far as the trace must understand it: headers by name, the first line, what must be masked. */
#ifndef MGMTD_MESSAGE_H
#define MGMTD_MESSAGE_H

#include "mgmtd/buffer.h"

/* The value of a header (compact form may be NULL), without blanks around it; NULL = none.  Points into the message. */
const char *message_header(const char *message, size_t len, const char *name, const char *compact, size_t *value_len);

/* "REGISTER sip:example.org" or "401 Unauthorized (REGISTER)"; "" when it is no SIP message, as a keep-alive. */
void message_summary(char *summary, size_t size, const char *message, size_t len);

/* Is it a request of that method? */
bool message_is(const char *message, size_t len, const char *method);
/* NULL = it is no request.  Points into the message. */
const char *message_request_uri(const char *message, size_t len, size_t *uri_len);

/* The message with its secrets replaced by "***" (a known scheme stays), folded lines included: credentials and what answers to them (Authorization,
 * Proxy-Authorization, Authentication-Info, Proxy-Authentication-Info); and by as many '*' the media keys in SDP (k=, RFC 4568
 * inline:), where the length must stay what Content-Length says. */
void message_masked(struct buffer *b, const char *message, size_t len);

/* The record id at the start of a Call-ID that the switch made for a registration.  EINVAL: it is none of those. */
int message_record_id(uint32_t *id, const char *call_id);
/* Likewise one that it made for a call to a routing gateway, or a probe of it: "g" and the same. */
int message_gateway_id(uint32_t *id, const char *call_id);

#endif
