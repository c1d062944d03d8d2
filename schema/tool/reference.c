/* Prints the reference of every parameter and field, in Markdown, from the schema tables: schema/REFERENCE.md. */
#include "schema/schema.h"

#include <stdio.h>
#include <string.h>

static void print_values(const struct field *field)
{
	const char *joint = "";

	if (field->type == FT_BOOL) {
		printf("true, false");
		return;
	}
	for (const struct option_word *o = field->options; o && o->word; o++, joint = ", ")
		printf("%s`\"%s\"`", joint, o->word);
	if (field->type == FT_INT || field->type == FT_INT_OR_KEYWORD)
		printf("%s%s%d–%d%s", joint, field->flags & ZERO_OFF ? "0 (off), " : "", field->min, field->max,
		       field->unit == SECONDS ? " s" : "");
	else if (field->type != FT_ENUM)
		printf("%d–%d bytes%s", field->min, field->max,
		       field->type == FT_HOST ? ", a host" : field->type == FT_HOST_PORT ? ", host[:port]" :
		       field->type == FT_USER ? ", a SIP user" : field->type == FT_NAME ? ", a name" : "");
}

static void print_field(const struct field *field)
{
	printf("| `%s` | %s | ", field->name, schema_type_word(field->type));
	print_values(field);
	if (field->flags & REQUIRED)
		printf(" | *required* | ");
	else if (field->flags & SECRET)
		printf(" | *none; secret* | ");
	else
		printf(" | `%s` | ", field->fallback);
	printf("%s | %s%s%s%s |\n", schema_applies_word(field->applies), field->help,
	       field->inherits ? " `\"inherit\"` = `" : "", field->inherits ? field->inherits : "", field->inherits ? "`." : "");
}

int main(void)
{
	printf("<!-- made from schema/*.def by schema/tool/reference.c: `make reference` -->\n"
	       "# Reference\n\n"
	       "What a change of a value does: *live* = from the next message on, *reregister* = the registrations that use it\n"
	       "send a new REGISTER, nothing else.\n");
	for (size_t k = 0; k < KIND_COUNT; k++) {
		const struct kind *kind = &schema_kinds[k];
		const char *group = "";
		printf("\n## `%s`\n", kind->path);
		for (size_t i = 0; i < kind->nfields; i++) {
			if (strcmp(group, kind->fields[i].group) != 0) {
				group = kind->fields[i].group;
				printf("\n### %s\n\n| name | type | values | default | applies | meaning |\n|---|---|---|---|---|---|\n", group);
			}
			print_field(&kind->fields[i]);
		}
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
