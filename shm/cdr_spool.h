/* The spool's directory: the names of its files and their locks. */
#ifndef SHM_CDR_SPOOL_H
#define SHM_CDR_SPOOL_H

#include "shm/cdr.h"

#include <stdbool.h>

/* Is it the name of a spool file, and of what time? */
bool cdr_name_parse(uint64_t *time, const char *name);

/* Calls each() with every spool file's name, in no order.  dirfd stays open. */
int cdr_spool_each(int dirfd, void (*each)(void *arg, const char *name, uint64_t time), void *arg);

/* True when a writer may still append. */
bool cdr_file_locked(int fd);

#endif
