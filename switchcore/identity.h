/*
 * Which number and which identity headers go into the INVITE to a routing gateway (RFC 3261 8.1.1, RFC 3323, RFC
 * 3325; Remote-Party-ID: draft-ietf-sip-privacy-04).  Pure: no type of the SIP stack, no state.
 *
 * Everything in struct invite_identity can be written into a header as it is, whatever came in: users are escaped,
 * quoted-strings quoted, values passed through are checked and free of control characters.
 */
#ifndef SWITCHCORE_IDENTITY_H
#define SWITCHCORE_IDENTITY_H

#include "numbers.h"

#include <stdbool.h>

#define IDENTITY_HOST_MAX 300			/* "host:port" as written by listener_host_port() */
#define IDENTITY_VALUE_MAX 1023			/* bytes of a header value passed through */
#define IDENTITY_PRIVACY_MAX 127

struct identity_source {
	const struct routing_gateway_record *gateway;
	const struct sip_parameters *parameters;
	int32_t registration_privacy;		/* of the gateway's registration, resolved: enum PRIVACY_option; -1 = it has none */
	bool trusted;				/* the mapping gateway that the call came from is */
	const struct numbers_in *in;
	const char *original;			/* numbers_original() */
	const char *routed;			/* the callee after all rewriting */
	const char *caller;			/* the caller after all rewriting; "" = unknown */
	const char *our_host;			/* host[:port] of the URIs that carry the caller */
};

struct invite_identity {
	bool use_contact;			/* the mode in force: To carries the number as dialled */
	char to_number[NUMBER_MAX + 1];		/* plain, for the CDR: to_out */
	/* escaped, for sip:USER@HOST */
	char request_user[NUMBER_ESCAPED_MAX + 1];
	char to_user[NUMBER_ESCAPED_MAX + 1];
	char from_user[NUMBER_ESCAPED_MAX + 1];	/* "anonymous" (RFC 3323 4.1.1.3) when the caller is unknown */
	/* a whole quoted-string, to be followed by a space; "" = no display name */
	char from_display[2 * DISPLAY_MAX + 3];
	/* header values; "" = no such header */
	char p_asserted_identity[IDENTITY_VALUE_MAX + 1];
	char p_preferred_identity[IDENTITY_VALUE_MAX + 1];
	char remote_party_id[NUMBER_ESCAPED_MAX + IDENTITY_HOST_MAX + 80];
	char privacy[IDENTITY_PRIVACY_MAX + 1];
	const char *dropped;			/* a header that should have passed but is malformed or too long; NULL = none */
};

/* Fills *out.  EMSGSIZE: a number is longer than NUMBER_MAX or our_host than IDENTITY_HOST_MAX - 1; *out untouched
 * then.
 * Where the documents are silent:
 *  - A caller number that is unknown gives From the user "anonymous" and no display name, and no header made from the
 *    caller number.
 *  - A Privacy header that came in is passed on from every caller, trusted or not: it asks, it asserts nothing.  One
 *    that is malformed becomes "id": who sends it wants to be hidden.
 *  - Privacy changes no other header here; From carries the caller number also beside "Privacy: id", as RFC 3325 9.3
 *    leaves it. */
int identity_outbound(struct invite_identity *out, const struct identity_source *source);

#endif
