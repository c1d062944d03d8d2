#include "hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (4u << 20)

struct hosts {
	char *path, *text;		/* text: the file, NUL-terminated */
	struct stat seen;
};

int hosts_create(struct hosts **hosts, const char *path)
{
	struct hosts *h = calloc(1, sizeof *h);

	if (!h || !(h->path = strdup(path))) {
		free(h);
		return ENOMEM;
	}
	*hosts = h;
	return 0;
}

void hosts_destroy(struct hosts *hosts)
{
	if (!hosts)
		return;
	free(hosts->text);
	free(hosts->path);
	free(hosts);
}

static void reread(struct hosts *hosts)
{
	struct stat now;
	FILE *f;
	size_t size, n;

	if (stat(hosts->path, &now) != 0 || now.st_size > FILE_MAX_BYTES)
		return;
	if (hosts->text && now.st_ino == hosts->seen.st_ino && now.st_size == hosts->seen.st_size &&
	    now.st_mtim.tv_sec == hosts->seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == hosts->seen.st_mtim.tv_nsec)
		return;
	f = fopen(hosts->path, "re");
	if (!f)
		return;
	size = (size_t)now.st_size;
	free(hosts->text);
	hosts->text = malloc(size + 1);
	if (hosts->text) {
		n = fread(hosts->text, 1, size, f);
		hosts->text[n] = '\0';
		hosts->seen = now;
	}
	fclose(f);
}

/* One line: an address, then names, up to a '#'. */
static bool line_names(const char *line, size_t len, const char *name, union address *address)
{
	char word[256];
	bool first = true;

	while (len > 0 && *line != '#') {
		size_t skip = strspn(line, " \t\r"), n;
		if (skip >= len)
			return false;
		line += skip;
		len -= skip;
		n = strcspn(line, " \t\r\n#");
		if (n > len)
			n = len;
		if (n == 0 || n >= sizeof word)
			return false;
		memcpy(word, line, n);
		word[n] = '\0';
		if (first ? !address_parse(address, word, 0) : strcasecmp(word, name) == 0)
			return !first;
		first = false;
		line += n;
		len -= n;
	}
	return false;
}

size_t hosts_find(struct hosts *hosts, const char *name, union address *addresses, size_t room)
{
	size_t count = 0;

	reread(hosts);
	if (!hosts->text)
		return 0;
	for (const char *line = hosts->text; *line && count < room;) {
		size_t len = strcspn(line, "\n");
		if (line_names(line, len, name, &addresses[count]))
			count++;
		line += len + (line[len] == '\n');
	}
	return count;
}
