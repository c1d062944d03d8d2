/* Prints the reference of every parameter and field, in Markdown, from the schema tables: schema/REFERENCE.md. */
#include "schema/schema.h"

#include <stdio.h>
#include <string.h>

static void print_list(const struct field *field)
{
	struct list_limits limits = schema_list_limits(field);

	printf("%d–%d ", limits.min_items, limits.max_items);
	switch (field->type) {
	case FT_INTERVALS:
		printf("numbers, %g–%g s, each twice the one before up to the greatest, at most %g s together", limits.min / 1000.0,
		       limits.max / 1000.0, SCHEMA_INTERVALS_SUM_MS / 1000.0);
		break;
	case FT_CODES:
		printf("different codes, %d–%d", limits.min, limits.max);
		break;
	case FT_PREFIXES:
		printf("different texts of `0-9*#+`, 0–%d bytes", limits.max);
		break;
	case FT_REWRITES:
		printf("objects {`match`, `replace`}, texts of `0-9*#+`, 0–%d bytes; each `match` once", limits.max);
		break;
	default:
		printf("different addresses, networks (`address/length`) or `address:port`");
	}
}

static const char *text_kind(enum field_type type)
{
	switch (type) {
	case FT_HOST:		return ", a host";
	case FT_HOST_PORT:	return ", host[:port]";
	case FT_USER:		return ", a SIP user";
	case FT_NAME:		return ", a name";
	default:		return "";
	}
}

static void print_values(const struct field *field)
{
	const char *joint = "", *quote = field->type == FT_INT ? "" : "\"";

	if (field->type == FT_BOOL) {
		printf("true, false");
		return;
	}
	if (field->type >= FT_INTERVALS) {
		print_list(field);
		return;
	}
	if (schema_target(field->type) != KIND_COUNT) {
		printf("name of one of `%s`, null", schema_kinds[schema_target(field->type)].path);
		return;
	}
	for (const struct option_word *o = field->options; o && o->word; o++, joint = ", ")
		printf("%s`%s%s%s`", joint, quote, o->word, quote);
	if (field->type == FT_INT_OR_KEYWORD || (field->type == FT_INT && !field->options))
		printf("%s%s%d–%d%s", joint, field->flags & ZERO_OFF ? "0 (off), " : field->flags & ZERO_INHERITS ? "0 (inherit), " : "",
		       field->min, field->max, field->unit == SECONDS ? " s" : "");
	else if (field->type > FT_ENUM)
		printf("%d–%d bytes%s", field->min, field->max, text_kind(field->type));
}

static void print_field(const struct field *field)
{
	printf("| `%s%s` | %s | ", field->flags & SIP ? "sip." : "", field->name, schema_type_word(field->type));
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
	       "What a change of a value does: *live* = from the next message on, *new_calls* = for calls that begin afterwards,\n"
	       "*reregister* = the registrations that use it send a new REGISTER, nothing else. `sip.x` is the member `x` of the object\n"
	       "`sip`.\n");
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
