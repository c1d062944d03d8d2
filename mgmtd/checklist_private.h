/* The items of checklists, for those who judge them. */
#ifndef MGMTD_CHECKLIST_PRIVATE_H
#define MGMTD_CHECKLIST_PRIVATE_H

#include "mgmtd/advisor_private.h"

enum check_state { CHECK_DONE, CHECK_TODO, CHECK_WARNING, CHECK_MANUAL };

/* Appends {n, text, state: manual, detail, evidence: [], fix: null}; borrowed, for advice_text(), advice_evidence(), advice_fix(). */
json_t *check_item(json_t *items, const char *text);
void check_state(json_t *item, enum check_state state);

/* For the state that is found. */
#define CHECK(item, state, ...) (check_state(item, state), advice_text(item, "detail", __VA_ARGS__))

/* The fix of that trouble, which holds. */
void check_fix(json_t *item, const struct facts *f, enum trouble trouble);

/* A list without a subject: every item is to be judged by hand. */
json_t *check_unnamed(const char *const *texts, size_t count, const char *query);

#endif
