/*
 * Writes call records into a spool, as the switch does:
 *
 *     write_cdrs SPOOL
 *
 * Each line of its input is a record: FIELD=VALUE, separated by tabs, with the names of shm/cdr.def and "id"; in lists ';' ends
 * a line.  A number may be in any base of strtoull(3).  For each record that was written it answers "ok", else the error's
 * number.  The file stays open until the end of the input.
 */
#include "shm/cdr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *lines(char *value)
{
	for (char *c = value; (c = strchr(c, ';'));)
		*c = '\n';
	return value;
}

static int set_field(struct cdr *cdr, const char *name, char *value)
{
	if (strcmp(name, "id") == 0) {
		cdr->id = strtoull(value, NULL, 0);
		return 0;
	}
#define CDR_TIME(field) if (strcmp(name, #field) == 0) { cdr->field = strtoull(value, NULL, 0); return 0; }
#define CDR_NUMBER(field) if (strcmp(name, #field) == 0) { cdr->field = (uint32_t)strtoul(value, NULL, 0); return 0; }
#define CDR_TEXT(field) if (strcmp(name, #field) == 0) { cdr->field = value; return 0; }
#define CDR_LIST(field, member) if (strcmp(name, #field) == 0) { cdr->field = lines(value); return 0; }
#include "shm/cdr.def"
#undef CDR_TIME
#undef CDR_NUMBER
#undef CDR_TEXT
#undef CDR_LIST
	return EINVAL;
}

static int parse(struct cdr *cdr, char *line)
{
	char *save = NULL;

	*cdr = (struct cdr){ 0 };
	for (char *word = strtok_r(line, "\t\n", &save); word; word = strtok_r(NULL, "\t\n", &save)) {
		char *value = strchr(word, '=');
		if (!value)
			return EINVAL;
		*value++ = '\0';
		if (set_field(cdr, word, value) != 0)
			return EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct cdr_writer *writer;
	struct shm_why why = { "" };
	struct cdr cdr;
	char *line = NULL;
	size_t size = 0;
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: write_cdrs SPOOL\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if ((error = cdr_writer_open(&writer, argv[1], &why)) != 0) {
		fprintf(stderr, "%s\n", why.text[0] ? why.text : strerror(error));
		return 1;
	}
	while (getline(&line, &size, stdin) > 0) {
		error = parse(&cdr, line);
		if (!error)
			error = cdr_write(writer, &cdr);
		if (error)
			printf("%d\n", error);
		else
			puts("ok");
	}
	free(line);
	cdr_writer_close(writer);
	return 0;
}
