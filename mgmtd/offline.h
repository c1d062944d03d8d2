/* mgmtd --export, mgmtd --import: the whole configuration of a state directory that no mgmtd serves. */
#ifndef MGMTD_OFFLINE_H
#define MGMTD_OFFLINE_H

#include "mgmtd/options.h"
#include "shm/shm.h"

/* Does what options->export_file or import_file asks.  0, or a positive errno with why in one line. */
int offline_run(const struct options *options, struct shm_why *why);

#endif
