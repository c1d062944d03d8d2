-- The call detail records, in a database of their own: see mgmtd/store_cdr.h.  Times are microseconds since the epoch, 0 = it
-- never happened; a text that is not known is ''.
CREATE TABLE cdrs (
	seq                INTEGER PRIMARY KEY,      -- order of arrival
	id                 INTEGER NOT NULL,         -- of the call; 64 bits, shown as 16 hex digits
	setup_at           INTEGER NOT NULL,
	ringing_at         INTEGER NOT NULL,
	answered_at        INTEGER NOT NULL,
	ended_at           INTEGER NOT NULL,
	mapping_gateway    TEXT NOT NULL,
	routing_gateway    TEXT NOT NULL,
	registration       TEXT NOT NULL,
	request_uri_in     TEXT NOT NULL,
	to_in              TEXT NOT NULL,
	callee_in          TEXT NOT NULL,
	original           TEXT NOT NULL,
	routed             TEXT NOT NULL,
	to_out             TEXT NOT NULL,
	invite_use_contact TEXT NOT NULL,
	caller_in          TEXT NOT NULL,
	caller_out         TEXT NOT NULL,
	call_id_in         TEXT NOT NULL,
	call_id_out        TEXT NOT NULL,
	code               INTEGER NOT NULL,
	phrase             TEXT NOT NULL,
	hung_up_by         TEXT NOT NULL,
	tried              TEXT NOT NULL,            -- lines "GATEWAY code"
	skipped            TEXT NOT NULL,            -- lines "GATEWAY why"
	UNIQUE (id, ended_at)                        -- two calls may have one id after a clock was set back; both are kept
);
CREATE INDEX cdrs_by_end ON cdrs (ended_at);
CREATE INDEX cdrs_by_code ON cdrs (code, ended_at);

-- A call has up to eight numbers, three or four of them different: one table with each once is half the size of eight
-- indexes, and a search is one range of it for each slice.  Numbers come in any order, and in one tree of millions nearly
-- every row of a batch would fall on a page of its own, to be read and written whole.  So the table grows slice by slice: a
-- slice takes the calls that ended from `start` on, up to the next one's, and 16384 rows of cdrs begin another.  (After a
-- clock that ran ahead none begins until that time has come: slower, not wrong.)
CREATE TABLE cdr_slices (
	start     INTEGER PRIMARY KEY,   -- an ended_at
	first_seq INTEGER NOT NULL       -- of the record that began it
);
INSERT INTO cdr_slices VALUES (0, 0);

CREATE TABLE cdr_numbers (
	slice  INTEGER NOT NULL,
	number TEXT NOT NULL,
	at     INTEGER NOT NULL,         -- ended_at
	cdr    INTEGER NOT NULL,         -- seq
	PRIMARY KEY (slice, number, at, cdr)
) WITHOUT ROWID;

CREATE TABLE cdr_gateways (
	gateway TEXT NOT NULL,
	at      INTEGER NOT NULL,
	cdr     INTEGER NOT NULL,
	PRIMARY KEY (gateway, at, cdr)
) WITHOUT ROWID;

CREATE TRIGGER cdr_added AFTER INSERT ON cdrs BEGIN
	INSERT INTO cdr_slices
		SELECT new.ended_at, new.seq FROM (SELECT start, first_seq FROM cdr_slices ORDER BY start DESC LIMIT 1)
		WHERE start < new.ended_at AND first_seq + 16384 <= new.seq;
	INSERT INTO cdr_numbers
		SELECT (SELECT max(start) FROM cdr_slices WHERE start <= new.ended_at), number, new.ended_at, new.seq FROM (
			SELECT new.request_uri_in AS number
			UNION SELECT new.to_in UNION SELECT new.callee_in UNION SELECT new.original UNION SELECT new.routed
			UNION SELECT new.to_out UNION SELECT new.caller_in UNION SELECT new.caller_out)
		WHERE number <> '';
	INSERT INTO cdr_gateways
		SELECT gateway, new.ended_at, new.seq FROM (
			SELECT new.mapping_gateway AS gateway UNION SELECT new.routing_gateway)
		WHERE gateway <> '';
END;

CREATE TRIGGER cdr_removed AFTER DELETE ON cdrs BEGIN
	DELETE FROM cdr_numbers WHERE slice = (SELECT max(start) FROM cdr_slices WHERE start <= old.ended_at) AND at = old.ended_at AND cdr = old.seq AND number IN
		(old.request_uri_in, old.to_in, old.callee_in, old.original, old.routed, old.to_out, old.caller_in, old.caller_out);
	DELETE FROM cdr_gateways WHERE at = old.ended_at AND cdr = old.seq AND gateway IN
		(old.mapping_gateway, old.routing_gateway);
END;

-- How far the spool has been taken in: changed in the transaction that brings the records, so that each comes once.
CREATE TABLE spool (
	only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
	file     TEXT NOT NULL,
	offset   INTEGER NOT NULL
);
INSERT INTO spool VALUES (1, '', 0);

-- For people who query by hand.
CREATE VIEW calls AS
	SELECT printf('%016x', id) AS id,
	       strftime('%Y-%m-%dT%H:%M:%fZ', setup_at / 1000000.0, 'unixepoch') AS setup_at,
	       CASE WHEN answered_at THEN strftime('%Y-%m-%dT%H:%M:%fZ', answered_at / 1000000.0, 'unixepoch') END AS answered_at,
	       CASE WHEN ended_at THEN strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000000.0, 'unixepoch') END AS ended_at,
	       CASE WHEN answered_at AND ended_at > answered_at THEN (ended_at - answered_at) / 1000 ELSE 0 END AS duration_ms,
	       mapping_gateway, routing_gateway, caller_in, caller_out, original, routed, to_out AS billing_callee, code, phrase,
	       hung_up_by
	FROM cdrs;
