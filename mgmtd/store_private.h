/* The parts of the store that have statements on tandem.db in files of their own; each belongs to the thread that its own
 * header names. */
#ifndef MGMTD_STORE_PRIVATE_H
#define MGMTD_STORE_PRIVATE_H

#include "mgmtd/store.h"

struct store_history;
struct store_spans;
struct store_confirmations;

struct store_history *store_history_of(const struct store *s);
struct store_spans *store_spans_of(const struct store *s);
struct store_confirmations *store_confirmations_of(const struct store *s);

#endif
