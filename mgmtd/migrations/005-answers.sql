-- What was answered to a change that came with an Idempotency-Key, for the client that asks again.  Kept for a day, and bounded.
CREATE TABLE answers (
	number      INTEGER PRIMARY KEY,
	actor       TEXT NOT NULL,
	key         TEXT NOT NULL,
	fingerprint BLOB NOT NULL,        -- of method, path, query and body
	at          INTEGER NOT NULL,     -- s since the epoch
	status      INTEGER NOT NULL,
	revision    INTEGER NOT NULL,     -- of the ETag; 0 = none
	bytes       INTEGER NOT NULL,     -- of the body
	body        TEXT NOT NULL,
	UNIQUE (actor, key)
);
