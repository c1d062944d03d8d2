/*
 * What the SIP stack alone can do with calls: a back-to-back user agent over NTA that relays and decides nothing.
 *
 *     bare_relay --listen ADDR:PORT --to ADDR:PORT
 *
 * Every call goes to one target.  INVITE, its answers, ACK, CANCEL and BYE are relayed between two dialogs with tags and
 * Call-IDs of their own; there is no configuration, policy, trace or record.  Prints "bare_relay ready ADDR:PORT".
 */
#include <dlfcn.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct call;
#define NTA_AGENT_MAGIC_T void
#define NTA_INCOMING_MAGIC_T struct call
#define NTA_OUTGOING_MAGIC_T struct call

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_uniqueid.h>
#include <sofia-sip/tport_tag.h>

#define BUCKETS 65536u

struct leg {
	struct call *call;
	struct leg *next;		/* in its bucket */
	sip_call_id_t *call_id;
	sip_from_t *local;		/* with our tag */
	sip_to_t *remote;		/* with its tag, once known */
	char *target;			/* Contact URI of the other end */
	char destination[96];
	uint32_t cseq, invite_cseq;
};

struct call {
	su_home_t home[1];		/* first: all of the call is its memory */
	struct leg caller, callee;
	nta_incoming_t *invite_in, *bye_in;
	nta_outgoing_t *invite_out, *bye_out;
};

static struct leg *buckets[BUCKETS];
static nta_agent_t *agent;
static su_home_t *home;
static sip_contact_t *contact;
static sip_max_forwards_t *max_forwards;
static const char *to;
static char own[64], fixed[96];
static unsigned long calls;

static void discard(msg_t *msg)
{
	msg_destroy(msg);
}

/* ------------------------------------------------------------------ finding a dialog */

static struct leg **bucket_of(const char *call_id)
{
	uint32_t hash = 2166136261u;

	for (const char *c = call_id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return &buckets[(hash ^ hash >> 16) % BUCKETS];
}

static void link_leg(struct leg *leg)
{
	struct leg **bucket = bucket_of(leg->call_id->i_id);

	leg->next = *bucket;
	*bucket = leg;
}

static void unlink_leg(struct leg *leg)
{
	for (struct leg **at = bucket_of(leg->call_id->i_id); *at; at = &(*at)->next)
		if (*at == leg) {
			*at = leg->next;
			return;
		}
}

/* The dialog whose remote end sent this request, or got this answer. */
static struct leg *find_leg(const sip_t *sip, const char *local_tag)
{
	for (struct leg *leg = *bucket_of(sip->sip_call_id->i_id); leg; leg = leg->next)
		if (strcmp(leg->call_id->i_id, sip->sip_call_id->i_id) == 0 && local_tag && strcmp(leg->local->a_tag, local_tag) == 0)
			return leg;
	return NULL;
}

static struct leg *other(struct leg *leg)
{
	return leg == &leg->call->caller ? &leg->call->callee : &leg->call->caller;
}

static void end(struct call *call)
{
	unlink_leg(&call->caller);
	unlink_leg(&call->callee);
	nta_incoming_destroy(call->invite_in);
	nta_incoming_destroy(call->bye_in);
	nta_outgoing_destroy(call->invite_out);
	nta_outgoing_destroy(call->bye_out);
	su_home_unref(call->home);
}

/* ------------------------------------------------------------------ requests of ours */

/* method_name with the body of `like`, or without one when that is NULL; callback NULL sends it once, statelessly. */
static nta_outgoing_t *send_request(struct leg *leg, sip_method_t method, const char *method_name, uint32_t cseq, const sip_t *like,
                                    nta_response_f *callback)
{
	msg_t *msg = nta_msg_create(agent, 0);
	sip_t *sip = msg ? sip_object(msg) : NULL;

	if (!sip || sip_add_tl(msg, sip,
	                       SIPTAG_REQUEST(sip_request_create(msg_home(msg), method, method_name, URL_STRING_MAKE(leg->target), NULL)),
	                       SIPTAG_MAX_FORWARDS(max_forwards), SIPTAG_FROM(leg->local), SIPTAG_TO(leg->remote),
	                       SIPTAG_CALL_ID(leg->call_id), SIPTAG_CSEQ(sip_cseq_create(msg_home(msg), cseq, method, method_name)),
	                       TAG_IF(method == sip_method_invite, SIPTAG_CONTACT(contact)),
	                       TAG_IF(like && like->sip_content_type, SIPTAG_CONTENT_TYPE(like ? like->sip_content_type : NULL)),
	                       TAG_IF(like && like->sip_payload, SIPTAG_PAYLOAD(like ? like->sip_payload : NULL)), TAG_END()) < 0) {
		msg_destroy(msg);
		return NULL;
	}
	return nta_outgoing_mcreate(agent, callback, callback ? leg->call : NULL, URL_STRING_MAKE(leg->destination), msg,
	                            TAG_IF(!callback, NTATAG_STATELESS(1)), TAG_END());
}

static void set_target(struct leg *leg, const sip_contact_t *m)
{
	if (!m)
		return;
	su_free(leg->call->home, leg->target);
	leg->target = url_as_string(leg->call->home, m->m_url);
	snprintf(leg->destination, sizeof leg->destination, "sip:%s:%s;transport=udp", m->m_url->url_host,
	         m->m_url->url_port ? m->m_url->url_port : "5060");
}

static int answered(struct call *call, nta_outgoing_t *request, sip_t const *sip)
{
	int status = sip ? sip->sip_status->st_status : 408;
	const char *phrase = sip ? sip->sip_status->st_phrase : sip_408_Request_timeout;
	struct leg *leg = &call->callee;

	(void)request;
	if (status < 101)
		return 0;
	if (call->invite_in)
		nta_incoming_treply(call->invite_in, status, phrase, TAG_IF(status < 300, SIPTAG_CONTACT(contact)),
		                    TAG_IF(sip && sip->sip_content_type, SIPTAG_CONTENT_TYPE(sip ? sip->sip_content_type : NULL)),
		                    TAG_IF(sip && sip->sip_payload, SIPTAG_PAYLOAD(sip ? sip->sip_payload : NULL)), TAG_END());
	if (status < 200)
		return 0;
	if (status >= 300) {
		end(call);
		return 0;
	}
	nta_outgoing_destroy(call->invite_out);
	call->invite_out = NULL;
	sip_to_tag(call->home, leg->remote, sip->sip_to->a_tag);
	set_target(leg, sip->sip_contact);
	if (!call->invite_in) {		/* the caller gave up, and the two crossed */
		send_request(leg, SIP_METHOD_ACK, leg->invite_cseq, NULL, NULL);
		send_request(leg, SIP_METHOD_BYE, ++leg->cseq, NULL, NULL);
		end(call);
	}
	return 0;
}

static int bye_answered(struct call *call, nta_outgoing_t *request, sip_t const *sip)
{
	int status = sip ? sip->sip_status->st_status : 408;

	(void)request;
	if (status < 200)
		return 0;
	nta_incoming_treply(call->bye_in, status, sip ? sip->sip_status->st_phrase : sip_408_Request_timeout, TAG_END());
	end(call);
	return 0;
}

/* ------------------------------------------------------------------ requests of others */

/* What follows an INVITE: its ACK, its CANCEL (which the stack answers), or NULL when the ACK did not come. */
static int acked(struct call *call, nta_incoming_t *irq, sip_t const *sip)
{
	sip_method_t method = sip ? sip->sip_request->rq_method : sip_method_bye;

	if (method == sip_method_ack) {
		send_request(&call->callee, SIP_METHOD_ACK, call->callee.invite_cseq, sip, NULL);
	} else if (method == sip_method_cancel) {
		if (call->invite_out)
			nta_outgoing_cancel(call->invite_out);
	} else {
		send_request(&call->callee, SIP_METHOD_BYE, ++call->callee.cseq, NULL, NULL);
		end(call);
		return 0;
	}
	nta_incoming_destroy(irq);
	call->invite_in = NULL;
	return 0;
}

static void open_caller(struct call *call, const sip_t *sip, const char *tag)
{
	struct leg *leg = &call->caller;

	leg->call = call;
	leg->call_id = sip_call_id_dup(call->home, sip->sip_call_id);
	leg->local = sip_to_dup(call->home, sip->sip_to);
	sip_to_tag(call->home, leg->local, tag);
	leg->remote = sip_from_dup(call->home, sip->sip_from);
	set_target(leg, sip->sip_contact);
	link_leg(leg);
}

static void open_callee(struct call *call, const sip_t *sip)
{
	struct leg *leg = &call->callee;
	const char *caller = sip->sip_from->a_url->url_user, *callee = sip->sip_request->rq_url->url_user;

	leg->call = call;
	leg->call_id = sip_call_id_format(call->home, "%lx-%08x@%s", ++calls, (unsigned)su_randint(0, -1), own);
	leg->local = sip_from_format(call->home, "<sip:%s@%s>;tag=%08x", caller ? caller : "anonymous", own, (unsigned)su_randint(0, -1));
	leg->target = su_sprintf(call->home, "sip:%s@%s", callee ? callee : "", to);
	leg->remote = sip_to_format(call->home, "<%s>", leg->target);
	memcpy(leg->destination, fixed, sizeof fixed);
	leg->cseq = leg->invite_cseq = 1;
	link_leg(leg);
}

static void take_invite(msg_t *msg, sip_t *sip)
{
	struct call *call = su_home_new(sizeof *call);

	if (!call) {
		discard(msg);
		return;
	}
	call->invite_in = nta_incoming_create(agent, NULL, msg, sip, TAG_END());
	if (!call->invite_in) {
		su_home_unref(call->home);
		return;
	}
	open_caller(call, sip, nta_incoming_tag(call->invite_in, NULL));
	open_callee(call, sip);
	nta_incoming_bind(call->invite_in, acked, call);
	nta_incoming_treply(call->invite_in, SIP_100_TRYING, TAG_END());
	call->invite_out = send_request(&call->callee, SIP_METHOD_INVITE, call->callee.invite_cseq, sip, answered);
	if (!call->invite_out) {
		nta_incoming_treply(call->invite_in, SIP_503_SERVICE_UNAVAILABLE, TAG_END());
		end(call);
	}
}

static void take_bye(struct leg *leg, msg_t *msg, sip_t *sip)
{
	struct call *call = leg->call;

	if (call->bye_in) {		/* both ends hung up at once */
		nta_incoming_t *second = nta_incoming_create(agent, NULL, msg, sip, TAG_END());
		nta_incoming_treply(second, SIP_200_OK, TAG_END());
		nta_incoming_destroy(second);
		return;
	}
	call->bye_in = nta_incoming_create(agent, NULL, msg, sip, TAG_END());
	if (call->bye_in)
		call->bye_out = send_request(other(leg), SIP_METHOD_BYE, ++other(leg)->cseq, NULL, bye_answered);
}

static void take_answer(msg_t *msg, sip_t *sip)
{
	struct leg *leg = find_leg(sip, sip->sip_from->a_tag);

	/* The callee did not get our ACK. */
	if (leg && sip->sip_status->st_status / 100 == 2 && sip->sip_cseq->cs_method == sip_method_invite)
		send_request(leg, SIP_METHOD_ACK, sip->sip_cseq->cs_seq, NULL, NULL);
	discard(msg);
}

static int received(void *magic, nta_agent_t *nta, msg_t *msg, sip_t *sip)
{
	struct leg *leg;

	(void)magic;
	if (!sip || sip->sip_status) {
		if (sip)
			take_answer(msg, sip);
		else
			discard(msg);
		return 0;
	}
	if (!sip->sip_to->a_tag && sip->sip_request->rq_method == sip_method_invite) {
		take_invite(msg, sip);
		return 0;
	}
	leg = find_leg(sip, sip->sip_to->a_tag);
	if (leg && sip->sip_request->rq_method == sip_method_bye)
		take_bye(leg, msg, sip);
	else if (sip->sip_request->rq_method == sip_method_ack)
		discard(msg);
	else
		nta_msg_treply(nta, msg, SIP_481_NO_TRANSACTION, TAG_END());
	return 0;
}

/* ------------------------------------------------------------------ start */

/* As in switchcore: the stack calls this one, and does not spin through the last millisecond before a timer. */
int epoll_wait(int fd, struct epoll_event *events, int room, int timeout)
{
	static __typeof__(epoll_wait) *hidden;
	static bool in_vain;
	int n;

	if (!hidden)
		*(void **)&hidden = dlsym(RTLD_NEXT, "epoll_wait");
	n = hidden(fd, events, room, timeout == 0 && in_vain ? 1 : timeout);
	in_vain = n == 0 && timeout == 0;
	return n;
}

static void quiet(void *stream, const char *format, va_list arguments)
{
	(void)stream; (void)format; (void)arguments;
}

/* The agent with the settings that matter for speed as in switchcore; but a user agent: 2xx and ACK are matched by the stack. */
static bool open_agent(su_root_t *root, const char *listen)
{
	char url[96];

	snprintf(url, sizeof url, "sip:%s;transport=udp", listen);
	agent = nta_agent_create(root, (url_string_t *)-1, received, NULL, NTATAG_UA(1), NTATAG_CLIENT_RPORT(1), NTATAG_SIP_T4(500),
	                         NTATAG_UDP_MTU(65535), NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), NTATAG_MERGE_482(0), TAG_END());
	if (!agent || nta_agent_add_tport(agent, URL_STRING_MAKE(url), TPTAG_UDP_RMEM(4u << 20), TPTAG_UDP_WMEM(4u << 20), TAG_END()) < 0)
		return false;
	snprintf(own, sizeof own, "%s:%s", nta_agent_via(agent)->v_host, nta_agent_via(agent)->v_port ? nta_agent_via(agent)->v_port : "5060");
	snprintf(fixed, sizeof fixed, "sip:%s;transport=udp", to);
	contact = sip_contact_format(home, "<sip:%s>", own);
	max_forwards = sip_max_forwards_make(home, "70");
	return contact && max_forwards;
}

int main(int argc, char **argv)
{
	static const struct option words[] = { { "listen", 1, NULL, 'l' }, { "to", 1, NULL, 't' }, { NULL, 0, NULL, 0 } };
	const char *listen = NULL;
	su_root_t *root;
	int word;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (word == 'l')
			listen = optarg;
		else if (word == 't')
			to = optarg;
	}
	if (!listen || !to) {
		fputs("usage: bare_relay --listen ADDR:PORT --to ADDR:PORT\n", stderr);
		return 2;
	}
	su_init();
	su_log_redirect(NULL, quiet, NULL);
	home = su_home_new(sizeof *home);
	root = su_root_create(NULL);
	if (!home || !root)
		return 1;
	su_root_threading(root, 0);
	if (!open_agent(root, listen)) {
		fputs("bare_relay: the stack cannot start\n", stderr);
		return 1;
	}
	printf("bare_relay ready %s\n", own);
	fflush(stdout);
	su_root_run(root);
	return 0;
}
