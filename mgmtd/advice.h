/* GET /advice; and how a request is answered on the advisor's thread. */
#ifndef MGMTD_ADVICE_H
#define MGMTD_ADVICE_H

#include "mgmtd/advisor.h"
#include "mgmtd/request.h"
#include "mgmtd/worker.h"

struct advice_ask {
	struct job job;
	struct request *request;
	int (*run)(struct advice_ask *ask);	/* on the advisor's thread; an errno goes to request->error */
	struct buffer out;
	struct advice_filter filter;		/* of /advice */
	struct checklist_names names;		/* of /checklists */
};

/* A new one, which the request owns; NULL = no memory. */
struct advice_ask *advice_ask_new(struct request *r);
/* then: on the event thread, when it has run. */
void advice_ask(struct request *r, int (*run)(struct advice_ask *ask), void (*then)(struct request *r));
/* The work went wrong, and that was answered. */
bool advice_failed(struct request *r);

void advice_list(struct request *r);

#endif
