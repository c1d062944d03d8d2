/* Who a header or a Request-URI of a traced message names: display name, user, host. */
#ifndef MGMTD_PARTY_H
#define MGMTD_PARTY_H

#include <stdbool.h>
#include <stddef.h>

#define PARTY_TEXT 256

struct party {
	char display[PARTY_TEXT];	/* without quotes and their escapes */
	char user[PARTY_TEXT];		/* percent escapes decoded, no password; of tel: the number */
	char host[PARTY_TEXT];		/* no port; IPv6 in brackets; "" of tel: */
};

/* Of `"Name" <sip:user@host>;tag=…`, `sip:user@host` or `tel:…`; of a list the first.  False: it is none of these. */
bool party_read(struct party *party, const char *value, size_t len);

/* That of a header (NULL compact form allowed), or of the Request-URI.  False: it is not there, or none of the above. */
bool party_of_header(struct party *party, const char *message, size_t len, const char *name, const char *compact);
bool party_of_request(struct party *party, const char *message, size_t len);

/* Whether that is its number: the user, with or without the parameters behind it (RFC 3261 25.1 telephone-subscriber). */
bool party_is(const struct party *party, const char *number);

#endif
