#include "mgmtd/cookie.h"

#include "mgmtd/answer.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME "tandem_session"

const char *cookie_token(const struct request *r)
{
	return MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND, NAME);
}

/* "https://example.net:8443" is where "example.net:8443" asks from.  The scheme may be another: a proxy may end TLS. */
static bool is_origin_of(const char *origin, const char *host)
{
	const char *authority = strstr(origin, "://");
	return authority && host && strcasecmp(authority + 3, host) == 0;
}

/* Sec-Fetch-Site cannot be set by a page; where a browser does not send it, Origin tells. */
static bool comes_from_elsewhere(const struct head *head)
{
	const char *site = head->sec_fetch_site.value;
	if (site)
		return strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
	return head->origin.value && !is_origin_of(head->origin.value, head->host.value);
}

static bool shows_csrf_token(const struct request *r)
{
	char wanted[TOKEN_CSRF];
	const char *shown = r->head.csrf_token.value;
	token_csrf(r->daemon->tokens, wanted, r->identity.jti);
	return shown && strlen(shown) == TOKEN_CSRF - 1 && sodium_memcmp(shown, wanted, TOKEN_CSRF - 1) == 0;
}

bool cookie_refuse(struct request *r)
{
	if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
		return false;
	if (comes_from_elsewhere(&r->head)) {
		answer_problem(r, 403, "cross_origin", NULL, "a page of another origin cannot use the cookie of this one");
		return true;
	}
	if (shows_csrf_token(r))
		return false;
	answer_problem(r, 403, "csrf_token_required", NULL,
	               "with the cookie, this needs the header X-CSRF-Token: csrf_token of GET /api/v1/session");
	return true;
}

static void add(struct request *r, const char *value, int life_s)
{
	char text[TOKEN_MAX + 128];
	snprintf(text, sizeof text, NAME "=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", value, life_s,
	         r->daemon->tls ? "; Secure" : "");
	answer_header(r, "Set-Cookie", text);
}

void cookie_set(struct request *r, const char *token)
{
	add(r, token, TOKEN_LIFE_S);
}

void cookie_clear(struct request *r)
{
	add(r, "", 0);
}
