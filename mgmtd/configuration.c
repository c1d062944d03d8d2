#include "mgmtd/configuration.h"

#include "mgmtd/answer.h"
#include "mgmtd/body.h"
#include "mgmtd/export.h"
#include "mgmtd/replacement.h"
#include "mgmtd/worker.h"
#include "mgmtd/write.h"
#include "mgmtd/writer.h"

#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* On its way to the thread for large documents and back. */
struct configuration {
	struct job job;
	struct request *request;
	char *passphrase;		/* or NULL */
	struct buffer document;		/* what is to be shown, or what came */
	uint64_t revision;
	struct change *change;
	json_t *errors;
	struct json_fault fault;
};

static void configuration_free(void *work)
{
	struct configuration *c = work;
	if (c->passphrase)
		sodium_memzero(c->passphrase, strlen(c->passphrase));
	free(c->passphrase);
	buffer_free(&c->document);
	change_free(c->change);
	json_decref(c->errors);
	free(c);
}

static void start(struct request *r, struct configuration *c, void (*run)(struct job *job, bool cancelled),
                  void (*then)(struct request *r))
{
	c->request = r;
	c->job.run = run;
	request_hand_over(r, r->daemon->bulk, &c->job, then);
}

static struct configuration *configuration_new(struct request *r)
{
	struct configuration *c = calloc(1, sizeof *c);
	r->work = c;
	r->work_free = c ? configuration_free : NULL;
	return c;
}

static struct configuration *of_job(struct job *job)
{
	return (struct configuration *)((char *)job - offsetof(struct configuration, job));
}

/* True: answered. */
static bool answer_trouble(struct request *r)
{
	if (r->error)
		answer_unavailable(r, NULL, "whole configurations");
	return r->error != 0;
}

/* ------------------------------------------------------------------ showing */

static int write_document(struct configuration *c)
{
	struct daemon *d = c->request->daemon;
	struct sealing *sealing = NULL;
	int error = c->passphrase ? sealing_new(&sealing, c->passphrase) : 0;
	if (!error)
		error = export_write(&c->document, d->exports, writer_secrets(d->writer), sealing, &c->revision);
	sealing_free(sealing);
	return error;
}

static void write_job(struct job *job, bool cancelled)
{
	struct configuration *c = of_job(job);
	c->request->error = cancelled ? ECANCELED : write_document(c);
	request_wake(c->request);
}

static void answer_document(struct request *r)
{
	struct configuration *c = r->work;
	if (answer_trouble(r))
		return;
	answer_buffer(r, 200, "application/json", &c->document);
	answer_etag(r, c->revision);
}

void configuration_show(struct request *r)
{
	uint64_t revision = model_newest(r->daemon->model);
	if (request_has(r, revision)) {
		answer_empty(r, 304);
		answer_etag(r, revision);
		return;
	}
	struct configuration *c = configuration_new(r);
	if (c)
		start(r, c, write_job, answer_document);
}

void configuration_export(struct request *r)
{
	char passphrase[SEALING_PASSPHRASE_MAX + 1] = "";
	const struct body_field fields[] = {
		{ .name = "passphrase", .text = passphrase, .min = SEALING_PASSPHRASE_MIN, .max = SEALING_PASSPHRASE_MAX },
	};
	struct configuration *c = configuration_new(r);
	if (c && body_take(r, fields, 1) && (c->passphrase = strdup(passphrase)))
		start(r, c, write_job, answer_document);
	sodium_memzero(passphrase, sizeof passphrase);
}

/* ------------------------------------------------------------------ replacing */

static void read_job(struct job *job, bool cancelled)
{
	struct configuration *c = of_job(job);
	struct daemon *d = c->request->daemon;
	size_t len = 0;
	char *body = buffer_take(&c->document, &len);
	if (cancelled)
		free(body);
	c->request->error = cancelled ? ECANCELED : replacement_read(&c->change, d->model, writer_secrets(d->writer), body, len,
	                                                            c->passphrase, c->errors, &c->fault);
	request_wake(c->request);
}

static void answer_read(struct request *r)
{
	struct configuration *c = r->work;
	struct change *change = c->change;
	if (r->error == EBADMSG) {
		request_refuse_json(r, &c->fault);
	} else if (r->error == EINVAL) {
		answer_problem(r, 422, NULL, json_incref(c->errors), "the configuration is not as it must be; nothing was changed");
	} else if (!answer_trouble(r)) {
		c->change = NULL;
		configuration_free(c);
		r->work = NULL;
		r->work_free = NULL;
		write_change(r, change);
	}
}

void configuration_replace(struct request *r)
{
	if (write_refused(r))
		return;
	struct configuration *c = configuration_new(r);
	if (!c || r->body.failed || !(c->errors = json_array()))
		return;
	if (r->head.passphrase.value && !(c->passphrase = strdup(r->head.passphrase.value)))
		return;
	c->document = r->body;
	r->body = (struct buffer){ 0 };
	start(r, c, read_job, answer_read);
}
