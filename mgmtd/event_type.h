/* The types of events, as words and as bits: what a client of /events may choose from. */
#ifndef MGMTD_EVENT_TYPE_H
#define MGMTD_EVENT_TYPE_H

#include <stddef.h>

#define EVENT_TYPES(E) \
	E(REGISTRATION, "registration") E(GATEWAY, "gateway") E(CALL, "call") E(REVISION, "revision") E(SWITCHCORE, "switchcore") \
	E(RESET, "reset")

enum event_type_place {
#define EVENT_PLACE(id, word) EVENT_PLACE_##id,
	EVENT_TYPES(EVENT_PLACE)
#undef EVENT_PLACE
	EVENT_TYPE_COUNT
};

#define EVENT_ANY ((1u << EVENT_TYPE_COUNT) - 1)
#define EVENT_RESET (1u << EVENT_PLACE_RESET)

/* The bit of a word of `len` bytes; 0 = there is no such type. */
unsigned event_type(const char *word, size_t len);
/* "registration,call" → bits, with that of `reset`, which everybody gets.  EINVAL: *wrong = where what is no type begins. */
int event_types_parse(unsigned *types, const char *list, const char **wrong);

#endif
