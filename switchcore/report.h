/*
 * What registrations and gateways do, told to others: status records, attempts, events, log lines.  Implements the
 * reporting part of struct registration_world and struct gateway_world.
 */
#ifndef SWITCHCORE_REPORT_H
#define SWITCHCORE_REPORT_H

#include "registration.h"

struct report;

int report_create(struct report **report, struct status_writer *writer);
void report_destroy(struct report *report);

/* Room for ids below limit.  ENOSPC: the status segment cannot grow; said once, the objects beyond go unreported. */
int report_reserve(struct report *report, enum kind_id kind, uint32_t limit);
/* True once after something was reported: the other side should look. */
bool report_take_news(struct report *report);
/* Once a second or more: tells how many attempt lines were left out. */
void report_tick(struct report *report);

void report_transition(void *report, struct registration *r, enum registration_state from);
void report_begun(void *report, const struct registration *r);
void report_sent(void *report, const struct registration *r);
void report_over(void *report, const struct registration *r, const struct registration_outcome *outcome);
void report_changed(void *report, struct registration *r);

/* Of struct gateway_world. */
void report_gateway(void *report, enum kind_id kind, uint32_t id, const struct gateway_status *status);
void report_event(void *report, const struct status_event *event);

#endif
