#include "mgmtd/offline.h"

#include "mgmtd/export.h"
#include "mgmtd/log.h"
#include "mgmtd/problem.h"
#include "mgmtd/replacement.h"
#include "mgmtd/request.h"
#include "mgmtd/state.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIOLATIONS_TOLD 20

static int explain(struct shm_why *why, int error, const char *what)
{
	if (!why->text[0])
		snprintf(why->text, sizeof why->text, "%.200s: %s", what, store_explain(error));
	return error;
}

/* ------------------------------------------------------------------ files */

/* A whole file, bounded; "-" = stdin. */
static int read_file(struct buffer *b, const char *path, size_t limit, struct shm_why *why)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && b->len <= limit) {
		if (!buffer_reserve(b, 1u << 16))
			return explain(why, ENOMEM, path);
		n = read(fd, b->text + b->len, 1u << 16);
		b->len += n > 0 ? (size_t)n : 0;
	}
	int error = n < 0 ? errno : 0;
	if (fd > STDIN_FILENO)
		close(fd);
	if (b->len > limit) {
		snprintf(why->text, sizeof why->text, "%.200s: is longer than %zu bytes", path, limit);
		return EFBIG;
	}
	return error ? explain(why, error, path) : 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno != EINTR)
			return errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Beside it first: under its name there is the old file or the whole new one. */
static int write_file(const char *path, const char *text, size_t len, struct shm_why *why)
{
	char part[4096];
	int error;

	if (strcmp(path, "-") == 0)
		return (error = write_all(STDOUT_FILENO, text, len)) ? explain(why, error, "stdout") : 0;
	if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
		return explain(why, ENAMETOOLONG, path);
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return explain(why, errno, part);
	error = write_all(fd, text, len);
	if (!error && fsync(fd) != 0)
		error = errno;
	close(fd);
	if (!error && rename(part, path) != 0)
		error = errno;
	if (error)
		unlink(part);
	return error ? explain(why, error, path) : 0;
}

/* The first line of the file; NULL in *passphrase: none is asked for. */
static int read_passphrase(char **passphrase, const char *path, struct shm_why *why)
{
	struct buffer b = { 0 };
	size_t len;

	*passphrase = NULL;
	if (!path)
		return 0;
	int error = read_file(&b, path, 64u << 10, why);
	if (!error) {
		buffer_append(&b, "", 1);
		len = b.failed ? 0 : strcspn(b.text, "\r\n");
		if (len < SEALING_PASSPHRASE_MIN || len > SEALING_PASSPHRASE_MAX) {
			snprintf(why->text, sizeof why->text, "%.200s: the passphrase in its first line must have %d to %d bytes; it has %zu", path,
			         SEALING_PASSPHRASE_MIN, SEALING_PASSPHRASE_MAX, len);
			error = EINVAL;
		} else if (!(*passphrase = strndup(b.text, len))) {
			error = ENOMEM;
		}
	}
	if (b.text)
		sodium_memzero(b.text, b.room);
	buffer_free(&b);
	return error;
}

/* ------------------------------------------------------------------ exporting */

static int export_stored(struct buffer *out, const struct options *options, const char *passphrase, struct shm_why *why)
{
	struct secrets *secrets = NULL;
	struct store *store = NULL;
	struct store_export *exports = NULL;
	struct sealing *sealing = NULL;
	uint64_t revision;
	bool fresh;
	int error = secrets_open(&secrets, options->state, false, why);

	if (!error)
		error = store_open(&store, options->state, &fresh, why);	/* brings an older database up to date, as a start does */
	if (!error)
		error = store_export_open(&exports, options->state, why);
	if (!error && passphrase && (error = sealing_new(&sealing, passphrase)))
		explain(why, error, "the passphrase");
	if (!error) {
		error = export_write(out, exports, secrets, sealing, &revision);
		if (!error && out->failed)
			error = ENOMEM;
		if (error)
			explain(why, error, options->state);
	}
	if (!error)
		log_info("export: revision %" PRIu64 "%s", revision, passphrase ? ", with its secrets" : ", without secrets");
	sealing_free(sealing);
	store_export_close(exports);
	store_close(store);
	secrets_close(secrets);
	return error;
}

static int export_to(const struct options *options, const char *passphrase, struct shm_why *why)
{
	struct buffer out = { 0 };
	struct stat st;
	int lock, error;

	if (stat(options->state, &st) != 0)	/* a lock would make it */
		return explain(why, errno, options->state);
	if ((error = state_lock(&lock, options->state, why)))
		return error;
	error = export_stored(&out, options, passphrase, why);
	if (!error)
		buffer_text(&out, "\n");
	if (!error)
		error = write_file(options->export_file, out.text, out.len, why);
	buffer_free(&out);
	close(lock);
	return error;
}

/* ------------------------------------------------------------------ importing */

static void tell(const json_t *errors)
{
	size_t i;
	json_t *violation;

	json_array_foreach((json_t *)(uintptr_t)errors, i, violation) {
		if (i == VIOLATIONS_TOLD) {
			fprintf(stderr, "mgmtd: and %zu more\n", json_array_size(errors) - i);
			break;
		}
		fprintf(stderr, "mgmtd: %s: %s\n", json_string_value(json_object_get(violation, "pointer")),
		        json_string_value(json_object_get(violation, "detail")));
	}
}

static void done(struct change *change)
{
	sem_post(change->arg);
}

/* Takes the change. */
static int carry_out(struct writer *writer, struct change *change, struct shm_why *why)
{
	sem_t answered;
	int error = 0;

	change->actor = strdup("mgmtd");
	change->address = strdup("local");
	change->request_id = strdup("import");
	change->comment = strdup("mgmtd --import");
	change->done = done;
	change->arg = &answered;
	sem_init(&answered, 0, 0);
	if (!change->actor || !change->address || !change->request_id || !change->comment || (error = writer_submit(writer, change))) {
		error = error ? error : ENOMEM;
	} else {
		while (sem_wait(&answered) != 0)
			continue;
		if (change->status >= 300) {
			snprintf(why->text, sizeof why->text, "import: %.200s", json_string_value(json_object_get(change->body, "detail")));
			tell(json_object_get(change->body, "errors"));
			error = EINVAL;
		} else {
			bool changed = json_is_true(json_object_get(change->body, "changed"));
			log_info("import: %s %" PRIu64, changed ? "made revision" : "nothing differs from revision", change->revision);
		}
	}
	sem_destroy(&answered);
	change_free(change);
	return error;
}

static int import_body(struct writer *writer, struct buffer *body, const char *passphrase, struct shm_why *why)
{
	struct change *change = NULL;
	struct json_fault fault;
	json_t *errors = json_array();
	size_t len = 0;
	char *text = buffer_take(body, &len);
	int error = replacement_read(&change, writer_model(writer), writer_secrets(writer), text, len, passphrase, errors, &fault);

	if (error == EBADMSG) {
		snprintf(why->text, sizeof why->text, "import: not JSON: line %d, column %d: %s", fault.line, fault.column, fault.text);
	} else if (error == EINVAL) {
		snprintf(why->text, sizeof why->text, "import: the configuration is not as it must be; nothing was changed");
		tell(errors);
	} else if (!error) {
		error = carry_out(writer, change, why);
	}
	json_decref(errors);
	return error;
}

/* What is published for nobody goes to a directory of its own: a switch that runs is told by the next start of mgmtd. */
static int make_run(char run[64], struct shm_why *why)
{
	snprintf(run, 64, "/dev/shm/tandem-import-XXXXXX");
	if (mkdtemp(run))
		return 0;
	snprintf(run, 64, "/tmp/tandem-import-XXXXXX");
	return mkdtemp(run) ? 0 : explain(why, errno, "a directory for the import");
}

static void remove_run(const char *run)
{
	static const char *const files[] = { "config", "readers" };
	char path[128];

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", run, files[i]);
		unlink(path);
	}
	rmdir(run);
}

static int import_from(const struct options *options, const char *passphrase, struct shm_why *why)
{
	const struct writer_hooks hooks = { 0 };
	struct writer *writer = NULL;
	struct buffer body = { 0 };
	char run[64];
	int error = read_file(&body, options->import_file, REQUEST_LARGE_BODY_MAX, why);

	if (!error)
		error = make_run(run, why);
	if (!error) {
		if ((error = writer_open(&writer, options->state, run, &hooks, why)))
			explain(why, error, options->state);
		else
			error = import_body(writer, &body, passphrase, why);
		writer_close(writer);
		remove_run(run);
	}
	buffer_free(&body);
	return error ? explain(why, error, "import") : 0;
}

int offline_run(const struct options *options, struct shm_why *why)
{
	char *passphrase;
	int error = read_passphrase(&passphrase, options->passphrase_file, why);

	if (!error && options->export_file)
		error = export_to(options, passphrase, why);
	else if (!error)
		error = import_from(options, passphrase, why);
	if (passphrase)
		sodium_memzero(passphrase, strlen(passphrase));
	free(passphrase);
	return error;
}
