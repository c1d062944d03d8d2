#include "mgmtd/client.h"

#include "mgmtd/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>	/* tcpi_bytes_received is not in netinet/tcp.h */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_ANSWER };

struct clients {
	struct daemon *daemon;
	pthread_mutex_t lock;		/* the list; and no socket is closed under it */
	pthread_cond_t stop;
	pthread_t watchdog;
	bool stopping;
	unsigned count;
	struct client *first;
};

static int64_t coarse_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void enter(struct client *client, enum phase phase)
{
	atomic_store_explicit(&client->since_ms, coarse_ms(), memory_order_relaxed);
	atomic_store_explicit(&client->phase, (int)phase, memory_order_release);
}

void client_reads_body(struct client *client)
{
	enter(client, PHASE_BODY);
}

void client_answers(struct client *client)
{
	atomic_store_explicit(&client->phase, PHASE_ANSWER, memory_order_relaxed);
}

void client_idles(struct client *client)
{
	atomic_store_explicit(&client->fresh, false, memory_order_relaxed);
	enter(client, PHASE_HEAD);
}

/* Has a byte of the next head come?  The library takes bytes without telling, but the kernel counts them. */
static bool head_begun(const struct client *client, int64_t now)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof info;
	if (getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return false;
	if (atomic_load_explicit(&client->fresh, memory_order_relaxed))
		return len > offsetof(struct tcp_info, tcpi_bytes_received) && info.tcpi_bytes_received > 0;
	/* 12 ms: the grain of both clocks, so that the last request's own bytes do not count */
	return now - info.tcpi_last_data_recv > atomic_load_explicit(&client->since_ms, memory_order_relaxed) + 12;
}

static const char *dawdling(struct client *client, int64_t now)
{
	int phase = atomic_load_explicit(&client->phase, memory_order_acquire);
	int64_t since = atomic_load_explicit(&client->since_ms, memory_order_relaxed);
	if (phase == PHASE_BODY)
		return now - since > CLIENT_BODY_S * 1000 ? "its body was not complete after 60 s" : NULL;
	if (phase == PHASE_ANSWER) {
		client->head_seen_ms = 0;
		return NULL;
	}
	if (client->surplus && now - since > CLIENT_SURPLUS_S * 1000)
		return "too many connections";
	if (client->head_seen_ms && client->head_seen_ms < since)
		client->head_seen_ms = 0;	/* that head was answered meanwhile */
	if (!head_begun(client, now))
		client->head_seen_ms = 0;
	else if (!client->head_seen_ms)
		client->head_seen_ms = now;
	else if (now - client->head_seen_ms >= CLIENT_HEAD_S * 1000)
		return "its head was not complete after 10 s";
	return NULL;
}

static void look(struct clients *c)
{
	int64_t now = coarse_ms();
	for (struct client *client = c->first; client; client = client->next) {
		const char *why = dawdling(client, now);
		if (!why)
			continue;
		log_info("client %s: connection ended: %s", client->address, why);
		shutdown(client->fd, SHUT_RDWR);
	}
}

static void *watch_clients(void *arg)
{
	struct clients *c = arg;
	pthread_mutex_lock(&c->lock);
	while (!c->stopping) {
		struct timespec at;
		clock_gettime(CLOCK_MONOTONIC, &at);
		at.tv_sec++;
		pthread_cond_timedwait(&c->stop, &c->lock, &at);
		if (!c->stopping)
			look(c);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

void clients_close(struct clients *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_signal(&c->stop);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->watchdog, NULL);
	pthread_cond_destroy(&c->stop);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int clients_open(struct clients **c, struct daemon *daemon)
{
	pthread_condattr_t clock;
	struct clients *new = calloc(1, sizeof *new);
	if (!new)
		return ENOMEM;
	new->daemon = daemon;
	pthread_mutex_init(&new->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&new->stop, &clock);
	pthread_condattr_destroy(&clock);
	int e = pthread_create(&new->watchdog, NULL, watch_clients, new);
	if (e) {
		pthread_cond_destroy(&new->stop);
		pthread_mutex_destroy(&new->lock);
		free(new);
		return e;
	}
	*c = new;
	return 0;
}

static void note_address(struct client *client, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, client->address, sizeof client->address);
	} else if (address->sa_family == AF_INET6) {
		const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(six))
			inet_ntop(AF_INET, &six->s6_addr[12], client->address, sizeof client->address);
		else
			inet_ntop(AF_INET6, six, client->address, sizeof client->address);
	}
}

struct client *client_new(struct clients *c, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;
	struct client *client = calloc(1, sizeof *client);
	if (!client)
		return NULL;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	client->fd = info ? info->connect_fd : -1;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (info)
		note_address(client, info->client_addr);
	client->request.daemon = c->daemon;
	client->request.address = client->address;
	client->fresh = true;
	enter(client, PHASE_HEAD);
	pthread_mutex_lock(&c->lock);
	client->surplus = c->count++ >= CLIENT_LIMIT;
	client->next = c->first;
	client->link = &c->first;
	if (c->first)
		c->first->link = &client->next;
	c->first = client;
	pthread_mutex_unlock(&c->lock);
	return client;
}

void client_free(struct clients *c, struct client *client)
{
	if (!client)
		return;
	pthread_mutex_lock(&c->lock);
	c->count--;
	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	pthread_mutex_unlock(&c->lock);
	free(client);
}
