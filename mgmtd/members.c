#include "mgmtd/members.h"

#include <errno.h>
#include <string.h>

/* Behind the closing quotation mark; NULL = there is none. */
static const char *skip_string(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at + 1 : NULL;
}

const char *members_skip(const char *at)
{
	int depth = 0;

	while (at && *at && (depth > 0 || (*at != ',' && *at != '}' && *at != ']'))) {
		if (*at == '"') {
			at = skip_string(at);
			continue;
		}
		depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
		at++;
	}
	return at && *at ? at : NULL;
}

/* Behind `"name":`; NULL = something else stands here. */
static const char *skip_name(const char *at, const char *name)
{
	size_t len = strlen(name);

	return at[0] == '"' && strncmp(at + 1, name, len) == 0 && strncmp(at + 1 + len, "\":", 2) == 0 ? at + len + 3 : NULL;
}

int members_find(struct member members[MEMBERS_MAX], const struct kind *kind, const char *text)
{
	const char *at = text;

	if (kind->nfields > MEMBERS_MAX)
		return EINVAL;
	for (size_t i = 0; i < kind->nfields; i++) {
		if (*at != (i == 0 ? '{' : ','))
			return EINVAL;
		const char *value = skip_name(at + 1, kind->fields[i].name);
		at = value ? members_skip(value) : NULL;
		if (!at)
			return EINVAL;
		members[i] = (struct member){ value, (size_t)(at - value) };
	}
	return strcmp(at, "}") == 0 ? 0 : EINVAL;
}
