/* What the switch tells of its objects and calls, passed on to those who listen to /events.  The watch's thread. */
#ifndef MGMTD_NEWS_H
#define MGMTD_NEWS_H

#include "mgmtd/core.h"
#include "mgmtd/events.h"
#include "mgmtd/model.h"

struct news {
	struct events *events;
	struct core *core;
	struct model *model;
};

void news_publish(struct news *news, const struct status_event *event);

#endif
