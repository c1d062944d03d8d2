-- Every object of the configuration as it is now.  A parameter that was reset to its default has the document {}.
CREATE TABLE documents (
	kind        TEXT NOT NULL,
	name        TEXT NOT NULL,
	id          INTEGER NOT NULL,     -- number of the record in the shared-memory segment; 0 for parameters
	incarnation INTEGER NOT NULL,     -- the revision that created the object
	revision    INTEGER NOT NULL,     -- the revision that last changed it
	changed_at  TEXT NOT NULL,        -- RFC 3339, UTC, milliseconds
	changed_by  TEXT NOT NULL,
	document    TEXT NOT NULL,        -- canonical JSON; a secret is {"secret": reference}
	PRIMARY KEY (kind, name)
) WITHOUT ROWID;

-- One row a revision, never changed afterwards.  `record` is the whole truth as canonical JSON; hash = SHA-256 over the
-- 32 bytes of prev_hash followed by the bytes of record; the first prev_hash is 32 zero bytes.
CREATE TABLE revisions (
	revision  INTEGER PRIMARY KEY,
	record    TEXT NOT NULL,
	prev_hash BLOB NOT NULL,
	hash      BLOB NOT NULL
);

-- Which objects a revision touched: the index of history by object.
CREATE TABLE changes (
	kind     TEXT NOT NULL,
	name     TEXT NOT NULL,
	revision INTEGER NOT NULL,
	PRIMARY KEY (kind, name, revision)
) WITHOUT ROWID;

-- Secrets, encrypted (libsodium secretbox, key file beside the database), under the reference that documents hold.
CREATE TABLE secrets (
	reference TEXT PRIMARY KEY,
	box       BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
	username             TEXT PRIMARY KEY,
	role                 TEXT NOT NULL,
	password_hash        TEXT NOT NULL,
	must_change_password INTEGER NOT NULL
) WITHOUT ROWID;

-- Log-in tokens that were logged out before they ran out.
CREATE TABLE revoked_tokens (
	jti        TEXT PRIMARY KEY,
	expires_at INTEGER NOT NULL       -- s since the epoch; the row may go afterwards
) WITHOUT ROWID;

-- For people who query by hand.  (Virtual columns of the tables would be computed at every INSERT.)
CREATE VIEW history AS
	SELECT revision,
	       json_extract(record, '$.at')      AS at,
	       json_extract(record, '$.actor')   AS actor,
	       json_extract(record, '$.address') AS address,
	       json_extract(record, '$.comment') AS comment
	FROM revisions;

CREATE VIEW parameters AS
	SELECT name, json_extract(document, '$.value') AS value, revision, changed_at, changed_by
	FROM documents WHERE kind = 'sip-parameters';

CREATE VIEW registrations AS
	SELECT name,
	       json_extract(document, '$.enabled')   AS enabled,
	       json_extract(document, '$.server')    AS server,
	       json_extract(document, '$.port')      AS port,
	       json_extract(document, '$.transport') AS transport,
	       json_extract(document, '$.username')  AS username,
	       json_extract(document, '$.domain')    AS domain,
	       json_extract(document, '$.note')      AS note,
	       revision, changed_at, changed_by
	FROM documents WHERE kind = 'registrations';
