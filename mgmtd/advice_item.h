/* An advice as it is told: texts for people, links, a change-set that mends it. */
#ifndef MGMTD_ADVICE_ITEM_H
#define MGMTD_ADVICE_ITEM_H

#include "schema/schema.h"

#include <jansson.h>
#include <stdint.h>

enum advice_severity { CRITICAL, WARNING, INFO, SEVERITY_COUNT };
extern const char *const advice_severity_words[SEVERITY_COUNT];

/* {id, trouble, severity, subject, since, symptom, cause, steps: [], evidence: [], fix: null}; texts follow.  since: µs. */
json_t *advice_item(const char *trouble, enum advice_severity severity, enum kind_id kind, const char *name, uint64_t since);

void advice_text(json_t *item, const char *member, const char *format, ...) __attribute__((format(printf, 3, 4)));
void advice_step(json_t *item, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A path below /api/v1. */
void advice_evidence(json_t *item, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A change-set of one patch; value is taken. */
json_t *advice_change_set(const char *comment);
void advice_change(json_t *set, enum kind_id kind, const char *name, json_t *value);
void advice_fix(json_t *item, enum kind_id kind, const char *name, const char *comment, json_t *value);

#endif
