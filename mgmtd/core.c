#include "mgmtd/core.h"

#include "mgmtd/log.h"
#include "mgmtd/status.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HUNG_MS 2000		/* a heartbeat older than this */
#define ATTACH_MS 3000		/* the longest a healthy switch takes to read the configuration */

const char *const applied_words[] = { "yes", "pending", "switchcore_down", "rejected" };
static const char *const state_words[] = { "down", "down", "up", "mismatch" };

struct core {
	char run[PATH_MAX];
	pthread_mutex_t lock;		/* all but `status` */
	struct readers *readers;
	int control;
	enum core_state state;
	bool looked;
	char detail[320];		/* why it is not up; "" = it is, or never was */
	int64_t idle_since_ms;		/* alive, but nothing applied; 0 = not so */
	pthread_rwlock_t status_lock;
	struct status_reader *status;	/* NULL = none */
};

int core_open(struct core **c, const char *run, struct shm_why *why)
{
	struct core *new = calloc(1, sizeof *new);
	if (!new)
		return ENOMEM;
	snprintf(new->run, sizeof new->run, "%s", run);
	new->control = -1;
	int e = readers_open(&new->readers, run, why);
	if (e) {
		free(new);
		return e;
	}
	pthread_mutex_init(&new->lock, NULL);
	pthread_rwlock_init(&new->status_lock, NULL);
	*c = new;
	return 0;
}

void core_close(struct core *c)
{
	if (!c)
		return;
	if (c->control >= 0)
		close(c->control);
	status_reader_close(c->status);
	readers_close(c->readers);
	pthread_mutex_destroy(&c->lock);
	pthread_rwlock_destroy(&c->status_lock);
	free(c);
}

/* ------------------------------------------------------------------ looking; the watch thread */

static bool connect_control(struct core *c)
{
	int fd;
	if (c->control >= 0 || control_connect(&fd, c->run) != 0)
		return false;
	pthread_mutex_lock(&c->lock);
	c->control = fd;
	pthread_mutex_unlock(&c->lock);
	/* It may have missed the bell of a change published before we were connected. */
	control_ring(fd);
	return true;
}

static void disconnect_control(struct core *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->control >= 0)
		close(c->control);
	c->control = -1;
	pthread_mutex_unlock(&c->lock);
}

/* *e: why there is no status segment to read. */
static bool refresh_status(struct core *c, int *e, struct shm_why *why)
{
	struct status_reader *new = NULL;
	*e = 0;
	if (c->status && !status_reader_replaced(c->status))
		return false;
	*e = status_reader_open(&new, c->run, why);
	if (*e)
		return false;
	pthread_rwlock_wrlock(&c->status_lock);
	struct status_reader *old = c->status;
	c->status = new;
	pthread_rwlock_unlock(&c->status_lock);
	status_reader_close(old);
	return true;
}

/* The file may have been removed by hand and made anew, while our map still shows the old one. */
static void reopen_readers(struct core *c)
{
	struct shm_why why;
	struct readers *new;
	if (readers_open(&new, c->run, &why) != 0)
		return;
	pthread_mutex_lock(&c->lock);
	struct readers *old = c->readers;
	c->readers = new;
	pthread_mutex_unlock(&c->lock);
	readers_close(old);
}

/* A switch that runs has read the configuration, once there is one. */
static enum core_state judge_attached(struct core *c, const struct core_slot *slot, uint64_t published, char *detail, size_t size)
{
	int64_t now = time_monotonic_ms();
	detail[0] = '\0';
	if (!published || slot->applied_generation || slot->rejected_generation) {
		c->idle_since_ms = 0;
		return CORE_UP;
	}
	if (!c->idle_since_ms)
		c->idle_since_ms = now;
	if (now - c->idle_since_ms <= ATTACH_MS) {
		snprintf(detail, size, "starting: it has not read the configuration yet");
		return CORE_STARTING;
	}
	snprintf(detail, size, "runs, but cannot read the configuration; see its log (another version?)");
	return CORE_MISMATCH;
}

static enum core_state judge(struct core *c, const struct core_slot *slot, uint64_t published, int status_error,
                             const struct shm_why *why, char *detail, size_t size)
{
	struct status_info info = { 0 };
	if (!slot->alive) {
		c->idle_since_ms = 0;
		snprintf(detail, size, "not running");
		return CORE_DOWN;
	}
	if (status_error) {
		snprintf(detail, size, "%s", why->text);
		return status_error == EPROTO ? CORE_MISMATCH : CORE_DOWN;
	}
	status_info(c->status, &info);
	if (info.heartbeat_age_ms > HUNG_MS) {
		snprintf(detail, size, "hung: its last sign of life is older than 2 s");
		return CORE_DOWN;
	}
	return judge_attached(c, slot, published, detail, size);
}

static bool settle(struct core *c, enum core_state state, const char *detail)
{
	bool changed = !c->looked || state != c->state;
	pthread_mutex_lock(&c->lock);
	c->state = state;
	c->looked = true;
	snprintf(c->detail, sizeof c->detail, "%s", detail);
	pthread_mutex_unlock(&c->lock);
	if (changed && state == CORE_UP)
		log_info("switchcore: up");
	else if (changed && state == CORE_STARTING)
		log_info("switchcore: %s", detail);
	else if (changed)
		log_warnx("switchcore: %s: %s", state_words[state], detail);
	return changed;
}

unsigned core_look(struct core *c, uint64_t published)
{
	struct shm_why why = { "" };
	struct core_slot slot;
	char detail[sizeof c->detail];
	int status_error;
	unsigned news = connect_control(c) ? CORE_CONNECTED : 0;
	readers_core(c->readers, &slot);
	if (!slot.alive) {
		reopen_readers(c);
		readers_core(c->readers, &slot);
	}
	if (refresh_status(c, &status_error, &why))
		news |= CORE_NEW_STATUS;
	enum core_state state = judge(c, &slot, published, status_error, &why, detail, sizeof detail);
	if (settle(c, state, detail))
		news |= CORE_STATE_CHANGED;
	return news;
}

int core_control(struct core *c)
{
	return c->control;
}

int core_receive(struct core *c, struct control_packet *packet)
{
	if (c->control < 0)
		return EAGAIN;
	int e = control_receive(c->control, packet);
	if (e == 0 || e == EAGAIN || e == EBADMSG)
		return e;
	disconnect_control(c);
	return EPIPE;
}

/* ------------------------------------------------------------------ any thread */

enum core_state core_state(struct core *c)
{
	pthread_mutex_lock(&c->lock);
	enum core_state state = c->state;
	pthread_mutex_unlock(&c->lock);
	return state;
}

void core_ring(struct core *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->control >= 0)
		control_ring(c->control);
	pthread_mutex_unlock(&c->lock);
}

int core_ask(struct core *c, const struct control_request *request, const void *arguments, size_t length)
{
	pthread_mutex_lock(&c->lock);
	int e = ECONNREFUSED;
	if (c->control >= 0 && c->state == CORE_UP)
		e = control_ask(c->control, request, arguments, length);
	pthread_mutex_unlock(&c->lock);
	return e;
}

enum applied core_applied(struct core *c, uint64_t generation)
{
	struct core_slot slot;
	pthread_mutex_lock(&c->lock);
	enum core_state state = c->state;
	readers_core(c->readers, &slot);
	pthread_mutex_unlock(&c->lock);
	if (!slot.alive || (state != CORE_UP && state != CORE_STARTING))
		return APPLIED_DOWN;
	if (slot.applied_generation >= generation)
		return APPLIED_YES;
	return slot.rejected_generation >= generation ? APPLIED_REJECTED : APPLIED_PENDING;
}

uint64_t core_applied_generation(struct core *c)
{
	struct core_slot slot;
	pthread_mutex_lock(&c->lock);
	readers_core(c->readers, &slot);
	pthread_mutex_unlock(&c->lock);
	return slot.applied_generation;
}

bool core_with_status(struct core *c, void (*f)(struct status_reader *reader, void *arg), void *arg)
{
	pthread_rwlock_rdlock(&c->status_lock);
	bool there = c->status != NULL;
	if (there)
		f(c->status, arg);
	pthread_rwlock_unlock(&c->status_lock);
	return there;
}

static void copy_info(struct status_reader *reader, void *arg)
{
	struct status_info *info = arg;
	status_info(reader, info);
	info->version[sizeof info->version - 1] = '\0';
	info->listeners[sizeof info->listeners - 1] = '\0';
}

bool core_listeners(struct core *c, char *names, size_t size)
{
	struct status_info info;
	enum core_state state = core_state(c);
	if ((state != CORE_UP && state != CORE_STARTING) || !core_with_status(c, copy_info, &info))
		return false;
	snprintf(names, size, "%s", info.listeners);
	return true;
}

bool core_calls(struct core *c, uint32_t *active, uint32_t *per_second)
{
	struct status_info info;
	if (core_state(c) != CORE_UP || !core_with_status(c, copy_info, &info))
		return false;
	*active = info.calls_active;
	*per_second = info.calls_per_second;
	return true;
}

int core_status(struct core *c, unsigned table, uint32_t id, void *status)
{
	int e = ENOENT;
	pthread_rwlock_rdlock(&c->status_lock);
	if (c->status)
		e = status_get(c->status, table, id, status);
	pthread_rwlock_unlock(&c->status_lock);
	if (e == 0 || e == EBUSY)
		status_tame(table, status);
	return e;
}

static void render_running(struct buffer *b, const struct status_info *info, uint64_t applied_revision)
{
	uint64_t now = time_now_us();
	buffer_text(b, ",\"version\":");
	buffer_json_or_null(b, info->version);
	buffer_format(b, ",\"pid\":%" PRId32 ",\"uptime_s\":%" PRIu64, info->pid,
	              now > info->started_at ? (now - info->started_at) / 1000000 : 0);
	if (applied_revision != CORE_REVISION_UNKNOWN)
		buffer_format(b, ",\"applied_revision\":%" PRIu64, applied_revision);
	else
		buffer_text(b, ",\"applied_revision\":null");
	buffer_format(b, ",\"heartbeat_age_ms\":%" PRId64, info->heartbeat_age_ms);
}

void core_render(struct core *c, struct buffer *b, uint64_t applied_revision)
{
	struct status_info info;
	char detail[sizeof c->detail];
	pthread_mutex_lock(&c->lock);
	enum core_state state = c->state;
	memcpy(detail, c->detail, sizeof detail);
	pthread_mutex_unlock(&c->lock);
	buffer_format(b, "{\"state\":\"%s\"", state_words[state]);
	if (state == CORE_UP && core_with_status(c, copy_info, &info))
		render_running(b, &info, applied_revision);
	else
		buffer_text(b, ",\"version\":null,\"pid\":null,\"uptime_s\":null,\"applied_revision\":null,\"heartbeat_age_ms\":null");
	buffer_text(b, ",\"detail\":");
	buffer_json_or_null(b, detail);
	buffer_text(b, "}");
}
