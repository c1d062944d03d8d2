#include "mgmtd/compare.h"

#include "mgmtd/message.h"
#include "mgmtd/party.h"
#include "mgmtd/render.h"
#include "mgmtd/trace.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX 512

/* "" = it is not there. */
typedef void value_f(char value[VALUE_MAX], const struct compare_side *side);

static void of_request(char value[VALUE_MAX], const struct compare_side *side, bool host)
{
	struct party party;
	party_of_request(&party, side->message, side->len);
	snprintf(value, VALUE_MAX, "%s", host ? party.host : party.user);
}

static void request_uri_user(char value[VALUE_MAX], const struct compare_side *side)
{
	of_request(value, side, false);
}

static void request_uri_host(char value[VALUE_MAX], const struct compare_side *side)
{
	of_request(value, side, true);
}

static void user_of(char value[VALUE_MAX], const struct compare_side *side, const char *name, const char *compact)
{
	struct party party;
	party_of_header(&party, side->message, side->len, name, compact);
	snprintf(value, VALUE_MAX, "%s", party.user);
}

static void from_user(char value[VALUE_MAX], const struct compare_side *side)
{
	user_of(value, side, "From", "f");
}

static void from_display(char value[VALUE_MAX], const struct compare_side *side)
{
	struct party party;
	party_of_header(&party, side->message, side->len, "From", "f");
	snprintf(value, VALUE_MAX, "%s", party.display);
}

static void to_user(char value[VALUE_MAX], const struct compare_side *side)
{
	user_of(value, side, "To", "t");
}

static void contact_user(char value[VALUE_MAX], const struct compare_side *side)
{
	user_of(value, side, "Contact", "m");
}

static void header(char value[VALUE_MAX], const struct compare_side *side, const char *name)
{
	size_t len = 0;
	const char *text = message_header(side->message, side->len, name, NULL, &len);
	snprintf(value, VALUE_MAX, "%.*s", (int)len, text ? text : "");
}

static void asserted(char value[VALUE_MAX], const struct compare_side *side)
{
	header(value, side, "P-Asserted-Identity");
}

static void preferred(char value[VALUE_MAX], const struct compare_side *side)
{
	header(value, side, "P-Preferred-Identity");
}

static void remote_party(char value[VALUE_MAX], const struct compare_side *side)
{
	header(value, side, "Remote-Party-ID");
}

static void privacy(char value[VALUE_MAX], const struct compare_side *side)
{
	header(value, side, "Privacy");
}

static void session_expires(char value[VALUE_MAX], const struct compare_side *side)
{
	header(value, side, "Session-Expires");
}

static void target(char value[VALUE_MAX], const struct compare_side *side)
{
	snprintf(value, VALUE_MAX, "%s", side->target);
}

static const struct { const char *field; value_f *value; } fields[] = {
	{ "request_uri_user", request_uri_user },
	{ "request_uri_host", request_uri_host },
	{ "from_user", from_user },
	{ "from_display", from_display },
	{ "to_user", to_user },
	{ "p_asserted_identity", asserted },
	{ "p_preferred_identity", preferred },
	{ "remote_party_id", remote_party },
	{ "privacy", privacy },
	{ "session_expires", session_expires },
	{ "contact_user", contact_user },
	{ "target", target },
};

void compare_render(struct buffer *b, const struct compare_side *expected, const struct compare_side *seen)
{
	buffer_text(b, "[");
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		char meant[VALUE_MAX], was[VALUE_MAX];
		fields[i].value(meant, expected);
		fields[i].value(was, seen);
		buffer_format(b, "%s{\"field\":\"%s\"", i ? "," : "", fields[i].field);
		render_text(b, "expected", meant);
		render_text(b, "seen", was);
		render_flag(b, "match", strcmp(meant, was) == 0);
		buffer_text(b, "}");
	}
	buffer_text(b, "]");
}

/* Within a dialog To has a tag, outside any brackets (RFC 3261 12.2.1.1). */
static bool begins_a_call(const char *message, size_t len)
{
	size_t n = 0;
	const char *to = message_header(message, len, "To", "t", &n);
	const char *close = to ? memchr(to, '>', n) : NULL;
	const char *rest = close ? close : to;
	return to && !memmem(rest, n - (size_t)(rest - to), ";tag=", 5);
}

bool compare_matches(const char *message, size_t len, const char *expected, size_t expected_len)
{
	struct party called, meant;
	char call_id[TRACE_CALL_ID_MAX + 1], meant_id[TRACE_CALL_ID_MAX + 1];
	uint32_t gateway, meant_gateway;
	if (!message_is(message, len, "INVITE") || !begins_a_call(message, len) || !party_of_request(&called, message, len) ||
	    !party_of_request(&meant, expected, expected_len) || strcmp(called.user, meant.user) != 0)
		return false;
	trace_call_id(call_id, message, len);
	trace_call_id(meant_id, expected, expected_len);
	return message_gateway_id(&gateway, call_id) == 0 && message_gateway_id(&meant_gateway, meant_id) == 0 &&
	       gateway == meant_gateway;
}
