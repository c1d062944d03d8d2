/* The headers of session timers (RFC 4028) in messages. */
#ifndef SWITCHCORE_SIP_SESSION_H
#define SWITCHCORE_SIP_SESSION_H

#include "session_timer.h"
#include "sip_message.h"

void sip_session_read(struct session_words *words, const struct sip_message *m);

#endif
