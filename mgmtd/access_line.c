#include "mgmtd/access_line.h"

#include "mgmtd/render.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_SHOWN 1000u	/* characters of the path; of the query as many */
#define SEGMENT_SHOWN 160u	/* of a part between slashes: no name is longer, even with every byte escaped as %XX … */
#define UNKNOWN_SHOWN 64u	/* … and of one of a path that there is not, which may be a token that slipped in */

struct piece { char text[PATH_SHOWN + 8]; size_t len; bool full; };

/* What no URL may hold comes as %XX, so that nothing can end the line or pretend to be JSON. */
static void put(struct piece *p, const char *text, size_t len)
{
	for (size_t i = 0; i < len && !p->full; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c > 0x20 && c < 0x7f && c != '"' && c != '\\';
		if (p->len + 3 > PATH_SHOWN) {
			memcpy(p->text + p->len, "...", 4);
			p->len += 3;
			p->full = true;
			return;
		}
		p->len += (size_t)snprintf(p->text + p->len, 4, plain ? "%c" : "%%%02X", c);
	}
}

static void put_path(struct piece *p, const struct request *r)
{
	size_t most = r->route ? SEGMENT_SHOWN : UNKNOWN_SHOWN;

	for (const char *at = r->path; *at && !p->full;) {
		size_t len = strcspn(at + 1, "/") + 1;
		if (len - 1 > most)
			put(p, "/...", 4);
		else
			put(p, at, len);
		at += len;
	}
}

/* A method is what the client made it, too. */
static void put_method(struct piece *p, const struct request *r)
{
	put(p, r->method, strnlen(r->method, 16));
}

struct query_line { struct piece piece; const struct request *request; };

static bool is_taken(const struct route *route, const char *name)
{
	for (unsigned i = 0; route && i < QUERY_COUNT; i++)
		if ((route->queries & QUERY_BIT(i)) && strcmp(query_parameters[i].name, name) == 0)
			return true;
	return false;
}

static enum MHD_Result put_parameter(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct query_line *line = arg;
	struct piece *p = &line->piece;

	(void)kind;
	if (p->full)
		return MHD_NO;
	if (p->len)
		put(p, "&", 1);
	if (!is_taken(line->request->route, name)) {
		put(p, "...", 3);
		return MHD_YES;
	}
	put(p, name, strlen(name));
	if (value) {
		put(p, "=", 1);
		put(p, value, strlen(value));
	}
	return MHD_YES;
}

static void render_piece(struct buffer *b, const char *name, const struct piece *p)
{
	render_member(b, name);
	buffer_format(b, "\"%.*s\"", (int)p->len, p->text);
}

static bool has_body(const struct request *r)
{
	return r->status != 304 && strcmp(r->method, "HEAD") != 0;
}

void access_line_render(struct buffer *b, struct request *r, bool complete, int64_t now_us)
{
	struct query_line query = { .request = r };
	struct piece path = { .len = 0 }, method = { .len = 0 };

	put_method(&method, r);
	put_path(&path, r);
	MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, put_parameter, &query);
	buffer_text(b, "{\"at\":");
	buffer_json_time(b, time_now_us());
	render_text(b, "request_id", request_id(r));
	render_text(b, "address", r->address);
	render_text(b, "user", r->identity.username);
	render_text(b, "token", r->identity.token);
	render_piece(b, "method", &method);
	render_piece(b, "path", &path);
	render_piece(b, "query", &query.piece);
	render_number(b, "status", r->status, 1);
	render_number(b, "bytes", has_body(r) ? (int64_t)r->sent : 0, 0);
	render_thousandths(b, "duration_ms", now_us > r->begun_us ? (uint64_t)(now_us - r->begun_us) : 1);
	render_flag(b, "complete", complete);
	buffer_text(b, "}");
}
