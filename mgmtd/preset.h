/* GET /presets: settings for known scenarios, as change-sets ready to be sent. */
#ifndef MGMTD_PRESET_H
#define MGMTD_PRESET_H

#include "mgmtd/request.h"

void preset_list(struct request *r);

#endif
