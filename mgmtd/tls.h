/*
 * The server's certificate and key.  Each new connection gets a copy of what is current, so that another can take its place
 * while those that are there go on with theirs.
 */
#ifndef MGMTD_TLS_H
#define MGMTD_TLS_H

#include "shm/shm.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

/* TLS 1.2 and 1.3 alone */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls;

/* PEM files; the certificate's may hold the chain.  EINVAL with why: unreadable, broken, or not of one pair. */
int tls_open(struct tls **tls, const char *certificate, const char *key, struct shm_why *why);
void tls_close(struct tls *tls);

/* Reads the files again.  Error: as tls_open(), and what was there stays. */
int tls_reload(struct tls *tls, struct shm_why *why);

/* What the library asks at each handshake; there is one struct tls a process. */
gnutls_certificate_retrieve_function3 tls_retrieve;

#endif
