#include "mgmtd/event_type.h"

#include <errno.h>
#include <string.h>

unsigned event_type(const char *word, size_t len)
{
#define WORD(id, text) text,
	static const char *const words[EVENT_TYPE_COUNT] = { EVENT_TYPES(WORD) };
#undef WORD
	for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++)
		if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
			return 1u << i;
	return 0;
}

int event_types_parse(unsigned *types, const char *list, const char **wrong)
{
	unsigned found = EVENT_RESET;

	for (;; list++) {
		size_t len = strcspn(list, ",");
		unsigned type = event_type(list, len);
		if (!type) {
			*wrong = list;
			return EINVAL;
		}
		found |= type;
		list += len;
		if (!*list)
			break;
	}
	*types = found;
	return 0;
}
