-- version: microseconds since the epoch of the last change, always growing; sessions are bound to it, so any change ends them.
ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN changed_at TEXT NOT NULL DEFAULT '';   -- RFC 3339, UTC, milliseconds; '' = before this was kept
ALTER TABLE users ADD COLUMN changed_by TEXT NOT NULL DEFAULT '';

-- Tokens of scripts.  The token itself is nowhere: jti is the number it carries.  A row that is gone is a token that is revoked.
CREATE TABLE tokens (
	name         TEXT PRIMARY KEY,
	jti          TEXT NOT NULL UNIQUE,
	role         TEXT NOT NULL,
	created_at   TEXT NOT NULL,
	created_by   TEXT NOT NULL,
	expires_at   INTEGER NOT NULL,     -- s since the epoch
	last_used_at INTEGER NOT NULL      -- microseconds since the epoch, up to a minute late; 0 = never
) WITHOUT ROWID;

-- Who made, changed or removed which user or token; the last 10,000.  Not configuration, so no revision.
CREATE TABLE account_changes (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT,
	at         TEXT NOT NULL,
	actor      TEXT NOT NULL,
	token      TEXT,                   -- name of the API token it was done with
	address    TEXT NOT NULL,
	request_id TEXT NOT NULL,
	kind       TEXT NOT NULL,          -- users, tokens
	name       TEXT NOT NULL,
	op         TEXT NOT NULL,          -- create, update, delete
	fields     TEXT NOT NULL           -- names of what changed, "role,password"
);
