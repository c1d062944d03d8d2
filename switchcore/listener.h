/* One --sip [NAME=][udp:|tcp:|tls:]ADDR:PORT[,advertise=HOST[:PORT]]. */
#ifndef SWITCHCORE_LISTENER_H
#define SWITCHCORE_LISTENER_H

#include "target.h"

#include "schema/schema.h"

struct listener {
	char name[SCHEMA_NAME_MAX + 1];		/* "" = not named */
	struct target bound;			/* port 0 until the system has chosen one */
	char advertise_host[254];		/* "" = the bound address */
	uint16_t advertise_port;		/* 0 = the bound port */
	char label[TARGET_TEXT_MAX];		/* the name, else "udp:192.0.2.1:5060"; what status shows */
};

/* NULL, or a static sentence why the text is no listener. */
const char *listener_parse(struct listener *listener, const char *text);

/* What Via and Contact say of us towards `to`: the advertised host and port, else the bound ones; a listener bound to
 * any address says the address that packets to `to` leave from. */
void listener_host_port(const struct listener *listener, const union address *to, char *text, size_t size);

#endif
