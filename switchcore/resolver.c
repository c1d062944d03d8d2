#include "resolver.h"

#include "hosts.h"
#include "log.h"
#include "schema/schema.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

struct lookup;
struct question;
#define SRES_CONTEXT_T struct question
#include <sofia-sip/sresolv.h>
#include <sofia-sip/su_uniqueid.h>

#define BUCKETS 1024u
#define SRV_MAX 8
#define TTL_MAX 86400u
/* A failure is remembered only so long that those who ask at the same moment share it. */
#define FAILURE_US (2 * SECOND_US)
#define HOSTS_FILE_US (5 * SECOND_US)

enum question_type { ASK_NAPTR, ASK_SRV, ASK_A, ASK_AAAA };

struct service {			/* one SRV record, or the host itself */
	char host[254];
	uint16_t port, priority, weight;
	union address addresses[RESOLVER_TARGETS_MAX];
	size_t count;
};

struct question {			/* one DNS query of a lookup */
	struct question *next;
	struct lookup *lookup;
	sres_query_t *query;
	enum question_type type;
	size_t service;			/* whose address it asks for */
};

struct lookup {
	struct lookup *chain;
	struct resolver *resolver;
	struct resolver_wait *waits;
	struct question *questions;	/* out now */
	struct timer timer;		/* patience while asking, then the end of the result's life */
	bool asking, answered;		/* answered: some name server gave an answer of any sort */
	bool declined;			/* by an SRV record with the target "." */
	uint32_t ttl;
	int32_t transport;
	uint16_t port;
	uint32_t hash;
	size_t count;
	struct service services[SRV_MAX];
	char fault[160];
	char host[];
};

struct resolver {
	struct loop *loop;
	sres_resolver_t *sres;
	struct hosts *hosts;
	int configuration;		/* descriptor of the resolv.conf of our own making, or -1 */
	bool ipv4, ipv6;
	struct lookup *table[BUCKETS];
};

static void forget_questions(struct lookup *lookup)
{
	while (lookup->questions) {
		struct question *q = lookup->questions;
		lookup->questions = q->next;
		if (q->query)
			sres_query_bind(q->query, NULL, NULL);
		free(q);
	}
}

static void destroy(struct lookup *lookup)
{
	struct lookup **at = &lookup->resolver->table[lookup->hash % BUCKETS];

	forget_questions(lookup);
	timer_destroy(loop_timers(lookup->resolver->loop), &lookup->timer);
	while (*at != lookup)
		at = &(*at)->chain;
	*at = lookup->chain;
	free(lookup);
}

/* A resolv.conf naming the one server, in memory; the stack reads it by its path in /proc. */
static int own_configuration(struct resolver *resolver, const char *server, char *path, size_t size)
{
	char text[160], host[64];
	const char *colon = strrchr(server, ':');
	size_t len = strlen(server);
	long port = 53;
	int n;

	if (colon && (server[0] == '[' ? colon[-1] == ']' : strchr(server, ':') == colon)) {
		port = strtol(colon + 1, NULL, 10);
		len = (size_t)(colon - server);
	}
	if (server[0] == '[' && len > 2 && server[len - 1] == ']') {
		server++;
		len -= 2;
	}
	if (len >= sizeof host)
		return EINVAL;
	memcpy(host, server, len);
	host[len] = '\0';
	n = snprintf(text, sizeof text, "port %ld\nnameserver %s\n", port, host);
	resolver->configuration = memfd_create("resolv.conf", MFD_CLOEXEC);
	if (resolver->configuration < 0 || write(resolver->configuration, text, (size_t)n) != n)
		return errno ? errno : EIO;
	snprintf(path, size, "/proc/self/fd/%d", resolver->configuration);
	return 0;
}

int resolver_create(struct resolver **resolver, struct loop *loop, const struct resolver_options *options)
{
	struct resolver *r = calloc(1, sizeof *r);
	char path[64];
	int error = ENOMEM;

	if (!r)
		return ENOMEM;
	r->loop = loop;
	r->configuration = -1;
	r->ipv4 = options->ipv4;
	r->ipv6 = options->ipv6;
	error = hosts_create(&r->hosts, options->hosts_file ? options->hosts_file : "/etc/hosts");
	if (!error && options->dns_server)
		error = own_configuration(r, options->dns_server, path, sizeof path);
	if (error)
		goto out;
	r->sres = sres_resolver_create(loop_root(loop), options->dns_server ? path : NULL, TAG_END());
	if (!r->sres) {
		error = ENOMEM;
		goto out;
	}
	*resolver = r;
	return 0;
out:
	resolver_destroy(r);
	return error;
}

void resolver_destroy(struct resolver *resolver)
{
	if (!resolver)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (resolver->table[i])
			destroy(resolver->table[i]);
	if (resolver->sres)
		sres_resolver_destroy(resolver->sres);
	hosts_destroy(resolver->hosts);
	if (resolver->configuration >= 0)
		close(resolver->configuration);
	free(resolver);
}

/* ------------------------------------------------------------------ the result */

/* RFC 2782: ascending priority; among equals, each next one is drawn by weight.  Drawn anew for everyone who asks. */
static void order_services(const struct lookup *lookup, size_t order[SRV_MAX])
{
	bool taken[SRV_MAX] = { false };

	for (size_t n = 0; n < lookup->count; n++) {
		uint32_t best = UINT32_MAX, total = 0, draw;
		for (size_t i = 0; i < lookup->count; i++)
			if (!taken[i] && lookup->services[i].priority < best)
				best = lookup->services[i].priority;
		for (size_t i = 0; i < lookup->count; i++)
			if (!taken[i] && lookup->services[i].priority == best)
				total += lookup->services[i].weight + 1u;
		draw = (uint32_t)su_randint(0, (int)(total - 1));
		for (size_t i = 0; i < lookup->count; i++) {
			uint32_t weight = lookup->services[i].weight + 1u;
			if (taken[i] || lookup->services[i].priority != best)
				continue;
			if (draw < weight) {
				taken[i] = true;
				order[n] = i;
				break;
			}
			draw -= weight;
		}
	}
}

static void fill(struct resolver_result *result, const struct lookup *lookup)
{
	size_t order[SRV_MAX] = { 0 };

	memset(result, 0, sizeof *result);
	order_services(lookup, order);
	for (size_t n = 0; n < lookup->count; n++) {
		const struct service *s = &lookup->services[order[n]];
		for (size_t i = 0; i < s->count && result->count < RESOLVER_TARGETS_MAX; i++) {
			struct target *t = &result->targets[result->count++];
			t->transport = lookup->transport;
			t->address = s->addresses[i];
			address_set_port(&t->address, s->port ? s->port : target_default_port(lookup->transport));
		}
	}
	if (result->count == 0)
		snprintf(result->fault, sizeof result->fault, "%s", lookup->fault);
}

static void finish(struct lookup *lookup, uint64_t life)
{
	struct resolver_result result;
	bool any = false;

	forget_questions(lookup);
	lookup->asking = false;
	for (size_t i = 0; i < lookup->count; i++)
		any = any || lookup->services[i].count > 0;
	if (!any && !lookup->fault[0]) {
		char name[100];
		snprintf(name, sizeof name, "%s", lookup->host);
		snprintf(lookup->fault, sizeof lookup->fault, lookup->answered ? "the DNS knows no address of %s"
		                                                               : "no name server answers for %s", name);
	}
	timer_arm(loop_timers(lookup->resolver->loop), &lookup->timer, loop_now() + (any ? life : FAILURE_US));
	while (lookup->waits) {
		struct resolver_wait *wait = lookup->waits;
		resolver_forget(wait);
		fill(&result, lookup);
		wait->done(wait, &result);
	}
}

static void expire(struct timer *timer)
{
	struct lookup *lookup = TIMER_OWNER(timer, struct lookup, timer);

	if (lookup->asking)
		finish(lookup, (uint64_t)lookup->ttl * SECOND_US);
	else
		destroy(lookup);
}

/* ------------------------------------------------------------------ asking */

static void advance(struct lookup *lookup, enum question_type answered);
static void answered(struct question *question, sres_query_t *query, sres_record_t **records);

static const uint16_t record_types[] = {
	[ASK_NAPTR] = sres_type_naptr, [ASK_SRV] = sres_type_srv, [ASK_A] = sres_type_a, [ASK_AAAA] = sres_type_aaaa,
};

static void add_address(struct service *service, int family, const void *bytes)
{
	union address a;

	if (service->count == RESOLVER_TARGETS_MAX)
		return;
	memset(&a, 0, sizeof a);
	a.family = (sa_family_t)family;
	if (family == AF_INET6)
		memcpy(&a.v6.sin6_addr, bytes, 16);
	else
		memcpy(&a.v4.sin_addr, bytes, 4);
	service->addresses[service->count++] = a;
}

static void note_ttl(struct lookup *lookup, const sres_record_t *record)
{
	if (record->sr_record->r_ttl < lookup->ttl)
		lookup->ttl = record->sr_record->r_ttl;
}

/* Keeps the best by priority, then weight, in that order, whatever the order they come in. */
static void take_srv(struct lookup *lookup, const sres_record_t *record)
{
	const sres_srv_record_t *srv = record->sr_srv;
	struct service *s = lookup->services, *end = s + lookup->count;

	if (!srv->srv_target || strlen(srv->srv_target) >= sizeof s->host)
		return;
	note_ttl(lookup, record);
	if (srv->srv_target[0] == '\0' || strcmp(srv->srv_target, ".") == 0) {
		lookup->declined = true;
		return;
	}
	while (s < end && (s->priority < srv->srv_priority || (s->priority == srv->srv_priority && s->weight >= srv->srv_weight)))
		s++;
	if (s == lookup->services + SRV_MAX)
		return;
	if (lookup->count < SRV_MAX)
		lookup->count++;
	memmove(s + 1, s, (size_t)(lookup->services + lookup->count - (s + 1)) * sizeof *s);
	memset(s, 0, sizeof *s);
	snprintf(s->host, sizeof s->host, "%s", srv->srv_target);
	s->port = srv->srv_port;
	s->priority = srv->srv_priority;
	s->weight = srv->srv_weight;
}

static void ask(struct lookup *lookup, enum question_type type, const char *name, size_t service)
{
	struct question *q = calloc(1, sizeof *q);
	sres_record_t **cached;

	if (!q)
		return;
	q->lookup = lookup;
	q->type = type;
	q->service = service;
	q->next = lookup->questions;
	lookup->questions = q;
	cached = sres_cached_answers(lookup->resolver->sres, record_types[type], name);
	if (cached) {
		answered(q, NULL, cached);
		return;
	}
	q->query = sres_query(lookup->resolver->sres, answered, q, record_types[type], name);
	if (!q->query)
		answered(q, NULL, NULL);
}

static void srv_name(const struct lookup *lookup, char *name, size_t size)
{
	static const char *const prefixes[] = { "_sip._udp", "_sip._tcp", "_sips._tcp" };
	snprintf(name, size, "%s.%s", prefixes[lookup->transport], lookup->host);
}

/* The transport is configured, so only NAPTR records of that transport matter; they may point SRV elsewhere. */
static bool follow_naptr(struct lookup *lookup, sres_record_t **records)
{
	static const char *const services[] = { "SIP+D2U", "SIP+D2T", "SIPS+D2T" };
	const sres_naptr_record_t *best = NULL;

	for (size_t i = 0; records && records[i]; i++) {
		const sres_naptr_record_t *na = records[i]->sr_naptr;
		if (records[i]->sr_record->r_status != SRES_OK || records[i]->sr_record->r_type != sres_type_naptr ||
		    !na->na_services || strcasecmp(na->na_services, services[lookup->transport]) != 0 ||
		    !na->na_flags || strcasecmp(na->na_flags, "s") != 0 || !na->na_replace)
			continue;
		if (!best || na->na_order < best->na_order ||
		    (na->na_order == best->na_order && na->na_prefer < best->na_prefer))
			best = na;
	}
	if (!best)
		return false;
	note_ttl(lookup, (const sres_record_t *)best);
	ask(lookup, ASK_SRV, best->na_replace, 0);
	return true;
}

static void take(struct lookup *lookup, struct question *q, sres_record_t **records)
{
	for (size_t i = 0; records && records[i]; i++) {
		const sres_record_t *r = records[i];
		uint16_t status = r->sr_record->r_status;
		if (status == SRES_OK || status == SRES_NAME_ERR || status == SRES_RECORD_ERR)
			lookup->answered = true;
		if (status != SRES_OK || r->sr_record->r_type != record_types[q->type])
			continue;
		if (q->type == ASK_SRV) {
			take_srv(lookup, r);
		} else if (q->type == ASK_A) {
			add_address(&lookup->services[q->service], AF_INET, &r->sr_a->a_addr);
			note_ttl(lookup, r);
		} else if (q->type == ASK_AAAA) {
			add_address(&lookup->services[q->service], AF_INET6, &r->sr_aaaa->aaaa_addr);
			note_ttl(lookup, r);
		}
	}
}

static void answered(struct question *question, sres_query_t *query, sres_record_t **records)
{
	struct lookup *lookup = question->lookup;
	enum question_type type = question->type;
	struct question **at = &lookup->questions;
	bool followed = false;

	(void)query;
	while (*at != question)
		at = &(*at)->next;
	*at = question->next;
	take(lookup, question, records);
	free(question);
	if (type == ASK_NAPTR)
		followed = follow_naptr(lookup, records);
	sres_free_answers(lookup->resolver->sres, records);
	if (!followed)
		advance(lookup, type);
}

static void ask_addresses(struct lookup *lookup)
{
	/* An answer from the cache comes from inside ask(); one question too many keeps advance() from ending early. */
	struct question hold = { lookup->questions, lookup, NULL, ASK_A, 0 };

	lookup->questions = &hold;
	for (size_t i = 0; i < lookup->count; i++) {
		struct service *s = &lookup->services[i];
		s->count = hosts_find(lookup->resolver->hosts, s->host, s->addresses, RESOLVER_TARGETS_MAX);
		if (s->count > 0)
			continue;
		if (lookup->resolver->ipv4)
			ask(lookup, ASK_A, s->host, i);
		if (lookup->resolver->ipv6)
			ask(lookup, ASK_AAAA, s->host, i);
	}
	for (struct question **at = &lookup->questions; *at; at = &(*at)->next)
		if (*at == &hold) {
			*at = hold.next;
			break;
		}
	advance(lookup, ASK_A);
}

static void use_host_itself(struct lookup *lookup)
{
	struct service *s = &lookup->services[0];

	memset(s, 0, sizeof *s);
	snprintf(s->host, sizeof s->host, "%s", lookup->host);
	s->port = lookup->port;
	lookup->count = 1;
}

/* A sole target "." says that the service is decidedly not available (RFC 2782): its host has nothing to say then. */
static void decline(struct lookup *lookup)
{
	char name[100];

	snprintf(name, sizeof name, "%s", lookup->host);
	snprintf(lookup->fault, sizeof lookup->fault, "the DNS says that %s offers no SIP over %s", name,
	         target_transport_word(lookup->transport));
	finish(lookup, 0);
}

/* After an answer: the next question of the chain NAPTR, SRV, addresses; or the end. */
static void advance(struct lookup *lookup, enum question_type type)
{
	char name[300];

	if (type == ASK_NAPTR) {
		srv_name(lookup, name, sizeof name);
		ask(lookup, ASK_SRV, name, 0);
	} else if (type == ASK_SRV) {
		if (lookup->count == 0 && lookup->declined) {
			decline(lookup);
			return;
		}
		if (lookup->count == 0)
			use_host_itself(lookup);
		ask_addresses(lookup);
	} else if (!lookup->questions && lookup->asking) {
		finish(lookup, (uint64_t)lookup->ttl * SECOND_US);
	}
}

/* ------------------------------------------------------------------ finding */

static uint32_t hash_of(const char *host, uint16_t port, int32_t transport)
{
	uint32_t hash = 2166136261u ^ port ^ (uint32_t)transport << 16;
	for (; *host; host++)
		hash = (hash ^ (unsigned char)(*host | 0x20)) * 16777619u;
	return hash;
}

static struct lookup *create(struct resolver *resolver, const char *host, uint16_t port, int32_t transport, uint32_t hash)
{
	size_t size = strlen(host) + 1;
	struct lookup *lookup = calloc(1, sizeof *lookup + size);

	if (!lookup)
		return NULL;
	if (timer_init(loop_timers(resolver->loop), &lookup->timer, expire) != 0) {
		free(lookup);
		return NULL;
	}
	lookup->resolver = resolver;
	lookup->port = port;
	lookup->transport = transport;
	lookup->hash = hash;
	lookup->ttl = TTL_MAX;
	memcpy(lookup->host, host, size);
	lookup->chain = resolver->table[hash % BUCKETS];
	resolver->table[hash % BUCKETS] = lookup;
	return lookup;
}

static void begin(struct lookup *lookup)
{
	struct resolver *resolver = lookup->resolver;
	struct service *s = &lookup->services[0];

	lookup->asking = true;
	timer_arm(loop_timers(resolver->loop), &lookup->timer, loop_now() + RESOLVER_PATIENCE_US);
	use_host_itself(lookup);
	s->count = hosts_find(resolver->hosts, s->host, s->addresses, RESOLVER_TARGETS_MAX);
	if (s->count > 0) {
		finish(lookup, HOSTS_FILE_US);
	} else if (lookup->port) {
		ask_addresses(lookup);
	} else {
		lookup->count = 0;
		ask(lookup, ASK_NAPTR, lookup->host, 0);
	}
}

static int numeric(struct resolver_result *result, const char *host, uint16_t port, int32_t transport)
{
	union address address;

	if (!address_parse(&address, host, port ? port : target_default_port(transport)))
		return ENOENT;
	memset(result, 0, sizeof *result);
	result->targets[0].transport = transport;
	result->targets[0].address = address;
	result->count = 1;
	return 0;
}

int resolver_find(struct resolver *resolver, struct resolver_wait *wait, struct resolver_result *result,
                  const char *host, uint16_t port, int32_t transport)
{
	uint32_t hash = hash_of(host, port, transport);
	struct lookup *lookup;

	if (numeric(result, host, port, transport) == 0)
		return 0;
	for (lookup = resolver->table[hash % BUCKETS]; lookup; lookup = lookup->chain)
		if (lookup->hash == hash && lookup->port == port && lookup->transport == transport &&
		    strcasecmp(lookup->host, host) == 0)
			break;
	if (!lookup) {
		lookup = create(resolver, host, port, transport, hash);
		if (!lookup)
			return ENOMEM;
		begin(lookup);
	}
	if (!lookup->asking) {
		fill(result, lookup);
		return result->count ? 0 : ENOENT;
	}
	wait->lookup = lookup;
	wait->previous = NULL;
	wait->next = lookup->waits;
	if (lookup->waits)
		lookup->waits->previous = wait;
	lookup->waits = wait;
	return EINPROGRESS;
}

void resolver_forget(struct resolver_wait *wait)
{
	struct lookup *lookup = wait->lookup;

	if (!lookup)
		return;
	if (wait->previous)
		wait->previous->next = wait->next;
	else
		lookup->waits = wait->next;
	if (wait->next)
		wait->next->previous = wait->previous;
	wait->lookup = NULL;
	wait->next = wait->previous = NULL;
}
