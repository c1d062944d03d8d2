#include "identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define UNKNOWN_CALLER "anonymous"

static bool given(const char *text)
{
	return text && *text;
}

/* ------------------------------------------------------------------ values that came in */

/* A name-addr list as it came in, unfolded (RFC 3261 7.3.1).  False: it could break the header it is written to, or what
 * reads that; or an item has no URI. */
static bool pass_identity(char *out, size_t size, const char *value)
{
	bool quoted = false, bracket = false, uri = false;
	size_t n = 0;

	for (; *value; value++) {
		char c = *value;
		if (c == '\r' || c == '\n' || c == '\t') {
			value += strspn(value, "\r\n\t ") - 1;
			c = ' ';
		}
		if ((unsigned char)c < 0x20 || c == 0x7f || n + 1 + (quoted && c == '\\') >= size)
			return false;
		if (c == '"' && !bracket)
			quoted = !quoted;
		else if (((c == '<' || c == '>') && !quoted && bracket == (c == '<')) || (c == ',' && !quoted && !bracket && !uri))
			return false;
		else if ((c == '<' || c == '>') && !quoted)
			bracket = c == '<';
		else if ((c == ':' || (c == ',' && !bracket)) && !quoted)
			uri = c == ':';
		out[n++] = c;
		if (quoted && c == '\\') {
			if ((unsigned char)value[1] < 0x20 || value[1] == 0x7f)
				return false;
			out[n++] = *++value;
		}
	}
	out[n] = '\0';
	return !quoted && !bracket && uri;
}

/* priv-value *(";" priv-value), each a token (RFC 3323 4.2); lists of several headers come with commas. */
static bool pass_privacy(char *out, size_t size, const char *value)
{
	static const char token[] = "-.!%*_+`'~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = 0;

	for (;;) {
		size_t len;
		value += strspn(value, " \t");
		len = strspn(value, token);
		if (len == 0 || n + len >= size)
			return false;
		memcpy(out + n, value, len);
		n += len;
		value += len;
		value += strspn(value, " \t");
		if (!*value)
			break;
		if (*value != ';' && *value != ',')
			return false;
		out[n++] = ';';
		value++;
	}
	out[n] = '\0';
	return true;
}

static bool lists(const char *values, const char *word)
{
	size_t len = strlen(word);

	for (;; values++) {
		size_t n = strcspn(values, ";");
		if (n == len && strncasecmp(values, word, len) == 0)
			return true;
		values += n;
		if (!*values)
			return false;
	}
}

/* ------------------------------------------------------------------ what goes out */

static int32_t privacy_mode(const struct identity_source *s)
{
	if (s->gateway->privacy != GATEWAY_PRIVACY_INHERIT)
		return s->gateway->privacy;
	switch (s->registration_privacy) {
	case PRIVACY_ID:	return GATEWAY_PRIVACY_ID;
	case PRIVACY_NONE:	return GATEWAY_PRIVACY_NONE;
	default:		return GATEWAY_PRIVACY_IGNORE;
	}
}

static void write_privacy(struct invite_identity *out, const struct identity_source *s)
{
	switch (privacy_mode(s)) {
	case GATEWAY_PRIVACY_ID:
		snprintf(out->privacy, sizeof out->privacy, "id");
		break;
	case GATEWAY_PRIVACY_NONE:
		snprintf(out->privacy, sizeof out->privacy, "none");
		break;
	case GATEWAY_PRIVACY_PASSTHROUGH:
		if (!given(s->in->privacy) || pass_privacy(out->privacy, sizeof out->privacy, s->in->privacy))
			break;
		snprintf(out->privacy, sizeof out->privacy, "id");
		out->dropped = "Privacy";
		break;
	default:
		break;
	}
}

static void write_identity(struct invite_identity *out, char *value, int32_t mode, const struct identity_source *s,
                           const char *came_in, const char *name)
{
	if (mode == IDENTITY_CALLER && given(s->caller)) {
		snprintf(value, IDENTITY_VALUE_MAX + 1, "<sip:%s@%s>", out->from_user, s->our_host);
	} else if (mode == IDENTITY_PASSTHROUGH && s->trusted && given(came_in) &&
	           !pass_identity(value, IDENTITY_VALUE_MAX + 1, came_in)) {
		value[0] = '\0';
		out->dropped = name;
	}
}

static void write_remote_party_id(struct invite_identity *out, const struct identity_source *s)
{
	bool hidden = lists(out->privacy, "id") || lists(out->privacy, "user");

	if (s->gateway->remote_party_id && given(s->caller))
		snprintf(out->remote_party_id, sizeof out->remote_party_id, "<sip:%s@%s>;party=calling;privacy=%s;screen=%s",
		         out->from_user, s->our_host, hidden ? "full" : "off", s->trusted ? "yes" : "no");
}

/* A quoted-string (RFC 3261 25.1). */
static void quote(char *out, size_t size, const char *text)
{
	size_t n = 0;

	out[n++] = '"';
	for (; *text && n + 4 <= size; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text;
	}
	out[n++] = '"';
	out[n] = '\0';
}

static void write_display(struct invite_identity *out, const struct identity_source *s)
{
	static const int32_t of_parameter[] = {
		[DISPLAY_FROM_IGNORE] = GATEWAY_DISPLAY_IGNORE, [DISPLAY_FROM_CALLER] = GATEWAY_DISPLAY_CALLER,
		[DISPLAY_FROM_PASSTHROUGH] = GATEWAY_DISPLAY_PASSTHROUGH,
	};
	int32_t mode = s->gateway->display;
	char text[DISPLAY_MAX + 1] = "";

	if (mode == GATEWAY_DISPLAY_INHERIT)
		mode = of_parameter[s->parameters->SS_SIP_E164_DISPLAY_FROM];
	if (!given(s->caller))
		return;
	if (mode == GATEWAY_DISPLAY_CALLER)
		display_plain(text, sizeof text, s->caller);
	else if (mode == GATEWAY_DISPLAY_PASSTHROUGH)
		display_plain(text, sizeof text, s->in->from_display);
	if (text[0])
		quote(out->from_display, sizeof out->from_display, text);
}

static bool use_contact(const struct identity_source *s)
{
	switch (s->gateway->invite_use_contact) {
	case INVITE_MODE_ON:	return true;
	case INVITE_MODE_OFF:	return false;
	default:		return s->parameters->SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT;
	}
}

int identity_outbound(struct invite_identity *out, const struct identity_source *s)
{
	struct invite_identity i = { .use_contact = use_contact(s) };
	const char *to = i.use_contact ? s->original : s->routed;
	const char *from = given(s->caller) ? s->caller : UNKNOWN_CALLER;

	if (strlen(to) > NUMBER_MAX || strlen(s->routed) > NUMBER_MAX || strlen(from) > NUMBER_MAX ||
	    strlen(s->our_host) >= IDENTITY_HOST_MAX || number_to_user(i.request_user, sizeof i.request_user, s->routed) != 0 ||
	    number_to_user(i.to_user, sizeof i.to_user, to) != 0 ||
	    number_to_user(i.from_user, sizeof i.from_user, from) != 0)
		return EMSGSIZE;
	memcpy(i.to_number, to, strlen(to) + 1);
	write_display(&i, s);
	write_privacy(&i, s);
	write_identity(&i, i.p_asserted_identity, s->gateway->p_asserted_identity, s, s->in->p_asserted_identity,
	               "P-Asserted-Identity");
	write_identity(&i, i.p_preferred_identity, s->gateway->p_preferred_identity, s, s->in->p_preferred_identity,
	               "P-Preferred-Identity");
	write_remote_party_id(&i, s);
	*out = i;
	return 0;
}
