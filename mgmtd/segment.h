/* From documents into the configuration segment: records, the parameters' struct, and the whole configuration at once. */
#ifndef MGMTD_SEGMENT_H
#define MGMTD_SEGMENT_H

#include "mgmtd/secret.h"
#include "mgmtd/store.h"
#include "shm/config.h"

/* Writes a parameter's value, or its default, into the struct. */
void segment_set_parameter(struct sip_parameters *parameters, const struct object *object);

/* Puts object->record, whose fields are filled, with its head and what is derived. */
int segment_put(struct config_writer *segment, const struct secrets *secrets, const struct object *object, struct record *record);

/* Every secret of an object on its way that was not there before goes into the database, sealed. */
int segment_keep_secrets(struct store *store, const struct secrets *secrets, const struct object *object);

/* The secret that a reference stands for, into a field of `size` bytes.  ENOENT, EBADMSG: it cannot be read any more. */
int segment_open_secret(struct store *store, const struct secrets *secrets, const char *reference, void *slot, size_t size);

/* Publishes every object of the model anew: the segment is missing, behind or lost. */
int segment_publish_all(struct config_writer *segment, struct model *model, struct store *store, const struct secrets *secrets,
                        uint64_t *generation);

#endif
