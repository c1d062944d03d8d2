/* A session description that outlives its message: a refresh by re-INVITE says it again. */
#ifndef SWITCHCORE_SIP_CONTENT_H
#define SWITCHCORE_SIP_CONTENT_H

#include "sip_message.h"

struct sip_content {
	size_t length;
	const char *type;		/* value of Content-Type */
	const char *body;
};

/* The body of a message, with its type, in one piece of memory.  NULL: it has no session description, or no memory. */
struct sip_content *sip_content_keep(const struct sip_message *m);
void sip_content_free(struct sip_content *content);

#endif
