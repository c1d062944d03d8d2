/* Content codings (RFC 9110 8.4.1) that a file may lie ready in, and which of them a client takes. */
#ifndef MGMTD_ENCODING_H
#define MGMTD_ENCODING_H

/* In the order in which they are chosen among what the client likes equally. */
enum encoding { ENCODING_BR, ENCODING_GZIP, ENCODING_IDENTITY, ENCODING_COUNT };

extern const char *const encoding_words[ENCODING_COUNT];	/* as Content-Encoding says it */
extern const char *const encoding_suffixes[ENCODING_COUNT];	/* of a file's name: ".br", ".gz", "" */

/* The best for this Accept-Encoding (RFC 9110 12.5.3; NULL = none was sent) among the available ones, a set of 1u << encoding.
 * ENCODING_IDENTITY counts as available; it is also the answer to a client that refuses everything. */
enum encoding encoding_choose(const char *accept, unsigned available);

#endif
