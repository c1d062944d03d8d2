/* The stack's own log goes to ours, at debug level.  Of a failed TLS handshake it tells nobody but its log why. */
#include "sip_stack.h"

#include "log.h"

#include <stdio.h>
#include <string.h>

#include <sofia-sip/su_debug.h>

extern su_log_t nta_log[], tport_log[], su_log_default[], sresolv_log[];

static char tls_fault[128];

static void forward(void *stream, char const *format, va_list arguments)
{
	char line[512], *fault;

	(void)stream;
	if (vsnprintf(line, sizeof line, format, arguments) < 0)
		return;
	line[strcspn(line, "\n")] = '\0';
	if ((fault = strstr(line, "  err ")) && (fault = strchr(fault, ':')))
		snprintf(tls_fault, sizeof tls_fault, "certificate: %s", fault + 1);
	else if (strstr(line, "Peer Subject Mismatch"))
		snprintf(tls_fault, sizeof tls_fault, "certificate: it is for another name");
	else if (strstr(line, "TLS setup failed"))
		snprintf(tls_fault, sizeof tls_fault, "TLS handshake failed");
	log_debug("sip stack: %s", line);
}

void sip_log_take_tls_fault(char *text, size_t size)
{
	snprintf(text, size, "%s", tls_fault);
	tls_fault[0] = '\0';
}

void sip_log_start(void)
{
	su_log_t *const logs[] = { nta_log, tport_log, su_log_default, sresolv_log };

	for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
		su_log_redirect(logs[i], forward, NULL);
		/* Level 3 is where handshake failures are told; higher levels print messages, with credentials in them. */
		su_log_set_level(logs[i], 3);
	}
}
