/*
 * Changes that go back unless they are confirmed (confirm_within).  The writer thread; inside its transaction all but next().
 * Errors as in store.h.
 */
#ifndef MGMTD_STORE_CONFIRMATION_H
#define MGMTD_STORE_CONFIRMATION_H

#include "mgmtd/store.h"

#include <sqlite3.h>

enum confirmation_state { CONFIRMATION_PENDING, CONFIRMATION_CONFIRMED, CONFIRMATION_ROLLED_BACK, CONFIRMATION_FAILED, CONFIRMATION_NONE };
extern const char *const confirmation_words[];	/* "pending", … */

struct confirmation { uint64_t revision, deadline_us; unsigned within_s; };

int store_confirmation_arm(struct store *s, const struct confirmation *confirmation);

/* The pending one whose deadline comes first; revision 0 = none is pending. */
int store_confirmation_next(struct store *s, struct confirmation *next);

int store_confirmation_state(struct store *s, uint64_t revision, enum confirmation_state *state);

/* Ends a pending one.  by: who confirmed, or NULL; rolled_back_by: 0 = no revision came of it; detail: or NULL. */
int store_confirmation_settle(struct store *s, uint64_t revision, enum confirmation_state state, const char *by,
                              uint64_t rolled_back_by, const char *detail);

/* --- for store.c */
struct store_confirmations;
int store_confirmations_open(struct store_confirmations **c, sqlite3 *writer, const char *path, struct shm_why *why);
void store_confirmations_close(struct store_confirmations *c);

#endif
