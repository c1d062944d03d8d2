/* The whole configuration as one document (replacement.h reads it), of one revision. */
#ifndef MGMTD_EXPORT_H
#define MGMTD_EXPORT_H

#include "mgmtd/buffer.h"
#include "mgmtd/sealing.h"
#include "mgmtd/secret.h"
#include "mgmtd/store_export.h"

/* Appends the document.  sealing: secrets go in, sealed; NULL: only {"set": …}.  Errors as in store.h; ENOMEM shows in `out`. */
int export_write(struct buffer *out, struct store_export *store, const struct secrets *secrets, const struct sealing *sealing,
                 uint64_t *revision);

#endif
