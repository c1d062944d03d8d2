#include "mgmtd/subject.h"

#include "mgmtd/answer.h"
#include "mgmtd/model.h"
#include "mgmtd/problem.h"
#include "mgmtd/resource.h"
#include "mgmtd/watch.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

_Static_assert(offsetof(struct registration_status, incarnation) == 0 && offsetof(struct gateway_status, incarnation) == 0,
               "every status begins with it");

bool subject_named(struct daemon *daemon, struct subject *subject, enum kind_id kind, const char *name)
{
	struct model *model = daemon->model;
	model_lock(model);
	const struct object *object = model_find(model, kind, name);
	if (object)
		*subject = (struct subject){ kind, object->id, object->incarnation, model_revision(model) };
	model_unlock(model);
	return object != NULL;
}

bool subject_find(struct request *r, struct subject *subject)
{
	bool found = subject_named(r->daemon, subject, r->route->kind->id, r->argument);
	if (!found)
		resource_missing(r);
	return found;
}

void subject_refuse(struct request *r, enum query_id query, const char *what, const char *name)
{
	json_t *errors = json_array();
	json_t *v = problem_violation(errors, "", NULL, "unknown_reference", "there is no %s \"%s\"", what, name);
	json_object_set_new(v, "parameter", json_string(query_parameters[query].name));
	answer_problem(r, 422, NULL, errors, "there is no %s \"%s\"", what, name);
}

struct subject_report subject_read(struct daemon *daemon, const struct subject *subject, void *status)
{
	struct core *core = watch_core(daemon->watch);
	uint64_t incarnation = 0;
	int e = core_status(core, subject->kind, subject->id, status);
	if (e == 0 || e == EBUSY)
		memcpy(&incarnation, status, sizeof incarnation);
	return (struct subject_report){ .known = (e == 0 || e == EBUSY) && incarnation == subject->incarnation,
	                                .stale = e == EBUSY || core_state(core) != CORE_UP };
}
