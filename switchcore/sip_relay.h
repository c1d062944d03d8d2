/* What of a message passes from one leg of a call to the other as it is.  Included by sip*.c only. */
#ifndef SWITCHCORE_SIP_RELAY_H
#define SWITCHCORE_SIP_RELAY_H

#include "sip_message.h"
#include "sip_stack.h"

/* Methods that a call of this switch understands, for Allow. */
#define SIP_CALL_ALLOWED "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, OPTIONS"

/* Adds body and end-to-end headers of `from` to a message: Content-*, RSeq, Reason, Warning, Allow as far as it is ours, and of
 * Supported and Require the one extension that passes through us, 100rel (RFC 3262).  EINVAL, ENOMEM. */
int sip_relay_content(msg_t *to, const struct sip_message *from);

#endif
