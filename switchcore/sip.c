/* The agent of the SIP stack: its transports, what it does with requests from outside, and its end. */
#include "sip_client_stack.h"
#include "sip_message.h"

#include "log.h"
#include "steer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sofia-sip/msg_header.h>
#include <sofia-sip/msg_mime_protos.h>
#include <sofia-sip/nta_stateless.h>

/* Not in the stack's installed headers, but exported; it hands a message to the agent as if it had come in here. */
void tport_deliver(tport_t *tport, msg_t *message, msg_t *next, void *compartment, su_time_t now);

#define SIP_TIMER_C_MS 7200000u

/* ------------------------------------------------------------------ what comes from outside */

int32_t sip_tport_transport(const tport_t *tport)
{
	const char *word = tport ? tport_name(tport)->tpn_proto : "udp";

	return strcasecmp(word, "tls") == 0 ? TRANSPORT_TLS : strcasecmp(word, "tcp") == 0 ? TRANSPORT_TCP : TRANSPORT_UDP;
}

static const struct listener *listener_of(const struct sip *sip, const tport_t *tport)
{
	const tport_t *primary = tport && tport_is_secondary(tport) ? tport_parent(tport) : tport;

	for (size_t i = 0; primary && i < sip->port_count; i++)
		if (sip->ports[i].tport == primary || sip->ports[i].unverified == primary)
			return sip->ports[i].listener;
	return NULL;
}

/* Requests outside any transaction, ACK to a 2xx among them, and responses to what was released. */
void sip_hand_over(struct sip *sip, msg_t *message, const sip_t *parsed)
{
	tport_t *tport = tport_delivered_by(nta_agent_tports(sip->agent), message);
	struct sip_packet packet = { .sip = sip, .message = (const struct sip_message *)(const void *)parsed, .raw = message,
	                             .connection = tport, .listener = listener_of(sip, tport) };

	sip->before(sip->arg);
	steer_seen();
	packet.source.transport = sip_tport_transport(tport);
	address_from(&packet.source.address, &msg_addr(message)->su_sa);
	if (!packet.listener || !parsed || !sip->received)
		sip_packet_drop(&packet);
	else
		sip->received(sip->received_arg, &packet);
}

static int received(struct sip *sip, nta_agent_t *agent, msg_t *message, sip_t *parsed)
{
	(void)agent;
	sip_hand_over(sip, message, parsed);
	return 0;
}

const struct listener *sip_listener_at(const struct sip *sip, const union address *local)
{
	for (size_t i = 0; i < sip->port_count; i++) {
		const struct target *bound = &sip->ports[i].listener->bound;
		if (bound->transport == TRANSPORT_UDP && address_equal(&bound->address, local))
			return sip->ports[i].listener;
	}
	return NULL;
}

void sip_handle(struct sip *sip, void (*handler)(void *arg, struct sip_packet *packet), void *arg)
{
	sip->received = handler;
	sip->received_arg = arg;
}

/* ------------------------------------------------------------------ opening */

/* The stack reads its certificates from fixed names in a directory: agent.pem and cafile.pem. */
static int copy_file(const char *from, FILE *to)
{
	char buffer[4096];
	size_t n;
	FILE *f = fopen(from, "re");
	int error = 0;

	if (!f)
		return errno;
	while ((n = fread(buffer, 1, sizeof buffer, f)) > 0)
		if (fwrite(buffer, 1, n, to) != n)
			error = EIO;
	if (ferror(f))
		error = EIO;
	fclose(f);
	explicit_bzero(buffer, sizeof buffer);
	return error;
}

static int write_pem(const char *dir, const char *name, const char *first, const char *second, struct sip_why *why)
{
	const char *const sources[] = { first, second };
	char path[512];
	FILE *f;
	int error = 0;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f) {
		error = errno;
		snprintf(why->text, sizeof why->text, "%.200s: %s", path, strerror(error));
		return error;
	}
	for (size_t i = 0; i < 2 && !error; i++) {
		if (!sources[i])
			continue;
		error = copy_file(sources[i], f);
		if (error)
			snprintf(why->text, sizeof why->text, "%s: %s", sources[i], strerror(error));
	}
	if (fclose(f) != 0 && !error)
		error = EIO;
	return error;
}

static void remove_scratch(const char *dir)
{
	static const char *const names[] = { "agent.pem", "cafile.pem" };
	char path[512];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static int make_scratch(char *dir, size_t size, const struct sip_options *options, struct sip_why *why)
{
	const char *ca = options->tls_ca ? options->tls_ca : "/etc/ssl/certs/ca-certificates.crt";
	int error = 0;

	snprintf(dir, size, "%s/tls-XXXXXX", options->tls_scratch);
	if (!mkdtemp(dir)) {
		error = errno;
		snprintf(why->text, sizeof why->text, "%s: %s", dir, strerror(error));
		dir[0] = '\0';
		return error;
	}
	if (options->tls_certificate)
		error = write_pem(dir, "agent.pem", options->tls_certificate, options->tls_key, why);
	/* The system's list may be missing on a bare machine: then no certificate is trusted, and status says so. */
	if (!error && (options->tls_ca || access(ca, R_OK) == 0))
		error = write_pem(dir, "cafile.pem", ca, NULL, why);
	return error;
}

/* Finds the transport just bound by its identity, and reads the port the system chose. */
static void adopt(struct sip *sip, struct sip_port *port, const char *identity)
{
	for (tport_t *t = tport_primaries(nta_agent_tports(sip->agent)); t; t = tport_next(t)) {
		const char *id = tport_ident(t);
		if (id && id[0] == 'v' && strcmp(id + 1, identity + 1) == 0)
			port->unverified = t;
		if (!id || strcmp(id, identity) != 0)
			continue;
		port->tport = t;
		if (tport_get_address(t))
			address_set_port(&port->listener->bound.address,
			                 ntohs(((su_sockaddr_t *)tport_get_address(t)->ai_addr)->su_port));
	}
}

static int bind_port(struct sip *sip, struct sip_port *port, unsigned number, const char *certificates, struct sip_why *why)
{
	struct listener *l = port->listener;
	bool tls = l->bound.transport == TRANSPORT_TLS;
	char text[TARGET_TEXT_MAX], url[160], identity[12], loose[12];

	address_text(&l->bound.address, text, sizeof text);
	snprintf(url, sizeof url, "%s:%s;transport=%s", tls ? "sips" : "sip", text, target_transport_word(l->bound.transport));
	snprintf(identity, sizeof identity, "p%u", number);
	snprintf(loose, sizeof loose, "v%u", number);
	errno = 0;
	if (nta_agent_add_tport(sip->agent, URL_STRING_MAKE(url), TPTAG_IDENT(identity),
	                        TPTAG_UDP_RMEM(4u << 20), TPTAG_UDP_WMEM(4u << 20),
	                        TPTAG_IDLE(600000), TPTAG_TIMEOUT(10000), TPTAG_QUEUESIZE(1024), TPTAG_SDWN_ERROR(1),
	                        TPTAG_PONG2PING(1),
	                        TAG_IF(tls, TPTAG_CERTIFICATE(certificates)),
	                        TAG_IF(tls, TPTAG_TLS_VERIFY_POLICY(TPTLS_VERIFY_SUBJECTS_OUT)),
	                        TAG_IF(tls, TPTAG_TLS_VERIFY_DEPTH(8)), TAG_END()) < 0) {
		int error = su_errno() ? su_errno() : EADDRNOTAVAIL;
		snprintf(why->text, sizeof why->text, "cannot listen on %s:%s: %s",
		         target_transport_word(l->bound.transport), text,
		         tls && error == EIO ? "the TLS certificate or key is not usable" : strerror(error));
		return error;
	}
	if (tls && nta_agent_add_tport(sip->agent, URL_STRING_MAKE(url), TPTAG_IDENT(loose), TPTAG_SERVER(0),
	                               TPTAG_IDLE(600000), TPTAG_TIMEOUT(10000), TPTAG_QUEUESIZE(1024),
	                               TPTAG_SDWN_ERROR(1), TPTAG_CERTIFICATE(certificates),
	                               TPTAG_TLS_VERIFY_POLICY(TPTLS_VERIFY_NONE), TAG_END()) < 0) {
		snprintf(why->text, sizeof why->text, "cannot make a TLS client: %s", su_strerror(su_errno()));
		return EIO;
	}
	adopt(sip, port, identity);
	return 0;
}

static int bind_all(struct sip *sip, const struct sip_options *options, struct sip_why *why)
{
	char certificates[256] = "";
	int error = 0;

	for (size_t i = 0; i < sip->port_count; i++)
		if (sip->ports[i].listener->bound.transport == TRANSPORT_TLS)
			sip->tls = true;
	if (sip->tls)
		error = make_scratch(certificates, sizeof certificates, options, why);
	for (size_t i = 0; i < sip->port_count && !error; i++)
		error = bind_port(sip, &sip->ports[i], (unsigned)i, certificates, why);
	if (certificates[0])
		remove_scratch(certificates);
	return error;
}

int sip_open(struct sip **sip, struct loop *loop, struct listener *listeners, size_t count,
             const struct sip_options *options, struct sip_why *why)
{
	struct sip *s = calloc(1, sizeof *s);
	int error = ENOMEM;

	snprintf(why->text, sizeof why->text, "out of memory");
	if (!s || !(s->ports = calloc(count, sizeof *s->ports)))
		goto out;
	s->port_count = count;
	s->before = options->before;
	s->arg = options->arg;
	for (size_t i = 0; i < count; i++)
		s->ports[i].listener = &listeners[i];
	sip_log_start();
	s->agent = nta_agent_create(loop_root(loop), (url_string_t *)-1, received, s,
	                            NTATAG_UA(0), NTATAG_CLIENT_RPORT(1), NTATAG_TCP_RPORT(1), NTATAG_TLS_RPORT(1),
	                            /* Finished transactions are kept for T4: 9.5 kB each. */
	                            NTATAG_SIP_T4(500),
	                            /* A REGISTER goes by the transport it was configured for, however long it is. */
	                            NTATAG_UDP_MTU(65535),
	                            NTATAG_MAXSIZE(65536),
	                            NTATAG_TIMEOUT_408(1), NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0),
	                            /* How long a call may ring, and who answers a cancelled INVITE, is for the call to say. */
	                            NTATAG_TIMER_C(SIP_TIMER_C_MS), NTATAG_CANCEL_487(0), TAG_END());
	if (!s->agent)
		goto out;
	error = bind_all(s, options, why);
	if (error)
		goto out;
	*sip = s;
	return 0;
out:
	sip_close(s);
	return error;
}

void sip_set_timers(struct sip *sip, uint32_t t1_ms, uint32_t t2_ms, uint32_t timeout_ms)
{
	nta_agent_set_params(sip->agent, NTATAG_SIP_T1(t1_ms), NTATAG_SIP_T2(t2_ms), NTATAG_SIP_T1X64(timeout_ms), TAG_END());
}

void sip_close(struct sip *sip)
{
	if (!sip)
		return;
	if (sip->agent) {
		sip_clients_close(sip);
		sip_turn(sip);
		sip_flows_close(sip);
		nta_agent_destroy(sip->agent);
	}
	free(sip->ports);
	free(sip);
}

const struct listener *sip_listener(const struct sip *sip, const char *name, int32_t transport, sa_family_t family)
{
	for (size_t i = 0; i < sip->port_count; i++) {
		const struct listener *l = sip->ports[i].listener;
		if (l->bound.transport == transport && (!name[0] || strcmp(l->name, name) == 0) &&
		    (family == AF_UNSPEC || l->bound.address.family == family))
			return l;
	}
	return NULL;
}

/* ------------------------------------------------------------------ ending what was released */

/*
 * The stack cannot cancel a request that is no INVITE: it would go on sending it for the rest of 32 s, to a server that
 * may wake up and take the stale REGISTER.  An answer ends it, so we give it one of our own, the way a received one comes.
 */
static void end_transaction(struct sip *sip, nta_outgoing_t *orq)
{
	msg_t *request = nta_outgoing_getrequest(orq), *answer = nta_msg_create(sip->agent, 0);
	tport_t *tport = nta_outgoing_transport(orq);
	sip_t *asked = request ? sip_object(request) : NULL;
	sip_via_t via;

	if (!asked || !asked->sip_via || !answer || !tport)
		goto out;
	via = *asked->sip_via;
	via.v_next = NULL;
	if (sip_add_tl(answer, sip_object(answer), SIPTAG_STATUS_STR("SIP/2.0 487 Request Terminated"), SIPTAG_VIA(&via),
	               SIPTAG_FROM(asked->sip_from), SIPTAG_TO(asked->sip_to), SIPTAG_CALL_ID(asked->sip_call_id),
	               SIPTAG_CSEQ(asked->sip_cseq), SIPTAG_CONTENT_LENGTH_STR("0"),
	               SIPTAG_SEPARATOR_STR("\r\n"), TAG_END()) < 0)
		goto out;
	*msg_addr(answer) = *msg_addr(request);
	tport_deliver(tport, answer, NULL, NULL, su_now());
	answer = NULL;
out:
	msg_destroy(answer);
	msg_destroy(request);
	tport_unref(tport);
}

void sip_turn(struct sip *sip)
{
	sip_clients_turn(sip);
	while (sip->abandoned) {
		struct sip_transaction *t = sip->abandoned;
		sip->abandoned = t->next;
		if (nta_outgoing_status(t->request) < 200)
			end_transaction(sip, t->request);
		nta_outgoing_destroy(t->request);
		free(t);
	}
}

/* ------------------------------------------------------------------ keep-alive */

void sip_keep_alive(struct sip *sip, const struct listener *listener, const struct target *target, struct sip_flow *flow)
{
	msg_t *message = nta_msg_create(sip->agent, 0);
	msg_payload_t *bytes = message ? msg_payload_make(msg_home(message), "\r\n\r\n") : NULL;
	tport_t *tport = NULL;
	char host[64], port[8];
	tp_name_t name = { .tpn_proto = target_transport_word(target->transport), .tpn_host = host, .tpn_canon = host,
	                   .tpn_port = port };

	address_host(&target->address, host, sizeof host);
	snprintf(port, sizeof port, "%u", address_port(&target->address));
	for (size_t i = 0; i < sip->port_count; i++)
		if (sip->ports[i].listener == listener)
			tport = sip->ports[i].tport;
	if (flow)
		tport = sip_flow_tport(flow);
	else if (target->transport != TRANSPORT_UDP)
		tport = NULL;		/* no connection to keep alive */
	if (bytes && tport) {
		/* A message of nothing but a body, so that it takes its place behind what the connection has queued. */
		*msg_chain_head(message) = (msg_header_t *)bytes;
		bytes->pl_common->h_prev = msg_chain_head(message);
		tport_tsend(tport, message, &name, TAG_END());
	}
	msg_destroy(message);
}
