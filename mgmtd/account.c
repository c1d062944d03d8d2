#include "mgmtd/account.h"

#include "mgmtd/log.h"
#include "mgmtd/page.h"
#include "mgmtd/password.h"
#include "mgmtd/problem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ADMIN "admin"
#define INITIAL_BYTES 18	/* 24 characters of base64, 144 bits */

static int initial_path(char path[PATH_MAX], const char *state)
{
	int len = snprintf(path, PATH_MAX, "%s/initial-admin-password", state);
	return len < 0 || len >= PATH_MAX ? ENAMETOOLONG : 0;
}

void account_forget_initial_password(const char *state, const char *username)
{
	char path[PATH_MAX];
	if (strcmp(username, ADMIN) == 0 && initial_path(path, state) == 0 && unlink(path) != 0 && errno != ENOENT)
		log_warn("account %s: cannot remove %s", username, path);
}

/* The first line of the file, which may have been typed with an editor. */
static int read_password(char *password, size_t size, const char *path, struct shm_why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, password, size - 1);
	int e = n < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (e) {
		snprintf(why->text, sizeof why->text, "%.200s: %s", path, strerror(e));
		return e;
	}
	password[n] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	const char *fault = password_fault(password, strlen(password));
	if (!fault)
		return 0;
	snprintf(why->text, sizeof why->text, "%.200s: the password in its first line %s", path, fault);
	return EINVAL;
}

static int write_initial(const char *password, const char *state, struct shm_why *why)
{
	char path[PATH_MAX];
	int e = initial_path(path, state), fd = -1;
	if (e)
		goto out;
	unlink(path);	/* of a first start that did not get to the end */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || dprintf(fd, "%s\n", password) < 0 || fsync(fd) != 0)
		e = errno;
out:
	if (fd >= 0)
		close(fd);
	if (e)
		snprintf(why->text, sizeof why->text, "%.200s/initial-admin-password: %s", state, strerror(e));
	return e;
}

/* ------------------------------------------------------------------ storing, and waiting for it */

struct storing {
	const struct store_user *user;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool over;
	int error;
};

static int put(struct store *store, void *arg)
{
	return store_user_put(store, ((struct storing *)arg)->user);
}

static void over(int error, void *arg)
{
	struct storing *s = arg;
	pthread_mutex_lock(&s->lock);
	s->over = true;
	s->error = error;
	pthread_cond_signal(&s->done);
	pthread_mutex_unlock(&s->lock);
}

static int store_and_wait(struct writer *writer, const struct store_user *user)
{
	struct storing s = { .user = user, .lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER };
	int e = writer_run(writer, put, over, &s);
	if (e)
		return e;
	pthread_mutex_lock(&s.lock);
	while (!s.over)
		pthread_cond_wait(&s.done, &s.lock);
	pthread_mutex_unlock(&s.lock);
	return s.error;
}

int account_prepare(struct writer *writer, const struct options *options, struct shm_why *why)
{
	struct store_user user;
	char password[PASSWORD_MAX + 2];
	unsigned char bytes[INITIAL_BYTES];
	/* Who removed "admin" has another administrator, and does not want it back. */
	int e = store_user_any(writer_store(writer));
	if (e != ENOENT) {
		if (e)
			snprintf(why->text, sizeof why->text, "account %s: %s", ADMIN, strerror(e));
		return e;
	}
	user = (struct store_user){ .username = ADMIN, .role = "admin", .must_change_password = !options->admin_password_file };
	store_user_touch(&user, ADMIN);
	if (options->admin_password_file) {
		e = read_password(password, sizeof password, options->admin_password_file, why);
	} else {
		randombytes_buf(bytes, sizeof bytes);
		sodium_bin2base64(password, sizeof password, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		e = write_initial(password, options->state, why);
	}
	if (!e && (e = password_hash(user.password_hash, password)) == 0)
		e = store_and_wait(writer, &user);
	sodium_memzero(password, sizeof password);
	if (e && !why->text[0])
		snprintf(why->text, sizeof why->text, "account %s: cannot be stored: %s", ADMIN, strerror(e));
	if (!e && user.must_change_password)
		log_info("account %s: made; its first password is in %s/initial-admin-password", ADMIN, options->state);
	else if (!e)
		log_info("account %s: made with the password of %s", ADMIN, options->admin_password_file);
	return e;
}

/* ------------------------------------------------------------------ what is done to accounts */

void account_note(struct store_account_change *note, struct request *r, const char *kind, const char *name)
{
	*note = (struct store_account_change){ .kind = kind };
	time_text(note->at, time_now_us());
	snprintf(note->actor, sizeof note->actor, "%s", r->identity.username);
	snprintf(note->token, sizeof note->token, "%s", r->identity.token);
	snprintf(note->address, sizeof note->address, "%s", r->address);
	snprintf(note->request_id, sizeof note->request_id, "%s", request_id(r));
	snprintf(note->name, sizeof note->name, "%s", name);
}

void account_take_role(char role[16], const json_t *value, json_t *errors)
{
	const char *text = json_string_value(value);
	if (text && role_of(text) != ROLE_PUBLIC) {
		snprintf(role, 16, "%s", text);
		return;
	}
	json_t *v = problem_violation(errors, "", "role", text ? "not_an_option" : "wrong_type", "must be viewer, operator or admin");
	json_object_set_new(v, "options", json_pack("[s,s,s]", "viewer", "operator", "admin"));
}

static int read_changes(struct page *page)
{
	int e = store_account_changes(page->daemon->store, page->before, page->limit, page->items, &page->more);
	json_t *last = json_array_get(page->items, json_array_size(page->items) - 1);
	snprintf(page->last, sizeof page->last, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(last, "seq")));
	return e;
}

void account_list_changes(struct request *r)
{
	page_by_number(r, read_changes);
}
