/*
 * What the SIP stack alone can do: accounts registered through NTA with digest, no life cycle around it.
 *
 *     bare_register --to ADDR:PORT --count N [--in-flight N] [--password TEXT] [--user PREFIX]
 *
 * Each account gets a REGISTER with the headers that switchcore sends, its challenge is answered, and the next account
 * follows.  The user names are PREFIX and six digits, from 0.  Prints one JSON object.
 */
#include "tests/bench/samples.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

struct account;
#define NTA_AGENT_MAGIC_T void
#define NTA_OUTGOING_MAGIC_T struct account

#include <sofia-sip/auth_client.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/tport_tag.h>

struct account {
	nta_outgoing_t *request;
	unsigned cseq;
	bool answered_challenge;
	char user[64], call_id[64], tag[32];
};

static const char *to, *password = "secret", *prefix = "r";
static unsigned long count, in_flight = 50, started, done, failed;
static struct account *accounts;
static nta_agent_t *agent;
static su_root_t *root;
static char contact_host[64];

static int answered(struct account *a, nta_outgoing_t *request, sip_t const *sip);

static int discard(void *magic, nta_agent_t *nta, msg_t *msg, sip_t *sip)
{
	(void)magic; (void)nta; (void)sip;
	msg_destroy(msg);
	return 0;
}

/* challenge: the 401 to answer, or NULL. */
static void send_register(struct account *a, sip_t const *challenge)
{
	msg_t *msg = nta_msg_create(agent, 0);
	sip_t *sip = msg ? sip_object(msg) : NULL;
	char uri[80], aor[160], from[200], contact[160], cseq[32], credentials[300], target[80];

	snprintf(uri, sizeof uri, "sip:%s", to);
	snprintf(target, sizeof target, "sip:%s;transport=udp", to);
	snprintf(aor, sizeof aor, "<sip:%s@%s>", a->user, to);
	snprintf(from, sizeof from, "%s;tag=%s", aor, a->tag);
	snprintf(contact, sizeof contact, "<sip:%s@%s;line=%s>;expires=3600", a->user, contact_host, a->call_id);
	snprintf(cseq, sizeof cseq, "%u REGISTER", ++a->cseq);
	if (!sip || sip_add_tl(msg, sip, SIPTAG_REQUEST(sip_request_create(msg_home(msg), SIP_METHOD_REGISTER, (url_string_t *)uri, NULL)),
	                       SIPTAG_MAX_FORWARDS_STR("70"), SIPTAG_FROM_STR(from), SIPTAG_TO_STR(aor), SIPTAG_CALL_ID_STR(a->call_id),
	                       SIPTAG_CSEQ_STR(cseq), SIPTAG_CONTACT_STR(contact), SIPTAG_EXPIRES_STR("3600"),
	                       SIPTAG_USER_AGENT_STR("bare_register"), TAG_END()) < 0)
		exit(1);
	if (challenge) {
		auth_client_t *auth = NULL;
		const char *realm = msg_params_find(challenge->sip_www_authenticate->au_params, "realm=");	/* with its quotes */
		snprintf(credentials, sizeof credentials, "Digest:%s:%s:%s", realm ? realm : "*", a->user, password);
		if (auc_challenge(&auth, msg_home(msg), challenge->sip_www_authenticate, sip_authorization_class) < 0 ||
		    auc_credentials(&auth, msg_home(msg), credentials) < 0 ||
		    auc_authorization(&auth, msg, (msg_pub_t *)sip, "REGISTER", sip->sip_request->rq_url, NULL) <= 0)
			failed++;
	}
	a->request = nta_outgoing_mcreate(agent, answered, a, URL_STRING_MAKE(target), msg, TAG_END());
	if (!a->request)
		exit(1);
}

static void start_next(void)
{
	struct account *a = &accounts[started];

	snprintf(a->user, sizeof a->user, "%s%06lu", prefix, started);
	snprintf(a->call_id, sizeof a->call_id, "%016lx%016lx", (unsigned long)clock_ns(), started);
	snprintf(a->tag, sizeof a->tag, "%lx", started);
	started++;
	send_register(a, NULL);
}

static int answered(struct account *a, nta_outgoing_t *request, sip_t const *sip)
{
	int status = sip ? sip->sip_status->st_status : 408;

	if (status < 200)
		return 0;
	if (status == 401 && !a->answered_challenge && sip->sip_www_authenticate) {
		a->answered_challenge = true;
		send_register(a, sip);
		nta_outgoing_destroy(request);
		return 0;
	}
	nta_outgoing_destroy(request);
	failed += status >= 300;
	done++;
	if (started < count)
		start_next();
	if (done == count)
		su_root_break(root);
	return 0;
}

static void quiet(void *stream, const char *format, va_list arguments)
{
	(void)stream; (void)format; (void)arguments;
}

static int usage(void)
{
	fputs("usage: bare_register --to ADDR:PORT --count N [--in-flight N] [--password TEXT] [--user PREFIX]\n", stderr);
	return 2;
}

static int read_options(int argc, char **argv)
{
	static const struct option words[] = { { "to", 1, NULL, 't' }, { "count", 1, NULL, 'n' }, { "in-flight", 1, NULL, 'f' },
		{ "password", 1, NULL, 'p' }, { "user", 1, NULL, 'u' }, { NULL, 0, NULL, 0 } };
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (word) {
		case 't': to = optarg; break;
		case 'n': count = strtoul(optarg, NULL, 10); break;
		case 'f': in_flight = strtoul(optarg, NULL, 10); break;
		case 'p': password = optarg; break;
		case 'u': prefix = optarg; break;
		default: return -1;
		}
	}
	return to && count && in_flight ? 0 : -1;
}

/* The agent with the settings that matter for speed as in switchcore. */
static bool open_agent(void)
{
	agent = nta_agent_create(root, (url_string_t *)-1, discard, NULL, NTATAG_UA(0), NTATAG_CLIENT_RPORT(1), NTATAG_SIP_T4(500),
	                         NTATAG_UDP_MTU(65535), NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), TAG_END());
	if (!agent || nta_agent_add_tport(agent, URL_STRING_MAKE("sip:127.0.0.1:*;transport=udp"), TPTAG_UDP_RMEM(4u << 20),
	                                  TPTAG_UDP_WMEM(4u << 20), TAG_END()) < 0)
		return false;
	snprintf(contact_host, sizeof contact_host, "127.0.0.1:%s", nta_agent_via(agent)->v_port);
	return true;
}

int main(int argc, char **argv)
{
	uint64_t start, cpu;
	double seconds;

	if (read_options(argc, argv) != 0)
		return usage();
	su_init();
	su_log_redirect(NULL, quiet, NULL);
	accounts = calloc(count, sizeof *accounts);
	root = su_root_create(NULL);
	if (!accounts || !root)
		return 1;
	su_root_threading(root, 0);
	if (!open_agent()) {
		fputs("bare_register: the stack cannot start\n", stderr);
		return 1;
	}
	start = clock_ns();
	cpu = cpu_ns();
	while (started < count && started < in_flight)
		start_next();
	su_root_run(root);
	seconds = (double)(clock_ns() - start) / 1e9;
	printf("{\"registrations\":%lu,\"failed\":%lu,\"seconds\":%.6f,\"rate\":%.1f,\"cpu_us\":%.2f}\n", done, failed, seconds,
	       (double)done / seconds, (double)(cpu_ns() - cpu) / 1e3 / (double)done);
	return failed ? 1 : 0;
}
