/* /etc/hosts: names such as localhost, which the DNS does not know. */
#ifndef SWITCHCORE_HOSTS_H
#define SWITCHCORE_HOSTS_H

#include "target.h"

/* Addresses of `name` in the file, IPv4 and IPv6 in the file's order, at most `room`; how many there are.
 * The file is read again when it changed; it is local and small, so reading it may block the loop. */
struct hosts;
int hosts_create(struct hosts **hosts, const char *path);
void hosts_destroy(struct hosts *hosts);
size_t hosts_find(struct hosts *hosts, const char *name, union address *addresses, size_t room);

#endif
