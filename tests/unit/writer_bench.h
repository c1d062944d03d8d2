/* A writer on directories of its own, and changes asked of it: for tests of the change pipeline. */
#ifndef TESTS_UNIT_WRITER_BENCH_H
#define TESTS_UNIT_WRITER_BENCH_H

#include "mgmtd/writer.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct bench {
	char root[64], state[80], run[80];
	struct writer *writer;
	struct writer_hooks hooks;
	int revisions;		/* announced */
	char listeners[64];	/* "" = the switch is down */
};

static inline void committed(void *arg, uint64_t revision, const char *item)
{
	struct bench *b = arg;
	json_t *parsed = json_loads(item, 0, NULL);

	assert_non_null(parsed);
	assert_int_equal(json_integer_value(json_object_get(parsed, "revision")), revision);
	json_decref(parsed);
	b->revisions++;
}

static inline bool listeners(void *arg, char *names, size_t size)
{
	struct bench *b = arg;
	snprintf(names, size, "%s", b->listeners);
	return b->listeners[0] != '\0';
}

static inline void start(struct bench *b)
{
	struct shm_why why = { "" };
	int error = writer_open(&b->writer, b->state, b->run, &b->hooks, &why);

	if (error)
		fail_msg("writer_open: %s: %s", strerror(error), why.text);
}

static inline int setup(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	snprintf(b->root, sizeof b->root, "/tmp/tandem-writer-XXXXXX");
	if (!b || !mkdtemp(b->root))
		return -1;
	snprintf(b->state, sizeof b->state, "%s/state", b->root);
	snprintf(b->run, sizeof b->run, "%s/run", b->root);
	mkdir(b->run, 0700);
	b->hooks = (struct writer_hooks){ .arg = b, .committed = committed, .listeners = listeners };
	start(b);
	*state = b;
	return 0;
}

static inline int teardown(void **state)
{
	struct bench *b = *state;
	char command[128];

	writer_close(b->writer);
	snprintf(command, sizeof command, "rm -rf '%s'", b->root);
	int status = system(command);
	free(b);
	return status;
}

static inline void restart(struct bench *b)
{
	writer_close(b->writer);
	b->writer = NULL;
	start(b);
}

/* ------------------------------------------------------------------ asking */

static inline void post(struct change *change)
{
	sem_post(change->arg);
}

static inline void submit(struct bench *b, struct change *change, sem_t *answered)
{
	change->actor = strdup("admin");
	change->address = strdup("127.0.0.1");
	change->request_id = strdup("r-1");
	change->done = post;
	change->arg = answered;
	assert_int_equal(writer_submit(b->writer, change), 0);
}

static inline struct change *carry_out(struct bench *b, struct change *change)
{
	sem_t answered;

	sem_init(&answered, 0, 0);
	submit(b, change, &answered);
	sem_wait(&answered);
	sem_destroy(&answered);
	return change;
}

static inline struct change *build(enum operation_verb verb, enum kind_id kind, const char *name, const char *body)
{
	json_t *errors = json_array(), *parsed = body ? json_loads(body, 0, NULL) : NULL;
	struct change *change = change_single(verb, &schema_kinds[kind], name, parsed, errors);

	assert_int_equal(json_array_size(errors), 0);
	json_decref(parsed);
	json_decref(errors);
	return change;
}

static inline struct change *build_set(const char *body)
{
	json_t *errors = json_array(), *parsed = json_loads(body, 0, NULL);
	struct change *change = change_set(parsed, errors);

	if (!change)
		fail_msg("%s", json_dumps(errors, 0));
	json_decref(parsed);
	json_decref(errors);
	return change;
}

/* Carries out and forgets a change that must get this status. */
static inline void expect(struct bench *b, unsigned status, struct change *change)
{
	carry_out(b, change);
	if (change->status != status)
		fail_msg("%u instead of %u: %s", change->status, status, json_dumps(change->body, 0));
	change_free(change);
}

static inline void add(struct bench *b, const char *name)
{
	expect(b, 201, build(VERB_PUT, KIND_REGISTRATION, name, "{\"server\":\"h\",\"username\":\"u\",\"password\":\"s3cret\"}"));
}

static inline const struct registration_record *published(struct bench *b, const struct snapshot **snap, struct config_reader **reader,
                                                   const char *name)
{
	struct shm_why why;

	assert_int_equal(config_reader_open(reader, b->run, READER_TOOL, &why), 0);
	assert_int_equal(config_refresh(*reader, snap, NULL, &why), 0);
	return (const struct registration_record *)snapshot_find(*snap, KIND_REGISTRATION, name);
}

static inline uint64_t revision_of(struct bench *b)
{
	struct writer_state now;
	writer_state(b->writer, &now);
	return now.stored_revision;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
