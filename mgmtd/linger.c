#include "mgmtd/linger.h"

#include "mgmtd/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MAX 64		/* beyond, connections are simply reset */
#define LINGER_MS 3000		/* of the whole */
#define LINGER_BYTES (16u << 20)

struct lingering { int fd; int64_t until_ms; size_t read; };

struct linger_pool {
	pthread_t thread;
	pthread_mutex_t lock;
	int bell;
	bool stopping;
	int arrived[LINGER_MAX];
	size_t arrived_count;
	struct lingering sockets[LINGER_MAX];	/* the thread's own */
	size_t count;
};

static void drop(struct linger_pool *l, size_t i)
{
	close(l->sockets[i].fd);
	l->sockets[i] = l->sockets[--l->count];
}

/* False: it may be closed. */
static bool read_on(struct lingering *s)
{
	static char nowhere[65536];	/* one thread only */
	for (;;) {
		ssize_t n = recv(s->fd, nowhere, sizeof nowhere, MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		s->read += (size_t)n;
		if (n == 0 || s->read > LINGER_BYTES)
			return false;
	}
}

static bool take_arrived(struct linger_pool *l)
{
	uint64_t rings;
	ssize_t n = read(l->bell, &rings, sizeof rings);
	(void)n;
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->arrived_count; i++) {
		if (l->count < LINGER_MAX)
			l->sockets[l->count++] = (struct lingering){ l->arrived[i], time_monotonic_ms() + LINGER_MS, 0 };
		else
			close(l->arrived[i]);
	}
	l->arrived_count = 0;
	bool stopping = l->stopping;
	pthread_mutex_unlock(&l->lock);
	return !stopping;
}

static void *linger(void *arg)
{
	struct linger_pool *l = arg;
	pthread_setname_np(pthread_self(), "linger");
	while (take_arrived(l)) {
		struct pollfd fds[LINGER_MAX + 1] = { { .fd = l->bell, .events = POLLIN } };
		for (size_t i = 0; i < l->count; i++)
			fds[i + 1] = (struct pollfd){ .fd = l->sockets[i].fd, .events = POLLIN };
		poll(fds, (nfds_t)l->count + 1, l->count ? LINGER_MS / 4 : -1);
		int64_t now = time_monotonic_ms();
		for (size_t i = l->count; i-- > 0;)
			if ((fds[i + 1].revents && !read_on(&l->sockets[i])) || now >= l->sockets[i].until_ms)
				drop(l, i);
	}
	while (l->count > 0)
		drop(l, l->count - 1);
	return NULL;
}

int linger_open(struct linger_pool **out)
{
	struct linger_pool *l = calloc(1, sizeof *l);
	if (!l)
		return ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	l->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int e = l->bell < 0 ? errno : pthread_create(&l->thread, NULL, linger, l);
	if (e) {
		if (l->bell >= 0)
			close(l->bell);
		free(l);
		return e;
	}
	*out = l;
	return 0;
}

static void ring(struct linger_pool *l)
{
	const uint64_t one = 1;
	ssize_t n = write(l->bell, &one, sizeof one);
	(void)n;
}

void linger_close(struct linger_pool *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_mutex_unlock(&l->lock);
	ring(l);
	pthread_join(l->thread, NULL);
	close(l->bell);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void linger_take(struct linger_pool *l, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return;
	shutdown(copy, SHUT_WR);
	pthread_mutex_lock(&l->lock);
	bool room = l->arrived_count < LINGER_MAX && !l->stopping;
	if (room)
		l->arrived[l->arrived_count++] = copy;
	pthread_mutex_unlock(&l->lock);
	if (room)
		ring(l);
	else
		close(copy);
}
