/* The state directory: one mgmtd at a time. */
#ifndef MGMTD_STATE_H
#define MGMTD_STATE_H

#include "shm/shm.h"

/* Makes the directory if it is missing, and locks it until *lock is closed.  EBUSY: another mgmtd has it; EPERM: it is not a
 * directory of this user that nobody else may enter; others from the system. */
int state_lock(int *lock, const char *state, struct shm_why *why);

#endif
