/* What the INVITE to a gateway says: made here for the one that is sent and for the one that is only shown. */
#include "call.h"

#include "attempt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* host or host:port as the gateway is configured; the transport's own port is not written. */
static void write_gateway(char *text, size_t size, const struct routing_gateway_record *record)
{
	if (record->port == 0 || record->port == target_default_port(record->transport))
		snprintf(text, size, "%s", record->host);
	else
		snprintf(text, size, "%s:%d", record->host, record->port);
}

int invite_plan_numbers(struct invite_plan *plan, const struct plan_source *source)
{
	int error = numbers_rewrite(plan->routed, sizeof plan->routed, &source->gateway->callee_rewrite, source->callee);

	if (!error)
		error = numbers_rewrite(plan->caller_out, sizeof plan->caller_out, &source->gateway->caller_rewrite, source->caller);
	return error;
}

/* Through a registration the Contact is the one that the carrier knows. */
static void write_contact(struct invite_plan *plan, const struct plan_source *source, const struct target *target,
                          const struct listener *listener)
{
	bool udp = target->transport == TRANSPORT_UDP;

	if (source->registration) {
		const struct account *account = registration_account(source->registration);
		sip_contact_text(plan->contact, sizeof plan->contact, account, account_contact_user(account), listener, target);
		return;
	}
	snprintf(plan->contact, sizeof plan->contact, "sip:%s@%s%s%s", plan->identity.from_user, plan->our_host,
	         udp ? "" : ";transport=", udp ? "" : target_transport_word(target->transport));
}

int invite_plan_address(struct invite_plan *plan, const struct plan_source *source, const struct listener *listener,
                        const struct target *target)
{
	const struct account *account = source->registration ? registration_account(source->registration) : NULL;
	struct identity_source identity = {
		.gateway = source->gateway, .parameters = source->parameters, .trusted = source->trusted, .in = source->in,
		.original = source->original, .routed = plan->routed, .caller = plan->caller_out, .our_host = plan->our_host,
		.registration_privacy = account ? account_privacy(account, source->parameters) : -1,
	};
	int error;

	listener_host_port(listener, &target->address, plan->our_host, sizeof plan->our_host);
	error = identity_outbound(&plan->identity, &identity);
	if (error)
		return error;
	/* A carrier wants its own domain beside an account of its own. */
	snprintf(plan->from_host, sizeof plan->from_host, "%s", account ? account_domain(account) : plan->our_host);
	write_gateway(plan->gateway, sizeof plan->gateway, source->gateway);
	write_contact(plan, source, target, listener);
	plan->invite = (struct sip_invite){
		.way = { .listener = listener, .target = *target, .tls_name = source->gateway->host,
		         .tls_verify = source->gateway->tls_verify != 0 },
		.gateway = plan->gateway, .identity = &plan->identity, .from_host = plan->from_host, .contact = plan->contact,
		.max_forwards = 69, .session = plan->session, .username = "", .password = "",
	};
	plan->session[0] = '\0';
	if (source->gateway->session_timer == SESSION_TIMER_ON)
		session_write_offer(plan->session, &(struct session_terms){ 0 }, (uint32_t)source->parameters->SS_SIP_SESSION_TTL,
		                    source->session_min);
	return 0;
}
