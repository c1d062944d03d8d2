-- Where to look for the revisions of one user (facet "actor"), or for those that touch objects of one kind (facet "kind"): stretches
-- of the history in which they follow each other with few of others between.  An index entry a revision would cost every durable
-- change a page; of a stretch only its ends are written.
CREATE TABLE spans (
	facet TEXT NOT NULL,
	value TEXT NOT NULL,
	since INTEGER NOT NULL,           -- its first revision
	until INTEGER NOT NULL,           -- its last; 9223372036854775807 while it goes on
	PRIMARY KEY (facet, value, since)
) WITHOUT ROWID;

INSERT INTO spans
	SELECT 'actor', actor, min(revision), max(revision) FROM
		(SELECT revision, actor, revision - row_number() OVER (PARTITION BY actor ORDER BY revision) AS run FROM history)
	GROUP BY actor, run;
INSERT INTO spans
	SELECT 'kind', kind, min(revision), max(revision) FROM
		(SELECT revision, kind, revision - row_number() OVER (PARTITION BY kind ORDER BY revision) AS run
			FROM (SELECT DISTINCT kind, revision FROM changes))
	GROUP BY kind, run;
UPDATE spans SET until = 9223372036854775807 WHERE until = (SELECT max(revision) FROM revisions);

-- Changes made with confirm_within: what goes back unless it is confirmed.
CREATE TABLE confirmations (
	revision       INTEGER PRIMARY KEY,
	within_s       INTEGER NOT NULL,
	deadline       INTEGER NOT NULL,  -- microseconds since the epoch, by the wall clock
	state          TEXT NOT NULL,     -- pending, confirmed, rolled_back, failed
	settled_at     TEXT,
	settled_by     TEXT,              -- who confirmed
	rolled_back_by INTEGER,           -- the revision that took it back; NULL when nothing was left to take back
	detail         TEXT               -- why it could not go back
);
CREATE INDEX confirmations_pending ON confirmations (deadline) WHERE state = 'pending';
