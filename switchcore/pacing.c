#include "pacing.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A rate may run this far ahead of even spacing: a handful of single changes goes out at once, a bulk is spread. */
#define BURST_US 300000u

struct queue { struct pacing_entry *head, *tail; };

struct pacing_server {
	struct pacing *pacing;
	struct pacing_server *chain;		/* in the hash table */
	struct pacing_server *ring[2];		/* next in the ring of servers that may send: ordinary, urgent */
	bool in_ring[2];
	struct queue queue[2];			/* ordinary, urgent */
	uint32_t references, in_flight;
	bool silent;				/* its last outcome was a time-out */
	uint64_t last_sign;			/* last answer, or the first request after quiet */
	uint64_t next_at;			/* the server's rate */
	struct timer park;			/* waits for next_at */
	uint32_t hash;
	char key[];
};

struct ring { struct pacing_server *head, *tail; };

struct pacing {
	struct pacing_limits limits;
	struct pacing_server **table;
	size_t buckets, servers;
	struct ring ring[2];
	struct timers parked;
	uint32_t in_flight, silent_in_flight;
	uint64_t next_at;			/* the rate over all servers */
	uint64_t now;
};

int pacing_create(struct pacing **pacing, const struct pacing_limits *limits)
{
	struct pacing *p = calloc(1, sizeof *p);

	if (!p)
		return ENOMEM;
	p->limits = *limits;
	p->buckets = 64;
	p->table = calloc(p->buckets, sizeof *p->table);
	if (!p->table) {
		free(p);
		return ENOMEM;
	}
	*pacing = p;
	return 0;
}

void pacing_destroy(struct pacing *pacing)
{
	if (!pacing)
		return;
	for (size_t i = 0; i < pacing->buckets; i++)
		for (struct pacing_server *s = pacing->table[i], *next; s; s = next) {
			next = s->chain;
			free(s);
		}
	timers_free(&pacing->parked);
	free(pacing->table);
	free(pacing);
}

static uint32_t hash_key(const char *key)
{
	uint32_t hash = 2166136261u;
	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619u;
	return hash;
}

static void grow(struct pacing *pacing)
{
	size_t buckets = pacing->buckets * 4;
	struct pacing_server **table = calloc(buckets, sizeof *table);

	if (!table)
		return;		/* longer chains, nothing worse */
	for (size_t i = 0; i < pacing->buckets; i++)
		for (struct pacing_server *s = pacing->table[i], *next; s; s = next) {
			next = s->chain;
			s->chain = table[s->hash % buckets];
			table[s->hash % buckets] = s;
		}
	free(pacing->table);
	pacing->table = table;
	pacing->buckets = buckets;
}

static void ring_push(struct pacing *pacing, struct pacing_server *server, int urgent)
{
	struct ring *ring = &pacing->ring[urgent];

	if (server->in_ring[urgent])
		return;
	server->in_ring[urgent] = true;
	server->ring[urgent] = NULL;
	if (ring->tail)
		ring->tail->ring[urgent] = server;
	else
		ring->head = server;
	ring->tail = server;
}

static struct pacing_server *ring_pop(struct pacing *pacing, int urgent)
{
	struct ring *ring = &pacing->ring[urgent];
	struct pacing_server *server = ring->head;

	if (!server)
		return NULL;
	ring->head = server->ring[urgent];
	if (!ring->head)
		ring->tail = NULL;
	server->in_ring[urgent] = false;
	return server;
}

static bool may_send(const struct pacing_server *server)
{
	const struct pacing_limits *limits = &server->pacing->limits;
	uint32_t cap = limits->in_flight_per_server;
	bool quiet = server->in_flight > 0 && server->pacing->now - server->last_sign > PACING_SILENCE_US;

	if ((server->silent || quiet) && cap > PACING_SILENT_CAP)
		cap = PACING_SILENT_CAP;
	if (server->in_flight >= cap)
		return false;
	return !server->silent || server->pacing->silent_in_flight < (limits->in_flight + 1) / 2;
}

/* Puts the server where it belongs after anything about it changed. */
static void settle(struct pacing_server *server)
{
	struct pacing *pacing = server->pacing;

	if (!may_send(server))
		return;		/* pacing_done() or pacing_sign() of one of its requests comes here again */
	if (server->queue[1].head)
		ring_push(pacing, server, 1);
	if (!server->queue[0].head || server->in_ring[0] || timer_armed(&server->park))
		return;
	if (server->next_at > pacing->now + BURST_US)
		timer_arm(&pacing->parked, &server->park, server->next_at - BURST_US);
	else
		ring_push(pacing, server, 0);
}

static void unpark(struct timer *timer)
{
	settle(TIMER_OWNER(timer, struct pacing_server, park));
}

struct pacing_server *pacing_server_get(struct pacing *pacing, const char *key)
{
	uint32_t hash = hash_key(key);
	struct pacing_server *server;
	size_t size = strlen(key) + 1;

	for (server = pacing->table[hash % pacing->buckets]; server; server = server->chain)
		if (server->hash == hash && strcmp(server->key, key) == 0) {
			server->references++;
			return server;
		}
	if (pacing->servers >= pacing->buckets * 2)
		grow(pacing);
	server = calloc(1, sizeof *server + size);
	if (!server)
		return NULL;
	if (timer_init(&pacing->parked, &server->park, unpark) != 0) {
		free(server);
		return NULL;
	}
	server->pacing = pacing;
	server->references = 1;
	server->hash = hash;
	memcpy(server->key, key, size);
	server->chain = pacing->table[hash % pacing->buckets];
	pacing->table[hash % pacing->buckets] = server;
	pacing->servers++;
	return server;
}

static void ring_remove(struct pacing *pacing, struct pacing_server *server, int urgent)
{
	struct ring *ring = &pacing->ring[urgent];
	struct pacing_server *previous = NULL;

	if (!server->in_ring[urgent])
		return;
	for (struct pacing_server *s = ring->head; s != server; s = s->ring[urgent])
		previous = s;
	if (previous)
		previous->ring[urgent] = server->ring[urgent];
	else
		ring->head = server->ring[urgent];
	if (ring->tail == server)
		ring->tail = previous;
	server->in_ring[urgent] = false;
}

void pacing_server_put(struct pacing *pacing, struct pacing_server *server)
{
	struct pacing_server **at;

	if (!server || --server->references > 0)
		return;
	assert(server->in_flight == 0 && !server->queue[0].head && !server->queue[1].head);
	ring_remove(pacing, server, 0);
	ring_remove(pacing, server, 1);
	timer_destroy(&pacing->parked, &server->park);
	for (at = &pacing->table[server->hash % pacing->buckets]; *at != server; at = &(*at)->chain)
		;
	*at = server->chain;
	pacing->servers--;
	free(server);
}

static void unqueue(struct pacing_entry *entry)
{
	struct queue *queue = &entry->server->queue[entry->urgent];

	if (entry->previous)
		entry->previous->next = entry->next;
	else
		queue->head = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	else
		queue->tail = entry->previous;
	entry->next = entry->previous = NULL;
	entry->place = PACING_OUT;
}

void pacing_want(struct pacing *pacing, struct pacing_entry *entry, bool urgent, uint64_t now)
{
	struct queue *queue = &entry->server->queue[urgent];

	assert(entry->place == PACING_OUT);
	pacing->now = now;
	entry->urgent = urgent;
	entry->place = PACING_QUEUED;
	entry->next = NULL;
	entry->previous = queue->tail;
	if (queue->tail)
		queue->tail->next = entry;
	else
		queue->head = entry;
	queue->tail = entry;
	settle(entry->server);
}

static void set_silent(struct pacing_server *server, bool silent)
{
	if (server->silent == silent)
		return;
	server->silent = silent;
	if (silent)
		server->pacing->silent_in_flight += server->in_flight;
	else
		server->pacing->silent_in_flight -= server->in_flight;
}

void pacing_sign(struct pacing *pacing, struct pacing_entry *entry, uint64_t now)
{
	pacing->now = now;
	entry->server->last_sign = now;
	set_silent(entry->server, false);
	settle(entry->server);
}

/* Silent servers that were held by their common cap get their chance when one of them gives a place back. */
static void wake_silent(struct pacing *pacing)
{
	for (size_t i = 0; i < pacing->buckets; i++)
		for (struct pacing_server *s = pacing->table[i]; s; s = s->chain)
			if (s->silent && (s->queue[0].head || s->queue[1].head))
				settle(s);
}

void pacing_done(struct pacing *pacing, struct pacing_entry *entry, enum pacing_outcome outcome, uint64_t now)
{
	struct pacing_server *server = entry->server;
	bool silent_were_full = pacing->silent_in_flight >= (pacing->limits.in_flight + 1) / 2;

	pacing->now = now;
	if (entry->place == PACING_QUEUED) {
		unqueue(entry);
		return;
	}
	if (entry->place == PACING_OUT)
		return;
	entry->place = PACING_OUT;
	server->in_flight--;
	pacing->in_flight--;
	if (server->silent)
		pacing->silent_in_flight--;
	if (outcome == PACING_ANSWERED)
		server->last_sign = now;
	if (outcome != PACING_DROPPED)
		set_silent(server, outcome == PACING_SILENT);
	settle(server);
	if (silent_were_full)
		wake_silent(pacing);
}

static uint64_t interval(uint32_t rate)
{
	return rate ? SECOND_US / rate : 0;
}

static uint64_t advance(uint64_t at, uint32_t rate, uint64_t now)
{
	return (at > now ? at : now) + interval(rate);
}

static void grant(struct pacing *pacing, struct pacing_server *server, int urgent)
{
	struct pacing_entry *entry = server->queue[urgent].head;

	unqueue(entry);
	entry->place = PACING_IN_FLIGHT;
	if (server->in_flight++ == 0)
		server->last_sign = pacing->now;
	pacing->in_flight++;
	if (server->silent)
		pacing->silent_in_flight++;
	if (!urgent) {
		pacing->next_at = advance(pacing->next_at, pacing->limits.rate, pacing->now);
		server->next_at = advance(server->next_at, pacing->limits.rate_per_server, pacing->now);
	}
	server->references++;		/* turn() may give up the last one */
	settle(server);
	entry->turn(entry);
	pacing_server_put(pacing, server);
}

static void serve(struct pacing *pacing, int urgent)
{
	while (pacing->in_flight < pacing->limits.in_flight &&
	       (urgent || pacing->next_at <= pacing->now + BURST_US)) {
		struct pacing_server *server = ring_pop(pacing, urgent);
		if (!server)
			return;
		/* A place in a ring is a promise of the past: look again. */
		if (server->queue[urgent].head && may_send(server))
			grant(pacing, server, urgent);
	}
}

void pacing_run(struct pacing *pacing, uint64_t now)
{
	pacing->now = now;
	timers_run(&pacing->parked, now);
	serve(pacing, 1);
	serve(pacing, 0);
}

uint64_t pacing_next(const struct pacing *pacing)
{
	uint64_t next = timers_next(&pacing->parked);

	if (pacing->in_flight < pacing->limits.in_flight) {
		if (pacing->ring[1].head)
			return pacing->now;
		if (pacing->ring[0].head) {
			uint64_t at = pacing->next_at > BURST_US ? pacing->next_at - BURST_US : 0;
			if (at < next)
				next = at;
		}
	}
	return next;
}

void pacing_ignore_rates(struct pacing *pacing)
{
	pacing->limits.rate = pacing->limits.rate_per_server = 0;
	pacing->next_at = 0;
	for (size_t i = 0; i < pacing->buckets; i++)
		for (struct pacing_server *s = pacing->table[i]; s; s = s->chain) {
			s->next_at = 0;
			timer_disarm(&pacing->parked, &s->park);
			settle(s);
		}
}

uint32_t pacing_in_flight(const struct pacing *pacing)
{
	return pacing->in_flight;
}
