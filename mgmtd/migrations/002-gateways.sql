-- Documents of two more kinds: what an older program would not load, so it must not open the database any more.

CREATE VIEW routing_gateways AS
	SELECT name,
	       json_extract(document, '$.enabled')      AS enabled,
	       json_extract(document, '$.host')         AS host,
	       json_extract(document, '$.port')         AS port,
	       json_extract(document, '$.transport')    AS transport,
	       json_extract(document, '$.registration') AS registration,
	       json_extract(document, '$.prefixes')     AS prefixes,
	       json_extract(document, '$.priority')     AS priority,
	       json_extract(document, '$.note')         AS note,
	       revision, changed_at, changed_by
	FROM documents WHERE kind = 'routing-gateways';

CREATE VIEW mapping_gateways AS
	SELECT name,
	       json_extract(document, '$.enabled')        AS enabled,
	       json_extract(document, '$.sources')        AS sources,
	       json_extract(document, '$.authentication') AS authentication,
	       json_extract(document, '$.username')       AS username,
	       json_extract(document, '$.note')           AS note,
	       revision, changed_at, changed_by
	FROM documents WHERE kind = 'mapping-gateways';
